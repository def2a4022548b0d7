//! Jobs and their pods, as the Job controller, the scheduler and the kubelet treat them.
//!
//! 1. With completions unset nothing is made or taken away after the first success.
//! 2. Failure is judged before success.
//! 3. Failed pods make the next one wait 10 s, doubled up to 6 min, ignored ones too; a success ends it.
//! 4. Pods that are being deleted are replaced only when they are gone.

use std::collections::BTreeMap;

use super::chance::Chance;
use crate::kube::status::JobVerdict;

/// What a Job is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Workers of a queue.
    Pool,
    /// One thing.
    One,
}

/// What is to become of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It starts and works.
    Works,
    /// Its image cannot be pulled.
    NoImage,
    /// No node takes it.
    NoNode,
}

#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) step: String,
    pub(crate) element: Option<u32>,
    pub(crate) kind: Kind,
    pub(crate) parallelism: u32,
    pub(crate) created: i64,
    pub(crate) succeeded: u32,
    pub(crate) failed: u32,
    failures_in_a_row: u32,
    not_before: i64,
    limit: u32,
    pub(crate) ended: Option<(JobVerdict, String, i64)>,
    pub(crate) ttl: Option<i64>,
    pub(crate) refused: Option<i64>,
}

#[derive(Debug, Clone)]
pub(crate) struct Pod {
    pub(crate) job: String,
    pub(crate) step: String,
    pub(crate) created: i64,
    pub(crate) fate: Fate,
    /// When it runs.
    pub(crate) starts: i64,
    pub(crate) running: bool,
    pub(crate) first_ready: Option<i64>,
    pub(crate) ready_until: i64,
    /// When it is killed, once it was told to go.
    pub(crate) deleting: Option<i64>,
    pub(crate) disrupted: bool,
    /// Exit code and time.
    pub(crate) end: Option<(i32, i64)>,
    counted: bool,
    /// The item it works on, and when it is through.
    pub(crate) item: Option<(u32, i64)>,
    pub(crate) idle_since: Option<i64>,
    pub(crate) cut_off_since: Option<i64>,
}

impl Pod {
    pub(crate) fn lives(&self) -> bool {
        self.end.is_none()
    }
}

/// All Jobs and pods.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cluster {
    pub(crate) jobs: BTreeMap<String, Job>,
    pub(crate) pods: BTreeMap<String, Pod>,
    made: u64,
}

/// How pods fare, and how many there may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) fate: Fate,
    /// One pod in so many has that fate.
    pub(crate) one_in: u64,
    pub(crate) quota: usize,
}

impl Cluster {
    pub(crate) fn create(
        &mut self,
        name: &str,
        (step, element): (&str, Option<u32>),
        kind: Kind,
        parallelism: u32,
        now: i64,
    ) {
        let job = Job {
            step: step.to_owned(),
            element,
            kind,
            parallelism,
            created: now,
            succeeded: 0,
            failed: 0,
            failures_in_a_row: 0,
            not_before: now,
            limit: match kind {
                Kind::Pool => (3 * parallelism).max(6),
                Kind::One => 0,
            },
            ended: None,
            ttl: None,
            refused: None,
        };
        self.jobs.insert(name.to_owned(), job);
    }

    /// Deletes a Job in the background: its pods are told a little later.
    pub(crate) fn delete(&mut self, name: &str) {
        self.jobs.remove(name);
    }

    /// One turn of all controllers.
    pub(crate) fn turn(&mut self, chance: &mut Chance, weather: Weather, now: i64) {
        self.collect(chance, now);
        let names: Vec<_> = self.jobs.keys().cloned().collect();
        for name in names {
            self.count(&name, now);
            self.judge(&name, now);
            self.staff(&name, chance, weather, now);
        }
        for pod in self.pods.values_mut().filter(|pod| pod.lives()) {
            let starts = pod.fate == Fate::Works && pod.deleting.is_none();
            if !pod.running && starts && now >= pod.starts {
                pod.running = true;
            }
        }
    }

    /// Takes away what belongs to no Job any more, and what was deleted.
    fn collect(&mut self, chance: &mut Chance, now: i64) {
        let over = |job: &Job| {
            let end = job.ended.as_ref().zip(job.ttl);
            end.is_some_and(|((_, _, at), ttl)| at + ttl <= now)
        };
        self.jobs.retain(|_, job| !over(job));
        let jobs = &self.jobs;
        for pod in self.pods.values_mut() {
            if !jobs.contains_key(&pod.job) && pod.deleting.is_none() {
                pod.deleting = Some(now + chance.between(500, 3_000));
            }
        }
        self.pods.retain(|_, pod| {
            let gone = pod.deleting.is_some_and(|at| at <= now);
            !gone || (pod.end.is_some() && jobs.contains_key(&pod.job))
        });
    }

    fn of(&self, job: &str) -> Vec<String> {
        let pods = self.pods.iter().filter(|(_, pod)| pod.job == job);
        pods.map(|(name, _)| name.clone()).collect()
    }

    /// Takes account of pods that ended.
    fn count(&mut self, name: &str, now: i64) {
        for pod in self.of(name) {
            let pod = self.pods.get_mut(&pod).expect("a pod");
            let job = self.jobs.get_mut(name).expect("a Job");
            let Some((code, _)) = pod.end.filter(|_| !pod.counted) else {
                continue;
            };
            pod.counted = true;
            if code == 0 {
                job.succeeded += 1;
                job.failures_in_a_row = 0;
                continue;
            }
            job.failures_in_a_row += 1;
            let wait = 10_000 << job.failures_in_a_row.saturating_sub(1).min(6);
            job.not_before = now + wait.min(360_000);
            let workers = job.kind == Kind::Pool;
            match code {
                _ if pod.disrupted => {}
                69 | 75 if workers => {}
                64 | 65 | 77 | 78 if workers => {
                    self.fail(name, "PodFailurePolicy", now);
                    return;
                }
                _ => job.failed += 1,
            }
        }
    }

    fn fail(&mut self, name: &str, reason: &str, now: i64) {
        let job = self.jobs.get_mut(name).expect("a Job");
        if job.ended.is_none() {
            job.ended = Some((JobVerdict::Failed, reason.to_owned(), now));
        }
        for pod in self.pods.values_mut() {
            if pod.job == name && pod.lives() {
                pod.end = Some((143, now));
                pod.counted = true;
            }
        }
    }

    fn judge(&mut self, name: &str, now: i64) {
        let job = &self.jobs[name];
        if job.ended.is_some() {
            return;
        }
        if job.failed > job.limit {
            return self.fail(name, "BackoffLimitExceeded", now);
        }
        let active = self.of(name).iter().any(|pod| self.pods[pod].lives());
        if job.succeeded > 0 && !active {
            let end = (JobVerdict::Complete, String::new(), now);
            self.jobs.get_mut(name).expect("a Job").ended = Some(end);
        }
    }

    fn staff(&mut self, name: &str, chance: &mut Chance, weather: Weather, now: i64) {
        let job = &self.jobs[name];
        if job.ended.is_some() || job.succeeded > 0 {
            return;
        }
        let pods = self.of(name);
        let mut active: Vec<_> = pods.iter().filter(|pod| self.pods[*pod].lives()).collect();
        let want = job.parallelism as usize;
        if active.len() > want {
            // Not running first, then not ready, then the youngest.
            active.retain(|pod| self.pods[*pod].deleting.is_none());
            active.sort_by_key(|pod| {
                let pod = &self.pods[*pod];
                (pod.running, pod.ready_until > now, -pod.created)
            });
            let surplus = active.len().saturating_sub(want);
            for pod in active.into_iter().take(surplus) {
                let pod = self.pods.get_mut(pod).expect("a pod");
                let grace = if pod.running { 3_000 } else { 0 };
                pod.deleting = Some(now + grace);
            }
            return;
        }
        if active.len() == want || now < job.not_before {
            return;
        }
        let missing = want - active.len();
        let all = self.pods.values().filter(|pod| pod.lives()).count();
        let room = weather.quota.saturating_sub(all);
        self.jobs.get_mut(name).expect("a Job").refused = (room < missing).then_some(now);
        for _ in 0..missing.min(room) {
            self.start(name, chance, weather, now);
        }
    }

    fn start(&mut self, name: &str, chance: &mut Chance, weather: Weather, now: i64) {
        self.made += 1;
        let fate = if chance.once_in(weather.one_in) {
            weather.fate
        } else {
            Fate::Works
        };
        let pod = Pod {
            job: name.to_owned(),
            step: self.jobs[name].step.clone(),
            created: now,
            fate,
            starts: now + chance.between(1_000, 8_000),
            running: false,
            first_ready: None,
            ready_until: 0,
            deleting: None,
            disrupted: false,
            end: None,
            counted: false,
            item: None,
            idle_since: None,
            cut_off_since: None,
        };
        self.pods.insert(format!("{name}-{:05}", self.made), pod);
    }
}
