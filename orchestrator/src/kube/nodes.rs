//! How many pods of a kind the cluster's nodes could hold: only asked where a ClusterRole allows it.
//!
//! An upper bound: what other pods use is not known without a right to list all of them, and whether a
//! pod can be placed is the scheduler's to say. It keeps sizing from asking for what can never be there.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Node, PodSpec, Taint, Toleration};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};
use tracing::warn;

use super::quota::{needs, thousandths};
use crate::size;

/// How long an answer is used: nodes come and go in minutes.
const FRESH: Duration = Duration::from_secs(30);

/// What the number of nodes means to sizing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum NodeRule {
    /// There are as many nodes as there are: no more workers than fit.
    Fixed,
    /// Nodes are added on demand: the room is told and does not bind.
    Growing,
}

/// Asks for nodes, and remembers the answer for a moment.
pub(super) struct Nodes {
    client: Client,
    rule: NodeRule,
    known: Mutex<Option<(Instant, Vec<Node>)>>,
}

impl Nodes {
    pub(super) fn new(client: Client, rule: NodeRule) -> Self {
        Self {
            client,
            rule,
            known: Mutex::default(),
        }
    }

    /// How many pods of this kind the nodes could hold; none where it cannot be asked.
    pub(super) async fn room(&self, pod: &PodSpec) -> Option<size::Nodes> {
        Some(size::Nodes {
            pods: self.pods(pod).await?,
            grow: self.rule == NodeRule::Growing,
        })
    }

    async fn pods(&self, pod: &PodSpec) -> Option<u32> {
        let known = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known
                .as_ref()
                .filter(|(at, _)| at.elapsed() < FRESH)
                .map(|(_, nodes)| room(nodes, pod))
        };
        if known.is_some() {
            return known;
        }
        let nodes = Api::<Node>::all(self.client.clone())
            .list(&ListParams::default())
            .await;
        match nodes {
            Ok(nodes) => {
                let room = room(&nodes.items, pod);
                *self.known.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some((Instant::now(), nodes.items));
                Some(room)
            }
            Err(error) => {
                warn!(error.message = %super::say(&error), "cannot ask for nodes; going on without");
                None
            }
        }
    }
}

fn room(nodes: &[Node], pod: &PodSpec) -> u32 {
    let needs = needs(pod, &[]);
    let fits = |node: &Node| {
        let allocatable = node
            .status
            .as_ref()
            .and_then(|status| status.allocatable.as_ref());
        let room = allocatable
            .into_iter()
            .flatten()
            .filter_map(|(resource, amount)| {
                let need = needs.get(resource.as_str()).filter(|need| **need > 0)?;
                u32::try_from(thousandths(amount)?.max(0) / need).ok()
            });
        room.min().unwrap_or(0)
    };
    let usable = nodes.iter().filter(|node| takes(node, pod));
    usable.map(fits).fold(0, u32::saturating_add)
}

/// Whether a node takes such pods at all.
fn takes(node: &Node, pod: &PodSpec) -> bool {
    let spec = node.spec.clone().unwrap_or_default();
    let conditions = node
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let ready = conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let wanted = pod.node_selector.iter().flatten();
    let selected = wanted
        .into_iter()
        .all(|(label, value)| node.labels().get(label) == Some(value));
    let tolerations = pod.tolerations.as_deref().unwrap_or_default();
    let tolerated = |taint: &Taint| {
        taint.effect == "PreferNoSchedule" || tolerations.iter().any(|t| tolerates(t, taint))
    };
    ready
        && selected
        && spec.unschedulable != Some(true)
        && spec.taints.iter().flatten().all(tolerated)
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let effect = toleration.effect.as_deref().unwrap_or_default();
    let key = toleration.key.as_deref().unwrap_or_default();
    let exists = toleration.operator.as_deref() == Some("Exists");
    (effect.is_empty() || effect == taint.effect)
        && (key == taint.key || (key.is_empty() && exists))
        && (exists
            || toleration.value.as_deref().unwrap_or_default()
                == taint.value.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn node(cpu: &str, spec: Value) -> Node {
        serde_json::from_value(json!({
            "metadata": {"labels": {"disk": "ssd"}},
            "spec": spec,
            "status": {
                "allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "110", "hugepages-1Gi": "0"},
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }))
        .expect("a node")
    }

    fn pod(more: Value) -> PodSpec {
        let mut pod = json!({"containers": [{"name": "worker", "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}]});
        if let (Some(pod), Some(more)) = (pod.as_object_mut(), more.as_object()) {
            pod.extend(more.clone());
        }
        serde_json::from_value(pod).expect("a pod")
    }

    #[test]
    fn each_node_holds_what_its_scarcest_resource_allows() {
        let nodes = [node("2", json!({})), node("16", json!({}))];
        assert_eq!(room(&nodes, &pod(json!({}))), 4 + 8);
        assert_eq!(room(&[], &pod(json!({}))), 0);
    }

    #[test]
    fn a_node_that_does_not_take_the_pod_counts_for_nothing() {
        let taint = json!({"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]});
        let cordoned = node("2", json!({"unschedulable": true}));
        assert_eq!(room(&[cordoned], &pod(json!({}))), 0);
        assert_eq!(room(&[node("2", taint.clone())], &pod(json!({}))), 0);
        let tolerant = pod(json!({"tolerations": [{"key": "gpu", "operator": "Exists"}]}));
        assert_eq!(room(&[node("2", taint)], &tolerant), 4);
        assert_eq!(
            room(
                &[node("2", json!({}))],
                &pod(json!({"nodeSelector": {"disk": "hdd"}}))
            ),
            0
        );
        let mut down = node("2", json!({}));
        if let Some(status) = down.status.as_mut() {
            status.conditions = None;
        }
        assert_eq!(room(&[down], &pod(json!({}))), 0);
    }
}
