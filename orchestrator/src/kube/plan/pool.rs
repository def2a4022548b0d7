//! A step with items: its queue is loaded, workers go through it in rounds, and the queue says when it is over.
//!
//! 1. Only the queue's own word that it is drained makes a success, and then nothing a Job says unmakes it.
//! 2. While the queue cannot be asked, nothing is begun, changed or given up.
//! 3. What an earlier run of this name left in the step's own queue is neither believed nor worked on.

use std::time::Duration;

use queue_api::Queue;

use super::agenda::{Agenda, later};
use super::jobs::FAREWELL;
use super::outcome::Outcome;
use super::rounds;
use super::view::View;
use super::{Action, LoadSeen, PodPhase, QueueSeen, jobs, names, pods, supply};
use crate::kube::status::{Behind, JobVerdict, PoolStatus, StepStatus};
use crate::spec::{Items, Pool, Step};

/// How soon to ask again what cannot be watched.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// How soon to look again for items that are on their way.
const LOOK_FOR_ITEMS: Duration = Duration::from_secs(1);
/// How long whoever fills a queue may be silent while nothing gets done either: it loads without a
/// pause, and waits at most for a queue that is full.
const NEVER_CAME_AFTER: Duration = Duration::from_secs(600);
/// How long a Job may stay open after its queue was drained: its workers linger 10 s at the most.
const DRAINED_PATIENCE: Duration = Duration::from_secs(30);

/// Takes the step on.
pub(super) fn advance(
    view: &View<'_>,
    agenda: &mut Agenda,
    (index, step, pool): (usize, &Step, &Pool),
    status: &mut StepStatus,
) -> Option<Outcome> {
    let mut memory = status.pool.take().unwrap_or_else(|| PoolStatus {
        queue: names::queue(&view.context.namespace, view.run, step)
            .and_then(Result::ok)
            .map_or(String::new(), |name| name.to_string()),
        ..PoolStatus::default()
    });
    let outcome = decide(view, agenda, (index, step, pool), status, &mut memory);
    status.pool = Some(memory);
    outcome
}

fn decide(
    view: &View<'_>,
    agenda: &mut Agenda,
    (index, step, pool): (usize, &Step, &Pool),
    status: &mut StepStatus,
    memory: &mut PoolStatus,
) -> Option<Outcome> {
    let own = !matches!(pool.items, Items::Queue(_));
    let seen = view.seen.queues.get(&step.name);
    if own && !memory.claimed {
        claim(view, agenda, step, seen, memory);
        if !memory.claimed {
            return None;
        }
    }
    if own && !memory.loaded {
        memory.loaded = match (seen, view.seen.loads.get(&step.name)) {
            (Some(QueueSeen::There(queue)), _) if queue.sealed => true,
            (Some(QueueSeen::There(_)), Some(LoadSeen::Loaded)) => true,
            _ => false,
        };
    }
    if own && !memory.loaded {
        if let Some(LoadSeen::Failed { message, hopeless }) = view.seen.loads.get(&step.name) {
            if *hopeless {
                return Some(Outcome::failed("LoadFailed", message));
            }
            agenda.blocked("LoadFailed", format!("step {}: {message}", step.name));
        }
        agenda.act(Action::Load { step: index });
    }
    let queue = match seen {
        Some(QueueSeen::There(queue)) => queue,
        // It was drained, and that is all that was wanted of it.
        _ if memory.drained_at.is_some() => {
            return wind_down(view, agenda, (step, pool), status, memory);
        }
        Some(QueueSeen::Missing) => {
            let brought = is_brought(view, step, own, &memory.queue);
            let never = (brought && !memory.loaded).then(|| never_came(view, agenda, memory));
            return never
                .flatten()
                .or_else(|| missing(agenda, step, own, brought, memory));
        }
        Some(QueueSeen::Unreachable(since, said)) => {
            unreachable(view, agenda, step, memory, *since, said);
            return None;
        }
        None => {
            agenda.look_in(ASK_AGAIN);
            return None;
        }
    };
    memory.loaded |= !own;
    if !own {
        memory.before.get_or_insert_with(|| behind(queue));
    }
    let counts = (memory.total, memory.finished());
    count(memory, queue);
    if counts != (memory.total, memory.finished()) {
        memory.moved_at = None;
    }
    if queue.drained {
        return wind_down(view, agenda, (step, pool), status, memory);
    }
    memory.drained_at = None;
    let awaited = is_brought(view, step, own, &memory.queue) && !queue.sealed;
    if awaited {
        if let Some(outcome) = never_came(view, agenda, memory) {
            return Some(outcome);
        }
    } else {
        memory.moved_at = None;
    }
    if awaited && queue.unfinished == 0 {
        tell_of_bringing(agenda, step);
    } else {
        tell_of_queue(agenda, step, own, queue);
    }
    if let Some(outcome) = rounds::hopeless(view, agenda, (step, pool), status, memory) {
        return Some(outcome);
    }
    if let Some(outcome) = rounds::close(view, agenda, status, memory) {
        return Some(outcome);
    }
    let wanted = supply::size(view, agenda, (step, pool), status, memory, queue);
    rounds::staff(view, agenda, step, status, memory, queue, wanted);
    rounds::given_up(view, status, memory)
}

/// Sees to it that the step's own queue begins with nothing. A status is written before anything is
/// loaded, so what is there while the status does not claim the queue is nothing of ours.
fn claim(
    view: &View<'_>,
    agenda: &mut Agenda,
    step: &Step,
    seen: Option<&QueueSeen>,
    memory: &mut PoolStatus,
) {
    match seen {
        Some(QueueSeen::Missing) => memory.claimed = true,
        Some(QueueSeen::There(_)) => {
            let queue = memory.queue.clone();
            agenda.act(Action::RemoveQueue { queue });
            agenda.look_in(LOOK_FOR_ITEMS);
        }
        Some(QueueSeen::Unreachable(since, said)) => {
            unreachable(view, agenda, step, memory, *since, said);
        }
        // It is looked for once the status names it.
        None => agenda.look_in(Duration::ZERO),
    }
}

/// What of a queue that is given is over before the step begins.
fn behind(queue: &Queue) -> Behind {
    Behind {
        total: queue.totals.enqueued.saturating_sub(queue.unfinished),
        done: queue.counts.done,
        dead: queue.counts.dead,
    }
}

fn count(memory: &mut PoolStatus, queue: &Queue) {
    let finished = memory.finished();
    let before = memory.before.unwrap_or_default();
    memory.done = queue.counts.done.saturating_sub(before.done);
    memory.dead = queue.counts.dead.saturating_sub(before.dead);
    // Dead items that somebody let try again are among what is done, and came in long before.
    let came = queue.totals.enqueued.saturating_sub(before.total);
    memory.total = came.max(memory.finished());
    if memory.finished() > finished {
        memory.ignored_exits = 0;
    }
}

impl PoolStatus {
    /// Items that are through, whichever way.
    pub(super) fn finished(&self) -> u64 {
        self.done.saturating_add(self.dead)
    }
}

fn missing(
    agenda: &mut Agenda,
    step: &Step,
    own: bool,
    brought: bool,
    memory: &PoolStatus,
) -> Option<Outcome> {
    let queue = &memory.queue;
    if memory.loaded {
        let message = format!(
            "queue {queue} is gone though it held {} items: its server lost it, or somebody removed it; \
             run it again, with a server that keeps its data",
            memory.total
        );
        return Some(Outcome::failed("QueueLost", message));
    }
    if brought {
        tell_of_bringing(agenda, step);
    } else if !own {
        let name = &step.name;
        let advice = format!("make it with `memq queue create {queue}` and load it");
        agenda.blocked(
            "QueueMissing",
            format!("step {name}: there is no queue {queue}; {advice}"),
        );
    }
    agenda.look_in(ASK_AGAIN);
    None
}

/// Whether a queue that is given to the step is the one it would have made: whoever made the run fills it,
/// as `memq run --kube` does with files.
fn is_brought(view: &View<'_>, step: &Step, own: bool, queue: &str) -> bool {
    let (namespace, run) = (&view.context.namespace, view.run.name.as_str());
    !own && queue == names::own_queue(namespace, run, &step.name)
}

/// Gives up items that whoever made the run was to bring, once nothing has moved for long.
fn never_came(view: &View<'_>, agenda: &mut Agenda, memory: &mut PoolStatus) -> Option<Outcome> {
    let since = *memory.moved_at.get_or_insert(view.now);
    let over = later(since, NEVER_CAME_AFTER);
    if view.now < over {
        agenda.look_at(over);
        return None;
    }
    let (queue, total) = (&memory.queue, memory.total);
    let came = match total {
        0 => "none of its items came".to_owned(),
        total => format!("no item came after the first {total}"),
    };
    let message = format!(
        "{came} into queue {queue} for {}, and it is not sealed: the `memq run --kube` that made the run \
         was to load it and seems to be gone; run it again",
        super::progress::rough(NEVER_CAME_AFTER)
    );
    Some(Outcome::failed("ItemsNeverCame", message))
}

fn tell_of_bringing(agenda: &mut Agenda, step: &Step) {
    let message = format!(
        "step {}: its items are loaded by the `memq run --kube` that made the run, and have not all come yet",
        step.name
    );
    agenda.blocked("WaitsForItems", message);
    agenda.look_in(LOOK_FOR_ITEMS);
}

fn unreachable(
    view: &View<'_>,
    agenda: &mut Agenda,
    step: &Step,
    memory: &mut PoolStatus,
    since: jiff::Timestamp,
    said: &str,
) {
    // What fails for want of the server says nothing about the workers.
    (memory.short_since, memory.barren, memory.ignored_exits) = (None, 0, 0);
    memory.moved_at = None;
    let (name, server) = (&step.name, &view.context.server);
    let since = since.strftime("%H:%M:%S");
    let message =
        format!("step {name}: the queue server {server} does not answer since {since} UTC: {said}");
    agenda.blocked("ServerUnreachable", message);
    agenda.look_in(ASK_AGAIN);
}

fn tell_of_queue(agenda: &mut Agenda, step: &Step, own: bool, queue: &Queue) {
    let (step, name) = (&step.name, &queue.name);
    if queue.paused {
        agenda.blocked(
            "QueuePaused",
            format!(
                "step {step}: queue {name} is paused; `memq queue resume {name}` lets it go on"
            ),
        );
    } else if !own && !queue.sealed && queue.unfinished == 0 {
        agenda.blocked(
            "QueueNotSealed",
            format!(
                "step {step}: queue {name} has nothing left and may get more: the step ends once \
                 `memq queue seal {name}` says that it will not"
            ),
        );
    }
}

/// The queue is drained: what still runs leaves by itself or is taken away, then the step ends.
fn wind_down(
    view: &View<'_>,
    agenda: &mut Agenda,
    (step, pool): (&Step, &Pool),
    status: &mut StepStatus,
    memory: &mut PoolStatus,
) -> Option<Outcome> {
    let over = later(*memory.drained_at.get_or_insert(view.now), DRAINED_PATIENCE);
    memory.short_since = None;
    for record in &mut status.jobs {
        let Some(job) = view.job(&record.name) else {
            if !record.seen {
                // It has nothing to do any more, if it was made at all.
                jobs::remove(record, view.now);
            }
            continue;
        };
        let pods = view.pods(&record.name);
        let at_work = pods
            .iter()
            .filter(|pod| pod.runs() && !pod.deleting)
            .count();
        let waiting = pods.iter().any(|pod| pod.lives() && !pod.runs());
        // Its pods are ahead of its count.
        let left = pods.iter().any(|pod| pod.phase == PodPhase::Succeeded);
        // A worker that is about to start finds the queue drained and leaves; one that no node takes does not.
        let coming = pods.iter().any(|pod| pod.stays() && !pod.is_stuck());
        let unborn = pods.is_empty() && job.failed == 0;
        let ends_by_itself = coming || unborn || ((left || job.succeeded > 0) && !waiting);
        if view.now >= over || (view.seen.fresh && !ends_by_itself) {
            jobs::remove(record, view.now);
        } else if view.seen.fresh && at_work > 0 {
            let at_work = u32::try_from(at_work).unwrap_or(u32::MAX);
            record.parallelism = record.parallelism.min(at_work);
        }
    }
    let mut records = std::mem::take(&mut status.jobs);
    records.retain(|record| {
        let Some(end) = jobs::settled(view, agenda, record) else {
            return true;
        };
        let by_us = end.verdict == JobVerdict::Deleted && record.leaving.is_some();
        if end.verdict != JobVerdict::Complete && record.seen && !by_us {
            memory.last_end = rounds::ended(record, end);
        }
        false
    });
    status.jobs = records;
    if !status.jobs.is_empty() && view.now < later(over, FAREWELL) {
        agenda.look_at(over.max(later(view.now, Duration::from_secs(1))));
        return None;
    }
    Some(verdict(step, pool, memory))
}

/// What the queue says, and what the Jobs said if that is something else.
fn verdict(step: &Step, pool: &Pool, memory: &PoolStatus) -> Outcome {
    let PoolStatus {
        queue,
        total,
        done,
        dead,
        last_end,
        ..
    } = memory;
    let otherwise = if last_end.is_empty() {
        String::new()
    } else {
        format!("; {last_end}, but it is the queue that counts")
    };
    if pool.tolerate.allows(*dead, *total) {
        let dead = match dead {
            0 => String::new(),
            dead => format!(", {dead} dead, which is tolerated"),
        };
        let message = format!("{done} of {total} items done{dead}{otherwise}");
        return Outcome::succeeded("Drained", message);
    }
    let message = format!(
        "{dead} of {total} items of step {} are dead, more than is tolerated; \
         the outcomes of queue {queue} have their errors{otherwise}",
        step.name
    );
    Outcome::failed("DeadItems", message)
}

/// Tells of pods of a step that are refused for want of quota.
pub(super) fn tell_of_refused_pods(view: &View<'_>, agenda: &mut Agenda, step: &Step) -> bool {
    let refused = view
        .jobs_of(&step.name)
        .filter(|job| job.ended.is_none() && !job.deleting)
        .find_map(|job| view.pods_refused(job));
    if let Some(said) = refused {
        let reason = if pods::is_quota(said) {
            "QuotaExceeded"
        } else {
            "PodsRefused"
        };
        let name = &step.name;
        agenda.blocked(
            reason,
            format!("step {name}: its workers are refused: {said}"),
        );
    }
    refused.is_some()
}
