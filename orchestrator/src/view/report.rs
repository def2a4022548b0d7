//! The end of a run of several steps: a table, JSON, an exit code.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use comfy_table::{Table, presets};
use serde::Serialize;

use super::drained::{DEAD, DONE, Drained, INFRASTRUCTURE, TIMED_OUT, signal_number, stopped_by};
use super::{count, human};
use crate::flow::Phase;
use crate::plan::{End, Exit, Why};
use crate::tally::{Failure, one_line};

/// Characters of a result or a failure that are shown in the table; the joblog has it all.
const SHOWN: usize = 80;

/// All that is said at the end of a run of several steps.
#[derive(Debug)]
pub(crate) struct Report {
    /// The run.
    pub(crate) run: String,
    /// Its steps, in the order of the file.
    pub(crate) steps: Vec<StepReport>,
    /// What cut it short, if something did: a signal or its time.
    pub(crate) cut: Option<Why>,
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// The joblog.
    pub(crate) joblog: PathBuf,
    /// The folder of the logs.
    pub(crate) logs: PathBuf,
    /// The command that goes on with what is not done.
    pub(crate) again: String,
}

/// What came of a step.
#[derive(Debug)]
pub(crate) struct StepReport {
    /// Its name.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) phase: Phase,
    /// How long it took, if it had something to do.
    pub(crate) took: Option<Duration>,
    /// What it did.
    pub(crate) work: Work,
    /// Why it did not succeed.
    pub(crate) fault: Option<Fault>,
    /// Why it was skipped.
    pub(crate) skipped: Option<String>,
    /// The last lines of what failed.
    pub(crate) last_lines: Vec<String>,
}

/// What a step did.
#[derive(Debug)]
pub(crate) enum Work {
    /// Nothing: it never began, or could not.
    Nothing,
    /// Nothing, because an earlier run had done it.
    Before,
    /// It went through items.
    Items(Box<Drained>),
    /// It ran one process.
    Once(Tried),
    /// It ran a process for each element.
    Each(Elements),
}

/// A process that was tried once or several times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tried {
    /// How often.
    pub(crate) tries: u32,
    /// How the last try ended, if it could be begun.
    pub(crate) exit: Option<Exit>,
    /// What it gave back.
    pub(crate) result: Option<String>,
}

/// How far the elements of a step are.
#[derive(Debug, Default)]
pub(crate) struct Elements {
    /// All of them.
    pub(crate) total: usize,
    /// Done by an earlier run.
    pub(crate) already: usize,
    /// Done by this one.
    pub(crate) done: usize,
    /// Failed their last try.
    pub(crate) failed: usize,
    /// The first few of those; their key as the item.
    pub(crate) failures: Vec<Failure>,
}

/// Why a step did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Whose fault it is.
    pub(crate) kind: Kind,
    /// What happened, on one line.
    pub(crate) text: String,
}

/// Whose fault it is that a step did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of what it runs.
    Work,
    /// Of the server, the workers, the disk.
    Infrastructure,
    /// It took longer than it may.
    TimedOut,
    /// It was told to stop.
    Stopped,
}

#[derive(Serialize)]
struct Json<'a> {
    run: &'a str,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    exit_code: u8,
    elapsed_ms: u64,
    steps: Vec<JsonStep<'a>>,
    joblog: String,
    logs: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    again: Option<&'a str>,
}

#[derive(Serialize, Default)]
struct JsonStep<'a> {
    name: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    elapsed_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    elements: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    done: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    already: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    failures: &'a [Failure],
}

impl Report {
    /// What the program exits with: what cut the run short, else the worst that befell a step.
    pub(crate) fn exit_code(&self) -> u8 {
        match &self.cut {
            Some(Why::Signal(signal)) => return 128 + signal_number(*signal),
            Some(Why::TimedOut) => return TIMED_OUT,
            _ => {}
        }
        let faults = || self.steps.iter().filter_map(|step| step.fault.as_ref());
        let has = |kind| faults().any(|fault| fault.kind == kind);
        match () {
            () if has(Kind::Infrastructure) => INFRASTRUCTURE,
            () if has(Kind::Work) => DEAD,
            () if has(Kind::TimedOut) => TIMED_OUT,
            () => DONE,
        }
    }

    fn verdict(&self) -> &'static str {
        match &self.cut {
            Some(Why::Signal(_)) => "stopped",
            Some(Why::TimedOut) => "timed_out",
            _ if self.exit_code() == DONE => "done",
            _ => "failed",
        }
    }

    fn reason(&self) -> Option<&'static str> {
        match &self.cut {
            Some(Why::Signal(signal)) => Some(stopped_by(*signal)),
            Some(Why::TimedOut) => Some("its time is up"),
            _ => None,
        }
    }

    fn left_over(&self) -> bool {
        self.exit_code() != DONE
    }

    /// Prints it for a person.
    pub(crate) fn print(&self) {
        super::print(&self.text());
    }

    /// It as programs read it.
    pub(crate) fn object(&self) -> impl Serialize + '_ {
        Json {
            run: &self.run,
            verdict: self.verdict(),
            reason: self.reason(),
            exit_code: self.exit_code(),
            elapsed_ms: ms(self.elapsed),
            steps: self.steps.iter().map(StepReport::json).collect(),
            joblog: self.joblog.display().to_string(),
            logs: self.logs.display().to_string(),
            again: self.left_over().then_some(self.again.as_str()),
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{}\n\n{}\n\n", self.headline(), self.table());
        let mut line = |label: &str, value: &str| {
            // A String takes whatever is written to it.
            let _ = writeln!(text, "  {label:<12} {value}");
        };
        for step in &self.steps {
            for (index, said) in step.last_lines.iter().enumerate() {
                let label = format!("{} said", step.name);
                line(if index == 0 { &label } else { "" }, said);
            }
        }
        line("joblog", &self.joblog.display().to_string());
        line("logs", &self.logs.display().to_string());
        if self.left_over() {
            let again = format!("{}    (skips what is done)", self.again);
            line("to go on", &again);
        }
        text
    }

    /// What came of it, in a sentence.
    pub(crate) fn headline(&self) -> String {
        let of = |phase| self.steps.iter().filter(|step| step.phase == phase).count();
        let was_stopped = |step: &&StepReport| {
            let fault = step.fault.as_ref().map(|fault| fault.kind);
            step.phase == Phase::Failed && fault == Some(Kind::Stopped)
        };
        let stopped = self.steps.iter().filter(was_stopped).count();
        let steps = self.steps.len();
        let all = count(steps as u64, "step");
        let (failed, skipped) = (of(Phase::Failed) - stopped, of(Phase::Skipped));
        let mut parts = Vec::new();
        if let Some(reason) = self.reason() {
            parts.push(reason.to_owned());
        }
        if failed > 0 {
            parts.push(format!("{failed} of {all} failed"));
        } else if stopped > 0 {
            parts.push(format!("{stopped} of {all} stopped"));
        } else {
            parts.push(format!("{} of {all} done", of(Phase::Succeeded)));
        }
        if skipped > 0 {
            parts.push(format!("{skipped} skipped"));
        }
        format!(
            "{}: {} in {}",
            self.run,
            parts.join(", "),
            human(self.elapsed)
        )
    }

    fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["STEP", "RESULT", "TOOK", "WORK", "LAST"]);
        for step in &self.steps {
            table.add_row([
                step.name.clone(),
                step.state().replace('_', " "),
                step.took.map_or("-".into(), human),
                step.did(),
                step.last(),
            ]);
        }
        super::trimmed(&table)
    }
}

impl StepReport {
    /// In a word how it ended.
    fn state(&self) -> &'static str {
        match (self.phase, self.fault.as_ref().map(|fault| fault.kind)) {
            (Phase::Succeeded, _) if matches!(self.work, Work::Before) => "done_before",
            (Phase::Succeeded, _) => "done",
            (Phase::Failed, Some(Kind::TimedOut)) => "timed_out",
            (Phase::Failed, Some(Kind::Stopped)) => "stopped",
            (Phase::Failed, _) => "failed",
            (Phase::Skipped, _) => "skipped",
            (Phase::Pending | Phase::Running, _) => "not_ended",
        }
    }

    /// How it ended, as one line says it while others go on.
    pub(crate) fn line(&self) -> String {
        let mut line = self.state().replace('_', " ");
        if let Some(took) = self.took {
            let _ = write!(line, " in {}", human(took));
        }
        let last = self.last();
        if last != "-" {
            let _ = write!(line, ": {last}");
        }
        line
    }

    fn did(&self) -> String {
        match &self.work {
            Work::Nothing | Work::Before => "-".into(),
            Work::Once(tried) if tried.tries == 1 => "1 try".into(),
            Work::Once(tried) => format!("{} tries", tried.tries),
            Work::Items(drained) => {
                let tally = &drained.tally;
                let dead = match tally.dead {
                    0 => String::new(),
                    dead => format!(", {dead} dead"),
                };
                let before = before(tally.already);
                format!("{} done{dead} of {}{before}", tally.done, tally.to_do())
            }
            Work::Each(elements) => {
                let failed = match elements.failed {
                    0 => String::new(),
                    failed => format!(", {failed} failed"),
                };
                let before = before(elements.already as u64);
                let to_do = elements.total - elements.already;
                format!("{} done{failed} of {to_do}{before}", elements.done)
            }
        }
    }

    fn last(&self) -> String {
        let failures = match &self.work {
            Work::Items(drained) => &drained.tally.failures[..],
            Work::Each(elements) => &elements.failures[..],
            _ => &[],
        };
        let text = match (&self.fault, failures.first(), &self.work) {
            (Some(fault), Some(first), _) if fault.kind == Kind::Work => {
                let tries = match &self.work {
                    Work::Items(_) => count(u64::from(first.attempts), "attempt"),
                    _ if first.attempts == 1 => "1 try".into(),
                    _ => format!("{} tries", first.attempts),
                };
                format!("{} ({tries}): {}", first.item, first.error)
            }
            (Some(fault), ..) => fault.text.clone(),
            (None, _, Work::Once(tried)) => tried.result.clone().unwrap_or("-".into()),
            (None, ..) => self.skipped.clone().unwrap_or("-".into()),
        };
        one_line(&text, SHOWN)
    }

    fn json(&self) -> JsonStep<'_> {
        let step = JsonStep {
            name: &self.name,
            state: self.state(),
            reason: match &self.fault {
                Some(fault) => Some(&fault.text),
                None => self.skipped.as_deref(),
            },
            elapsed_ms: self.took.map(ms),
            ..JsonStep::default()
        };
        match &self.work {
            Work::Nothing | Work::Before => step,
            Work::Once(tried) => JsonStep {
                tries: Some(tried.tries),
                exit_code: match tried.exit {
                    Some(Exit::Code(code)) => Some(code),
                    _ => None,
                },
                result: tried.result.as_deref(),
                ..step
            },
            Work::Items(drained) => JsonStep {
                items: Some(drained.tally.total),
                done: Some(drained.tally.done),
                dead: Some(drained.tally.dead),
                already: Some(drained.tally.already),
                left: Some(drained.tally.left()),
                failures: &drained.tally.failures,
                ..step
            },
            Work::Each(elements) => JsonStep {
                elements: Some(elements.total as u64),
                done: Some(elements.done as u64),
                failed: Some(elements.failed as u64),
                already: Some(elements.already as u64),
                left: Some((elements.total - elements.already - elements.done) as u64),
                failures: &elements.failures,
                ..step
            },
        }
    }
}

impl Fault {
    /// What a step that went through items is at fault for.
    pub(crate) fn of(drained: &Drained) -> Option<Self> {
        let kind = match &drained.end {
            End::Complete | End::Stopped(Why::Drained) if drained.verdict().0 == DONE => {
                return None;
            }
            End::Complete | End::Stopped(Why::Drained) => Kind::Work,
            End::Stopped(why) => Kind::of(why),
        };
        let text = drained.reason().unwrap_or_else(|| {
            let (left, dead) = (drained.tally.left(), drained.tally.dead);
            match left {
                0 => format!("{} dead", count(dead, "item")),
                left => format!(
                    "{} taken out of the queue by someone else",
                    count(left, "item")
                ),
            }
        });
        Some(Self { kind, text })
    }

    /// What a step is at fault for that was stopped.
    pub(crate) fn stopped(why: &Why) -> Self {
        let text = match why {
            Why::Signal(signal) => stopped_by(*signal).to_owned(),
            Why::TimedOut => "its time is up".to_owned(),
            Why::Trouble(trouble) => trouble.clone(),
            Why::Drained | Why::Worker(..) => "stopped".to_owned(),
        };
        Self {
            kind: Kind::of(why),
            text,
        }
    }
}

impl Kind {
    fn of(why: &Why) -> Self {
        match why {
            Why::Signal(_) => Self::Stopped,
            Why::TimedOut => Self::TimedOut,
            Why::Drained | Why::Trouble(_) | Why::Worker(..) => Self::Infrastructure,
        }
    }
}

fn before(already: u64) -> String {
    match already {
        0 => String::new(),
        already => format!(" ({already} before)"),
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
