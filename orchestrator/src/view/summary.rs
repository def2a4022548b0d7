//! The end of a run whose only step has items: what came of it, in words, as JSON and as an exit code.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::{Drained, count, human, per_second};
use crate::plan::{End, Why};
use crate::spec::Tolerate;
use crate::tally::Failure;

/// All that is said at the end of a run.
#[derive(Debug)]
pub(crate) struct Summary {
    /// The run.
    pub(crate) run: String,
    /// The queue that was made for it, if it was not there before.
    pub(crate) queue: Option<String>,
    /// Whether its name is a new one each time.
    pub(crate) generated: bool,
    /// What came of its step.
    pub(crate) drained: Drained,
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// The joblog.
    pub(crate) joblog: PathBuf,
    /// The folder of the workers' logs, if there were workers.
    pub(crate) logs: Option<PathBuf>,
    /// The last lines of the worker that ended the run.
    pub(crate) last_lines: Vec<String>,
    /// The server that keeps the rest of the queue, if it is not our own.
    pub(crate) server: Option<String>,
    /// The command that goes on with what is not done.
    pub(crate) again: String,
}

#[derive(Serialize)]
struct Json<'a> {
    run: &'a str,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    exit_code: u8,
    items: u64,
    done: u64,
    dead: u64,
    already: u64,
    left: u64,
    elapsed_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_p50_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item_p95_ms: Option<u64>,
    failures: &'a [Failure],
    joblog: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    logs: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    again: Option<&'a str>,
}

impl Summary {
    /// What the program exits with.
    pub(crate) fn exit_code(&self) -> u8 {
        self.drained.verdict().0
    }

    /// Prints it for a person.
    pub(crate) fn print(&self) {
        super::print(&self.text());
    }

    /// It as programs read it.
    pub(crate) fn object(&self) -> impl Serialize + '_ {
        let (exit_code, verdict) = self.drained.verdict();
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Json {
            run: &self.run,
            verdict,
            reason: self.drained.reason(),
            exit_code,
            items: self.drained.tally.total,
            done: self.drained.tally.done,
            dead: self.drained.tally.dead,
            already: self.drained.tally.already,
            left: self.drained.tally.left(),
            elapsed_ms: ms(self.elapsed),
            item_p50_ms: self.drained.tally.item_time(0.5).map(ms),
            item_p95_ms: self.drained.tally.item_time(0.95).map(ms),
            failures: &self.drained.tally.failures,
            joblog: self.joblog.display().to_string(),
            logs: self.logs.as_ref().map(|logs| logs.display().to_string()),
            again: self.drained.left_over().then_some(self.again.as_str()),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |label: &str, value: &str| {
            // A String takes whatever is written to it.
            let _ = writeln!(text, "  {label:<12} {value}");
        };
        if let Some(median) = self.drained.tally.item_time(0.5) {
            let most = self.drained.tally.item_time(0.95).unwrap_or(median);
            let times = format!("half within {}, 95% within {}", human(median), human(most));
            line("an item", &times);
        }
        for (index, failure) in self.drained.tally.failures.iter().enumerate() {
            let label = if index == 0 { "dead" } else { "" };
            let Failure {
                item,
                attempts,
                error,
            } = failure;
            let attempts = count(u64::from(*attempts), "attempt");
            line(label, &format!("{item} ({attempts}): {error}"));
        }
        let more = self
            .drained
            .tally
            .dead
            .saturating_sub(self.drained.tally.failures.len() as u64);
        if more > 0 {
            line(
                "",
                &format!("and {more} more: see \"state\":\"dead\" in the joblog"),
            );
        }
        for (index, said) in self.last_lines.iter().enumerate() {
            line(if index == 0 { "it said" } else { "" }, said);
        }
        line("joblog", &self.joblog.display().to_string());
        if let Some(logs) = &self.logs {
            line("worker logs", &format!("{}/worker-*.log", logs.display()));
        }
        if self.drained.left_over() {
            let rest = self.rest_of_the_queue();
            if let Some(removal) = rest.as_ref().filter(|_| !self.generated) {
                line(
                    "first",
                    &format!("{removal}    (the queue still holds the rest)"),
                );
            }
            line(
                "to go on",
                &format!("{}    (skips what is done)", self.again),
            );
            if let Some(removal) = rest.filter(|_| self.generated) {
                line(
                    "to tidy up",
                    &format!("{removal}    (the queue still holds the rest)"),
                );
            }
        }
        format!("{}\n{text}", self.headline())
    }

    /// How to remove what is left on a server that goes on without this run.
    fn rest_of_the_queue(&self) -> Option<String> {
        let gone = matches!(self.drained.end, End::Stopped(Why::Trouble(_)));
        let (server, queue) = (self.server.as_ref()?, self.queue.as_ref()?);
        (self.drained.tally.left() > 0 && !gone)
            .then(|| format!("memq queue rm {queue} --force --server {server}"))
    }

    /// What came of it, in a sentence.
    pub(crate) fn headline(&self) -> String {
        let (run, tally) = (&self.run, &self.drained.tally);
        let elapsed = human(self.elapsed);
        if tally.to_do() == 0 && self.drained.end == End::Complete {
            return match tally.total {
                0 => format!("{run}: there are no items, nothing to do"),
                total => format!("{run}: all {total} already done, nothing to do"),
            };
        }
        let already = match tally.already {
            0 => String::new(),
            already => format!(" ({already} were done before)"),
        };
        let did = match tally.dead {
            0 => format!("{} done", tally.done),
            dead => format!("{} done, {dead} dead", tally.done),
        };
        if let Some(reason) = self.drained.reason() {
            let left = tally.left();
            return format!("{run}: {reason}; {did}, {left} left after {elapsed}{already}");
        }
        let rate = per_second(tally.finished() as f64 / self.elapsed.as_secs_f64().max(0.001));
        let all = format!(
            "{run}: {did} of {} in {elapsed}, {rate}{already}",
            tally.to_do()
        );
        match (tally.left(), tally.dead) {
            (0, 0) => all,
            (0, _) if self.drained.tolerated() => format!("{all}; so many dead are tolerated"),
            (0, _) => match self.drained.tolerate {
                Tolerate::Items(0) => all,
                Tolerate::Items(most) => format!("{all}; {most} dead would be tolerated"),
                Tolerate::Percent(most) => format!("{all}; {most}% dead would be tolerated"),
            },
            (left, _) => format!("{all}; {left} were taken out of the queue by someone else"),
        }
    }
}
