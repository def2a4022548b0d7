//! A run in a cluster as its queue server is told of it: made of its status and of what was last seen of its
//! queues, nothing else, so that telling costs no call to the cluster.

use std::time::Duration;

use queue_api::{Queue, RunName, RunReport, RunStep, RunWorkers};

use super::cluster::RunKey;
use super::home::Kept;
use super::plan::{self, QueueSeen, Seen, names};
use super::status::{RunStatus, StepStatus};
use crate::flow::Phase;

/// The name that the server knows a run by; none if the server takes no such name.
pub(super) fn name(key: &RunKey, generate_name: Option<&str>) -> Option<RunName> {
    names::report(&key.namespace, &key.name, generate_name).ok()
}

/// How far a run is, under the name the server knows it by.
pub(super) fn report(key: &RunKey, kept: &Kept, base_name: &str, seen: &Seen) -> Option<RunReport> {
    let status = &kept.status;
    let generate_name = kept.object.pointer("/metadata/generateName");
    Some(RunReport {
        run: name(key, generate_name.and_then(|name| name.as_str()))?,
        spec: base_name.to_owned(),
        namespace: Some(key.namespace.clone()),
        phase: status.phase.into(),
        started: status.started_at.unwrap_or(kept.created),
        ended: status.finished_at,
        message: said(now(status)),
        updated: None,
        stale: false,
        steps: status.steps.iter().map(|it| step(it, seen)).collect(),
    })
}

fn step(status: &StepStatus, seen: &Seen) -> RunStep {
    let runs = status.phase == Phase::Running;
    let queue = match seen.queues.get(&status.name) {
        Some(QueueSeen::There(queue)) if runs => Some(&**queue),
        _ => None,
    };
    let pool = status.pool.as_ref();
    let sizing = pool.and_then(|pool| pool.sizing.as_ref()).filter(|_| runs);
    let (done, failed, total) = through(status);
    RunStep {
        name: status.name.clone(),
        phase: status.phase.into(),
        queues: pool
            .and_then(|pool| pool.queue.parse().ok())
            .into_iter()
            .collect(),
        done,
        failed,
        total,
        eta_ms: sizing
            .and_then(|sizing| sizing.eta)
            .map(|eta| millis(eta.high))
            .or(queue.and_then(|queue| queue.eta_ms)),
        rate_per_s: queue.map(|queue: &Queue| queue.rate_per_s),
        workers: sizing.map(|sizing| {
            let busy = sizing.terms.busy.min(sizing.terms.running);
            RunWorkers {
                busy,
                idle: sizing.terms.running - busy,
                wanted: sizing.wanted,
            }
        }),
        binding: sizing.map(|sizing| format!("{:?}", sizing.binding)),
        started: status.started_at,
        ended: status.finished_at,
        message: said(&status.message),
    }
}

/// What stands in its way, else where it is, or how it ended.
fn now(status: &RunStatus) -> &str {
    let trouble = status.troubles().next();
    trouble.map_or(&status.message, |condition| &condition.message)
}

/// What of a step is done, what failed, and of how much.
fn through(status: &StepStatus) -> (u64, u64, u64) {
    if let Some(pool) = &status.pool {
        return (pool.done, pool.dead, pool.total);
    }
    if let Some(each) = &status.each {
        let (succeeded, failed) = plan::elements_through(each);
        return (succeeded.into(), failed.into(), each.total.into());
    }
    let is = |phase| u64::from(status.phase == phase);
    (is(Phase::Succeeded), is(Phase::Failed), 1)
}

fn said(message: &str) -> Option<String> {
    (!message.is_empty()).then(|| message.to_owned())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::status::PoolStatus;
    use crate::size::{Cap, Eta, Sizing, Terms};

    #[test]
    fn a_step_that_has_ended_tells_of_no_workers_and_of_no_time_left() {
        let sizing = Sizing {
            wanted: 5,
            binding: Cap::Quota,
            eta: Some(Eta {
                low: Duration::from_secs(30),
                high: Duration::from_secs(60),
            }),
            condition: None,
            next_look: Duration::ZERO,
            terms: Terms {
                running: 4,
                busy: 3,
                ..Terms::default()
            },
        };
        // What sizing decided last may still stand there when a step ends.
        let mut kept = StepStatus {
            phase: Phase::Running,
            pool: Some(PoolStatus {
                sizing: Some(sizing),
                ..PoolStatus::default()
            }),
            ..StepStatus::default()
        };
        let told = |kept: &StepStatus| {
            let told = step(kept, &Seen::default());
            (told.workers, told.binding, told.eta_ms)
        };
        let workers = RunWorkers {
            busy: 3,
            idle: 1,
            wanted: 5,
        };
        let all = (Some(workers), Some("Quota".to_owned()), Some(60_000));
        assert_eq!(told(&kept), all);
        for phase in [Phase::Succeeded, Phase::Failed, Phase::Skipped] {
            kept.phase = phase;
            assert_eq!(told(&kept), (None, None, None), "{phase:?}");
        }
    }
}
