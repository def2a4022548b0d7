//! The time of day: what is seen in a cluster carries it, and what is kept of a run does.
//!
//! Nothing here can use another clock: a status is read by whoever leads next, on another machine. A step of
//! the wall clock makes a deadline early or late by that step; leases of items and of leaders rest on none of it.

use jiff::Timestamp;

/// The time of day.
#[expect(
    clippy::disallowed_methods,
    reason = "what a cluster wrote down can only be compared with the date"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
