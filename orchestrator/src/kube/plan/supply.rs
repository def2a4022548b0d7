//! How many workers a pool should have: the facts that sizing wants, from queue and pods.
//!
//! The formulas are sizing's; this only says what was seen.

use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;
use queue_api::Queue;

use super::agenda::{Agenda, Kind, later};
use super::view::View;
use super::{PodPhase, PodSeen};
use crate::kube::status::{PoolStatus, StepStatus};
use crate::size::{Condition, DEFAULT_PRICE, Rules, Seen, Sizing, Unschedulable};
use crate::spec::{Pool, Step};

/// The longest time between two looks at a pool that runs: its queue is not watched, but asked.
const LOOK: Duration = Duration::from_secs(5);
/// The shortest time between two decisions: each changes the status, and a changed status is looked at.
const PAUSE: Duration = Duration::from_secs(1);

/// Decides how many workers there should be, keeps the decision with its terms, and tells what stands
/// in the way of more.
pub(super) fn size(
    view: &View<'_>,
    agenda: &mut Agenda,
    (step, pool): (&Step, &Pool),
    status: &StepStatus,
    memory: &mut PoolStatus,
    queue: &Queue,
) -> u32 {
    let began = status.started_at.unwrap_or(view.now);
    let facts = facts(view, step, began, memory, queue, agenda.promised);
    let at = memory.sized_at.filter(|at| view.since(*at) < PAUSE);
    let sizing = match (at, memory.sizing.take()) {
        (Some(_), Some(sizing)) => sizing,
        (_, before) => {
            memory.sized_at = Some(view.now);
            let sizing = decide(view, pool, began, memory, &facts);
            tell_change(agenda, step, before.as_ref(), &sizing);
            sizing
        }
    };
    let next = later(
        memory.sized_at.unwrap_or(view.now),
        LOOK.min(sizing.next_look),
    );
    agenda.look_at(next);
    tell(view, agenda, step, &sizing, &facts);
    let wanted = sizing.wanted;
    let more = wanted.saturating_sub(facts.running.saturating_add(facts.pending));
    agenda.promised = agenda.promised.saturating_add(more);
    memory.sizing = Some(sizing);
    wanted
}

fn decide(
    view: &View<'_>,
    pool: &Pool,
    began: Timestamp,
    memory: &mut PoolStatus,
    facts: &Seen,
) -> Sizing {
    let workers = &pool.workers;
    let rules = Rules {
        min: workers.min,
        max: workers.max,
        concurrency: NonZeroU32::new(workers.concurrency).unwrap_or(NonZeroU32::MIN),
        deadline: workers.deadline,
        price: DEFAULT_PRICE,
    };
    let sizer = memory.sizer.get_or_insert_default();
    sizer.decide(&rules, facts, view.since(began))
}

fn tell_change(agenda: &mut Agenda, step: &Step, before: Option<&Sizing>, now: &Sizing) {
    if let Some(before) = before.filter(|before| before.wanted != now.wanted) {
        let (before, wanted) = (before.wanted, now.wanted);
        let note = format!(
            "step {}: {before} workers become {wanted} ({:?})",
            step.name, now.binding
        );
        agenda.tell(false, "WorkersScaled", note);
    }
}

fn facts(
    view: &View<'_>,
    step: &Step,
    began: Timestamp,
    memory: &mut PoolStatus,
    queue: &Queue,
    promised: u32,
) -> Seen {
    let pods = || view.pods_of(&step.name);
    let count = |phase: PodPhase| narrow(pods().filter(|p| p.stays() && p.phase == phase).count());
    let (running, pending) = (count(PodPhase::Running), count(PodPhase::Pending));
    if let Some(startup) = startup_p90(pods()) {
        memory.startup_ms = Some(startup);
    }
    let waits = pods().filter(|pod| pod.stays());
    let waits = waits.filter_map(|pod| pod.unschedulable.as_ref());
    let millis = |time: Option<f64>| {
        let time = time.filter(|ms| ms.is_finite() && *ms >= 0.0);
        time.and_then(|ms| Duration::try_from_secs_f64(ms / 1000.0).ok())
    };
    let handling = &queue.handling;
    Seen {
        ready: queue.counts.ready,
        leased: queue.counts.leased,
        due: queue.counts.delayed,
        sealed: queue.sealed,
        completions: queue.counts.done.saturating_add(queue.counts.dead),
        mean_item: millis(handling.mean_ms),
        p95_item: handling.p95_ms.map(Duration::from_millis),
        mean_running_age: handling.running_mean_age_ms.map(Duration::from_millis),
        startup_p90: memory.startup_ms.map(Duration::from_millis),
        running,
        pending,
        // Readiness says who held a lease of late, and a Job takes those that are not ready away first.
        busy_workers: narrow(
            pods()
                .filter(|p| p.stays() && p.phase == PodPhase::Running && p.ready)
                .count(),
        ),
        unschedulable: waits
            .min_by_key(|(since, _)| *since)
            .map(|(since, text)| Unschedulable {
                since: Duration::try_from(since.duration_since(began)).unwrap_or_default(),
                text: text.clone(),
            }),
        quota_pods: view.seen.quota.as_ref().map(|quota| {
            running
                .saturating_add(pending)
                // What is left is counted in pods of the first step's shape, of all steps alike: nearly
                // so is better than each taking it all.
                .saturating_add(quota.more_pods.saturating_sub(promised))
        }),
        nodes: view.seen.nodes,
        rate_per_s: None,
        supply_known: view.seen.fresh,
    }
}

fn tell(view: &View<'_>, agenda: &mut Agenda, step: &Step, sizing: &Sizing, facts: &Seen) {
    let name = &step.name;
    match &sizing.condition {
        Some(Condition::CapacityBlocked { text }) => agenda.trouble(
            Kind::CapacityBlocked,
            "Unschedulable",
            format!("step {name}: no node takes more workers: {text}"),
        ),
        Some(Condition::DeadlineInfeasible { earliest }) => agenda.trouble(
            Kind::DeadlineInfeasible,
            "TooLittleTime",
            format!(
                "step {name}: with all workers that are allowed it may be through {} after it began, \
                 not before its deadline",
                super::progress::rough(*earliest)
            ),
        ),
        None => {}
    }
    let quota = view
        .seen
        .quota
        .as_ref()
        .filter(|quota| quota.more_pods == 0);
    if let Some(quota) = quota.filter(|_| facts.running + facts.pending == 0) {
        agenda.blocked(
            "QuotaExceeded",
            format!(
                "step {name}: the quota {} has no room for a worker",
                quota.binding
            ),
        );
    }
}

/// The 90th percentile of the time from creation to first being ready, in milliseconds.
fn startup_p90<'a>(pods: impl Iterator<Item = &'a PodSeen>) -> Option<u64> {
    let mut times: Vec<u64> = pods
        .filter_map(|pod| Some(pod.started?.duration_since(pod.created)))
        .map(|time| u64::try_from(time.as_millis()).unwrap_or(0))
        .collect();
    times.sort_unstable();
    let rank = (times.len() * 9).div_ceil(10).checked_sub(1)?;
    times.get(rank).copied()
}

fn narrow(number: impl TryInto<u32>) -> u32 {
    number.try_into().unwrap_or(u32::MAX)
}
