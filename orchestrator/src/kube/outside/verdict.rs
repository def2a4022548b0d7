//! The end of following a run: what came of it, in words, as an object and as an exit code.
//!
//! The codes are those of a run on one machine.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::records::{Form, Record};
use crate::flow::Phase;
use crate::kube::status::{RunPhase, RunStatus, StepStatus};
use crate::tally::Tally;
use crate::view::{DONE, INFRASTRUCTURE, TIMED_OUT, count, human, per_second};

/// More items died than is tolerated, or what a step runs failed.
const FAILED: u8 = 1;
/// It was stopped, or is not looked at any more, as by Ctrl-C.
const STOPPED: u8 = 130;
/// Lines of a failed pod's log that are shown.
const LOG_LINES: usize = 5;
/// Failed pods of a step that are shown.
const SHOWN_PODS: usize = 2;

/// Why following ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The run has ended.
    Over,
    /// Whoever followed went away; the run goes on.
    Detached,
    /// Nobody waits any longer than this; the run goes on.
    Unfinished(Duration),
    /// It ended because the time that was given is up.
    TimedOut,
    /// It cannot be carried out, and this is why; it was told to stop.
    Stopped(String),
    /// It is not there any more, or what carries it out is not.
    Lost(String),
}

/// What came of a run, as far as it was seen.
#[derive(Debug)]
pub(crate) struct Report {
    /// The run as it was seen last.
    pub(crate) record: Record,
    /// Why following ended.
    pub(crate) end: End,
    /// Outcomes that were seen.
    pub(crate) tally: Tally,
    /// The joblog, if there is one.
    pub(crate) joblog: Option<PathBuf>,
    /// Outcomes that are missing in it.
    pub(crate) missing: u64,
}

impl Report {
    fn status(&self) -> RunStatus {
        self.record.status.clone().unwrap_or_default()
    }

    /// The exit code and a word for it.
    pub(crate) fn verdict(&self) -> (u8, &'static str) {
        let status = self.status();
        match &self.end {
            End::Lost(_) | End::Stopped(_) => (INFRASTRUCTURE, "failed"),
            // It may have been through before it heard that its time was up.
            End::TimedOut if status.phase == RunPhase::Succeeded => (DONE, "done"),
            End::TimedOut => (TIMED_OUT, "timed_out"),
            End::Unfinished(_) => (TIMED_OUT, "unfinished"),
            End::Detached => (STOPPED, "detached"),
            End::Over => match status.phase {
                RunPhase::Succeeded => (DONE, "done"),
                RunPhase::Cancelled => (STOPPED, "cancelled"),
                _ => failed(&status),
            },
        }
    }

    /// The report as an object.
    pub(crate) fn object(&self) -> Value {
        let status = self.status();
        let (exit_code, verdict) = self.verdict();
        let Counts { total, done, dead } = Counts::of(&status);
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let steps = status.steps.iter().map(|step| {
            json!({"name": step.name, "phase": step.phase, "reason": step.reason, "message": step.message,
                "failed_pods": step.failed_pods, "failures": step.failures})
        });
        let steps: Vec<Value> = steps.collect();
        let Record {
            name,
            namespace,
            form,
            ..
        } = &self.record;
        json!({
            "run": name, "namespace": namespace, "form": form, "verdict": verdict, "exit_code": exit_code,
            "reason": self.reason(&status), "phase": status.phase,
            "items": total, "done": done, "dead": dead, "left": total.saturating_sub(done + dead),
            "elapsed_ms": elapsed(&status).map(ms),
            "item_p50_ms": self.tally.item_time(0.5).map(ms), "item_p95_ms": self.tally.item_time(0.95).map(ms),
            "failures": self.tally.failures, "steps": steps,
            "joblog": self.joblog.as_ref().map(|path| path.display().to_string()),
            "joblog_missing": self.missing,
        })
    }

    /// The report for people.
    pub(crate) fn text(&self) -> String {
        let status = self.status();
        let mut text = format!("{}: {}\n", self.record.name, self.headline(&status));
        let mut line = |label: &str, value: &str| {
            // A String takes whatever is written to it.
            let _ = writeln!(text, "  {label:<12} {value}");
        };
        if let Some(median) = self.tally.item_time(0.5) {
            let most = self.tally.item_time(0.95).unwrap_or(median);
            line(
                "an item",
                &format!("half within {}, 95% within {}", human(median), human(most)),
            );
        }
        for (index, failure) in self.tally.failures.iter().enumerate() {
            let attempts = count(u64::from(failure.attempts), "attempt");
            let value = format!("{} ({attempts}): {}", failure.item, failure.error);
            line(if index == 0 { "dead" } else { "" }, &value);
        }
        if status.steps.len() > 1 || status.phase == RunPhase::Failed {
            for step in &status.steps {
                for (index, value) in step_lines(step).iter().enumerate() {
                    line(if index == 0 { &step.name } else { "" }, value);
                }
            }
        }
        if let Some(joblog) = &self.joblog {
            let missing = match self.missing {
                0 => String::new(),
                missing => format!("    ({missing} outcomes could not be fetched)"),
            };
            line("joblog", &format!("{}{missing}", joblog.display()));
        }
        let Record {
            name,
            namespace,
            form,
            ..
        } = &self.record;
        let goes_on = matches!(self.end, End::Detached | End::Unfinished(_));
        let gone = *form == Form::Ephemeral && !goes_on;
        if !gone && !matches!(self.end, End::Lost(_)) {
            line("to look", &format!("memq show {name} -n {namespace}"));
        }
        if goes_on {
            line("to go on", &format!("memq wait {name} -n {namespace}"));
            line("to stop", &format!("memq cancel {name} -n {namespace}"));
        }
        text
    }

    fn headline(&self, status: &RunStatus) -> String {
        let Counts { total, done, dead } = Counts::of(status);
        let mut did = match dead {
            0 => format!("{done} done"),
            dead => format!("{done} done, {dead} dead"),
        };
        if status.steps.iter().all(|step| step.pool.is_none()) {
            let ended = status
                .steps
                .iter()
                .filter(|step| step.phase == Phase::Succeeded);
            did = format!(
                "{} of {}",
                ended.count(),
                count(status.steps.len() as u64, "step")
            );
        }
        if let Some(reason) = self.reason(status) {
            return format!("{reason}; {did}");
        }
        let elapsed = elapsed(status).unwrap_or_default();
        if total == 0 {
            return format!("{did} in {}", human(elapsed));
        }
        let rate = per_second((done + dead) as f64 / elapsed.as_secs_f64().max(0.001));
        format!("{did} of {total} in {}, {rate}", human(elapsed))
    }

    /// Why it did not end well, in words.
    fn reason(&self, status: &RunStatus) -> Option<String> {
        match &self.end {
            End::Lost(why) => Some(why.clone()),
            End::Stopped(why) => Some(format!("stopped: {why}")),
            End::Detached => Some("it goes on in the cluster".into()),
            End::Unfinished(limit) => Some(format!(
                "it has not ended within {} and goes on in the cluster",
                human(*limit)
            )),
            End::TimedOut if status.phase != RunPhase::Succeeded => Some("its time is up".into()),
            End::TimedOut => None,
            End::Over => match status.phase {
                RunPhase::Cancelled => Some(match &self.record.cancelled {
                    Some(why) if !why.is_empty() => format!("cancelled: {why}"),
                    _ => "cancelled".into(),
                }),
                RunPhase::Failed if status.message.is_empty() => Some("failed".into()),
                RunPhase::Failed => Some(without_advice(&status.message).to_owned()),
                _ => None,
            },
        }
    }
}

/// Items of all steps together.
struct Counts {
    total: u64,
    done: u64,
    dead: u64,
}

impl Counts {
    fn of(status: &RunStatus) -> Self {
        let pools = || status.steps.iter().filter_map(|step| step.pool.as_ref());
        Self {
            total: pools().map(|pool| pool.total).sum(),
            done: pools().map(|pool| pool.done).sum(),
            dead: pools().map(|pool| pool.dead).sum(),
        }
    }
}

/// How long a run took from its being taken up to its end.
pub(crate) fn elapsed(status: &RunStatus) -> Option<Duration> {
    let end = status.finished_at.unwrap_or_else(crate::kube::clock::now);
    Duration::try_from(end.duration_since(status.started_at?)).ok()
}

/// The code of a run that failed: what could not be carried out weighs more than what failed by itself.
fn failed(status: &RunStatus) -> (u8, &'static str) {
    let failed = status
        .steps
        .iter()
        .filter(|step| step.phase == Phase::Failed);
    let codes: Vec<u8> = failed.map(code).collect();
    if codes.is_empty() || codes.contains(&INFRASTRUCTURE) {
        (INFRASTRUCTURE, "failed")
    } else if codes.contains(&TIMED_OUT) {
        (TIMED_OUT, "timed_out")
    } else {
        (FAILED, "dead")
    }
}

fn code(step: &StepStatus) -> u8 {
    // What ran and failed is the step's own failure; what never ran is the cluster's.
    let ran = step.pool.is_none()
        && step
            .failures
            .iter()
            .any(|failure| failure.exit_code.is_some());
    match step.reason.as_str() {
        "DeadItems" => FAILED,
        "TimedOut" => TIMED_OUT,
        _ if ran => FAILED,
        _ => INFRASTRUCTURE,
    }
}

/// How a step ended, and what its last failed pods left behind.
fn step_lines(step: &StepStatus) -> Vec<String> {
    let phase = format!("{:?}", step.phase).to_lowercase();
    let reason = match step.reason.as_str() {
        "" => String::new(),
        reason if step.phase == Phase::Failed => format!(" ({reason})"),
        _ => String::new(),
    };
    let message = if step.message.is_empty() {
        String::new()
    } else {
        format!(": {}", step.message)
    };
    let mut lines = vec![format!("{phase}{reason}{message}")];
    if step.phase != Phase::Failed {
        return lines;
    }
    for failure in step.failures.iter().rev().take(SHOWN_PODS) {
        let exit = failure
            .exit_code
            .map_or(String::new(), |code| format!(" exited {code}"));
        let said = failure
            .message
            .trim()
            .lines()
            .next_back()
            .unwrap_or_default();
        let mark = if said.is_empty() { "" } else { ": " };
        lines.push(format!(
            "pod {}{exit} {}{mark}{said}",
            failure.pod, failure.reason
        ));
        let log: Vec<_> = failure.log.as_deref().unwrap_or_default().lines().collect();
        let from = log.len().saturating_sub(LOG_LINES);
        lines.extend(log[from..].iter().map(|said| format!("| {said}")));
    }
    lines
}

/// A message without the command it recommends: here all that would show stands below.
fn without_advice(message: &str) -> &str {
    message
        .split_once("; `memq why")
        .map_or(message, |(message, _)| message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(status: Value, end: End) -> Report {
        Report {
            record: Record {
                namespace: "team".into(),
                name: "r".into(),
                form: Form::Installed,
                created: None,
                spec: Value::Null,
                status: Ok(serde_json::from_value(status).expect("a status")),
                cancelled: None,
            },
            end,
            tally: Tally::new(0, 0),
            joblog: None,
            missing: 0,
        }
    }

    #[test]
    fn the_exit_code_says_whose_failure_it_is() {
        let failed = |step: Value| json!({"phase": "Failed", "steps": [step]});
        let of_pool =
            |reason: &str| json!({"name": "a", "phase": "Failed", "reason": reason, "pool": {}});
        let exited = json!([{"pod": "p", "job": "j", "at": "2026-01-01T00:00:00Z", "exitCode": 3}]);
        let table = [
            (json!({"phase": "Succeeded"}), End::Over, 0),
            (json!({"phase": "Cancelled"}), End::Over, 130),
            (json!({"phase": "Running"}), End::Detached, 130),
            (
                json!({"phase": "Running"}),
                End::Unfinished(Duration::from_secs(1)),
                3,
            ),
            (json!({"phase": "Cancelled"}), End::TimedOut, 3),
            (json!({"phase": "Succeeded"}), End::TimedOut, 0),
            (json!({"phase": "Running"}), End::Lost("gone".into()), 2),
            (
                json!({"phase": "Cancelled"}),
                End::Stopped("no items".into()),
                2,
            ),
            (failed(of_pool("DeadItems")), End::Over, 1),
            (failed(of_pool("QueueLost")), End::Over, 2),
            (failed(of_pool("TimedOut")), End::Over, 3),
            (
                failed(
                    json!({"name": "a", "phase": "Failed", "reason": "BackoffLimitExceeded", "failures": exited}),
                ),
                End::Over,
                1,
            ),
            (
                failed(json!({"name": "a", "phase": "Failed", "reason": "ImagePullBackOff"})),
                End::Over,
                2,
            ),
            (
                json!({"phase": "Failed", "message": "the spec cannot be read"}),
                End::Over,
                2,
            ),
        ];
        for (status, end, code) in table {
            let told = report(status.clone(), end.clone());
            assert_eq!(told.verdict().0, code, "{status} {end:?}");
            assert_eq!(told.object()["exit_code"], code);
        }
    }

    #[test]
    fn a_failure_is_shown_with_what_the_pod_said() {
        let text = report(
            json!({"phase": "Failed", "message": "step a failed: X: y; `memq why r` tells more", "steps": [
                {"name": "a", "phase": "Failed", "reason": "X", "message": "y", "failedPods": 1, "failures": [
                    {"pod": "p", "job": "j", "at": "2026-01-01T00:00:00Z", "exitCode": 3, "reason": "Error",
                     "message": "no such table", "log": "one\ntwo"}]}]}),
            End::Over,
        )
        .text();
        for line in [
            "r: step a failed: X: y; 0 of 1 step",
            "failed (X): y",
            "pod p exited 3 Error: no such table",
            "| two",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
