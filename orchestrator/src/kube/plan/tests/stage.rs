//! A run on a stage: what is seen is set by hand, and each look is held to the planner's promises.

use std::time::Duration;

use jiff::Timestamp;

use super::super::{Action, Context, JobSeen, Plan, PodPhase, PodSeen, QueueSeen, Seen, plan};
use super::forms::{at, job, pod, pool, queue, run, same};
use crate::kube::status::{Condition, RunStatus, StepStatus};
use crate::spec::RunSpec;

/// A run, what is kept of it, and what is seen.
pub(super) struct Stage {
    pub(super) run: RunSpec,
    pub(super) context: Context,
    pub(super) status: RunStatus,
    pub(super) seen: Seen,
    pub(super) now: Timestamp,
    pub(super) wake: Option<Duration>,
    /// News of all looks: reasons.
    pub(super) told: Vec<&'static str>,
}

impl Stage {
    /// No queue is there.
    pub(super) fn new(run: RunSpec) -> Self {
        let names = run.steps.iter().map(|step| step.name.clone());
        let queues = names.map(|name| (name, QueueSeen::Missing)).collect();
        Self {
            run,
            context: Context::new("team", "http://memq:8080"),
            status: RunStatus::default(),
            seen: Seen {
                fresh: true,
                queues,
                ..Seen::default()
            },
            now: at(0),
            wake: None,
            told: Vec::new(),
        }
    }

    /// A look at so many seconds; what it asks for but news.
    pub(super) fn look(&mut self, seconds: i64) -> Vec<Action> {
        self.now = at(seconds);
        let plan = self.plan();
        let again = self.again(&plan.status);
        let (quiet, news): (Vec<_>, Vec<_>) = plan
            .actions
            .into_iter()
            .partition(|action| !matches!(action, Action::Tell(_)));
        for action in news {
            if let Action::Tell(news) = action {
                self.told.push(news.reason);
            }
        }
        same(&plan.status, &again.status, "the same facts change nothing");
        same(&quiet, &again.actions, "the same facts ask for the same");
        self.status = plan.status;
        self.wake = plan.wake;
        quiet
    }

    fn plan(&self) -> Plan {
        plan(&self.run, &self.context, &self.status, &self.seen, self.now)
    }

    fn again(&self, status: &RunStatus) -> Plan {
        plan(&self.run, &self.context, status, &self.seen, self.now)
    }

    pub(super) fn step(&self, name: &str) -> &StepStatus {
        let mut steps = self.status.steps.iter();
        steps.find(|step| step.name == name).expect("a step")
    }

    pub(super) fn condition(&self, name: &str) -> Option<&Condition> {
        self.status.conditions.iter().find(|c| c.r#type == name)
    }

    /// The reason of a condition that holds.
    pub(super) fn holds(&self, name: &str) -> Option<&str> {
        let condition = self.condition(name).filter(|c| c.status == "True");
        condition.map(|condition| condition.reason.as_str())
    }

    pub(super) fn sees_queue(&mut self, step: &str, queue: queue_api::Queue) {
        let seen = QueueSeen::There(Box::new(queue));
        self.seen.queues.insert(step.to_owned(), seen);
    }

    pub(super) fn sees(&mut self, jobs: &[JobSeen], pods: &[PodSeen]) {
        self.seen.jobs = jobs.to_vec();
        self.seen.pods = pods.to_vec();
    }
}

/// The names of the Jobs that are to be made.
pub(super) fn made(actions: &[Action]) -> Vec<&str> {
    let made = actions.iter().filter_map(|action| match action {
        Action::CreateJob { name, .. } => Some(name.as_str()),
        _ => None,
    });
    made.collect()
}

/// The names of the Jobs that are to be deleted.
pub(super) fn deleted(actions: &[Action]) -> Vec<&str> {
    let deleted = actions.iter().filter_map(|action| match action {
        Action::DeleteJob { job } => Some(job.as_str()),
        _ => None,
    });
    deleted.collect()
}

/// The changes of parallelism.
pub(super) fn scaled(actions: &[Action]) -> Vec<(&str, u32)> {
    let scaled = actions.iter().filter_map(|action| match action {
        Action::SetParallelism { job, to } => Some((job.as_str(), *to)),
        _ => None,
    });
    scaled.collect()
}

/// A run whose workers have begun on so many items, at 10 s.
pub(super) fn at_work(workers: u32, items: u64) -> Stage {
    let mut stage = Stage::new(run(vec![pool("keys", workers)]));
    assert_eq!(stage.look(0), [Action::Load { step: 0 }]);
    stage.sees_queue("keys", queue(items, items));
    assert_eq!(made(&stage.look(10)), ["r-keys-1"]);
    stage
}

/// A running Job with so many workers that run.
pub(super) fn running(stage: &mut Stage, workers: u32) {
    let job = job("r-keys-1", "keys", workers, at(10));
    let pods: Vec<_> = (0..workers)
        .map(|n| pod(&format!("w{n}"), &job, PodPhase::Running))
        .collect();
    stage.sees(&[job], &pods);
}
