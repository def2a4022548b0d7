//! Items as they are looked at: where one is in its life, and what was tried.

use serde::{Deserialize, Serialize};

use crate::encoding::Body;
use crate::name::ItemId;
use crate::options::is_zero;

/// Where an item is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ItemState {
    /// Can be leased now.
    Ready,
    /// Lent to a worker.
    Leased,
    /// Waits for its time: for the delay it came with, or for a retry.
    Delayed,
    /// Gave up on; kept until redriven or purged.
    Dead,
    /// Acknowledged, or taken through the MemQ API; kept while its outcome is.
    Done,
    /// Ended at its `expires`; kept while its outcome is.
    Expired,
    /// Cancelled; kept while its outcome is.
    Cancelled,
}

impl ItemState {
    /// All states, in the order of a life.
    pub const ALL: [Self; 7] = [
        Self::Ready,
        Self::Leased,
        Self::Delayed,
        Self::Dead,
        Self::Done,
        Self::Expired,
        Self::Cancelled,
    ];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Leased => "leased",
            Self::Delayed => "delayed",
            Self::Dead => "dead",
            Self::Done => "done",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

/// An item, looked at without taking it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Item {
    /// Its id.
    pub id: ItemId,
    /// Where it is in its life.
    pub state: ItemState,
    /// The item itself.
    #[serde(flatten)]
    pub body: Body,
    /// How many of its attempts are spent since it was enqueued or redriven, with the one that is running.
    pub attempts: u32,
    /// Its unique key, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its group, if it is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its priority; absent where it is 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: i16,
    /// The trace it was enqueued in, if it was in one: W3C trace context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// What tracing systems added to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<String>,
    /// When it was enqueued.
    pub enqueued: jiff::Timestamp,
    /// When a delayed item may be leased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<jiff::Timestamp>,
    /// When it ends unless it is leased or done; absent for an item that does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<jiff::Timestamp>,
    /// The lease of a leased item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<ItemLease>,
    /// When it ended; absent for an item that has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<jiff::Timestamp>,
    /// What its `ack` carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// What the last attempt that failed said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The exit code of the last attempt's command, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Its past attempts, oldest first, the last [`crate::limits::MAX_HISTORY`] of them; only where one
    /// item is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Attempt>,
}

/// The lease of an item. Its token is shown to nobody but its holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ItemLease {
    /// Who holds it, if they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// When it was given.
    pub started: jiff::Timestamp,
    /// What remains of it, in milliseconds.
    pub lease_ms: u64,
    /// When it ends by the server's clock.
    pub lease_expires: jiff::Timestamp,
}

/// An attempt at an item that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attempt {
    /// Its number among all that the item ever had, from 1: it goes on over releases and redrives.
    pub attempt: u32,
    /// How it ended.
    #[serde(rename = "as")]
    pub verdict: AttemptEnd,
    /// Who held the item, if they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// When it began.
    pub started: jiff::Timestamp,
    /// When it ended.
    pub ended: jiff::Timestamp,
    /// What an `ack` carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// What a `nack`, `release` or `dead` carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The exit code of its command, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Bytes of the log that is kept with it; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_bytes: Option<u64>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum AttemptEnd {
    /// Done.
    Ack,
    /// Failed.
    Nack,
    /// Given back.
    Release,
    /// Said to be hopeless.
    Dead,
    /// Its lease ran out.
    Expired,
    /// Its item was cancelled meanwhile.
    Revoked,
}

impl AttemptEnd {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Nack => "nack",
            Self::Release => "release",
            Self::Dead => "dead",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// The answer of `GET …/items`: some of a queue's items, in the order in which they were enqueued.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ItemPage {
    /// The items, without their history.
    pub items: Vec<Item>,
    /// Give this as `?after=` for the next page; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<ItemId>,
}

/// Which dead items a redrive makes ready again: all for which each condition that is given holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Redrive {
    /// Is one of these, at most [`crate::limits::MAX_REDRIVE_IDS`]. Those that are not dead are passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_items = 10_000))]
    pub ids: Option<Vec<ItemId>>,
    /// Is of this group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(
            min_length = 1,
            max_length = 255,
            pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$"
        )
    )]
    pub group: Option<String>,
    /// Its last error holds this text, at most [`crate::limits::MAX_NEEDLE_BYTES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 1_024))]
    pub error_contains: Option<String>,
    /// The command of its last attempt ended with this code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Died at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_after: Option<jiff::Timestamp>,
    /// Died before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_before: Option<jiff::Timestamp>,
    /// No more than so many, oldest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub limit: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_reads_on_the_wire_as_it_prints() {
        for state in ItemState::ALL {
            let json = serde_json::to_string(&state).expect("a state is JSON");
            assert_eq!(json, format!("\"{}\"", state.as_str()));
        }
    }

    #[test]
    fn an_end_reads_on_the_wire_as_it_prints() {
        for end in [
            AttemptEnd::Ack,
            AttemptEnd::Nack,
            AttemptEnd::Release,
            AttemptEnd::Dead,
            AttemptEnd::Expired,
            AttemptEnd::Revoked,
        ] {
            let json = serde_json::to_string(&end).expect("an end is JSON");
            assert_eq!(json, format!("\"{}\"", end.as_str()));
        }
    }

    #[test]
    fn an_item_shows_only_what_it_has() {
        let json = r#"{"id":"feed000000000001000000000000002a","state":"ready","body":"a","attempts":0,"enqueued":"2026-01-02T03:04:05Z"}"#;
        let item: Item = serde_json::from_str(json).expect("an item");
        assert_eq!(serde_json::to_string(&item).expect("json"), json);
    }

    #[test]
    fn a_condition_of_a_redrive_that_is_not_known_is_refused() {
        let error = serde_json::from_str::<Redrive>(r#"{"exitcode":1}"#).unwrap_err();
        assert!(error.to_string().contains("exitcode"), "{error}");
    }
}
