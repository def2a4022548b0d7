//! A report as it is kept: the bytes that all who ask are shown, and the little that is asked of it here.
//!
//! It is written down once, when it comes. Who lists runs or watches them shares these bytes, so that showing
//! a thousand long reports to a thousand clients costs neither time nor memory worth the name.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use axum::body::Bytes;
use queue_api::{RunName, RunReport};
use queue_core::Time;

use crate::engine::timestamp;

/// A report.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    place: Place,
    has_ended: bool,
    text: Bytes,
}

/// Where a run stands among the others: those that began last come first. As text, where a list goes on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    began_ms: Reverse<i64>,
    run: RunName,
}

impl Told {
    /// A report that came now. When it came, and that it is fresh, is for us to say.
    pub(crate) fn of(mut report: RunReport, now: Time) -> serde_json::Result<Self> {
        report.updated = Some(timestamp(now));
        report.stale = false;
        let text = serde_json::to_vec(&report)?;
        Ok(Self {
            has_ended: report.phase.has_ended(),
            place: Place {
                began_ms: Reverse(report.started.as_millisecond()),
                run: report.run,
            },
            // Without the room that the text grew into.
            text: text.into_boxed_slice().into(),
        })
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn run(&self) -> &RunName {
        &self.place.run
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// The report as JSON, in one line.
    pub(super) fn text(&self) -> &Bytes {
        &self.text
    }

    /// Nobody has repeated it in time.
    pub(super) fn go_stale(&mut self) {
        const STALE: &[u8] = br#","stale":true}"#;
        let open = self.text.strip_suffix(b"}").unwrap_or(&self.text);
        self.text = [open, STALE].concat().into();
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.began_ms.0, self.run)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (began_ms, run) = text.split_once('.').ok_or(())?;
        Ok(Self {
            began_ms: Reverse(began_ms.parse().map_err(drop)?),
            run: run.parse().map_err(drop)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_as_it_was_written() {
        for text in ["1763740800000.keygen-abcde", "-1.a.b", "0.r"] {
            let place: Place = text.parse().expect(text);
            assert_eq!(place.to_string(), text);
        }
        for text in ["", ".", "r", "1.", ".r", "1x.r", "1.-r", "1 .r"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
