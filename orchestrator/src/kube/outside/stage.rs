//! What a person sees of a run in a cluster while it goes: what changed, as lines, and how far it is, as a bar on a terminal and
//! now and then as a line elsewhere.
//!
//! All of it goes to standard error; what came of the run is said elsewhere. It knows nothing of where a status comes from.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::flow::Phase;
use crate::kube::status::{RunPhase, RunStatus, StepStatus};
use crate::view::{bar, count, per_second, plain, say, say_beside};

/// Without news for so long a line is written all the same: a log that stands still looks dead.
const QUIET: Duration = Duration::from_secs(15);
/// Between lines of progress there is at least this.
const BREATH: Duration = Duration::from_secs(1);

/// How it is drawn, and how as long as nobody knows how much there is.
const WITH_BAR: &str = "{prefix} {bar:24} {pos}/{len}  {wide_msg}";
const WITHOUT_BAR: &str = "{prefix}  {wide_msg}";

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template);
    style
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("█▌ ")
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moment {
    /// Since it is followed.
    pub(crate) now: Duration,
    /// Items finished a second of late, where outcomes are seen.
    pub(crate) rate: Option<f64>,
    /// Items brought to queues so far, while that goes on.
    pub(crate) filling: Option<u64>,
}

/// Where it is shown.
pub(crate) struct Stage {
    run: String,
    bar: Option<ProgressBar>,
    told: Told,
    /// When the last line of progress was written, and of which tenth.
    line: (Duration, u64),
}

/// What was told already.
#[derive(Debug, Default)]
struct Told {
    phase: RunPhase,
    steps: BTreeMap<String, Phase>,
    conditions: BTreeMap<String, (String, String)>,
    failed_pods: BTreeMap<String, u64>,
}

impl Stage {
    /// A bar if standard error is a terminal, else lines.
    pub(crate) fn new(run: &str) -> Self {
        let capable = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let bar = (std::io::stderr().is_terminal() && capable).then(|| {
            let bar = bar(Some(0));
            bar.set_style(style(WITHOUT_BAR));
            bar.set_prefix(plain(run).into_owned());
            bar
        });
        Self {
            run: run.to_owned(),
            bar,
            told: Told::default(),
            line: (Duration::ZERO, 0),
        }
    }

    /// Says something of the run.
    pub(crate) fn say(&self, text: &str) {
        let line = format!("{}: {text}", self.run);
        match &self.bar {
            Some(bar) => say_beside(bar, &line),
            None => say(&line),
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Shows how far it is, and says what changed.
    pub(crate) fn show(&mut self, status: &RunStatus, moment: Moment) {
        for line in self.told.changes(status) {
            self.say(&line);
        }
        let (through, total) = progress(status);
        if let Some(bar) = &self.bar {
            if total > 0 && bar.length() == Some(0) {
                bar.set_style(style(WITH_BAR));
            }
            bar.set_length(total);
            bar.set_position(through);
            bar.set_message(plain(&details(status, moment)).into_owned());
            return;
        }
        let (at, before) = self.line;
        let tenth = through * 10 / total.max(1);
        let since = moment.now.saturating_sub(at);
        let news = tenth > before && through < total && since >= BREATH;
        if (news || since >= QUIET) && status.finished_at.is_none() {
            self.line = (moment.now, tenth);
            let details = details(status, moment);
            match total {
                0 => self.say(&details),
                _ => self.say(&format!("{through}/{total}  {details}")),
            }
        }
    }
}

impl Told {
    /// What is to be told of a status that was not told of the one before.
    fn changes(&mut self, status: &RunStatus) -> Vec<String> {
        let mut lines = Vec::new();
        if status.phase == RunPhase::Stopping && self.phase != RunPhase::Stopping {
            lines.push("stopping: what runs is taken away".to_owned());
        }
        self.phase = status.phase;
        for step in &status.steps {
            let before = self
                .steps
                .insert(step.name.clone(), step.phase)
                .unwrap_or_default();
            if before != step.phase {
                lines.extend(step_line(step));
            }
            let failed = self
                .failed_pods
                .insert(step.name.clone(), step.failed_pods)
                .unwrap_or(0);
            if let Some(last) = step.failures.last().filter(|_| step.failed_pods > failed) {
                let exit = last
                    .exit_code
                    .map_or(String::new(), |code| format!(" with {code}"));
                let reason = if last.reason.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", last.reason)
                };
                lines.push(format!(
                    "step {}: pod {} failed{exit}{reason}",
                    step.name, last.pod
                ));
            }
        }
        for condition in status.conditions.iter().filter(|c| c.r#type != "Finished") {
            let now = (condition.status.clone(), condition.message.clone());
            let before = self
                .conditions
                .insert(condition.r#type.clone(), now.clone());
            if before.as_ref() == Some(&now) {
                continue;
            }
            let name = &condition.r#type;
            match (condition.status.as_str(), before) {
                ("True", _) => lines.push(format!(
                    "{name} ({}): {}",
                    condition.reason, condition.message
                )),
                (_, Some((was, _))) if was == "True" && status.finished_at.is_none() => {
                    lines.push(format!("{name} no longer"));
                }
                _ => {}
            }
        }
        lines
    }
}

fn step_line(step: &StepStatus) -> Option<String> {
    let StepStatus {
        name,
        phase,
        reason,
        message,
        ..
    } = step;
    Some(match phase {
        Phase::Pending => return None,
        Phase::Running => format!("step {name} begins"),
        Phase::Succeeded => format!("step {name} succeeded: {message}"),
        Phase::Failed => format!("step {name} failed: {reason}: {message}"),
        Phase::Skipped => format!("step {name} is skipped: {message}"),
    })
}

/// What is through, of how much: items, or steps if no step has items.
pub(crate) fn progress(status: &RunStatus) -> (u64, u64) {
    let pools = || status.steps.iter().filter_map(|step| step.pool.as_ref());
    if pools().next().is_some() {
        let through = pools().map(|pool| pool.done + pool.dead).sum();
        return (through, pools().map(|pool| pool.total).sum());
    }
    let ended = status.steps.iter().filter(|step| step.phase.has_ended());
    (ended.count() as u64, status.steps.len() as u64)
}

fn details(status: &RunStatus, moment: Moment) -> String {
    let mut parts = Vec::new();
    let running: Vec<&StepStatus> = status
        .steps
        .iter()
        .filter(|step| step.phase == Phase::Running)
        .collect();
    match (status.phase, running.as_slice()) {
        (RunPhase::Pending, _) => parts.push("waits for its controller".to_owned()),
        (RunPhase::Stopping, _) => parts.push("stopping".to_owned()),
        (_, [one]) if status.steps.len() > 1 => parts.push(one.name.clone()),
        (_, several) if several.len() > 1 => parts.push(count(several.len() as u64, "step")),
        _ => {}
    }
    if let Some(items) = moment.filling {
        parts.push(format!("{items} loaded"));
    }
    parts.extend(moment.rate.filter(|rate| *rate > 0.0).map(per_second));
    if !status.eta.is_empty() {
        parts.push(format!("{} left", status.eta));
    }
    let dead: u64 = status
        .steps
        .iter()
        .filter_map(|step| step.pool.as_ref())
        .map(|pool| pool.dead)
        .sum();
    if dead > 0 {
        parts.push(format!("{dead} dead"));
    }
    for step in running {
        parts.extend(workers(step));
    }
    parts.join(", ")
}

/// The workers of a step that runs, or its Jobs.
pub(crate) fn workers(step: &StepStatus) -> Option<String> {
    if let Some(sizing) = step.pool.as_ref().and_then(|pool| pool.sizing.as_ref()) {
        let (running, wanted) = (sizing.terms.running, sizing.wanted);
        return Some(format!("{running}/{wanted} workers ({:?})", sizing.binding));
    }
    let jobs = step.jobs.iter().filter(|job| job.ended.is_none()).count();
    (step.pool.is_none() && jobs > 0).then(|| count(jobs as u64, "Job"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(text: serde_json::Value) -> RunStatus {
        serde_json::from_value(text).expect("a status")
    }

    #[test]
    fn each_change_is_told_once() {
        let mut told = Told::default();
        let blocked = |holds: &str| {
            json!([{"type": "Blocked", "status": holds, "reason": "QueuePaused", "message": "queue q is paused",
                "lastTransitionTime": "2026-01-01T00:00:00Z"}])
        };
        let running = status(json!({"phase": "Running", "conditions": blocked("True"),
            "steps": [{"name": "a", "phase": "Running"}, {"name": "b", "phase": "Pending"}]}));
        assert_eq!(
            told.changes(&running),
            ["step a begins", "Blocked (QueuePaused): queue q is paused"]
        );
        assert!(told.changes(&running).is_empty());
        let later = status(
            json!({"phase": "Running", "conditions": blocked("False"), "steps": [
            {"name": "a", "phase": "Failed", "reason": "DeadItems", "message": "1 of 2 items are dead", "failedPods": 1,
             "failures": [{"pod": "p", "job": "j", "at": "2026-01-01T00:00:00Z", "exitCode": 3, "reason": "Error"}]},
            {"name": "b", "phase": "Skipped", "message": "not asked for"}]}),
        );
        assert_eq!(
            told.changes(&later),
            [
                "step a failed: DeadItems: 1 of 2 items are dead",
                "step a: pod p failed with 3 (Error)",
                "step b is skipped: not asked for",
                "Blocked no longer",
            ]
        );
    }

    #[test]
    fn items_are_counted_where_there_are_any_and_steps_elsewhere() {
        let items = status(
            json!({"steps": [{"name": "a", "pool": {"total": 10, "done": 3, "dead": 1}}, {"name": "b"}]}),
        );
        assert_eq!(progress(&items), (4, 10));
        let steps = status(
            json!({"steps": [{"name": "a", "phase": "Succeeded"}, {"name": "b", "phase": "Running"}]}),
        );
        assert_eq!(progress(&steps), (1, 2));
    }
}
