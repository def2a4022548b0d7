//! An item held: its lease is kept alive elsewhere, and its holder learns when it is lost.

use std::ops::Deref;
use std::sync::Arc;

use queue_api::Leased;
use tokio_util::sync::CancellationToken;

use crate::renewer::Held;

/// A leased item whose lease is renewed until this is dropped.
///
/// Keep it until the item is settled *and the server said so*: a lease that ends between the work
/// and its settlement gives the item to another worker.
#[derive(Debug)]
pub struct Lease {
    item: Leased,
    lost: CancellationToken,
    held: Arc<Held>,
}

impl Lease {
    pub(crate) fn new(item: Leased, lost: CancellationToken, held: Arc<Held>) -> Self {
        Self { item, lost, held }
    }

    /// Ends when the lease is lost: the server said so, or its time passed without a renewal. From
    /// then on another worker may have the item, and a settlement changes nothing.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Whether the lease is lost.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
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
