//! The controller process in the model: it sees late, its writes and calls fail, it crashes between
//! any two of them, and it is held to the planner's promises at every turn.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::super::super::{
    Action, Context, JobSeen, LoadSeen, PodSeen, QueueSeen, QuotaSeen, Refusal, Seen,
};
use super::super::forms::same;
use super::chance::Chance;
use super::cluster::{Cluster, Fate, Kind, Pod, Weather};
use super::items::Items;
use super::sight::{see_job, see_pod, time};
use super::worker::{self, Habits};
use crate::flow::Phase;
use crate::kube::status::{KEPT_FAILURES, RunPhase, RunStatus, StepStatus};
use crate::spec::{RunSpec, Work};

/// What goes wrong. Numbers named `one_in` are turns of a second; 0 is never.
#[derive(Debug, Clone)]
pub(crate) struct Faults {
    pub(crate) habits: Habits,
    pub(crate) weather: Weather,
    /// How old what is seen may be, in milliseconds.
    pub(crate) lag: i64,
    /// The controller dies, before or after any of its calls.
    pub(crate) crashes: u64,
    /// A status is not taken: somebody wrote it in between.
    pub(crate) conflicts: u64,
    /// A call fails.
    pub(crate) call_errors: u64,
    /// The lists are old for a while.
    pub(crate) stale: u64,
    /// Somebody deletes a Job that was seen.
    pub(crate) deletions: u64,
    /// A pod is preempted.
    pub(crate) disruptions: u64,
    /// The queue server is away from one time to another, in seconds.
    pub(crate) outage: (i64, i64),
    /// It comes back without its queues.
    pub(crate) forgets: bool,
    /// No Job may be made before this second.
    pub(crate) forbidden_until: i64,
    /// The fault mix ends at this second: what comes after is fine weather.
    pub(crate) until: i64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            habits: Habits::default(),
            weather: Weather {
                fate: Fate::Works,
                one_in: 0,
                quota: usize::MAX,
            },
            lag: 0,
            crashes: 0,
            conflicts: 0,
            call_errors: 0,
            stale: 0,
            deletions: 0,
            disruptions: 0,
            outage: (0, 0),
            forgets: false,
            forbidden_until: 0,
            until: i64::MAX,
        }
    }
}

pub(crate) struct Driver {
    run: RunSpec,
    context: Context,
    faults: Faults,
    chance: Chance,
    pub(crate) now: i64,
    pub(crate) cluster: Cluster,
    pub(crate) queues: BTreeMap<String, Items>,
    /// How many items each queue is to have.
    pub(crate) items: u64,
    pub(crate) status: RunStatus,
    seen: Seen,
    history: VecDeque<(i64, Vec<JobSeen>, Vec<PodSeen>)>,
    looked: (i64, i64),
    stale_until: i64,
    /// It has not listed anything yet.
    blind: bool,
    made: BTreeSet<String>,
    pub(crate) told: Vec<(&'static str, String)>,
    pub(crate) cancelled: bool,
    /// Statuses that were written.
    pub(crate) writes: u32,
}

impl Driver {
    pub(crate) fn new(run: RunSpec, items: u64, faults: Faults, seed: u64) -> Self {
        Self {
            run,
            context: Context::new("team", "http://memq:8080"),
            faults,
            chance: Chance::new(seed),
            now: 0,
            cluster: Cluster::default(),
            queues: BTreeMap::new(),
            items,
            status: RunStatus::default(),
            seen: Seen::default(),
            history: VecDeque::new(),
            looked: (0, 0),
            stale_until: 0,
            blind: false,
            made: BTreeSet::new(),
            told: Vec::new(),
            cancelled: false,
            writes: 0,
        }
    }

    /// Goes on until the run has ended; says so if it does not in so many seconds.
    pub(crate) fn run(&mut self, seconds: i64) -> RunPhase {
        while self.now < seconds * 1_000 {
            self.turn();
            if self.status.finished_at.is_some() {
                return self.status.phase;
            }
        }
        panic!("it goes on after {seconds} s: {:#?}", self.status);
    }

    /// One second.
    pub(crate) fn turn(&mut self) {
        self.now += 1_000;
        if self.now / 1_000 >= self.faults.until {
            self.faults = Faults::default();
            for pod in self.cluster.pods.values_mut() {
                pod.fate = Fate::Works;
            }
        }
        let up = self.server_is_up();
        self.cluster
            .turn(&mut self.chance, self.faults.weather, self.now);
        self.work(up);
        self.strike();
        self.remember();
        self.control(up);
        self.hold_to_promises();
    }

    fn server_is_up(&mut self) -> bool {
        let (from, to) = self.faults.outage;
        let second = self.now / 1_000;
        if second == from && self.faults.forgets && to > from {
            self.queues.clear();
        }
        !(from..to).contains(&second)
    }

    fn work(&mut self, up: bool) {
        let (now, habits) = (self.now, self.faults.habits);
        if up {
            for queue in self.queues.values_mut() {
                queue.expire(now);
            }
        }
        for (name, pod) in self.cluster.pods.iter_mut() {
            if !pod.running || pod.end.is_some() {
                continue;
            }
            let kind = self.cluster.jobs.get(&pod.job).map(|job| job.kind);
            let pool = self
                .run
                .steps
                .iter()
                .any(|step| step.name == pod.step && matches!(step.work, Work::Items(_)));
            if pool && kind != Some(Kind::One) {
                match self.queues.get_mut(&pod.step) {
                    Some(items) => {
                        worker::work(name, pod, items, habits, up, &mut self.chance, now);
                    }
                    // Its queue is gone, or not there yet: it waits for that.
                    None if now > pod.starts + 300_000 => pod.end = Some((77, now)),
                    None => {}
                }
            } else {
                worker::go_on(pod, habits, &mut self.chance, now);
            }
        }
    }

    fn strike(&mut self) {
        if self.chance.once_in(self.faults.disruptions) {
            let live = self
                .cluster
                .pods
                .values_mut()
                .filter(|pod| pod.running && pod.lives());
            if let Some(pod) = live.last() {
                pod.disrupted = true;
            }
        }
        if self.chance.once_in(self.faults.deletions) {
            let seen = self.status.steps.iter().flat_map(|step| &step.jobs);
            let seen = seen.filter(|job| job.seen && job.ended.is_none());
            if let Some(job) = seen.max_by_key(|job| job.since) {
                self.cluster.delete(&job.name.clone());
            }
        }
        if self.chance.once_in(self.faults.stale) {
            self.stale_until = self.now + self.chance.between(2_000, 20_000);
        }
    }

    fn remember(&mut self) {
        let jobs = self
            .cluster
            .jobs
            .iter()
            .map(|(name, job)| see_job(name, job));
        let pods = self
            .cluster
            .pods
            .iter()
            .map(|(name, pod)| see_pod(name, pod, self.now));
        let now = (self.now, jobs.collect(), pods.collect());
        self.history.push_back(now);
        let oldest = self.now - 30_000;
        while self.history.len() > 1 && self.history[1].0 <= oldest {
            self.history.pop_front();
        }
    }

    fn at(&self, when: i64) -> &(i64, Vec<JobSeen>, Vec<PodSeen>) {
        let known = self.history.iter().rev().find(|(at, ..)| *at <= when);
        known.unwrap_or(&self.history[0])
    }

    fn look(&mut self, up: bool) {
        let fresh = self.now >= self.stale_until;
        if fresh {
            let lag = self.faults.lag;
            let (jobs, pods) = (self.chance.between(0, lag), self.chance.between(0, lag));
            self.looked.0 = self.looked.0.max(self.now - jobs);
            self.looked.1 = self.looked.1.max(self.now - pods);
        }
        self.blind &= !fresh;
        if self.blind {
            (self.seen.jobs, self.seen.pods) = (Vec::new(), Vec::new());
        } else {
            self.seen.jobs = self.at(self.looked.0).1.clone();
            self.seen.pods = self.at(self.looked.1).2.clone();
        }
        self.seen.fresh = fresh;
        self.seen.cancelled = self.cancelled;
        self.seen.queues.clear();
        let quota = self.faults.weather.quota;
        self.seen.quota = (quota < usize::MAX).then(|| {
            let there = self.cluster.pods.values().filter(|pod| pod.lives()).count();
            QuotaSeen {
                more_pods: u32::try_from(quota.saturating_sub(there)).unwrap_or(0),
                binding: "team/pods".to_owned(),
            }
        });
        for step in &self.status.steps {
            if step.phase != Phase::Running || step.pool.is_none() {
                continue;
            }
            let seen = match self.queues.get(&step.name) {
                _ if !up => {
                    QueueSeen::Unreachable(time(self.faults.outage.0 * 1_000), "refused".to_owned())
                }
                Some(items) => items.seen(),
                None => QueueSeen::Missing,
            };
            self.seen.queues.insert(step.name.clone(), seen);
        }
    }

    fn control(&mut self, up: bool) {
        if self.chance.once_in(self.faults.crashes) {
            return self.restart();
        }
        self.look(up);
        let plan = super::super::super::plan(
            &self.run,
            &self.context,
            &self.status,
            &self.seen,
            time(self.now),
        );
        let again = super::super::super::plan(
            &self.run,
            &self.context,
            &plan.status,
            &self.seen,
            time(self.now),
        );
        let quiet = |action: &&Action| !matches!(action, Action::Tell(_));
        same(&plan.status, &again.status, "the same facts change nothing");
        let (one, other): (Vec<_>, Vec<_>) = (
            plan.actions.iter().filter(quiet).collect(),
            again.actions.iter().filter(quiet).collect(),
        );
        same(&one, &other, "the same facts ask for the same");
        if self.chance.once_in(self.faults.conflicts) {
            return;
        }
        self.writes += u32::from(self.status != plan.status);
        self.status = plan.status;
        for action in plan.actions {
            if self.chance.once_in(self.faults.crashes) {
                return self.restart();
            }
            if !self.chance.once_in(self.faults.call_errors) {
                self.carry_out(action, up);
            }
        }
    }

    /// What the process knew beside the status is gone, and its first lists may be older than its last.
    fn restart(&mut self) {
        (self.seen, self.blind) = (Seen::default(), true);
        let lag = self.faults.lag;
        self.looked = (self.now - lag, self.now - lag);
        self.stale_until = self.now + self.chance.between(1_000, 5_000);
    }

    fn carry_out(&mut self, action: Action, up: bool) {
        match action {
            Action::Load { step } if up => self.load(step),
            Action::RemoveQueue { queue } if up => self.remove(&queue),
            Action::Load { .. } | Action::RemoveQueue { .. } => {}
            Action::CreateJob {
                step,
                name,
                element,
                parallelism,
                ..
            } => self.create(step, &name, element, parallelism),
            Action::SetParallelism { job, to } => {
                if let Some(job) = self.cluster.jobs.get_mut(&job) {
                    job.parallelism = to;
                }
            }
            Action::DeleteJob { job } => self.cluster.delete(&job),
            Action::ReadLog { pod } => {
                self.seen.logs.insert(pod, "the end\n".to_owned());
            }
            Action::Expire { job, after } => self.expire(&job, after),
            Action::Tell(news) => self.told.push((news.reason, news.note)),
        }
    }

    fn load(&mut self, step: usize) {
        let name = self.run.steps[step].name.clone();
        let queue = self.queues.entry(name.clone()).or_default();
        queue.put((queue.total + 25).min(self.items));
        queue.sealed |= queue.total == self.items;
        let load = if queue.sealed {
            LoadSeen::Loaded
        } else {
            LoadSeen::Loading(queue.total)
        };
        self.seen.loads.insert(name, load);
    }

    fn remove(&mut self, queue: &str) {
        let mut steps = self.status.steps.iter();
        let of = |step: &&StepStatus| step.pool.as_ref().is_some_and(|pool| pool.queue == queue);
        let step = steps.find(of).expect("a step");
        self.queues.remove(&step.name);
    }

    fn create(&mut self, step: usize, name: &str, element: Option<u32>, parallelism: u32) {
        if self.cluster.jobs.contains_key(name) {
            return;
        }
        if self.now < self.faults.forbidden_until * 1_000 {
            let refusal = Refusal {
                code: 403,
                reason: "Forbidden".to_owned(),
                message: "jobs.batch is forbidden".to_owned(),
                at: time(self.now),
            };
            self.seen.refusals.insert(name.to_owned(), refusal);
            return;
        }
        self.seen.refusals.remove(name);
        assert!(
            self.made.insert(name.to_owned()),
            "Job {name} is made twice"
        );
        let step = &self.run.steps[step];
        let kind = match step.work {
            Work::Items(_) => Kind::Pool,
            Work::Each(_) | Work::Once => Kind::One,
        };
        let to = (step.name.as_str(), element);
        self.cluster.create(name, to, kind, parallelism, self.now);
    }

    /// Rule 5: what is kept of it is in the status, and the logs with it.
    fn expire(&mut self, name: &str, after: Duration) {
        let Some(job) = self.cluster.jobs.get(name) else {
            return;
        };
        assert!(job.ended.is_some(), "Job {name} expires before its end");
        let mut steps = self.status.steps.iter();
        let step = steps.find(|step| step.name == job.step).expect("a step");
        let sent_away = |pod: &Pod| pod.deleting.is_some();
        let failed = |pod: &Pod| pod.end.is_some_and(|(code, _)| code != 0) && !sent_away(pod);
        let pods = self.cluster.pods.iter().filter(|(_, pod)| pod.job == name);
        for (pod, _) in pods.filter(|(_, pod)| failed(pod)) {
            let kept = step.failures.iter().find(|failure| failure.pod == *pod);
            let full = step.failures.len() == KEPT_FAILURES;
            assert!(kept.is_some() || full, "pod {pod} is not recorded");
            assert!(
                kept.is_none_or(|kept| kept.log.is_some()),
                "the log of {pod} is lost"
            );
        }
        let ttl = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        self.cluster.jobs.get_mut(name).expect("a Job").ttl = Some(ttl);
    }

    fn hold_to_promises(&self) {
        for step in &self.run.steps {
            let jobs = self.cluster.jobs.values();
            let open = jobs.filter(|job| job.step == step.name && job.ended.is_none());
            match &step.work {
                Work::Items(pool) => {
                    let pods = self.cluster.pods.values();
                    let workers = pods.filter(|pod| {
                        pod.step == step.name && pod.lives() && pod.deleting.is_none()
                    });
                    let (workers, max) = (workers.count(), pool.workers.max as usize);
                    assert!(
                        workers <= max,
                        "{workers} workers of {max}: {:#?}",
                        self.cluster
                    );
                    assert!(open.count() <= 4, "rounds pile up");
                }
                Work::Each(_) | Work::Once => {
                    let mut elements = BTreeSet::new();
                    for job in open {
                        assert!(elements.insert(job.element), "two Jobs for one element");
                    }
                }
            }
        }
    }
}
