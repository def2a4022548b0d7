//! Each bound of the wire, with its unit and its reason.

use core::time::Duration;

/// Longest queue name in bytes: a name must fit a metric label and a file name.
pub const MAX_NAME_BYTES: usize = 128;
/// Longest lease token in bytes, so that clients may store it in a fixed field.
pub const MAX_TOKEN_BYTES: usize = 64;
/// Longest worker name in bytes: a pod name has at most 253.
pub const MAX_WORKER_BYTES: usize = 253;
/// Largest request body in bytes: what one request may make the server hold.
pub const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;
/// Most items in one enqueue: all of them enter under the queue's lock at once, a few milliseconds a
/// ten thousand.
pub const MAX_ENQUEUE_ITEMS: usize = 100_000;
/// Bytes of bodies after which a lease call lends no further item: they are copied under the queue's
/// lock. The first item is lent whatever its size.
pub const MAX_LEASE_BYTES: u64 = 4 * 1024 * 1024;
/// Most items one lease call may ask for: what one worker may hold back from the others.
pub const MAX_LEASE_ITEMS: u32 = 1_000;
/// Most settlements or extensions in one call.
pub const MAX_SETTLEMENTS: usize = 10_000;
/// Longest a call may park, so that a proxy in between rarely cuts it.
pub const MAX_WAIT: Duration = Duration::from_secs(300);
/// Longest duration a setting or a delay may name: ten years keeps every sum far from overflow.
pub const MAX_DURATION: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// Shortest lease: below this the round trip to a worker eats the lease.
pub const MIN_LEASE: Duration = Duration::from_millis(100);
/// Most attempts a queue may grant an item.
pub const MAX_ATTEMPTS: u32 = 1_000;
/// Most attempts kept in an item's history; older ones are forgotten first.
pub const MAX_HISTORY: usize = 20;
/// Releases of one item that do not spend an attempt; each further one does, so that an item which
/// every worker gives back still ends.
pub const FREE_RELEASES: u8 = 10;
/// Longest error text kept with an attempt, in bytes: both streams of a command as the worker cuts
/// them (64 KiB each) and a line of context. Longer ones are cut, never refused.
pub const MAX_ERROR_BYTES: usize = 132 * 1024;
/// Most outcomes in one page.
pub const MAX_OUTCOMES: usize = 10_000;
