//! The rounds of a pool: Jobs on one queue, one after the other, now and then side by side.
//!
//! 1. One round at a time takes on workers. A round that Kubernetes no longer fills retires: it keeps
//!    the workers it has, gets no more, and goes when it has none.
//! 2. What rounds may have together is what is wanted: the one that takes on gets what the others leave.
//! 3. A new round waits 10 s after the last, doubled each time nothing was finished in one, and after
//!    [`BARREN_ROUNDS`] of these the step fails.

use std::time::Duration;

use queue_api::Queue;

use super::agenda::{Agenda, backoff, later};
use super::outcome::Outcome;
use super::pods::{self, UNAVAILABLE};
use super::pool::tell_of_refused_pods;
use super::view::View;
use super::{jobs, names};
use crate::kube::status::{JobEnd, JobRecord, JobVerdict, PoolStatus, StepStatus};
use crate::spec::{Pool, Step};

/// Rounds in a row without an item finished, after which workers are given up.
pub(super) const BARREN_ROUNDS: u32 = 6;
/// How long workers that are wanted may be missing, without a cause that is known, before the round
/// retires: Kubernetes' own wait after failures doubles up to 6 min and forgets only after a success.
const SHORT_PATIENCE: Duration = Duration::from_secs(60);
/// Rounds that may retire at a time.
const MOST_RETIRING: usize = 2;
/// Exits that say that no worker would do better: usage, bad data, refused, configuration.
const HOPELESS: [i32; 4] = [64, 65, 77, 78];
/// Exits 69 and 75 without an item finished in between, for each worker and at least: past it they
/// are no accident.
const IGNORED_EACH: u32 = 3;
const IGNORED_LEAST: u32 = 6;

/// Whether the workers cannot get on, whatever is tried.
pub(super) fn hopeless(
    view: &View<'_>,
    agenda: &mut Agenda,
    (step, pool): (&Step, &Pool),
    status: &mut StepStatus,
    memory: &PoolStatus,
) -> Option<Outcome> {
    let refuses = |pod: &&super::PodSeen| pod.exit().is_some_and(|code| HOPELESS.contains(&code));
    if let Some(pod) = view.pods_of(&step.name).find(refuses) {
        let words = status.failures.iter().find(|kept| kept.pod == pod.name);
        let words = words.map_or_else(|| format!("pod {} gave up", pod.name), pods::words);
        let message = format!("{words}; another worker would do no better");
        return Some(Outcome::failed("WorkerFailed", message));
    }
    if let Some(message) = status.jobs.iter().find_map(|job| jobs::invalid(view, job)) {
        return Some(Outcome::failed("InvalidObject", message));
    }
    let most = (pool.workers.max * IGNORED_EACH).max(IGNORED_LEAST);
    if memory.ignored_exits > most {
        return Some(give_up(
            view,
            status,
            memory,
            &format!(
                "{} workers left without a finished item",
                memory.ignored_exits
            ),
        ));
    }
    let nobody_works = !view.pods_of(&step.name).any(super::PodSeen::runs);
    for record in &mut status.jobs {
        if let Some(why) = pods::not_started(view, agenda, record) {
            if why.too_long && nobody_works {
                return Some(Outcome::failed(&why.reason, why.message));
            }
            agenda.blocked(why.reason, format!("step {}: {}", step.name, why.message));
        }
    }
    None
}

fn give_up(view: &View<'_>, status: &StepStatus, memory: &PoolStatus, what: &str) -> Outcome {
    let last = status.failures.last();
    let words = last.map_or_else(|| memory.last_end.clone(), pods::words);
    if last.and_then(|last| last.exit_code) == Some(UNAVAILABLE) {
        let server = &view.context.server;
        let message = format!(
            "{what}: they cannot reach the queue server {server}, though it can be reached from here; \
             look at its Service and at network policies; the last: {words}"
        );
        return Outcome::failed("ServerUnreachable", message);
    }
    Outcome::failed("WorkersFail", format!("{what}; the last: {words}"))
}

/// Takes account of rounds that have ended.
pub(super) fn close(
    view: &View<'_>,
    agenda: &mut Agenda,
    status: &mut StepStatus,
    memory: &mut PoolStatus,
) -> Option<Outcome> {
    let mut policy = None;
    let mut records = std::mem::take(&mut status.jobs);
    records.retain(|record| {
        let Some(end) = jobs::settled(view, agenda, record) else {
            return true;
        };
        if end.reason == "PodFailurePolicy" {
            policy = Some(ended(record, end));
        }
        if takes_on(record, true) {
            memory.last_end = ended(record, end);
            conclude(view, memory, record);
        }
        false
    });
    status.jobs = records;
    policy.map(|message| Outcome::failed("WorkerFailed", message))
}

/// Whether one more round is not worth it.
pub(super) fn given_up(
    view: &View<'_>,
    status: &StepStatus,
    memory: &PoolStatus,
) -> Option<Outcome> {
    (memory.barren >= BARREN_ROUNDS).then(|| {
        let what = format!("{} rounds of workers finished no item", memory.barren);
        give_up(view, status, memory, &what)
    })
}

/// How a round ended, in words.
pub(super) fn ended(record: &JobRecord, end: &JobEnd) -> String {
    let name = &record.name;
    let JobEnd {
        reason, message, ..
    } = end;
    match end.verdict {
        JobVerdict::Complete => {
            format!("Job {name} ended Complete: a worker exited 0 though its queue was not drained")
        }
        JobVerdict::Failed if reason.is_empty() => format!("Job {name} ended Failed"),
        JobVerdict::Failed => format!("Job {name} ended Failed ({reason})"),
        JobVerdict::Deleted => format!("Job {name} is gone: {message}"),
    }
}

/// Whether this is the round that takes on workers; `ended` asks for one that has just ended.
fn takes_on(record: &JobRecord, ended: bool) -> bool {
    !record.retiring && record.leaving.is_none() && record.ended.is_some() == ended
}

/// The account of a round that takes on no more.
fn conclude(view: &View<'_>, memory: &mut PoolStatus, record: &JobRecord) {
    memory.barren = if memory.finished() > record.finished_before {
        0
    } else {
        memory.barren.saturating_add(1)
    };
    memory.retry_at = Some(later(view.now, backoff(memory.barren)));
    memory.short_since = None;
}

/// Makes the rounds have as many workers as are wanted, and no more.
pub(super) fn staff(
    view: &View<'_>,
    agenda: &mut Agenda,
    step: &Step,
    status: &mut StepStatus,
    memory: &mut PoolStatus,
    queue: &Queue,
    wanted: u32,
) {
    let refused = tell_of_refused_pods(view, agenda, step);
    if !view.seen.fresh {
        return;
    }
    let current = status.jobs.iter().rposition(|job| takes_on(job, false));
    let name = current.map(|current| status.jobs[current].name.clone());
    let room = wanted.saturating_sub(taken(view, step, status, name.as_deref()));
    match (current, memory.retry_at.filter(|at| view.now < *at)) {
        (Some(current), _) => status.jobs[current].parallelism = room,
        (None, Some(at)) => agenda.look_at(at),
        (None, None) if room > 0 && queue.unfinished > 0 => {
            begin(view, agenda, step, status, memory, room);
        }
        (None, None) => {}
    }
    retire_short(view, agenda, status, memory, refused);
    for record in status.jobs.iter_mut().filter(|record| record.retiring) {
        let left = stay(view, &record.name);
        if left == 0 {
            jobs::remove(record, view.now);
        }
        record.parallelism = left;
    }
}

fn begin(
    view: &View<'_>,
    agenda: &mut Agenda,
    step: &Step,
    status: &mut StepStatus,
    memory: &mut PoolStatus,
    workers: u32,
) {
    memory.round = memory.round.saturating_add(1);
    memory.retry_at = None;
    let name = names::job(view.run.name.as_str(), &step.name, None, memory.round);
    let after = if memory.last_end.is_empty() {
        String::new()
    } else {
        format!(", after {}", memory.last_end)
    };
    let note = format!(
        "step {}: round {} begins with {workers} workers{after}",
        step.name, memory.round
    );
    agenda.tell(memory.round > 1, "RoundStarted", note);
    status.jobs.push(JobRecord {
        finished_before: memory.finished(),
        ..JobRecord::new(name, memory.round, workers, view.now)
    });
}

/// Lets the round that takes on workers retire if Kubernetes has long not made those that are wanted.
fn retire_short(
    view: &View<'_>,
    agenda: &mut Agenda,
    status: &mut StepStatus,
    memory: &mut PoolStatus,
    refused: bool,
) {
    let retiring = status.jobs.iter().filter(|job| job.retiring).count();
    let current = status.jobs.iter_mut().rfind(|job| takes_on(job, false));
    let Some((record, job)) = current.and_then(|record| {
        let job = view.job(&record.name)?;
        Some((record, job))
    }) else {
        memory.short_since = None;
        return;
    };
    let there = view.pods(&record.name).iter().filter(|pod| pod.lives());
    let there = u32::try_from(there.count()).unwrap_or(u32::MAX);
    // After its first success a Job no longer listens; before, it is given time to hear.
    let asked = if job.succeeded > 0 {
        record.parallelism
    } else {
        record.parallelism.min(job.parallelism)
    };
    let quota = view.seen.quota.as_ref();
    let no_room = refused || quota.is_some_and(|quota| quota.more_pods == 0);
    if there >= asked || no_room || job.suspended || job.deleting || job.ended.is_some() {
        memory.short_since = None;
        return;
    }
    let over = later(*memory.short_since.get_or_insert(view.now), SHORT_PATIENCE);
    if view.now < over {
        return agenda.look_at(over);
    }
    if retiring >= MOST_RETIRING {
        return;
    }
    record.retiring = true;
    memory.last_end = format!(
        "Job {} kept {there} of {asked} workers for a minute",
        record.name
    );
    let record = record.clone();
    conclude(view, memory, &record);
}

fn stay(view: &View<'_>, job: &str) -> u32 {
    let pods = view.pods(job).iter().filter(|pod| pod.stays());
    u32::try_from(pods.count()).unwrap_or(u32::MAX)
}

/// Workers that there are or may be outside of the round that takes on.
fn taken(view: &View<'_>, step: &Step, status: &StepStatus, current: Option<&str>) -> u32 {
    let others = view.pods_of(&step.name).filter(|pod| pod.stays());
    let others = others.filter(|pod| Some(pod.job.as_str()) != current);
    let there = u32::try_from(others.count()).unwrap_or(u32::MAX);
    let open = status
        .jobs
        .iter()
        .filter(|record| Some(record.name.as_str()) != current && record.ended.is_none());
    let to_come = open.map(|record| match view.job(&record.name) {
        // It fills no more than its pods' places: nothing is replaced after a success.
        Some(job) if job.succeeded > 0 || job.deleting || job.ended.is_some() => 0,
        Some(job) => job.parallelism.saturating_sub(stay(view, &record.name)),
        None if record.seen => 0,
        None => record.parallelism,
    });
    there.saturating_add(to_come.fold(0, u32::saturating_add))
}
