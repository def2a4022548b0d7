//! The Job of a step: a round of a pool, or one try of a command.

use std::time::Duration;

use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::PodSpec;
use kube::api::ObjectMeta;

use super::labels::{Component, ELEMENT_ANNOTATION, labels};
use super::{Part, Place, RenderError, Rendered, WORKER, Wanted, pod, script};
use crate::spec::{Handler, Step, Work};

/// Exit codes of a worker that say nothing against its Job: the server or the queue is not there for now (69), or
/// the pod was told to stop (75). The planner counts and bounds them.
const PASSING: [i32; 2] = [69, 75];
/// Exit codes that every other pod of the Job would end with as well: a wrong command line (64), input that cannot
/// be used (65), a refusal (77), a wrong set-up (78).
const HOPELESS: [i32; 4] = [64, 65, 77, 78];
/// Fewest pods of a pool that may fail before Kubernetes gives its Job up.
const LEAST_FAILURES: u32 = 6;
/// Failed pods for each worker there may be.
const FAILURES_A_WORKER: u32 = 3;
/// How long after the step's own limit Kubernetes ends the Job itself. The controller ends it in time, with a
/// reason; this is for the case that there is no controller any more.
const LATE: Duration = Duration::from_secs(5 * 60);

/// The pod of a step with items, for whoever asks how many of them fit.
pub fn pool_pod(place: &Place, step: &Step) -> Result<PodSpec, RenderError> {
    let wanted = Wanted {
        name: String::new(),
        step,
        element: None,
        number: 1,
        queue: String::new(),
        parallelism: 1,
    };
    let rendered = job(place, &wanted)?;
    let spec = rendered.job.spec.unwrap_or_default();
    Ok(spec.template.spec.unwrap_or_default())
}

/// The Job of this step by this name, and the script it mounts.
pub fn job(place: &Place, wanted: &Wanted<'_>) -> Result<Rendered, RenderError> {
    let part = Part::of(wanted)?;
    let step = wanted.step;
    let config_maps = match part.handler {
        Handler::Script(text) => vec![script::config_map(place, &step.name, text)?],
        Handler::Command(_)
        | Handler::Builtin(_)
        | Handler::Process(_)
        | Handler::Http(_)
        | Handler::Image => Vec::new(),
    };
    let mounted = config_maps.iter().map(script::volume).collect();
    let template = pod::template(place, wanted, part, mounted)?;
    let spec = match &step.work {
        Work::Items(pool) => JobSpec {
            parallelism: Some(number(wanted.parallelism)),
            backoff_limit: Some(number(
                pool.workers
                    .max
                    .saturating_mul(FAILURES_A_WORKER)
                    .max(LEAST_FAILURES),
            )),
            pod_failure_policy: Some(PodFailurePolicy {
                rules: vec![
                    on_disruption(),
                    on_exit("Ignore", &PASSING),
                    on_exit("FailJob", &HOPELESS),
                ],
            }),
            ..JobSpec::default()
        },
        // One try: whether there is another is the planner's to say, with the step's `retries`. A pod that
        // Kubernetes itself took away is no try.
        Work::Each(_) | Work::Once => JobSpec {
            parallelism: Some(1),
            completions: Some(1),
            backoff_limit: Some(0),
            pod_failure_policy: Some(PodFailurePolicy {
                rules: vec![on_disruption()],
            }),
            ..JobSpec::default()
        },
    };
    let limit = step.timeout.map(|timeout| (timeout + LATE).as_secs());
    let element = part.element.map(|element| element.key.clone());
    let job = Job {
        metadata: ObjectMeta {
            name: Some(wanted.name.clone()),
            namespace: Some(place.namespace.clone()),
            labels: Some(labels(Component::Worker, &place.run, Some(&step.name))),
            annotations: element.map(|key| [(ELEMENT_ANNOTATION.to_owned(), key)].into()),
            owner_references: place.owner.clone().map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        spec: Some(JobSpec {
            active_deadline_seconds: limit
                .map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX)),
            template,
            ..spec
        }),
        status: None,
    };
    Ok(Rendered { job, config_maps })
}

/// Pods lost to preemption, drains and lost nodes are replaced and count for nothing.
fn on_disruption() -> PodFailurePolicyRule {
    PodFailurePolicyRule {
        action: "Ignore".into(),
        on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
            type_: "DisruptionTarget".into(),
            status: "True".into(),
        }]),
        on_exit_codes: None,
    }
}

fn on_exit(action: &str, codes: &[i32]) -> PodFailurePolicyRule {
    PodFailurePolicyRule {
        action: action.to_owned(),
        on_exit_codes: Some(PodFailurePolicyOnExitCodesRequirement {
            container_name: Some(WORKER.to_owned()),
            operator: "In".into(),
            values: codes.to_vec(),
        }),
        on_pod_conditions: None,
    }
}

fn number(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
