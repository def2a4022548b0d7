//! What a run waits for and why, in sentences.
//!
//! It reads the status alone, so it can be told wherever the status is.

use super::pods;
use crate::flow::Phase;
use crate::kube::status::{RunPhase, RunStatus, StepStatus};

/// Says what a run waits for and why, or how it ended: a sentence each, what matters most first.
#[must_use]
pub fn why(status: &RunStatus) -> Vec<String> {
    let mut lines = Vec::new();
    match status.phase {
        RunPhase::Pending => {
            lines
                .push("no controller has taken it up: does `memq controller` run here?".to_owned());
        }
        RunPhase::Running => {}
        phase => lines.push(format!("{phase:?}: {}", status.message)),
    }
    let troubles = status.troubles();
    lines.extend(troubles.map(|c| format!("{} ({})", c.message, c.reason)));
    for step in &status.steps {
        say(step, &mut lines);
    }
    lines
}

fn say(step: &StepStatus, lines: &mut Vec<String>) {
    let name = &step.name;
    match step.phase {
        Phase::Pending => lines.push(format!("step {name} {}", step.message)),
        Phase::Running => lines.push(format!("step {name} {}", doing(step))),
        Phase::Succeeded => {}
        Phase::Failed => lines.push(format!(
            "step {name} failed ({}): {}",
            step.reason, step.message
        )),
        Phase::Skipped => lines.push(format!("step {name} was skipped: {}", step.message)),
    }
    if matches!(step.phase, Phase::Succeeded | Phase::Skipped) {
        return;
    }
    for failure in step.failures.iter().rev() {
        lines.push(format!("step {name}: {}", pods::words(failure)));
        let log = failure.log.as_deref().unwrap_or("").lines();
        let log: Vec<_> = log.rev().take(LOG_LINES).collect();
        lines.extend(log.into_iter().rev().map(|line| format!("    {line}")));
    }
}

/// Lines of a failed pod's log that are shown.
const LOG_LINES: usize = 5;

fn doing(step: &StepStatus) -> String {
    if let Some(ending) = &step.ending {
        return format!(
            "ends ({}) once its Jobs are away: {}",
            ending.reason, ending.message
        );
    }
    if let Some(each) = &step.each {
        let (done, failed) = (each.succeeded.as_str(), each.failed.as_str());
        let none = |text: &str| {
            if text.is_empty() {
                "none".to_owned()
            } else {
                text.to_owned()
            }
        };
        return format!(
            "runs {} Jobs; of {} elements succeeded {}, failed {}",
            step.jobs.iter().filter(|job| job.ended.is_none()).count(),
            each.total,
            none(done),
            none(failed)
        );
    }
    match &step.pool {
        Some(pool) if pool.drained_at.is_some() => "sees its last workers off".to_owned(),
        Some(pool) if !pool.loaded => format!("loads its queue: {} items so far", pool.total),
        Some(pool) => {
            let mut text = format!(
                "works: {} of {} items are through",
                pool.finished(),
                pool.total
            );
            if let Some(sizing) = &pool.sizing {
                text += &format!(", with {} workers ({:?})", sizing.wanted, sizing.binding);
            }
            if let Some(at) = pool.retry_at {
                text += &format!("; the next round begins at {at}, after {}", pool.last_end);
            }
            text
        }
        None => match step.jobs.first() {
            Some(job) if job.ended.is_some() => {
                format!("waits before try {}", job.number.saturating_add(1))
            }
            Some(job) => format!("runs Job {} (try {})", job.name, job.number),
            None => "begins".to_owned(),
        },
    }
}
