//! Reports of runs: what whoever carries a run out tells the server of it, for those who watch.
//!
//! The server believes a report and keeps it for a while; nothing it does depends on one.

use core::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits;
use crate::name::{QueueName, RunName};

/// The answer of `GET /v1/runs`: some of the runs that were reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunList {
    /// The last report of each, of the one that began last first.
    pub runs: Vec<RunReport>,
    /// Give this as `?after=` for the next page; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RunReport {
    /// Its name: the one of the path.
    pub run: RunName,
    /// The name of its spec: the same for every run of it.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 253))]
    pub spec: String,
    /// The namespace of the `Run`, of one in a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 253))]
    pub namespace: Option<String>,
    /// Where it is.
    pub phase: RunPhase,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// A sentence for people: what it does, or how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 2048))]
    pub message: Option<String>,
    /// When the server was told last. Its own to say: what a report says is passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
    /// It has not ended, and nobody has told of it for two minutes: whoever carries it out may be gone. The
    /// server's to say, like `updated`.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub stale: bool,
    /// Its steps, in the order of the spec.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(max_items = 500))]
    pub steps: Vec<RunStep>,
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RunPhase {
    /// Nobody has taken it up.
    Pending,
    /// It goes on.
    Running,
    /// It was told to stop, and what runs is being ended.
    Stopping,
    /// Ended: no step failed.
    Succeeded,
    /// Ended: a step failed, or the run could not go on.
    Failed,
    /// Ended: it was told to stop.
    Cancelled,
}

impl RunPhase {
    /// Whether it stays as it is.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// How far a step of a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RunStep {
    /// Its name in the spec.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 253))]
    pub name: String,
    /// Where it is.
    pub phase: StepPhase,
    /// The queues it works on, on this server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(max_items = 10))]
    pub queues: Vec<QueueName>,
    /// What of `total` is done. Counted are items; elements of a `forEach`; else the step itself.
    pub done: u64,
    /// What of `total` failed for good: dead items, or elements.
    pub failed: u64,
    /// All there is to do, as far as it is known yet; earlier tries of the run are in it.
    pub total: u64,
    /// Milliseconds until all is done or failed; absent while it cannot be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_ms: Option<u64>,
    /// Items finished a second of late; absent where nothing is counted that way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0))]
    pub rate_per_s: Option<f64>,
    /// Its workers, while it has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<RunWorkers>,
    /// What decides how many workers are wanted: `Deadline`, `Quota`, `Max` and so on, as docs/sizing.md has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 253))]
    pub binding: Option<String>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// A sentence for people: what it waits for, or how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 2048))]
    pub message: Option<String>,
}

/// Where a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum StepPhase {
    /// It has not begun.
    Pending,
    /// It has begun and has not ended.
    Running,
    /// It did what it should.
    Succeeded,
    /// It did not.
    Failed,
    /// It never began, and will not.
    Skipped,
}

/// The workers of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RunWorkers {
    /// Those that hold an item.
    pub busy: u32,
    /// Those that run and hold none.
    pub idle: u32,
    /// As many as there should be.
    pub wanted: u32,
}

/// A report that is over a limit; the message names the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunReportError(String);

impl fmt::Display for RunReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for RunReportError {}

impl RunReport {
    /// Whether each field is within its limit; the whole's, in bytes, is for whoever sees them.
    pub fn check(&self) -> Result<(), RunReportError> {
        check_name("spec", &self.spec)?;
        check_text(
            "namespace",
            self.namespace.as_deref(),
            limits::MAX_RUN_NAME_BYTES,
        )?;
        check_text(
            "message",
            self.message.as_deref(),
            limits::MAX_RUN_MESSAGE_BYTES,
        )?;
        check_count("steps", self.steps.len(), limits::MAX_RUN_STEPS)?;
        let mut steps = self.steps.iter().enumerate();
        steps.try_for_each(|(place, step)| step.check(&format!("steps[{place}].")))
    }

    /// The report with its texts, steps and queues cut to their limits, and without the steps' messages where it would still be
    /// too long: for whoever reports, so that no report is refused for what a program or a spec said.
    #[must_use]
    pub fn cut_to_limits(mut self) -> Self {
        cut(&mut self.spec, limits::MAX_RUN_NAME_BYTES);
        cut_text(&mut self.namespace, limits::MAX_RUN_NAME_BYTES);
        cut_text(&mut self.message, limits::MAX_RUN_MESSAGE_BYTES);
        self.steps.truncate(limits::MAX_RUN_STEPS);
        for step in &mut self.steps {
            cut(&mut step.name, limits::MAX_RUN_NAME_BYTES);
            cut_text(&mut step.binding, limits::MAX_RUN_NAME_BYTES);
            cut_text(&mut step.message, limits::MAX_RUN_MESSAGE_BYTES);
            step.queues.truncate(limits::MAX_STEP_QUEUES);
            step.rate_per_s = step
                .rate_per_s
                .filter(|rate| rate.is_finite() && *rate >= 0.0);
        }
        let bytes = |report: &Self| serde_json::to_vec(report).map_or(0, |json| json.len());
        let most = limits::MAX_RUN_REPORT_BYTES;
        // A line each is commonly short enough; else what each step did must do.
        for most_of_each in [limits::MAX_RUN_MESSAGE_BYTES / 16, 0] {
            if bytes(&self) > most {
                for step in &mut self.steps {
                    cut_text(&mut step.message, most_of_each);
                }
            }
        }
        while bytes(&self) > most && !self.steps.is_empty() {
            self.steps.truncate(self.steps.len() / 2);
        }
        self
    }
}

impl RunStep {
    fn check(&self, at: &str) -> Result<(), RunReportError> {
        check_name(&format!("{at}name"), &self.name)?;
        check_count(
            &format!("{at}queues"),
            self.queues.len(),
            limits::MAX_STEP_QUEUES,
        )?;
        check_text(
            &format!("{at}binding"),
            self.binding.as_deref(),
            limits::MAX_RUN_NAME_BYTES,
        )?;
        check_text(
            &format!("{at}message"),
            self.message.as_deref(),
            limits::MAX_RUN_MESSAGE_BYTES,
        )?;
        match self.rate_per_s {
            Some(rate) if rate < 0.0 => Err(RunReportError(format!(
                "{at}rate_per_s is {rate}: give 0 or more"
            ))),
            _ => Ok(()),
        }
    }
}

fn check_name(field: &str, name: &str) -> Result<(), RunReportError> {
    if name.is_empty() {
        return Err(RunReportError(format!("{field} is empty: give a name")));
    }
    check_text(field, Some(name), limits::MAX_RUN_NAME_BYTES)
}

fn check_text(field: &str, text: Option<&str>, most: usize) -> Result<(), RunReportError> {
    match text.map_or(0, str::len) {
        bytes if bytes > most => Err(RunReportError(format!(
            "{field} has {bytes} bytes: give at most {most}"
        ))),
        _ => Ok(()),
    }
}

fn check_count(field: &str, count: usize, most: usize) -> Result<(), RunReportError> {
    match count > most {
        true => Err(RunReportError(format!(
            "{field} has {count} entries: give at most {most}"
        ))),
        false => Ok(()),
    }
}

fn cut_text(text: &mut Option<String>, most: usize) {
    if let Some(within) = text {
        cut(within, most);
    }
    if text.as_deref() == Some("") {
        *text = None;
    }
}

/// Cuts a text to so many bytes, between two characters.
fn cut(text: &mut String, most: usize) {
    text.truncate(text.floor_char_boundary(most));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str) -> RunStep {
        RunStep {
            name: name.into(),
            phase: StepPhase::Running,
            queues: Vec::new(),
            done: 0,
            failed: 0,
            total: 0,
            eta_ms: None,
            rate_per_s: None,
            workers: None,
            binding: None,
            started: None,
            ended: None,
            message: None,
        }
    }

    fn report(steps: Vec<RunStep>) -> RunReport {
        RunReport {
            run: "keygen-abcde".parse().expect("a name"),
            spec: "keygen".into(),
            namespace: None,
            phase: RunPhase::Running,
            started: Timestamp::UNIX_EPOCH,
            ended: None,
            message: None,
            updated: None,
            stale: false,
            steps,
        }
    }

    #[test]
    fn a_report_holds_what_its_limits_allow_and_not_one_more() {
        let fits = report(vec![step("keys"); limits::MAX_RUN_STEPS]);
        assert_eq!(fits.check(), Ok(()));
        let mut named = fits.clone();
        named.spec = "s".repeat(limits::MAX_RUN_NAME_BYTES);
        named.message = Some("m".repeat(limits::MAX_RUN_MESSAGE_BYTES));
        assert_eq!(named.check(), Ok(()));
        type Spoil = fn(&mut RunReport);
        let spoils: [(Spoil, &str); 8] = [
            (|it| it.spec.clear(), "spec is empty"),
            (
                |it| it.spec.push_str(&"s".repeat(253)),
                "spec has 259 bytes",
            ),
            (|it| it.namespace = Some("n".repeat(254)), "namespace has"),
            (|it| it.message = Some("m".repeat(2049)), "message has 2049"),
            (|it| it.steps.push(step("more")), "steps has 501 entries"),
            (|it| it.steps[7].name.clear(), "steps[7].name is empty"),
            (
                |it| it.steps[0].rate_per_s = Some(-1.0),
                "steps[0].rate_per_s is -1",
            ),
            (
                |it| it.steps[1].queues = vec!["q".parse().expect("a name"); 11],
                "steps[1].queues has 11 entries",
            ),
        ];
        for (spoil, told) in spoils {
            let mut spoilt = fits.clone();
            spoil(&mut spoilt);
            let error = spoilt.check().expect_err(told).to_string();
            assert!(error.starts_with(told), "{error}");
        }
    }

    #[test]
    fn whatever_a_program_says_a_cut_report_is_taken() {
        let mut long = report(vec![step("é"); limits::MAX_RUN_STEPS + 9]);
        long.message = Some("é".repeat(9_999));
        for step in &mut long.steps {
            step.name = "é".repeat(200);
            step.message = Some("\u{1}".repeat(9_999));
            step.rate_per_s = Some(f64::INFINITY);
            step.queues = vec!["q".repeat(128).parse().expect("a name"); 99];
        }
        let cut = long.cut_to_limits();
        assert_eq!(cut.check(), Ok(()));
        let bytes = serde_json::to_vec(&cut).expect("JSON").len();
        assert!(bytes <= limits::MAX_RUN_REPORT_BYTES, "{bytes}");
        assert!(!cut.steps.is_empty());

        let mut plain = report(vec![step("keys")]);
        plain.message = Some("all is well".into());
        assert_eq!(plain.clone().cut_to_limits(), plain);
    }

    #[test]
    fn what_a_server_says_of_a_run_can_be_sent_back() {
        let mut shown = report(vec![step("keys")]);
        shown.updated = Some(Timestamp::UNIX_EPOCH);
        shown.stale = true;
        let json = serde_json::to_string(&shown).expect("JSON");
        assert_eq!(
            serde_json::from_str::<RunReport>(&json).expect("a report"),
            shown
        );
        let least = r#"{"run":"r","spec":"s","phase":"Pending","started":"2026-01-01T00:00:00Z"}"#;
        assert!(
            serde_json::from_str::<RunReport>(least)
                .expect("a report")
                .steps
                .is_empty()
        );
    }
}
