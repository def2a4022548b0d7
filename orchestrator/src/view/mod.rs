//! What a person sees of a run: progress while it goes, a summary at its end.
//!
//! Progress goes to standard error, the summary to standard output, so that `--output json` can be
//! piped while somebody watches. A reader that went away is no reason to stop a run: what cannot be
//! printed is dropped.

mod bars;
mod drained;
mod printed;
mod progress;
mod report;
mod summary;

use std::time::Duration;

pub(crate) use bars::{BesideBars, bar, say_beside};
pub(crate) use drained::{DONE, Drained, INFRASTRUCTURE, TIMED_OUT, how, stopped_by};
#[cfg(test)]
pub(crate) use printed::put;
pub(crate) use printed::{plain, print, print_json, say};
pub(crate) use progress::{Board, Moment, Progress};
pub(crate) use report::{Elements, Fault, Kind, Report, StepReport, Tried, Work};
pub(crate) use summary::Summary;

/// A duration as a person reads it, to about three digits.
pub(crate) fn human(duration: Duration) -> String {
    let ms = duration.as_millis();
    let s = duration.as_secs();
    match s {
        0 => format!("{ms}ms"),
        1..60 => format!("{}.{}s", s, ms % 1000 / 100),
        60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        3600..86_400 => format!("{}h{:02}m", s / 3600, s % 3600 / 60),
        _ => format!("{}d{:02}h", s / 86_400, s % 86_400 / 3600),
    }
}

/// A rate as a person reads it.
pub(crate) fn per_second(rate: f64) -> String {
    match rate {
        r if r >= 100.0 => format!("{r:.0}/s"),
        r if r >= 1.0 => format!("{r:.1}/s"),
        r if r * 60.0 >= 1.0 => format!("{:.1}/min", r * 60.0),
        r if r > 0.0 => format!("{:.1}/h", r * 3600.0),
        _ => "0/s".into(),
    }
}

/// `1 item`, `2 items`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

/// A table without the blanks that its borders would have been.
pub(crate) fn trimmed(table: &comfy_table::Table) -> String {
    let text = table.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let lines = lines
        .iter()
        .map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_rates_read_as_people_say_them() {
        let ms = Duration::from_millis;
        for (time, text) in [
            (0, "0ms"),
            (612, "612ms"),
            (13_240, "13.2s"),
            (245_000, "4m05s"),
            (7_380_000, "2h03m"),
            (90_000_000, "1d01h"),
        ] {
            assert_eq!(human(ms(time)), text);
        }
        for (rate, text) in [
            (1234.5, "1234/s"),
            (7.64, "7.6/s"),
            (0.5, "30.0/min"),
            (0.001, "3.6/h"),
            (0.0, "0/s"),
        ] {
            assert_eq!(per_second(rate), text);
        }
        assert_eq!(
            (count(1, "item"), count(0, "item")),
            ("1 item".into(), "0 items".into())
        );
    }
}
