//! What is seen, laid out for asking: Jobs by name, pods by Job and by step.
//!
//! It draws no conclusions.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{Context, JobSeen, ON_THE_WAY, PodPhase, PodSeen, Seen};
use crate::spec::RunSpec;

/// One look at a run.
pub(super) struct View<'a> {
    pub(super) run: &'a RunSpec,
    pub(super) context: &'a Context,
    pub(super) seen: &'a Seen,
    pub(super) now: Timestamp,
    jobs: BTreeMap<&'a str, &'a JobSeen>,
    pods: BTreeMap<&'a str, Vec<&'a PodSeen>>,
}

impl<'a> View<'a> {
    pub(super) fn new(
        run: &'a RunSpec,
        context: &'a Context,
        seen: &'a Seen,
        now: Timestamp,
    ) -> Self {
        let jobs = seen.jobs.iter().map(|job| (job.name.as_str(), job));
        let mut pods: BTreeMap<&str, Vec<&PodSeen>> = BTreeMap::new();
        for pod in &seen.pods {
            pods.entry(&pod.job).or_default().push(pod);
        }
        Self {
            run,
            context,
            seen,
            now,
            jobs: jobs.collect(),
            pods,
        }
    }

    /// The Job of this name, if it is there.
    pub(super) fn job(&self, name: &str) -> Option<&'a JobSeen> {
        self.jobs.get(name).copied()
    }

    /// The pods of a Job, whether it is there or not.
    pub(super) fn pods(&self, job: &str) -> &[&'a PodSeen] {
        self.pods.get(job).map_or(&[], Vec::as_slice)
    }

    /// What is said to the pods that a Job lacks, unless one was made since: events outlive their cause.
    pub(super) fn pods_refused(&self, job: &'a JobSeen) -> Option<&'a str> {
        let (at, said) = job.pods_refused.as_ref()?;
        let mut pods = self.pods(&job.name).iter();
        (!pods.any(|pod| pod.created > *at)).then_some(said.as_str())
    }

    /// The Jobs of a step.
    pub(super) fn jobs_of<'s>(&'s self, step: &'s str) -> impl Iterator<Item = &'a JobSeen> + 's {
        self.seen.jobs.iter().filter(move |job| job.step == step)
    }

    /// The pods of a step.
    pub(super) fn pods_of<'s>(&'s self, step: &'s str) -> impl Iterator<Item = &'a PodSeen> + 's {
        self.seen.pods.iter().filter(move |pod| pod.step == step)
    }

    /// Time since then; none if that is to come.
    pub(super) fn since(&self, then: Timestamp) -> Duration {
        Duration::try_from(self.now.duration_since(then)).unwrap_or_default()
    }
}

impl PodSeen {
    /// It has not ended.
    pub(super) fn lives(&self) -> bool {
        matches!(self.phase, PodPhase::Pending | PodPhase::Running)
    }

    /// It has not ended and nobody takes it away.
    pub(super) fn stays(&self) -> bool {
        self.lives() && !self.deleting
    }

    /// It does not start, and says why: more than that its containers are being made.
    pub(super) fn is_stuck(&self) -> bool {
        let mistake = |(reason, _): &(String, String)| !ON_THE_WAY.contains(&reason.as_str());
        self.unschedulable.is_some() || self.waiting.as_ref().is_some_and(mistake)
    }

    /// It is at work.
    pub(super) fn runs(&self) -> bool {
        self.phase == PodPhase::Running
    }

    /// The exit code of a pod that failed by itself, if it left one.
    pub(super) fn exit(&self) -> Option<i32> {
        let own = self.phase == PodPhase::Failed && self.disrupted.is_none();
        self.end.as_ref().filter(|_| own)?.exit_code
    }
}
