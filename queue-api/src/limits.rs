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
/// Most bytes of results, errors and logs in an item's history: past it those of the oldest attempts go, and
/// those of the last one never.
pub const MAX_HISTORY_BYTES: u64 = 1024 * 1024;
/// Releases of one item that do not spend an attempt; each further one does, so that an item which
/// every worker gives back still ends.
pub const FREE_RELEASES: u8 = 10;
/// Longest error text kept with an attempt, in bytes: both streams of a command as the worker cuts
/// them (64 KiB each) and a line of context. Longer ones are cut, never refused.
pub const MAX_ERROR_BYTES: usize = 132 * 1024;
/// Longest output kept with an attempt (`log`), in bytes: what an error may hold. Cut, never refused.
pub const MAX_LOG_BYTES: usize = MAX_ERROR_BYTES;
/// Most outcomes in one page.
pub const MAX_OUTCOMES: usize = 10_000;
/// Longest unique key in bytes: what names a file, a host or a row is shorter.
pub const MAX_KEY_BYTES: usize = 255;
/// Longest group name in bytes.
pub const MAX_GROUP_BYTES: usize = 255;
/// Longest `Idempotency-Key` in bytes.
pub const MAX_IDEMPOTENCY_KEY_BYTES: usize = 255;
/// Most idempotency keys a queue remembers; the one that was used longest ago is forgotten first.
pub const MAX_IDEMPOTENCY_KEYS: usize = 100_000;
/// How long an idempotency key is remembered after its last use.
pub const IDEMPOTENCY_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Most items in one page of `GET …/items`.
pub const MAX_PAGE_ITEMS: usize = 1_000;
/// Bytes of items after which a page ends: they are copied under the queue's lock. A page holds at
/// least one item.
pub const MAX_PAGE_BYTES: usize = 1024 * 1024;
/// Most items that a redrive may name one by one.
pub const MAX_REDRIVE_IDS: usize = 10_000;
/// Longest text that a redrive may look for in errors, in bytes: each dead item's error is searched.
pub const MAX_NEEDLE_BYTES: usize = 1_024;
/// Fewest leases a second that a queue may be held to: one in eleven days.
pub const MIN_RATE: f64 = 0.000_001;
/// Most leases a second that a queue may be held to: beyond it a server is slower than the limit.
pub const MAX_RATE: f64 = 1_000_000.0;
/// Most leases that a queue may save up while nobody asks.
pub const MAX_BURST: u64 = 1_000_000;
/// Most readers of `GET /v1/events` at once: each is told of every change.
pub const MAX_EVENT_STREAMS: usize = 1_000;
/// Longest name of a spec, a step or a namespace in a run's report, in bytes: Kubernetes' names have at most 253.
pub const MAX_RUN_NAME_BYTES: usize = 253;
/// Longest message in a run's report, in bytes: a sentence, and what a program said last.
pub const MAX_RUN_MESSAGE_BYTES: usize = 2_048;
/// Most steps in a run's report.
pub const MAX_RUN_STEPS: usize = 500;
/// Most queues of a step in a run's report.
pub const MAX_STEP_QUEUES: usize = 10;
/// Longest report of a run, in bytes of its JSON: a hundred steps, as many as a spec may have, with a sentence each.
pub const MAX_RUN_REPORT_BYTES: usize = 64 * 1024;
/// Most runs whose reports are kept; the one that ended first goes first.
pub const MAX_RUNS: usize = 1_000;
/// Bytes of all reports that are kept: what who watches is shown when it begins. An eighth of what so many of
/// the longest would be.
pub const MAX_RUNS_BYTES: usize = 8 * 1024 * 1024;
/// Most runs in one page of `GET /v1/runs`; a page ends sooner after [`MAX_PAGE_BYTES`].
pub const MAX_PAGE_RUNS: usize = MAX_RUNS;
/// How long a report of a run that has not ended is fresh. It is repeated every 30 s: three may be lost.
pub const RUN_STALE_AFTER: Duration = Duration::from_secs(120);
/// Bytes of a `tracestate` that are kept with an item: what the standard asks everybody to pass on. Of a
/// longer one the members past 128 bytes are left out, then the last.
pub const MAX_TRACESTATE_BYTES: usize = 512;
/// Most members of a `tracestate`, as the standard has it; one with more counts as absent.
pub const MAX_TRACESTATE_MEMBERS: usize = 32;
