//! The end of a run: what came of it, in words, as JSON and as an exit code.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::{count, human, per_second};
use crate::plan::{Crash, End, Exit, Signal, Why, judge};
use crate::spec::Tolerate;
use crate::tally::{Failure, Tally};

/// All items have an outcome, and no more died than is tolerated.
const DONE: u8 = 0;
/// More items died than is tolerated, or some were taken away.
const DEAD: u8 = 1;
/// The run could not go on: server, workers, disk.
pub(crate) const INFRASTRUCTURE: u8 = 2;
/// The time was up.
const TIMED_OUT: u8 = 3;

/// All that is said at the end of a run.
#[derive(Debug)]
pub(crate) struct Summary {
    /// The run, and its queue.
    pub(crate) run: String,
    /// Whether its name is a new one each time.
    pub(crate) generated: bool,
    /// How it ended.
    pub(crate) end: End,
    /// How far it came.
    pub(crate) tally: Tally,
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// Dead items that are no failure.
    pub(crate) tolerate: Tolerate,
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
    fn tolerated(&self) -> bool {
        self.tolerate.allows(self.tally.dead, self.tally.total)
    }

    /// The exit code and the verdict's word.
    fn verdict(&self) -> (u8, &'static str) {
        match &self.end {
            End::Complete if self.tally.left() > 0 => (DEAD, "incomplete"),
            End::Complete if self.tolerated() => (DONE, "done"),
            End::Complete => (DEAD, "dead"),
            End::Stopped(Why::Signal(signal)) => (128 + signal_number(*signal), "stopped"),
            End::Stopped(Why::TimedOut) => (TIMED_OUT, "timed_out"),
            End::Stopped(Why::Trouble(_) | Why::Worker(..)) => (INFRASTRUCTURE, "failed"),
            End::Stopped(Why::Drained) => (DONE, "done"),
        }
    }

    /// What the program exits with.
    pub(crate) fn exit_code(&self) -> u8 {
        self.verdict().0
    }

    /// Why it ended before all was done.
    fn reason(&self) -> Option<String> {
        let End::Stopped(why) = &self.end else {
            return None;
        };
        Some(match why {
            Why::Drained => return None,
            Why::Signal(Signal::Interrupt) => "stopped by Ctrl-C".into(),
            Why::Signal(Signal::Terminate) => "stopped by SIGTERM".into(),
            Why::Signal(Signal::Hangup) => "stopped because its terminal closed".into(),
            Why::TimedOut => "its time is up".into(),
            Why::Trouble(trouble) => trouble.clone(),
            Why::Worker(worker, exit) => {
                let what = match judge(*exit) {
                    Crash::Hopeless => "cannot work",
                    Crash::Again | Crash::Left => "does not stay up",
                };
                format!("worker {} {what}: {}", worker + 1, how(*exit))
            }
        })
    }

    fn left_over(&self) -> bool {
        self.tally.left() > 0 || !self.tolerated()
    }

    /// Prints it for a person.
    pub(crate) fn print(&self) {
        let _gone = std::io::stdout().write_all(self.text().as_bytes());
    }

    /// Prints it as one JSON object.
    pub(crate) fn print_json(&self) {
        let (exit_code, verdict) = self.verdict();
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let json = Json {
            run: &self.run,
            verdict,
            reason: self.reason(),
            exit_code,
            items: self.tally.total,
            done: self.tally.done,
            dead: self.tally.dead,
            already: self.tally.already,
            left: self.tally.left(),
            elapsed_ms: ms(self.elapsed),
            item_p50_ms: self.tally.item_time(0.5).map(ms),
            item_p95_ms: self.tally.item_time(0.95).map(ms),
            failures: &self.tally.failures,
            joblog: self.joblog.display().to_string(),
            logs: self.logs.as_ref().map(|logs| logs.display().to_string()),
            again: self.left_over().then_some(self.again.as_str()),
        };
        let text = serde_json::to_string(&json).unwrap_or_default();
        let _gone = writeln!(std::io::stdout(), "{text}");
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |label: &str, value: &str| {
            // A String takes whatever is written to it.
            let _ = writeln!(text, "  {label:<12} {value}");
        };
        if let Some(median) = self.tally.item_time(0.5) {
            let most = self.tally.item_time(0.95).unwrap_or(median);
            let times = format!("half within {}, 95% within {}", human(median), human(most));
            line("an item", &times);
        }
        for (index, failure) in self.tally.failures.iter().enumerate() {
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
            .tally
            .dead
            .saturating_sub(self.tally.failures.len() as u64);
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
        if self.left_over() {
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
        let gone = matches!(self.end, End::Stopped(Why::Trouble(_)));
        let server = self.server.as_ref()?;
        (self.tally.left() > 0 && !gone)
            .then(|| format!("memq queue rm {} --force --server {server}", self.run))
    }

    fn headline(&self) -> String {
        let (run, tally) = (&self.run, &self.tally);
        let elapsed = human(self.elapsed);
        if tally.to_do() == 0 && self.end == End::Complete {
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
        if let Some(reason) = self.reason() {
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
            (0, _) if self.tolerated() => format!("{all}; so many dead are tolerated"),
            (0, _) => match self.tolerate {
                Tolerate::Items(0) => all,
                Tolerate::Items(most) => format!("{all}; {most} dead would be tolerated"),
                Tolerate::Percent(most) => format!("{all}; {most}% dead would be tolerated"),
            },
            (left, _) => format!("{all}; {left} were taken out of the queue by someone else"),
        }
    }
}

fn signal_number(signal: Signal) -> u8 {
    match signal {
        Signal::Hangup => 1,
        Signal::Interrupt => 2,
        Signal::Terminate => 15,
    }
}

/// How a worker ended, in words.
pub(crate) fn how(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("it exited with {code}"),
        Exit::Signal(signal) => format!("it was killed by signal {signal}"),
        Exit::NotStarted => "it could not be started".into(),
    }
}
