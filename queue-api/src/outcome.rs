//! Outcomes: what became of an item, one line of the joblog each.

use serde::{Deserialize, Serialize};

use crate::encoding::Body;
use crate::name::ItemId;

/// How an item ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// Acknowledged, or taken through the MemQ API.
    Done,
    /// Out of attempts, or said to be hopeless.
    Dead,
    /// Not leased before its `expires`, or not done by then and given back.
    Expired,
    /// Cancelled.
    Cancelled,
}

impl Finish {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One finished item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Outcome {
    /// Place in the queue's order of outcomes, from 1: the cursor for `?after=`.
    pub outcome: u64,
    /// The item's id.
    pub id: ItemId,
    /// The item itself.
    #[serde(flatten)]
    pub body: Body,
    /// Its unique key, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its group, if it was of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// How it ended.
    pub state: Finish,
    /// Attempts it was given.
    pub attempts: u32,
    /// Who held it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// When the item was enqueued.
    pub enqueued: jiff::Timestamp,
    /// When the last attempt began; absent for an item that was never leased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<jiff::Timestamp>,
    /// When it ended.
    pub ended: jiff::Timestamp,
    /// What an `ack` carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// What the last failed attempt said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The exit code of the last attempt's command, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}
