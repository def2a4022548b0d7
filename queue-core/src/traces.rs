//! The traces that items came in with, of those that did.

use alloc::sync::Arc;

use crate::Seq;
use crate::paged::{Paged, Vacant};

/// The trace of each item that has one. Items that came in together may share it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Traces {
    of: Paged<Option<Arc<str>>>,
    /// Bytes of all of them, as if none were shared.
    bytes: u64,
}

impl Traces {
    /// An item came in.
    pub(crate) fn add(&mut self, seq: Seq, trace: &Arc<str>) {
        self.bytes += trace.len() as u64;
        self.of.insert(seq.0, Some(Arc::clone(trace)));
    }

    /// An item left the queue. True if no item is left.
    pub(crate) fn remove(&mut self, seq: Seq) -> bool {
        if let Some(trace) = self.of.remove(seq.0).flatten() {
            self.bytes -= trace.len() as u64;
        }
        self.of.len() == 0
    }

    pub(crate) fn of(&self, seq: Seq) -> Option<&Arc<str>> {
        self.of.get(seq.0)?.as_ref()
    }

    /// How many items have one.
    pub(crate) fn len(&self) -> u64 {
        self.of.len()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Vacant for Option<Arc<str>> {
    fn vacant() -> Self {
        None
    }
}
