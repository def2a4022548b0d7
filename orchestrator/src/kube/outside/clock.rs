//! The time of day, where a person is told how long ago something was.

use jiff::Timestamp;

/// The time of day.
#[expect(
    clippy::disallowed_methods,
    reason = "what a cluster wrote down is compared with the date; no deadline rests on it"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
