//! Figures as people read them: one line a round, or a table that can be pasted into
//! docs/performance.md.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing figures is its job"
)]

use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;

use crate::closed_loop::Round;
use crate::open_loop::Paced;

/// Prints a line of figures.
pub fn say(line: &str) {
    println!("{line}");
}

/// Prints what is under way, beside the figures.
pub fn progress(line: &str) {
    eprintln!("{line}");
}

/// Prints why there are no figures.
pub fn complain(error: &anyhow::Error) {
    eprintln!("memq-loadtest: {error:#}");
}

/// One round on one line.
#[must_use]
pub fn line(what: &str, round: &Round) -> String {
    let Round {
        requests,
        items,
        elapsed,
        latency,
        client_cpu,
        ..
    } = round;
    let (rate, p50, p99) = (
        thousands(round.rate()),
        quantile(latency, 0.5),
        quantile(latency, 0.99),
    );
    let seconds = elapsed.as_secs_f64();
    let busy = client_cpu.map_or_else(String::new, |cpu| {
        format!("; this client's core {} busy", percent(cpu, *elapsed))
    });
    format!(
        "{what}: {items} items in {requests} requests and {seconds:.2} s, {rate} k items/s; \
         latency p50 {p50}, p99 {p99}{busy}"
    )
}

/// One open loop on one line.
///
/// # Errors
///
/// The client could not keep up, so that it has no latency to report.
pub fn paced_line(what: &str, paced: &Paced) -> Result<String> {
    let latency = paced.trusted()?;
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|part| quantile(latency, part));
    let (rate, achieved) = (thousands(paced.rate), thousands(paced.achieved()));
    Ok(format!(
        "{what}: {} requests due at {rate} k/s, {achieved} k/s answered; latency from when they \
         were due p50 {p50}, p99 {p99}, p99.9 {p999}",
        paced.requests
    ))
}

/// A table of Markdown, its columns as wide as their widest cell; all but the first to the right.
#[must_use]
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let cell_of = |row: &Vec<String>, at: usize| row.get(at).map_or(0, |cell| cell.chars().count());
    let width = |at: usize| {
        let widest = rows.iter().map(|row| cell_of(row, at)).max();
        widest.unwrap_or(0).max(head[at].chars().count()).max(3)
    };
    let put = |at: usize, text: &str| {
        let width = width(at);
        if at == 0 {
            format!("{text:<width$}")
        } else {
            format!("{text:>width$}")
        }
    };
    let print = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = print(
        head.iter()
            .enumerate()
            .map(|(at, cell)| put(at, cell))
            .collect(),
    );
    let rule = (0..head.len()).map(|at| {
        let dashes = "-".repeat(width(at) - 1);
        if at == 0 {
            format!("-{dashes}")
        } else {
            format!("{dashes}:")
        }
    });
    text += &print(rule.collect());
    for row in rows {
        let cell = |at: usize| row.get(at).map_or("", String::as_str);
        text += &print((0..head.len()).map(|at| put(at, cell(at))).collect());
    }
    text
}

/// The middle, the least and the most of some figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Half are below it.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// Of at least one figure; of none, all are zero.
    #[must_use]
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = match sorted[..] {
            [] => (0.0, 0.0),
            [only] => (only, only),
            [least, .., most] => (least, most),
        };
        let (lower, upper) = (sorted.len().saturating_sub(1) / 2, sorted.len() / 2);
        let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
        Self {
            median: f64::midpoint(at(lower), at(upper)),
            least,
            most,
        }
    }

    /// With the unit that `show` gives.
    #[must_use]
    pub fn show(&self, show: impl Fn(f64) -> String) -> String {
        format!(
            "{} ({}–{})",
            show(self.median),
            show(self.least),
            show(self.most)
        )
    }
}

/// In thousands, to three digits.
#[must_use]
pub fn thousands(figure: f64) -> String {
    match figure / 1e3 {
        k if k >= 100.0 => format!("{k:.0}"),
        k if k >= 10.0 => format!("{k:.1}"),
        k => format!("{k:.2}"),
    }
}

/// How long the given part of the calls took at most.
#[must_use]
pub fn quantile(latency: &Histogram<u64>, part: f64) -> String {
    span(Duration::from_nanos(latency.value_at_quantile(part)))
}

/// A short time.
#[must_use]
pub fn span(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// Processor time as a part of the time that passed.
#[must_use]
pub fn percent(cpu: Duration, elapsed: Duration) -> String {
    format!("{:.0} %", 100.0 * cpu.as_secs_f64() / elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_its_middle_and_its_ends() {
        let spread = |figures: &[f64]| {
            let Spread {
                median,
                least,
                most,
            } = Spread::of(figures.iter().copied());
            (median, least, most)
        };
        assert_eq!(spread(&[3.0, 1.0, 2.0]), (2.0, 1.0, 3.0));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]), (2.5, 1.0, 4.0));
        assert_eq!(spread(&[7.0]), (7.0, 7.0, 7.0));
        assert_eq!(spread(&[]), (0.0, 0.0, 0.0));
    }

    #[test]
    fn figures_have_three_digits() {
        let shown = [1_234.0, 12_345.0, 123_456.0, 1_234_567.0].map(thousands);
        assert_eq!(shown, ["1.23", "12.3", "123", "1235"]);
    }

    #[test]
    fn a_table_is_markdown_with_even_columns() {
        let rows = [
            vec!["put".into(), "57.0 (56.0–58.0)".into()],
            vec!["take, v1".into()],
        ];
        let expected = "\
| operation |      k items/s   |
| --------- | ---------------: |
| put       | 57.0 (56.0–58.0) |
| take, v1  |                  |
";
        assert_eq!(table(&["operation", "k items/s  "], &rows), expected);
    }
}
