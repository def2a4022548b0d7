//! The words of the memq wire: names, limits, error codes and the JSON shapes of `/v1`.
//!
//! Server and clients share this crate, so that a field is spelled in one place. It knows neither
//! HTTP nor how a queue works: it holds what is said, not what is done.

#![forbid(unsafe_code)]

mod duration;
mod encoding;
mod events;
mod item;
mod lease;
pub mod limits;
mod look;
mod name;
mod options;
mod outcome;
mod problem;
mod queue;
mod run;
mod settings;
#[cfg(feature = "openapi")]
mod shapes;
mod trace;

pub use duration::{DurationError, parse_duration, parse_duration_with_unit};
pub use encoding::Body;
pub use events::{Deleted, EVENT_STREAM, Event, RunDeleted, Snapshot};
pub use item::{Enqueued, EnqueuedItem, Leased};
pub use lease::{
    ExtendRequest, LeaseAnswer, LeaseRequest, QueueState, SettleAs, SettleRequest, Settled,
    SettledAnswer, Settlement, Until,
};
pub use look::{Attempt, AttemptEnd, Item, ItemLease, ItemPage, ItemState, Redrive};
pub use name::{ItemId, LeaseToken, NameError, QueueName, RunName};
pub use options::{NewItem, Options, OptionsError, check_delay, check_group, check_key, check_ttl};
pub use outcome::{Finish, Outcome};
pub use problem::{Code, Problem};
pub use queue::{Affected, Counts, Handling, Queue, QueueList, Restored, Totals, Verdict};
pub use run::{RunList, RunPhase, RunReport, RunReportError, RunStep, RunWorkers, StepPhase};
pub use settings::{Backoff, Settings, SettingsError, SettingsPatch};
pub use trace::{TRACEPARENT, TRACESTATE, Trace};

/// Media type of the errors of `/v1`, RFC 9457.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// Media type of a stream of JSON values, one a line.
pub const NDJSON: &str = "application/x-ndjson";
/// Header that carries a lease token where the body is an item's own bytes (`lease?raw=true`).
pub const LEASE_HEADER: &str = "memq-lease";
/// Header of an enqueue that names the request, so that sending it again adds nothing.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Header of an answer that repeats what an earlier request of the same idempotency key got.
pub const IDEMPOTENCY_REPLAYED: &str = "idempotency-replayed";
