//! The Jobs that run one thing: tried again after a wait as often as the step allows.
//!
//! It does not know whether a step has one of them or one for each element.

use jiff::Timestamp;

use super::agenda::{Agenda, backoff, later};
use super::view::View;
use super::{jobs, names, pods};
use crate::kube::status::{JobEnd, JobRecord, JobVerdict, StepStatus};
use crate::spec::Step;

/// What has become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tried {
    /// It goes on.
    Open,
    /// A try succeeded.
    Succeeded,
    /// No try did.
    Failed {
        /// One word for programs.
        reason: String,
        /// A sentence for people.
        message: String,
    },
}

/// The first try.
pub(super) fn first(run: &str, step: &str, element: Option<u32>, now: Timestamp) -> JobRecord {
    numbered(run, step, element, 1, now)
}

fn numbered(run: &str, step: &str, element: Option<u32>, number: u32, now: Timestamp) -> JobRecord {
    JobRecord {
        element,
        ..JobRecord::new(names::job(run, step, element, number), number, 1, now)
    }
}

/// Says what has become of a try, and replaces it by the next when its time has come.
pub(super) fn judge(
    view: &View<'_>,
    agenda: &mut Agenda,
    step: &Step,
    status: &StepStatus,
    record: &mut JobRecord,
) -> Tried {
    watch_start(view, agenda, step, record);
    let Some(end) = jobs::settled(view, agenda, record) else {
        return Tried::Open;
    };
    if end.verdict == JobVerdict::Complete {
        return Tried::Succeeded;
    }
    let startable = record.leaving.is_none();
    if startable && record.number <= step.retries {
        let at = later(end.at, backoff(record.number));
        if view.now < at {
            agenda.look_at(at);
        } else {
            let run = view.run.name.as_str();
            let number = record.number.saturating_add(1);
            *record = numbered(run, &step.name, record.element, number, view.now);
        }
        return Tried::Open;
    }
    failed(step, status, record, end)
}

fn failed(step: &Step, status: &StepStatus, record: &JobRecord, end: &JobEnd) -> Tried {
    let told = || {
        let JobEnd {
            reason, message, ..
        } = end;
        format!("Job {} ended {reason}: {message}", record.name)
    };
    let words = match record.leaving {
        Some(_) => end.message.clone(),
        None => pods::last_words(status, &record.name).unwrap_or_else(told),
    };
    let message = match step.retries {
        0 => words,
        retries => format!("try {} of {}: {words}", record.number, retries + 1),
    };
    Tried::Failed {
        reason: end.reason.clone(),
        message,
    }
}

/// Gives up a Job whose pod does not start.
fn watch_start(view: &View<'_>, agenda: &mut Agenda, step: &Step, record: &mut JobRecord) {
    if record.ended.is_some() || record.leaving.is_some() {
        return;
    }
    if let Some(why) = pods::not_started(view, agenda, record) {
        if why.too_long {
            record.leaving = Some(view.now);
            record.ended = Some(JobEnd {
                verdict: JobVerdict::Failed,
                reason: why.reason,
                message: why.message,
                at: view.now,
            });
        } else {
            agenda.blocked(why.reason, format!("step {}: {}", step.name, why.message));
        }
    }
    let refused = view
        .job(&record.name)
        .and_then(|job| view.pods_refused(job));
    if let Some(said) = refused.filter(|said| pods::is_quota(said)) {
        agenda.blocked(
            "QuotaExceeded",
            format!("step {}: its pod is refused: {said}", step.name),
        );
    }
}
