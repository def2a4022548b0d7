//! Kubernetes objects: where their pods are, and mistakes in their heads.

use super::view::{at, entry, list, text};
use super::{Found, containers, jobs, rules};
use crate::spec::Node;

/// API versions that are gone: the version, the kind, and what serves it now. An empty kind stands for all others.
const GONE: [(&str, &str, &str); 12] = [
    ("extensions/v1beta1", "Ingress", "networking.k8s.io/v1"),
    (
        "extensions/v1beta1",
        "NetworkPolicy",
        "networking.k8s.io/v1",
    ),
    ("extensions/v1beta1", "Job", "batch/v1"),
    ("extensions/v1beta1", "", "apps/v1"),
    ("apps/v1beta1", "", "apps/v1"),
    ("apps/v1beta2", "", "apps/v1"),
    ("batch/v1beta1", "", "batch/v1"),
    ("batch/v2alpha1", "", "batch/v1"),
    ("policy/v1beta1", "PodDisruptionBudget", "policy/v1"),
    ("autoscaling/v2beta1", "", "autoscaling/v2"),
    ("autoscaling/v2beta2", "", "autoscaling/v2"),
    (
        "rbac.authorization.k8s.io/v1beta1",
        "",
        "rbac.authorization.k8s.io/v1",
    ),
];

/// Judges an object, or a list of them.
pub(super) fn lint(object: &Node, found: &mut Found<'_>) {
    let (Some(api), Some(kind)) = (text(object, &["apiVersion"]), text(object, &["kind"])) else {
        return;
    };
    if kind == "List" {
        for item in list(object, &["items"]) {
            lint(item, found);
        }
        return;
    }
    head(object, api, kind, found);
    let Some(spec) = at(object, &["spec"]) else {
        return;
    };
    match kind {
        "Job" => jobs::job(spec, object, false, found),
        "CronJob" | "ScaledJob" => {
            let field = if kind == "CronJob" {
                &["jobTemplate", "spec"][..]
            } else {
                &["jobTargetRef"]
            };
            if let Some(job) = at(spec, field) {
                jobs::job(job, object, true, found);
            }
        }
        _ => {}
    }
    if let Some(pod) = pod(spec, kind) {
        containers::pod(pod, found);
    }
}

/// The spec of the pods of an object, or of itself.
pub(super) fn pod_of(object: &Node) -> Option<&Node> {
    pod(at(object, &["spec"])?, text(object, &["kind"])?)
}

fn head(object: &Node, api: &str, kind: &str, found: &mut Found<'_>) {
    let gone = GONE
        .iter()
        .find(|(version, of, _)| *version == api && (of.is_empty() || *of == kind));
    if let (Some((_, _, now)), Some(node)) = (gone, at(object, &["apiVersion"])) {
        let what = format!("`{api}` has no {kind} any more");
        let help = format!("write apiVersion: {now}; `kubectl explain {kind}` shows what changed");
        found.add_with(&rules::OLD_API, node.place, what, help);
    }
    let metadata = at(object, &["metadata"]);
    let named = metadata.is_some_and(|metadata| {
        at(metadata, &["name"]).is_some() || at(metadata, &["generateName"]).is_some()
    });
    if let Some((key, _)) = metadata
        .and_then(|metadata| entry(metadata, "labels"))
        .and_then(|(_, labels)| entry(labels, "name").or_else(|| entry(labels, "generateName")))
        .filter(|_| !named)
    {
        found.at(
            &rules::NAME_IN_LABELS,
            key,
            "the object's name is one of its labels",
        );
    }
}

/// The spec of the pods of an object.
fn pod<'a>(spec: &'a Node, kind: &str) -> Option<&'a Node> {
    match kind {
        "Pod" => Some(spec),
        "CronJob" => at(spec, &["jobTemplate", "spec", "template", "spec"]),
        "ScaledJob" => at(spec, &["jobTargetRef", "template", "spec"]),
        "Job"
        | "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "ReplicationController" => at(spec, &["template", "spec"]),
        _ => None,
    }
}
