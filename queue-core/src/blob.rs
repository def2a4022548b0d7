//! Handles of bytes that the core keeps for others and never reads.

/// Names bytes in the caller's store: a body, a result or an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Blob {
    /// Where the store finds the bytes. Means nothing to the core.
    pub place: u64,
    /// How many bytes there are: counted against the queue's limits.
    pub len: u32,
}
