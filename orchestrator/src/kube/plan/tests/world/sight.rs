//! What can be seen of the model's Jobs and pods.

use jiff::Timestamp;

use super::super::super::{JobSeen, PodEnd, PodPhase, PodSeen};
use super::cluster::{Fate, Job, Pod};

pub(super) fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_700_000_000_000 + ms).expect("a time")
}

pub(super) fn see_job(name: &str, job: &Job) -> JobSeen {
    JobSeen {
        name: name.to_owned(),
        step: job.step.clone(),
        parallelism: job.parallelism,
        active: 0,
        succeeded: job.succeeded,
        failed: job.failed,
        created: time(job.created),
        ended: job
            .ended
            .as_ref()
            .map(|(verdict, reason, _)| (*verdict, reason.clone(), String::new())),
        deleting: false,
        suspended: false,
        expires: job.ttl.is_some(),
        pods_refused: job
            .refused
            .map(|at| (time(at), "exceeded quota: team".to_owned())),
    }
}

pub(super) fn see_pod(name: &str, pod: &Pod, now: i64) -> PodSeen {
    let phase = match pod.end {
        Some((0, _)) => PodPhase::Succeeded,
        Some(_) => PodPhase::Failed,
        None if pod.running => PodPhase::Running,
        None => PodPhase::Pending,
    };
    let fate = (phase == PodPhase::Pending).then_some(pod.fate);
    let says = |reason: &str, message: &str| Some((reason.to_owned(), message.to_owned()));
    PodSeen {
        name: name.to_owned(),
        job: pod.job.clone(),
        step: pod.step.clone(),
        phase,
        ready: pod.running && pod.ready_until > now,
        created: time(pod.created),
        started: pod.first_ready.map(time),
        unschedulable: (fate == Some(Fate::NoNode))
            .then(|| (time(pod.created), "0/3 nodes are available".to_owned())),
        waiting: match fate {
            Some(Fate::Works) => says("ContainerCreating", ""),
            Some(Fate::NoImage) => says("ImagePullBackOff", "no such image"),
            Some(Fate::NoNode) | None => None,
        },
        end: pod.end.map(|(code, at)| PodEnd {
            exit_code: Some(code),
            reason: if code == 0 { "Completed" } else { "Error" }.to_owned(),
            message: String::new(),
            at: time(at),
        }),
        disrupted: pod.disrupted.then(|| "PreemptionByScheduler".to_owned()),
        deleting: pod.deleting.is_some(),
    }
}
