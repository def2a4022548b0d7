//! What a queue can be told about itself.

use core::time::Duration;

/// The settings a queue decides by. The caller checks their ranges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Hard end of one attempt, however often its lease is extended.
    pub max_lease: Option<Duration>,
    /// Attempts an item gets before it is dead, at least 1.
    pub max_attempts: u32,
    /// Wait before a retry.
    pub backoff: Backoff,
    /// Finished items whose outcome is kept.
    pub done_retention_items: u64,
    /// How long an outcome is kept.
    pub done_retention: Duration,
    /// Bytes of bodies and notes that done items may hold.
    pub done_retention_bytes: u64,
    /// How long an unsealed queue without work must have been left alone to count as empty.
    pub quiet: Duration,
    /// Most items held: ready, leased, delayed and dead.
    pub max_items: Option<u64>,
    /// Most bytes of bodies of those items, and of what their attempts left: past it nothing comes in.
    pub max_bytes: Option<u64>,
    /// Most items in workers' hands.
    pub max_leased: Option<u64>,
    /// Leases given a second, more than 0 and at most a million.
    pub rate_per_s: Option<f64>,
    /// Leases that may be given at once after a while without any, at least 1. Without it: a tenth of a
    /// second's worth. Means nothing without a rate.
    pub burst: Option<u64>,
    /// Most items of one group in workers' hands. Does not bind items without a group.
    pub max_leased_per_group: Option<u64>,
    /// How long after its item came in a key stays taken, even where the item ends sooner.
    pub key_window: Duration,
}

/// How long a failed item waits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// Wait after the first failure.
    pub min: Duration,
    /// Longest wait.
    pub max: Duration,
    /// Growth a failure, at least 1.
    pub factor: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_lease: None,
            max_attempts: 5,
            backoff: Backoff {
                min: Duration::from_secs(1),
                max: Duration::from_secs(300),
                factor: 2.0,
            },
            done_retention_items: 1_000_000,
            done_retention: Duration::from_secs(7 * 24 * 3600),
            done_retention_bytes: 256 * 1024 * 1024,
            quiet: Duration::from_secs(5),
            max_items: None,
            max_bytes: None,
            max_leased: None,
            rate_per_s: None,
            burst: None,
            max_leased_per_group: None,
            key_window: Duration::ZERO,
        }
    }
}
