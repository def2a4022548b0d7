//! How many more pods a namespace's quotas leave room for.
//!
//! Owns the arithmetic of quotas and limit ranges, which is pure, and the asking for both. It does not
//! know what a pod is for. Scoped quotas that may not apply to a worker are left out: a bound that is not
//! one would hold workers back for nothing, and one that is shows when Kubernetes refuses the pod.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, LimitRange, PodSpec, ResourceQuota};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};
use tracing::debug;

use super::known::Known;
use super::patience::{CALL, within};
use super::plan::QuotaSeen;

/// How long an answer of the API server is used: quotas change by hand, what is used of them with pods.
const FRESH: Duration = Duration::from_secs(10);

/// Asks for quotas, and remembers the answers for a moment.
pub(super) struct Quotas {
    client: Client,
    known: Known<Arc<Rules>>,
}

type Rules = (Vec<ResourceQuota>, Vec<LimitRange>);

impl Quotas {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            known: Known::new(FRESH),
        }
    }

    /// How many more pods of this kind fit; none where no quota says so or it cannot be asked.
    pub(super) async fn left(&self, namespace: &str, pod: &PodSpec) -> Option<QuotaSeen> {
        let ask = async || match within(CALL, self.ask(namespace)).await {
            Ok(rules) => Arc::new(rules),
            Err(error) => {
                debug!(kube.namespace = namespace, error.message = %super::say(&error), "cannot ask for quotas; going on without");
                Arc::default()
            }
        };
        let rules = self.known.get(namespace, ask).await;
        left(&rules.0, &rules.1, pod)
    }

    async fn ask(&self, namespace: &str) -> kube::Result<Rules> {
        let all = ListParams::default();
        let quotas = Api::<ResourceQuota>::namespaced(self.client.clone(), namespace);
        let ranges = Api::<LimitRange>::namespaced(self.client.clone(), namespace);
        Ok((
            quotas.list(&all).await?.items,
            ranges.list(&all).await?.items,
        ))
    }
}

/// What a pod asks for, by the names quotas use, in thousandths.
pub(super) type Needs = BTreeMap<String, i128>;

/// How many more pods of this kind the quotas leave room for, and which binds.
fn left(quotas: &[ResourceQuota], ranges: &[LimitRange], pod: &PodSpec) -> Option<QuotaSeen> {
    let needs = needs(pod, ranges);
    let mut least: Option<QuotaSeen> = None;
    for quota in quotas.iter().filter(|quota| applies(quota)) {
        let status = quota.status.clone().unwrap_or_default();
        let hard = status
            .hard
            .or_else(|| quota.spec.clone()?.hard)
            .unwrap_or_default();
        let used = status.used.unwrap_or_default();
        for (resource, most) in &hard {
            let Some(need) = needs.get(resource.as_str()).filter(|need| **need > 0) else {
                continue;
            };
            let Some(most) = thousandths(most) else {
                continue;
            };
            let used = used.get(resource).and_then(thousandths).unwrap_or(0);
            let more = u32::try_from((most - used).max(0) / need).unwrap_or(u32::MAX);
            if least.as_ref().is_none_or(|least| more < least.more_pods) {
                least = Some(QuotaSeen {
                    more_pods: more,
                    binding: format!("{}/{resource}", quota.name_any()),
                });
            }
        }
    }
    least
}

/// Whether a quota counts a worker: it has requests and no deadline of its own.
fn applies(quota: &ResourceQuota) -> bool {
    let Some(spec) = &quota.spec else {
        return false;
    };
    let scopes = spec.scopes.as_deref().unwrap_or_default();
    spec.scope_selector.is_none()
        && scopes
            .iter()
            .all(|scope| matches!(scope.as_str(), "NotTerminating" | "NotBestEffort"))
}

pub(super) fn needs(pod: &PodSpec, ranges: &[LimitRange]) -> Needs {
    let mut sum = BTreeMap::<(bool, String), i128>::new();
    for container in &pod.containers {
        for (key, amount) in asks(container, ranges) {
            *sum.entry(key).or_default() += amount;
        }
    }
    // Initial containers run one after the other: the largest counts, where it is more than the rest.
    for container in pod.init_containers.iter().flatten() {
        for (key, amount) in asks(container, ranges) {
            let all = sum.entry(key).or_default();
            *all = amount.max(*all);
        }
    }
    let mut needs = Needs::from([("pods".into(), 1_000), ("count/pods".into(), 1_000)]);
    for ((limit, resource), amount) in sum {
        if limit {
            needs.insert(format!("limits.{resource}"), amount);
        } else {
            needs.insert(format!("requests.{resource}"), amount);
            needs.insert(resource, amount);
        }
    }
    needs
}

/// What one container asks for, with what limit ranges fill in: `(is a limit, resource)`.
fn asks(container: &Container, ranges: &[LimitRange]) -> BTreeMap<(bool, String), i128> {
    let resources = container.resources.clone().unwrap_or_default();
    let mut limits = resources.limits.unwrap_or_default();
    let mut requests = resources.requests.unwrap_or_default();
    // A limit stands for a request that was not given.
    for (name, amount) in &limits {
        requests
            .entry(name.clone())
            .or_insert_with(|| amount.clone());
    }
    let rules = ranges.iter().filter_map(|range| range.spec.as_ref());
    for rule in rules
        .flat_map(|spec| &spec.limits)
        .filter(|rule| rule.type_ == "Container")
    {
        for (name, amount) in rule.default.iter().flatten() {
            limits.entry(name.clone()).or_insert_with(|| amount.clone());
        }
        for (name, amount) in rule.default_request.iter().flatten() {
            requests
                .entry(name.clone())
                .or_insert_with(|| amount.clone());
        }
    }
    let counted = |limit: bool, amounts: BTreeMap<String, Quantity>| {
        amounts
            .into_iter()
            .filter_map(move |(name, amount)| Some(((limit, name), thousandths(&amount)?)))
    };
    counted(false, requests)
        .chain(counted(true, limits))
        .collect()
}

/// A quantity in thousandths of its unit, rounded up as Kubernetes does; none for what is no quantity.
pub(super) fn thousandths(quantity: &Quantity) -> Option<i128> {
    let text = quantity.0.trim();
    let end = text
        .find(|c: char| c.is_ascii_alphabetic())
        // An exponent is part of the number where digits follow it.
        .filter(|at| text[at + 1..].parse::<i32>().is_err() || !text[*at..].starts_with(['e', 'E']))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit {
        "" => 1_000.0,
        "n" => 1e-6,
        "u" => 1e-3,
        "m" => 1.0,
        "k" => 1e6,
        "M" => 1e9,
        "G" => 1e12,
        "T" => 1e15,
        "P" => 1e18,
        "E" => 1e21,
        "Ki" => 1_000.0 * 1024_f64,
        "Mi" => 1_000.0 * 1024_f64.powi(2),
        "Gi" => 1_000.0 * 1024_f64.powi(3),
        "Ti" => 1_000.0 * 1024_f64.powi(4),
        "Pi" => 1_000.0 * 1024_f64.powi(5),
        "Ei" => 1_000.0 * 1024_f64.powi(6),
        _ => return None,
    };
    let value = number.parse::<f64>().ok()? * factor;
    value.is_finite().then(|| value.ceil() as i128)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).expect("an object")
    }

    fn quota(hard: Value, used: Value) -> ResourceQuota {
        read(
            json!({"metadata": {"name": "team"}, "spec": {"hard": hard}, "status": {"hard": hard, "used": used}}),
        )
    }

    fn pod(resources: Value) -> PodSpec {
        read(json!({"containers": [{"name": "worker", "resources": resources}]}))
    }

    #[test]
    fn quantities_are_read_as_kubernetes_writes_them() {
        let table = [
            ("1", 1_000),
            ("100m", 100),
            ("1.5", 1_500),
            ("0.1m", 1),
            ("1k", 1_000_000),
            ("1Ki", 1_024_000),
            ("128Mi", 134_217_728_000),
            ("1e3", 1_000_000),
            ("1E", 1_000_000_000_000_000_000_000),
            ("-1", -1_000),
        ];
        for (text, amount) in table {
            assert_eq!(thousandths(&Quantity(text.into())), Some(amount), "{text}");
        }
        for text in ["", "x", "1Kib", "m"] {
            assert_eq!(thousandths(&Quantity(text.into())), None, "{text}");
        }
    }

    #[test]
    fn the_resource_with_the_least_room_binds() {
        let quotas = [
            quota(
                json!({"pods": "10", "requests.cpu": "2"}),
                json!({"pods": "4", "requests.cpu": "1500m"}),
            ),
            quota(
                json!({"limits.memory": "4Gi"}),
                json!({"limits.memory": "1Gi"}),
            ),
        ];
        let resources = json!({"requests": {"cpu": "100m"}, "limits": {"memory": "256Mi"}});
        let left = left(&quotas, &[], &pod(resources)).expect("a quota");
        assert_eq!(
            (left.more_pods, left.binding.as_str()),
            (5, "team/requests.cpu")
        );
    }

    #[test]
    fn a_quota_that_is_used_up_or_exceeded_leaves_none() {
        let quotas = [quota(json!({"pods": "2"}), json!({"pods": "3"}))];
        assert_eq!(
            left(&quotas, &[], &pod(json!({}))).map(|left| left.more_pods),
            Some(0)
        );
    }

    #[test]
    fn a_limit_range_fills_in_what_a_container_does_not_say() {
        let quotas = [quota(json!({"cpu": "1"}), json!({}))];
        assert_eq!(
            left(&quotas, &[], &pod(json!({}))),
            None,
            "nothing is asked for"
        );
        let range = read(
            json!({"spec": {"limits": [{"type": "Container", "defaultRequest": {"cpu": "250m"}}]}}),
        );
        let filled = left(&quotas, &[range], &pod(json!({}))).map(|left| left.more_pods);
        assert_eq!(filled, Some(4));
    }

    #[test]
    fn a_quota_for_other_pods_does_not_bind() {
        let mut other = quota(json!({"pods": "0"}), json!({}));
        if let Some(spec) = other.spec.as_mut() {
            spec.scopes = Some(vec!["Terminating".into()]);
        }
        assert_eq!(left(&[other], &[], &pod(json!({}))), None);
    }
}
