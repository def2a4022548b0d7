//! Leasing and settling: what a worker says and hears.

use serde::{Deserialize, Deserializer, Serialize};

use crate::item::Leased;
use crate::name::LeaseToken;

/// The body of a lease call. Every field may be absent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LeaseRequest {
    /// Most items to lend, default 1, at most [`crate::limits::MAX_LEASE_ITEMS`]. 0 settles only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(maximum = 1_000))]
    pub max: Option<u32>,
    /// How long to park while there is nothing to lend, default 0, at most 300,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(maximum = 300_000))]
    pub wait_ms: Option<u64>,
    /// Length of the leases, default the queue's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 100, maximum = 315_360_000_000_u64)
    )]
    pub lease_ms: Option<u64>,
    /// Who asks; kept with the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 253))]
    pub worker: Option<String>,
    /// Ends a parked call early when the queue reaches this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// Settlements of earlier leases, applied first whatever becomes of this lease.
    #[serde(
        default,
        deserialize_with = "null_is_none",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[cfg_attr(feature = "openapi", schema(max_items = 10_000, nullable))]
    pub settle: Vec<Settlement>,
}

/// Absent and null are the same.
fn null_is_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Settlement>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// What a parked call waits for besides an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Until {
    /// Sealed and finished.
    Drained,
    /// Finished or quiet without a seal; drained too.
    Empty,
}

/// The answer to a lease call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaseAnswer {
    /// The items lent, in the order in which the queue lends them.
    pub items: Vec<Leased>,
    /// Why the answer is as it is.
    pub state: QueueState,
    /// What became of the carried settlements, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<Settled>,
}

/// Why a lease answer is as it is: the first of these that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum QueueState {
    /// Items were given.
    Open,
    /// Sealed, and nothing ready, leased or delayed: no item will ever come unless someone redrives
    /// or reopens.
    Drained,
    /// Nothing ready, leased or delayed, and nothing enqueued for the queue's `quiet_ms`.
    Empty,
    /// New leases are stopped.
    Paused,
    /// Nothing to lend now; others hold items, or more may come.
    Waiting,
}

/// What a worker says became of an item it held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settlement {
    /// The lease it settles.
    pub lease: LeaseToken,
    /// The verdict.
    #[serde(rename = "as")]
    pub verdict: SettleAs,
    /// Kept with the outcome; only with `ack`. A JSON string is kept as its text, any other value
    /// as its JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<serde_json::Value>,
    /// Kept with the attempt; with `nack`, `release` and `dead`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The exit code of the command that handled the item, if one did; kept with the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Retry after this instead of the queue's back-off; with `nack` and `release`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// What the attempt printed; kept with the attempt, cut at [`crate::limits::MAX_LOG_BYTES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

impl Settlement {
    /// A verdict on a lease, and nothing more.
    #[must_use]
    pub fn new(lease: LeaseToken, verdict: SettleAs) -> Self {
        Self {
            lease,
            verdict,
            result: None,
            error: None,
            exit_code: None,
            delay_ms: None,
            log: None,
        }
    }
}

/// The verdict of a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum SettleAs {
    /// Done.
    Ack,
    /// Failed: spends an attempt, retried after a back-off, dead after the last.
    Nack,
    /// Given back unspent.
    Release,
    /// Can never work: dead at once.
    Dead,
}

impl SettleAs {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Nack => "nack",
            Self::Release => "release",
            Self::Dead => "dead",
        }
    }
}

/// The body of a settle call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SettleRequest {
    /// The settlements, applied in order.
    #[cfg_attr(feature = "openapi", schema(max_items = 10_000))]
    pub settle: Vec<Settlement>,
}

/// The body of an extend call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ExtendRequest {
    /// The leases to extend.
    #[cfg_attr(feature = "openapi", schema(max_items = 10_000))]
    pub leases: Vec<LeaseToken>,
    /// The new length from now, default the queue's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 100, maximum = 315_360_000_000_u64)
    )]
    pub lease_ms: Option<u64>,
}

/// The answer to settle and extend calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SettledAnswer {
    /// One entry a lease, in the order of the request.
    pub settled: Vec<Settled>,
}

/// What became of one settlement or extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Settled {
    /// The lease it is about.
    pub lease: LeaseToken,
    /// Whether it was applied, now or earlier.
    pub ok: bool,
    /// True if the same settlement had been applied before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
    /// Why not: `lease_lost`, `body_too_large` or `bad_request`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<crate::Code>,
    /// What remains of the lease after an extension, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_ms: Option<u64>,
}
