//! The Jobs of a step: what is noted of each, and what is asked for so that they are as the status says.
//!
//! A record is written before its Job is made and goes when its end has been taken account of. When
//! to begin or end one is for others to say.
//!
//! 1. A Job is asked for until it is seen, and never again after that.
//! 2. One that was seen and stays away was deleted; absence counts only in fresh lists, and only
//!    when it lasts.
//! 3. What has ended stays ended.

use std::time::Duration;

use jiff::Timestamp;

use super::agenda::{Agenda, backoff, later};
use super::pods::{self, TOLD_TO_STOP, UNAVAILABLE};
use super::view::View;
use super::{Action, PodPhase, PodSeen, Refusal, text};
use crate::kube::status::{JobEnd, JobRecord, JobVerdict, KEPT_MESSAGE_BYTES, StepStatus};

/// How long a Job must be away before it counts as deleted: a list that is fresh may still be a
/// little older than one that was looked at before.
const GONE_AFTER: Duration = Duration::from_secs(5);
/// The same for one that was never seen: the order to make it may be under way.
const NEVER_CAME_AFTER: Duration = Duration::from_secs(15);
/// How long pods may lag behind the end of their Job.
const PODS_LAG: Duration = Duration::from_secs(10);
/// How long a Job that is to be deleted is kept for its pods' logs.
const LOGS_PATIENCE: Duration = Duration::from_secs(30);

/// Notes what is seen of the Jobs of a step.
pub(super) fn observe(view: &View<'_>, agenda: &mut Agenda, status: &mut StepStatus) {
    let failed = |status: &StepStatus| status.jobs.iter().map(|job| u64::from(job.failed)).sum();
    let ignored = |status: &StepStatus| {
        let jobs = status.jobs.iter().map(|job| job.ignored);
        jobs.fold(0, u32::saturating_add)
    };
    let (failed_before, ignored_before): (u64, u32) = (failed(status), ignored(status));
    note_again(view, agenda, status);
    let more = failed(status).saturating_sub(failed_before);
    status.failed_pods = status.failed_pods.saturating_add(more);
    let left = ignored(status).saturating_sub(ignored_before);
    if let Some(pool) = &mut status.pool {
        pool.ignored_exits = pool.ignored_exits.saturating_add(left);
    }
    pods::note_failures(view, agenda, status);
}

/// Notes it once more, after something was decided about them.
pub(super) fn note_again(view: &View<'_>, agenda: &mut Agenda, status: &mut StepStatus) {
    for record in &mut status.jobs {
        note(view, agenda, record);
    }
}

fn note(view: &View<'_>, agenda: &mut Agenda, record: &mut JobRecord) {
    let pods = view.pods(&record.name);
    let count = |which: &dyn Fn(&PodSeen) -> bool| {
        u32::try_from(pods.iter().filter(|pod| which(pod)).count()).unwrap_or(u32::MAX)
    };
    let ignored =
        |pod: &PodSeen| !pod.deleting && matches!(pod.exit(), Some(UNAVAILABLE | TOLD_TO_STOP));
    record.ignored = record.ignored.max(count(&ignored));
    record.failed = record
        .failed
        .max(count(&|pod| pod.phase == PodPhase::Failed));
    if let Some(refusal) = view.seen.refusals.get(&record.name)
        && record.refused_at.is_none_or(|at| at < refusal.at)
    {
        record.refused = record.refused.saturating_add(1);
        record.refused_at = Some(refusal.at);
    }
    let Some(job) = view.job(&record.name) else {
        return note_absence(view, agenda, record);
    };
    (record.seen, record.absent) = (true, None);
    record.failed = record.failed.max(job.failed);
    if let (None, Some((verdict, reason, message))) = (&record.ended, &job.ended) {
        record.ended = Some(JobEnd {
            verdict: *verdict,
            reason: text::fit(reason, 64),
            message: text::fit(message, 256),
            at: view.now,
        });
    }
}

fn note_absence(view: &View<'_>, agenda: &mut Agenda, record: &mut JobRecord) {
    let removed = record.leaving.is_some();
    if !view.seen.fresh || !(record.seen || removed) {
        return;
    }
    let since = *record.absent.get_or_insert(view.now);
    let patience = if record.seen {
        GONE_AFTER
    } else {
        NEVER_CAME_AFTER
    };
    let gone = later(since, patience);
    if view.now < gone {
        return agenda.look_at(gone);
    }
    if record.ended.is_none() {
        record.ended = Some(JobEnd {
            verdict: JobVerdict::Deleted,
            reason: "Deleted".to_owned(),
            message: if removed {
                "it was taken away".to_owned()
            } else {
                "somebody deleted it".to_owned()
            },
            at: view.now,
        });
    }
}

/// Whether nothing is left of it but its record.
pub(super) fn is_gone(record: &JobRecord) -> bool {
    let deleted = |end: &JobEnd| end.verdict == JobVerdict::Deleted;
    // A Job that had an end and is then taken away keeps that end; being away is what counts.
    record.ended.as_ref().is_some_and(deleted)
        || (record.ended.is_some() && record.absent.is_some())
}

/// How long a Job that is to be deleted is waited for: a deletion may be refused, or held up by a
/// finalizer or a node that is lost, and the run must go on all the same.
pub(super) const FAREWELL: Duration = Duration::from_secs(120);

/// Whether a Job that is to be deleted may still have pods at work.
pub(super) fn lingers(view: &View<'_>, record: &JobRecord) -> bool {
    let by_itself = || {
        view.job(&record.name)
            .is_some_and(|job| job.ended.is_some())
    };
    record.leaving.is_some() && !is_gone(record) && !by_itself()
}

/// How a Job ended, once its pods have been seen as they ended, or for too long were not.
pub(super) fn settled<'r>(
    view: &View<'_>,
    agenda: &mut Agenda,
    record: &'r JobRecord,
) -> Option<&'r JobEnd> {
    let end = record.ended.as_ref()?;
    if let Some(leaving) = record.leaving.filter(|_| lingers(view, record)) {
        let over = later(leaving, FAREWELL);
        if view.now >= over {
            return Some(end);
        }
        agenda.look_at(over);
        return None;
    }
    let pods = view.pods(&record.name);
    let told = match end.verdict {
        JobVerdict::Deleted => true,
        JobVerdict::Complete => pods.iter().all(|pod| !pod.lives()),
        JobVerdict::Failed => {
            let failed = |pod: &&PodSeen| pod.phase == PodPhase::Failed;
            pods.iter().any(failed) && pods.iter().all(|pod| !pod.lives())
        }
    };
    let over = later(end.at, PODS_LAG);
    if told || is_gone(record) || view.now >= over {
        return Some(end);
    }
    agenda.look_at(over);
    None
}

/// Decides that a Job is to be taken away, unless it ended by itself.
pub(super) fn remove(record: &mut JobRecord, now: Timestamp) {
    if record.ended.is_none() {
        record.leaving.get_or_insert(now);
    }
}

/// Asks for what makes the Jobs of a step be as their records say.
pub(super) fn carry_out(view: &View<'_>, agenda: &mut Agenda, step: usize, status: &StepStatus) {
    for record in &status.jobs {
        let job = view.job(&record.name);
        if let (Some(_), Some(refusal)) = (job, view.seen.refusals.get(&record.name)) {
            tell_refusal(agenda, status, record, refusal);
        }
        if let Some(since) = record.leaving {
            take_away(view, agenda, status, record, since);
        } else if record.ended.is_some() {
            continue;
        } else if let Some(job) = job {
            if job.suspended {
                let (step, name) = (&status.name, &record.name);
                agenda.blocked(
                    "Suspended",
                    format!("step {step}: Job {name} is suspended and waits to be let go"),
                );
            }
            let fixed = job.succeeded > 0 || job.deleting || job.ended.is_some();
            if job.parallelism != record.parallelism && !fixed {
                agenda.act(Action::SetParallelism {
                    job: record.name.clone(),
                    to: record.parallelism,
                });
            }
        } else if !record.seen {
            make(view, agenda, step, status, record);
        }
    }
}

fn take_away(
    view: &View<'_>,
    agenda: &mut Agenda,
    status: &StepStatus,
    record: &JobRecord,
    since: Timestamp,
) {
    if is_gone(record) || view.job(&record.name).is_some_and(|job| job.deleting) {
        return;
    }
    let patience = later(since, LOGS_PATIENCE);
    if pods::wants_logs(status, &record.name) && view.now < patience {
        return agenda.look_at(patience);
    }
    agenda.act(Action::DeleteJob {
        job: record.name.clone(),
    });
}

fn make(
    view: &View<'_>,
    agenda: &mut Agenda,
    step: usize,
    status: &StepStatus,
    record: &JobRecord,
) {
    if let Some(refusal) = view.seen.refusals.get(&record.name) {
        tell_refusal(agenda, status, record, refusal);
        let again = later(refusal.at, backoff(record.refused));
        if view.now < again {
            return agenda.look_at(again);
        }
    }
    agenda.act(Action::CreateJob {
        step,
        name: record.name.clone(),
        element: record.element,
        number: record.number,
        parallelism: record.parallelism,
    });
}

fn tell_refusal(agenda: &mut Agenda, status: &StepStatus, record: &JobRecord, refusal: &Refusal) {
    let (reason, advice) = match refusal.code {
        _ if pods::is_quota(&refusal.message) => ("QuotaExceeded", ""),
        403 => (
            "Forbidden",
            "; `memq doctor` prints the rule that is missing",
        ),
        409 => ("NameTaken", "; another object has its name"),
        _ if refusal.reason.is_empty() => ("Refused", ""),
        _ => (refusal.reason.as_str(), ""),
    };
    let said = text::fit(&refusal.message, KEPT_MESSAGE_BYTES);
    let (step, job) = (&status.name, &record.name);
    let message = format!("step {step}: Job {job} is refused: {said}{advice}");
    agenda.blocked(reason, message);
}

/// A refusal that trying again cannot mend: what was said.
pub(super) fn invalid(view: &View<'_>, record: &JobRecord) -> Option<String> {
    let refusal = view.seen.refusals.get(&record.name)?;
    let hopeless = matches!(refusal.code, 400 | 413 | 422) && !record.seen;
    let message = || {
        let said = text::fit(&refusal.message, KEPT_MESSAGE_BYTES);
        format!("Kubernetes does not take Job {}: {said}", record.name)
    };
    hopeless.then(message)
}

/// Lets the ended Jobs of a step expire, once nothing more is wanted of them.
pub(super) fn expire(view: &View<'_>, agenda: &mut Agenda, status: &StepStatus) {
    let Some(after) = view.run.ttl else {
        return;
    };
    for job in view.jobs_of(&status.name) {
        let record = status.jobs.iter().find(|record| record.name == job.name);
        let open = record.is_some_and(|record| settled(view, agenda, record).is_none());
        let unread = pods::wants_logs(status, &job.name);
        if job.ended.is_some() && !job.expires && !job.deleting && !open && !unread {
            agenda.act(Action::Expire {
                job: job.name.clone(),
                after,
            });
        }
    }
}
