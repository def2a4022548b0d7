//! How a step ends, and what is taken away before it has.
//!
//! It does not know what led there.

use super::agenda::{Agenda, later};
use super::jobs::{self, FAREWELL};
use super::text;
use super::view::View;
use crate::flow::Phase;
use crate::kube::status::{Ending, KEPT_MESSAGE_BYTES, StepStatus};

/// How a step ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) phase: Phase,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Outcome {
    pub(super) fn succeeded(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Phase::Succeeded, reason, message)
    }

    pub(super) fn failed(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Phase::Failed, reason, message)
    }

    fn new(phase: Phase, reason: &str, message: impl Into<String>) -> Self {
        Self {
            phase,
            reason: reason.to_owned(),
            message: message.into(),
        }
    }
}

/// Bytes of a step's message, when there are so many steps: a status has bounds.
fn message_bytes(steps: usize) -> usize {
    const OF_A_RUN: usize = 24 * 1024;
    (OF_A_RUN / steps.max(1)).clamp(240, KEPT_MESSAGE_BYTES)
}

/// Makes an outcome certain: the first one stays. What still runs is to be taken away.
pub(super) fn conclude(view: &View<'_>, status: &mut StepStatus, outcome: Outcome) {
    if status.ending.is_some() || status.phase.has_ended() {
        return;
    }
    // What Kubernetes would not make is not there to be taken away.
    status
        .jobs
        .retain(|record| jobs::invalid(view, record).is_none());
    for record in &mut status.jobs {
        jobs::remove(record, view.now);
    }
    status.ending = Some(Ending {
        phase: outcome.phase,
        reason: outcome.reason,
        message: text::fit(&outcome.message, message_bytes(view.run.steps.len())),
        since: view.now,
    });
}

/// Ends a step whose outcome is certain, once nothing of it is left.
pub(super) fn part(view: &View<'_>, agenda: &mut Agenda, status: &mut StepStatus) {
    // What does not go is asked to for as long as anybody looks, even after the end.
    status.jobs.retain(|record| {
        jobs::settled(view, agenda, record).is_none() || jobs::lingers(view, record)
    });
    let Some(ending) = &status.ending else {
        return;
    };
    // Those that were to go before the end was certain have had their time.
    let since = status
        .jobs
        .iter()
        .map(|job| job.leaving.unwrap_or(ending.since));
    let over = later(since.max().unwrap_or(ending.since), FAREWELL);
    if !status.jobs.is_empty() && view.now < over {
        return agenda.look_at(over);
    }
    if let Some(ending) = status.ending.take() {
        status.phase = ending.phase;
        status.reason = ending.reason;
        status.message = ending.message;
        status.finished_at = Some(view.now);
        if let Some(pool) = &mut status.pool {
            // They are for the next decision, and there is none.
            (pool.sizer, pool.sizing, pool.sized_at) = (None, None, None);
            (pool.short_since, pool.retry_at) = (None, None);
        }
    }
}
