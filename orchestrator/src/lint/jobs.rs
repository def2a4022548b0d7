//! Jobs, and the workers of queues that run in them.

use super::view::{at, entry, list, map, number, text};
use super::{Found, rules};
use crate::spec::Node;

/// Judges a Job; `spec` is its spec, `object` the object that is applied.
pub(super) fn job(spec: &Node, object: &Node, scheduled: bool, found: &mut Found<'_>) {
    let Some(pod) = at(spec, &["template", "spec"]) else {
        return;
    };
    restarts(spec, pod, found);
    if !scheduled {
        managed(spec, object, found);
    }
    // What runs before the others prepares, and goes through no queue.
    for container in list(pod, &["containers"]) {
        if let Some(worker) = Worker::of(container) {
            queue(spec, &worker, found);
        }
    }
}

fn restarts(spec: &Node, pod: &Node, found: &mut Found<'_>) {
    let policy = entry(pod, "restartPolicy");
    let never = match policy.and_then(|(_, value)| value.text()) {
        Some("Never") => true,
        Some("OnFailure") => {
            if let Some((_, value)) = policy {
                found.at(&rules::ON_FAILURE, value, "restarts hide what failed");
            }
            false
        }
        Some(other) => {
            if let Some((_, value)) = policy {
                let what = format!("`restartPolicy: {other}` in a Job");
                found.at(&rules::RESTART_POLICY, value, what);
            }
            false
        }
        None => {
            found.at(&rules::RESTART_POLICY, pod, "`restartPolicy` is missing");
            false
        }
    };
    if let Some((key, _)) = entry(spec, "podFailurePolicy").filter(|_| !never) {
        found.at(
            &rules::POLICY_ON_FAILURE,
            key,
            "the pod's restartPolicy is not Never",
        );
    }
}

/// Tools that make again what is gone.
fn managed(spec: &Node, object: &Node, found: &mut Found<'_>) {
    let labels = map(object, &["metadata", "labels"]);
    let annotations = map(object, &["metadata", "annotations"]);
    let has = |entries: &[(Node, Node)], begins: &str| {
        entries
            .iter()
            .any(|(key, _)| key.text().is_some_and(|key| key.starts_with(begins)))
    };
    let hook = has(annotations, "helm.sh/hook") || has(annotations, "argocd.argoproj.io/hook");
    let helm = found.subject.in_chart
        || has(labels, "helm.sh/chart")
        || text(
            object,
            &["metadata", "labels", "app.kubernetes.io/managed-by"],
        ) == Some("Helm");
    let tracked = has(labels, "argocd.argoproj.io/")
        || has(annotations, "argocd.argoproj.io/")
        || has(labels, "kustomize.toolkit.fluxcd.io/")
        || has(labels, "helm.toolkit.fluxcd.io/");
    if hook {
        return;
    }
    if let Some((key, _)) = entry(spec, "ttlSecondsAfterFinished").filter(|_| tracked) {
        found.at(
            &rules::TTL,
            key,
            "the Job removes itself, and its tool makes it again",
        );
    }
    if helm {
        found.at(
            &rules::JOB_IN_CHART,
            object,
            "this Job is part of a release",
        );
    }
}

/// A container that goes through a queue.
struct Worker<'a> {
    container: &'a Node,
    /// Where it is told when to end, and what it is told.
    until: Option<(&'a Node, &'a str)>,
    /// The flag by which kuard's consumer ends at the first empty answer.
    kuard: Option<&'a Node>,
}

impl<'a> Worker<'a> {
    fn of(container: &'a Node) -> Option<Self> {
        let words: Vec<_> = ["command", "args"]
            .into_iter()
            .flat_map(|field| list(container, &[field]))
            .filter_map(|node| Some((node, node.text()?)))
            .collect();
        let env = list(container, &["env"]);
        let variable = |name: &str| {
            env.iter()
                .find(|variable| text(variable, &["name"]) == Some(name))
        };
        let program = |word: &str| word.rsplit('/').next().unwrap_or(word).to_owned();
        let kuard_queue = words
            .iter()
            .any(|(_, word)| word.starts_with("--keygen-memq-queue"));
        let ours = words
            .iter()
            .take(2)
            .any(|(_, word)| matches!(program(word).as_str(), "worker" | "memq-worker"));
        if !kuard_queue && !ours && variable("MEMQ_QUEUE").is_none() {
            return None;
        }
        let flag = words.iter().enumerate().find_map(|(at, (node, word))| {
            match word.strip_prefix("--until")? {
                "" => words.get(at + 1).map(|(node, word)| (*node, *word)),
                given => given.strip_prefix('=').map(|given| (*node, given)),
            }
        });
        let set = || variable("MEMQ_UNTIL").and_then(|v| Some((v, text(v, &["value"])?)));
        let ends = words
            .iter()
            .find(|(_, word)| word.starts_with("--keygen-exit-on-complete"));
        Some(Self {
            container,
            until: flag.or_else(set),
            kuard: ends.filter(|_| kuard_queue).map(|(node, _)| *node),
        })
    }
}

fn queue(spec: &Node, worker: &Worker<'_>, found: &mut Found<'_>) {
    let Worker {
        container,
        until,
        kuard,
    } = worker;
    match (kuard, until) {
        (Some(flag), _) => {
            let what = "kuard's consumer ends at the first answer without an item";
            found.at(&rules::EMPTY_IS_NOT_DONE, flag, what);
        }
        (None, Some((node, "empty"))) => {
            found.at(
                &rules::EMPTY_IS_NOT_DONE,
                node,
                "`empty` waits a moment for more, and no longer",
            );
        }
        (None, Some((node, "forever"))) => {
            found.at(&rules::EXIT_0_ON_STOP, node, "`forever` in a Job");
        }
        _ => {}
    }
    if let Some((key, value)) = entry(spec, "completions")
        && value.text() != Some("1")
    {
        found.at(
            &rules::COMPLETIONS,
            key,
            "`completions` counts pods, not items",
        );
    }
    if number(spec, &["parallelism"]).is_none() && at(spec, &["completions"]).is_none() {
        found.at(
            &rules::NO_PARALLELISM,
            spec,
            "`parallelism` is missing, which is 1",
        );
    }
    if at(spec, &["podFailurePolicy"]).is_none() && kuard.is_none() {
        found.at(
            &rules::NO_FAILURE_POLICY,
            container,
            "every exit but 0 counts as a failure",
        );
    }
}
