//! Jobs and pods of the API as the planner sees them. Pure: it reads objects and asks nobody.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use super::object::STEP_LABEL;
use super::plan::{JobSeen, ON_THE_WAY, PodEnd, PodPhase, PodSeen};
use super::status::{JobVerdict, KEPT_MESSAGE_BYTES};

/// The label that carries the Job's name, put on each pod by Kubernetes.
pub(super) const JOB_LABEL: &str = "batch.kubernetes.io/job-name";

/// A Job as the planner sees it.
pub(super) fn job(job: &Job) -> JobSeen {
    let spec = job.spec.as_ref();
    let status = job.status.as_ref();
    let number = |n: Option<i32>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let ended = conditions.into_iter().flatten().find_map(|condition| {
        let verdict = match condition.type_.as_str() {
            "Complete" => JobVerdict::Complete,
            "Failed" => JobVerdict::Failed,
            _ => return None,
        };
        let text = |text: &Option<String>| cut(text.as_deref().unwrap_or_default());
        (condition.status == "True")
            .then(|| (verdict, text(&condition.reason), text(&condition.message)))
    });
    JobSeen {
        name: job.name_any(),
        step: label(job.labels(), STEP_LABEL),
        parallelism: spec.map_or(1, |spec| number(spec.parallelism.or(Some(1)))),
        active: number(status.and_then(|s| s.active)),
        succeeded: number(status.and_then(|s| s.succeeded)),
        failed: number(status.and_then(|s| s.failed)),
        created: time(job.metadata.creation_timestamp.as_ref()),
        ended,
        deleting: job.metadata.deletion_timestamp.is_some(),
        suspended: spec.is_some_and(|spec| spec.suspend == Some(true)),
        expires: spec.is_some_and(|spec| spec.ttl_seconds_after_finished.is_some()),
        // Events tell; see `refused`.
        pods_refused: None,
    }
}

/// A pod as the planner sees it.
pub(super) fn pod(pod: &Pod) -> PodSeen {
    let status = pod.status.clone().unwrap_or_default();
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let condition = |kind: &str, value: &str| {
        conditions
            .iter()
            .find(|condition| condition.type_ == kind && condition.status == value)
    };
    let phase = match status.phase.as_deref() {
        Some("Running") => PodPhase::Running,
        Some("Succeeded") => PodPhase::Succeeded,
        Some("Failed") => PodPhase::Failed,
        _ => PodPhase::Pending,
    };
    let ready = condition("Ready", "True");
    let containers: Vec<&ContainerStatus> = [
        status.init_container_statuses.as_deref(),
        status.container_statuses.as_deref(),
    ]
    .into_iter()
    .flatten()
    .flatten()
    .collect();
    let containers_of_work = status.container_statuses.clone().unwrap_or_default();
    let unschedulable = condition("PodScheduled", "False")
        .filter(|condition| condition.reason.as_deref() == Some("Unschedulable"))
        .map(|condition| {
            let text = condition.message.as_deref().unwrap_or_default();
            (time(condition.last_transition_time.as_ref()), cut(text))
        });
    let over = matches!(phase, PodPhase::Succeeded | PodPhase::Failed);
    PodSeen {
        name: pod.name_any(),
        job: label(pod.labels(), JOB_LABEL),
        step: label(pod.labels(), STEP_LABEL),
        phase,
        ready: ready.is_some(),
        created: time(pod.metadata.creation_timestamp.as_ref()),
        started: started(
            &containers_of_work,
            ready.and_then(|c| c.last_transition_time.as_ref()),
        ),
        unschedulable,
        waiting: waiting(&containers),
        end: over.then(|| end(&containers, pod)),
        disrupted: condition("DisruptionTarget", "True")
            .map(|condition| condition.reason.clone().unwrap_or_default()),
        deleting: pod.metadata.deletion_timestamp.is_some(),
    }
}

/// When its worker started. Readiness comes and goes, the start of the container stays.
fn started(containers: &[ContainerStatus], ready: Option<&Time>) -> Option<Timestamp> {
    containers
        .iter()
        .find_map(|container| {
            let state = container.state.as_ref()?;
            let running = state.running.as_ref().and_then(|r| r.started_at.as_ref());
            let ended = state
                .terminated
                .as_ref()
                .and_then(|t| t.started_at.as_ref());
            running.or(ended)
        })
        .or(ready)
        .map(|time| time.0)
}

/// What its containers wait for: a trouble before what every start brings.
fn waiting(containers: &[&ContainerStatus]) -> Option<(String, String)> {
    let waits = containers.iter().filter_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.clone().filter(|reason| !reason.is_empty())?;
        Some((reason, cut(waiting.message.as_deref().unwrap_or_default())))
    });
    waits.min_by_key(|(reason, _)| ON_THE_WAY.contains(&reason.as_str()))
}

/// How it ended: by the container that failed, else by what the pod says, else by the last container.
fn end(containers: &[&ContainerStatus], pod: &Pod) -> PodEnd {
    let terminated: Vec<&ContainerStateTerminated> = containers
        .iter()
        .filter_map(|container| container.state.as_ref()?.terminated.as_ref())
        .collect();
    let failed = terminated.iter().find(|end| end.exit_code != 0);
    let status = pod.status.as_ref();
    let said = |text: Option<&String>| text.cloned().unwrap_or_default();
    let pods_reason = said(status.and_then(|status| status.reason.as_ref()));
    let pods_message = said(status.and_then(|status| status.message.as_ref()));
    let last = failed.or_else(|| terminated.last());
    let at = last
        .and_then(|end| end.finished_at.as_ref())
        .map_or_else(|| ended_by_condition(pod), |time| time.0);
    let own = |text: Option<&String>, pods: &str| match text {
        // What the pod says of itself (Evicted, NodeLost) explains more than the container's end.
        _ if !pods.is_empty() => pods.to_owned(),
        Some(text) => text.clone(),
        None => String::new(),
    };
    PodEnd {
        exit_code: last.map(|end| end.exit_code),
        reason: own(last.and_then(|end| end.reason.as_ref()), &pods_reason),
        message: cut(&own(
            last.and_then(|end| end.message.as_ref()),
            &pods_message,
        )),
        at,
    }
}

/// When a pod that never ran a container was given up: the last change of its conditions.
fn ended_by_condition(pod: &Pod) -> Timestamp {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .filter_map(|condition| condition.last_transition_time.as_ref())
        .map(|time| time.0)
        .max()
        .unwrap_or_else(|| time(pod.metadata.creation_timestamp.as_ref()))
}

fn label(labels: &std::collections::BTreeMap<String, String>, name: &str) -> String {
    labels.get(name).cloned().unwrap_or_default()
}

fn time(time: Option<&Time>) -> Timestamp {
    time.map_or(Timestamp::UNIX_EPOCH, |time| time.0)
}

/// A text of others, kept within bounds.
fn cut(text: &str) -> String {
    let text = text.trim();
    text[..text.floor_char_boundary(KEPT_MESSAGE_BYTES)].to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read_pod(status: Value) -> PodSeen {
        let object = json!({
            "metadata": {"name": "p", "labels": {JOB_LABEL: "j"}, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "status": status,
        });
        pod(&serde_json::from_value(object).expect("a pod"))
    }

    #[test]
    fn a_job_is_over_by_either_condition_and_only_when_it_is_true() {
        let read = |kind: &str, value: &str| {
            let object = json!({
                "metadata": {"name": "j", "labels": {STEP_LABEL: "s"}, "creationTimestamp": "2026-01-01T00:00:00Z"},
                "spec": {"parallelism": 0, "template": {}},
                "status": {"failed": 3, "conditions": [
                    {"type": "FailureTarget", "status": "True"},
                    {"type": kind, "status": value, "reason": "BackoffLimitExceeded", "message": "too many"}]},
            });
            job(&serde_json::from_value(object).expect("a job"))
        };
        assert_eq!(
            read("Complete", "True").ended.map(|e| e.0),
            Some(JobVerdict::Complete)
        );
        let failed = read("Failed", "True");
        assert_eq!(
            failed.ended,
            Some((
                JobVerdict::Failed,
                "BackoffLimitExceeded".into(),
                "too many".into()
            ))
        );
        assert_eq!(
            (failed.parallelism, failed.failed, failed.step.as_str()),
            (0, 3, "s")
        );
        assert_eq!(read("Failed", "False").ended, None);
    }

    #[test]
    fn a_container_that_cannot_start_says_why_before_one_that_only_waits() {
        let waits = |reasons: [&str; 2]| {
            let statuses = reasons.map(|reason| {
                json!({"name": "worker", "ready": false, "restartCount": 0, "image": "x", "imageID": "",
                    "state": {"waiting": {"reason": reason, "message": "back-off pulling"}}})
            });
            read_pod(json!({"phase": "Pending", "containerStatuses": statuses}))
                .waiting
                .map(|(reason, _)| reason)
        };
        let pulling = Some("ImagePullBackOff".to_owned());
        assert_eq!(waits(["PodInitializing", "ImagePullBackOff"]), pulling);
        assert_eq!(waits(["ImagePullBackOff", "PodInitializing"]), pulling);
        // Whether that lasts too long is the planner's to judge.
        assert_eq!(
            waits(["", "ContainerCreating"]),
            Some("ContainerCreating".to_owned())
        );
    }

    #[test]
    fn a_pod_that_failed_tells_its_exit_code_and_a_pod_that_was_evicted_its_reason() {
        let exited = json!([{"name": "worker", "ready": false, "restartCount": 0, "image": "x", "imageID": "",
            "state": {"terminated": {"exitCode": 78, "reason": "Error", "message": "no such command\n",
                "startedAt": "2026-01-01T00:00:03Z", "finishedAt": "2026-01-01T00:00:09Z"}}}]);
        let failed = read_pod(json!({"phase": "Failed", "containerStatuses": exited}));
        let end = failed.end.expect("it ended");
        assert_eq!(
            (end.exit_code, end.reason.as_str(), end.message.as_str()),
            (Some(78), "Error", "no such command")
        );
        assert_eq!(end.at.to_string(), "2026-01-01T00:00:09Z");
        assert_eq!(
            failed.started.map(|t| t.to_string()).as_deref(),
            Some("2026-01-01T00:00:03Z")
        );
        let evicted = read_pod(
            json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory",
            "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet",
                "lastTransitionTime": "2026-01-01T00:00:07Z"}]}),
        );
        let end = evicted.end.expect("it ended");
        assert_eq!(
            (end.exit_code, end.reason.as_str(), end.message.as_str()),
            (None, "Evicted", "low on memory")
        );
        assert_eq!(end.at.to_string(), "2026-01-01T00:00:07Z");
        assert_eq!(evicted.disrupted.as_deref(), Some("TerminationByKubelet"));
    }

    #[test]
    fn a_pod_without_a_node_says_since_when_and_what_the_scheduler_says() {
        let waits = read_pod(
            json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/1 nodes are available", "lastTransitionTime": "2026-01-01T00:00:05Z"}]}),
        );
        let (since, text) = waits.unschedulable.expect("it finds no node");
        assert_eq!(
            (since.to_string().as_str(), text.as_str()),
            ("2026-01-01T00:00:05Z", "0/1 nodes are available")
        );
        assert!(waits.end.is_none() && waits.started.is_none() && !waits.ready);
    }
}
