//! An item held: its lease is kept alive elsewhere, and its holder learns when it is lost.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use queue_api::Leased;

use crate::renewer::{Ends, Held};

/// A leased item whose lease is renewed until this is dropped.
///
/// Keep it until the item is settled *and the server said so*: a lease that ends between the work
/// and its settlement gives the item to another worker.
#[derive(Debug)]
pub struct Lease {
    item: Leased,
    ends: Arc<Ends>,
    held: Arc<Held>,
}

impl Lease {
    pub(crate) fn new(item: Leased, ends: Arc<Ends>, held: Arc<Held>) -> Self {
        Self { item, ends, held }
    }

    /// Ends when the lease is lost: the server said so, or its time passed without a renewal. From
    /// then on another worker may have the item, and a settlement changes nothing.
    pub async fn lost(&self) {
        self.ends.lost.cancelled().await;
    }

    /// Whether the lease is lost.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.ends.lost.is_cancelled()
    }

    /// Whether the server gives no more time: the lease ends at its last deadline, whatever its holder
    /// does, because the attempt has a hard end (`max_lease_ms`).
    #[must_use]
    pub fn is_fading(&self) -> bool {
        self.ends.fading.load(Relaxed)
    }

    /// The item.
    #[must_use]
    pub fn item(&self) -> &Leased {
        &self.item
    }
}

impl Deref for Lease {
    type Target = Leased;

    fn deref(&self) -> &Leased {
        &self.item
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.held.forget(&self.item.lease);
    }
}
