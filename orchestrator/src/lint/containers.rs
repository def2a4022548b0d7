//! Containers, and the pod around them.

use super::view::{at, entry, list, text};
use super::{Found, env, rules, tokens};
use crate::spec::{Node, NodeValue};

/// Fields of a pod that old manifests have in a container.
const OF_POD: [&str; 10] = [
    "restartPolicy",
    "nodeSelector",
    "serviceAccountName",
    "serviceAccount",
    "volumes",
    "tolerations",
    "imagePullSecrets",
    "hostNetwork",
    "affinity",
    "activeDeadlineSeconds",
];
/// Fields of a Job that old manifests have in its pod.
const OF_JOB: [&str; 5] = [
    "backoffLimit",
    "completions",
    "parallelism",
    "ttlSecondsAfterFinished",
    "podFailurePolicy",
];

/// Judges a pod's spec.
pub(super) fn pod(pod: &Node, found: &mut Found<'_>) {
    for field in OF_JOB {
        if let Some((key, _)) = entry(pod, field) {
            let what = format!("`{field}` stands in the spec of the pod");
            found.at(&rules::JOB_FIELD_IN_POD, key, what);
        }
    }
    for (first, container) in list(pod, &["initContainers"])
        .iter()
        .map(|container| (true, container))
        .chain(list(pod, &["containers"]).iter().map(|c| (false, c)))
    {
        one(container, first, found);
    }
}

fn one(container: &Node, first: bool, found: &mut Found<'_>) {
    for field in OF_POD {
        let Some((key, value)) = entry(container, field) else {
            continue;
        };
        // A container that runs first and restarts always is a sidecar.
        if field == "restartPolicy" && first && value.text() == Some("Always") {
            continue;
        }
        let what = format!("`{field}` stands inside a container");
        found.at(&rules::POD_FIELD_IN_CONTAINER, key, what);
    }
    words(container, found);
    image(container, found);
    env::container(list(container, &["env"]), found);
    liveness(container, found);
    tokens::container(container, found);
}

fn words(container: &Node, found: &mut Found<'_>) {
    for field in ["command", "args"] {
        let Some(node) = at(container, &[field]) else {
            continue;
        };
        match &node.value {
            NodeValue::List(words) => {
                let [only] = words.as_slice() else { continue };
                let text = only.text().unwrap_or_default();
                let program = text.split_whitespace().next().unwrap_or_default();
                let alone = field == "command" && at(container, &["args"]).is_none();
                if alone && text.trim() != program && !program.is_empty() {
                    let what = format!("`{text}` is one word to Kubernetes");
                    let help = split(text);
                    found.add_with(&rules::ONE_STRING, only.place, what, help);
                }
            }
            _ => {
                let text = node.text().unwrap_or_default();
                let what = format!("`{field}` is a text and not a list");
                found.add_with(&rules::ONE_STRING, node.place, what, split(text));
            }
        }
    }
}

/// The list that a line of words means: by a shell where only a shell understands it.
fn split(text: &str) -> String {
    let words: Vec<_> = if text.contains(['|', '>', '<', '&', ';', '$', '\'', '"', '`', '*']) {
        vec!["sh", "-c", text]
    } else {
        text.split_whitespace().collect()
    };
    let words: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
    format!("write [{}]", words.join(", "))
}

fn image(container: &Node, found: &mut Found<'_>) {
    let Some((_, node)) = entry(container, "image") else {
        return;
    };
    let policy = text(container, &["imagePullPolicy"]);
    if let Some(moves) = node.text().and_then(moving) {
        let kept = match policy {
            Some("IfNotPresent") => ", and a node keeps what it has of it",
            _ => "",
        };
        found.at(&rules::LATEST, node, format!("{moves}{kept}"));
    }
}

/// Why an image's name may mean another image tomorrow.
pub(super) fn moving(image: &str) -> Option<String> {
    if image.contains('@') || image.contains("$(") || image.is_empty() {
        return None;
    }
    let name = image.rsplit('/').next().unwrap_or(image);
    match name.split_once(':') {
        None => Some(format!("`{image}` has no tag, which is :latest")),
        Some((_, "latest")) => Some(format!("`{image}` moves")),
        Some(_) => None,
    }
}

fn liveness(container: &Node, found: &mut Found<'_>) {
    let Some(probe) = at(container, &["livenessProbe"]) else {
        return;
    };
    let is_self = |host: &str| matches!(host, "localhost" | "127.0.0.1" | "::1" | "[::1]");
    if let Some(host) = at(probe, &["httpGet", "host"])
        && !host.text().is_some_and(is_self)
    {
        let what = format!("it asks the host {}", host.text().unwrap_or_default());
        found.at(&rules::LIVENESS, host, what);
    }
    if let Some(path) = at(probe, &["httpGet", "path"])
        && matches!(path.text(), Some("/readyz" | "/ready" | "/readiness"))
    {
        found.at(
            &rules::LIVENESS,
            path,
            "it asks whether the process is ready, not whether it lives",
        );
    }
    for word in list(probe, &["exec", "command"]) {
        let host = word.text().and_then(|text| {
            let (_, rest) = text.split_once("://")?;
            rest.split(['/', ':', '"', '\'', ' ']).next()
        });
        if let Some(host) = host.filter(|host| !is_self(host)) {
            found.at(&rules::LIVENESS, word, format!("it asks the host {host}"));
        }
    }
}
