//! The pod of a step.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec};
use kube::api::ObjectMeta;

use super::labels::{Component, ELEMENT_ANNOTATION, labels};
use super::{Part, Place, RenderError, Wanted, container, overlay, profile, volumes};
use crate::spec::Work;

/// What a pod has beyond its worker's grace to end: the worker still gives back what it did not finish.
const FAREWELL: Duration = Duration::from_secs(10);
/// An item that may take longer than this is worth keeping a node for.
const SHORT_ITEM: Duration = Duration::from_secs(60);
/// What tells autoscalers not to move a pod to another node.
const STAY: [(&str, &str); 2] = [
    ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
    ("karpenter.sh/do-not-disrupt", "true"),
];

/// The pod's template with `pod:` laid over it. `mounted` is what it mounts beside the step's own volumes.
pub(super) fn template(
    place: &Place,
    wanted: &Wanted<'_>,
    part: Part<'_>,
    mounted: Vec<volumes::Mounted>,
) -> Result<PodTemplateSpec, RenderError> {
    let step = part.step;
    let mut mounts = volumes::of_step(step)?;
    let has = |path: &str| {
        mounts
            .iter()
            .any(|(_, at)| at.mount_path.trim_end_matches('/') == path)
    };
    if !has(volumes::TMP) {
        mounts.push(volumes::tmp());
    }
    if part.installs() {
        mounts.push(volumes::program());
    }
    // Steps without items have it, too: they are told where the server is, and may put items there.
    mounts.extend(place.worker_token.as_deref().map(volumes::token));
    mounts.extend(mounted);
    let (volumes, at): (Vec<_>, Vec<_>) = mounts.into_iter().unzip();
    let own_image = part.own_image().is_some();
    let claims = step.pod.volumes.iter().any(|volume| volume.pvc.is_some());
    let worker = Container {
        volume_mounts: Some(at),
        ..container::worker(place, wanted, part)?
    };
    let selector = &step.pod.node_selector;
    let pod = PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels(Component::Worker, &place.run, Some(&step.name))),
            annotations: Some(annotations(part)).filter(|map| !map.is_empty()),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            restart_policy: Some("Never".into()),
            termination_grace_period_seconds: part.has_worker().then(|| {
                (container::GRACE + FAREWELL)
                    .as_secs()
                    .try_into()
                    .unwrap_or(i64::MAX)
            }),
            service_account_name: step
                .pod
                .service_account
                .clone()
                .or_else(|| place.worker_account.clone()),
            // Only who names an account means to speak to Kubernetes.
            automount_service_account_token: Some(step.pod.service_account.is_some()),
            // A variable for each Service of the namespace helps nobody and can be thousands.
            enable_service_links: Some(false),
            security_context: Some(profile::pod(own_image, own_image && claims)),
            node_selector: (!selector.is_empty()).then(|| selector.clone()),
            init_containers: part.installs().then(|| vec![container::install(place)]),
            containers: vec![worker],
            volumes: Some(volumes),
            ..PodSpec::default()
        }),
    };
    match &step.pod.overlay {
        None => Ok(pod),
        Some(over) => overlay::lay(&pod, over)
            .and_then(|laid| still_ours(&pod, laid))
            .map(without_lone_group)
            .map_err(|why| RenderError::Overlay {
                step: step.name.clone(),
                why,
            }),
    }
}

/// The pod as it was laid over, if the labels by which it is found are those it had.
fn still_ours(pod: &PodTemplateSpec, laid: PodTemplateSpec) -> Result<PodTemplateSpec, String> {
    let labels = |pod: &PodTemplateSpec| pod.metadata.as_ref().and_then(|meta| meta.labels.clone());
    let (ours, now) = (
        labels(pod).unwrap_or_default(),
        labels(&laid).unwrap_or_default(),
    );
    match ours
        .into_iter()
        .find(|(name, value)| now.get(name) != Some(value))
    {
        Some((name, _)) => Err(format!(
            "the label `{name}` is memq's own: by it the pods of a run are found"
        )),
        None => Ok(laid),
    }
}

/// Takes our group away where the overlay took the user away: a container runtime makes no pod of a group
/// that has no user, and the kubelet tries for ever.
fn without_lone_group(mut pod: PodTemplateSpec) -> PodTemplateSpec {
    let context = pod
        .spec
        .as_mut()
        .and_then(|spec| spec.security_context.as_mut());
    if let Some(context) = context
        && context.run_as_user.is_none()
        && context.run_as_group == Some(profile::USER)
    {
        context.run_as_group = None;
    }
    pod
}

fn annotations(part: Part<'_>) -> BTreeMap<String, String> {
    let short = match &part.step.work {
        Work::Items(pool) => pool.item.timeout.is_some_and(|limit| limit <= SHORT_ITEM),
        Work::Each(_) | Work::Once => false,
    };
    let mut annotations = if short { BTreeMap::new() } else { stay() };
    annotations.extend(
        part.element
            .map(|element| (ELEMENT_ANNOTATION.to_owned(), element.key.clone())),
    );
    annotations
}

/// The annotations of a pod that autoscalers are not to move.
pub(super) fn stay() -> BTreeMap<String, String> {
    STAY.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}
