//! Why a pod is still being created: its containers say only that they wait; events of the pod say what
//! for, as a volume that cannot be mounted or a sandbox that the runtime does not make.
//!
//! Events are asked for only where a pod has been waiting for a while, for all pods of a namespace at
//! once. Whether that is too long is the planner's to judge.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::api::ListParams;
use kube::{Api, Client};
use tracing::debug;

use super::clock;
use super::known::Known;
use super::patience::{CALL, within};
use super::plan::{ON_THE_WAY, PodSeen};
use super::refused::last;

/// How long an answer is used.
const FRESH: Duration = Duration::from_secs(10);
/// A pod that waits longer than this is asked about: a start takes seconds.
const USUAL_START: Duration = Duration::from_secs(10);
/// Reasons of events by which a kubelet says that it cannot make a pod's containers. A volume that is
/// being attached is none of them: that may take minutes by itself.
const FAILURES: [&str; 2] = ["FailedMount", "FailedCreatePodSandBox"];
/// Events asked for of a namespace: a kubelet repeats one of a pod rather than making many.
const MOST: u32 = 1_000;

/// The last failure of each pod: its reason and message.
type Failures = Arc<HashMap<String, (String, String)>>;

/// Asks for events, and remembers the answers for a moment.
pub(super) struct StuckPods {
    client: Client,
    known: Known<Failures>,
}

impl StuckPods {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            known: Known::new(FRESH),
        }
    }

    /// Completes pods whose creation takes long with why that is, where an event says so.
    pub(super) async fn tell(&self, namespace: &str, pods: &mut [PodSeen]) {
        let now = clock::now();
        if !pods.iter().any(|pod| waits_long(pod, now)) {
            return;
        }
        let failures = self.known.get(namespace, || self.ask(namespace)).await;
        complete(pods, &failures, now);
    }

    async fn ask(&self, namespace: &str) -> Failures {
        let events = Api::<Event>::namespaced(self.client.clone(), namespace);
        let mut found = Vec::new();
        for reason in FAILURES {
            let about = format!("involvedObject.kind=Pod,reason={reason}");
            let params = ListParams::default().fields(&about).limit(MOST);
            match within(CALL, events.list(&params)).await {
                Ok(list) => found.extend(list.items),
                Err(error) => {
                    debug!(kube.namespace = namespace, error.message = %super::say(&error), "cannot ask for events; going on without");
                }
            }
        }
        Arc::new(by_pod(found))
    }
}

fn waits_long(pod: &PodSeen, now: Timestamp) -> bool {
    let usual = |(reason, _): &(String, String)| ON_THE_WAY.contains(&reason.as_str());
    let age = Duration::try_from(now.duration_since(pod.created)).unwrap_or_default();
    pod.waiting.as_ref().is_some_and(usual) && age > USUAL_START
}

fn complete(pods: &mut [PodSeen], failures: &HashMap<String, (String, String)>, now: Timestamp) {
    for pod in pods.iter_mut().filter(|pod| waits_long(pod, now)) {
        if let Some(failure) = failures.get(&pod.name) {
            pod.waiting = Some(failure.clone());
        }
    }
}

fn by_pod(events: Vec<Event>) -> HashMap<String, (String, String)> {
    let mut pods: HashMap<String, Vec<Event>> = HashMap::new();
    for event in events {
        let pod = event.involved_object.name.clone().unwrap_or_default();
        pods.entry(pod).or_default().push(event);
    }
    pods.into_iter()
        .filter_map(|(pod, events)| {
            let (at, message) = last(&events)?;
            let said =
                |event: &&Event| last(std::slice::from_ref(event)).is_some_and(|l| l.0 == at);
            let reason = events.iter().find(said)?.reason.clone()?;
            Some((pod, (reason, message)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kube::observe;

    fn pod(name: &str, reason: &str) -> PodSeen {
        let pod = json!({
            "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "status": {"phase": "Pending", "containerStatuses": [{"name": "worker", "ready": false, "restartCount": 0,
                "image": "x", "imageID": "", "state": {"waiting": {"reason": reason}}}]}
        });
        observe::pod(&serde_json::from_value(pod).expect("a pod"))
    }

    fn event(pod: &str, reason: &str, message: &str, second: u32) -> Event {
        let event = json!({"metadata": {}, "involvedObject": {"name": pod}, "reason": reason, "message": message,
            "lastTimestamp": format!("2026-01-01T00:00:{second:02}Z")});
        serde_json::from_value(event).expect("an event")
    }

    #[test]
    fn a_pod_that_is_long_in_creation_says_what_its_last_event_says() {
        let failures = by_pod(vec![
            event("a", "FailedCreatePodSandBox", "no network yet", 1),
            event("a", "FailedMount", "configmap \"x\" not found", 9),
            event("b", "FailedMount", "it was a moment ago", 3),
        ]);
        let after = |seconds: i64| {
            let made = pod("a", "ContainerCreating").created;
            let now = made + jiff::SignedDuration::from_secs(seconds);
            let mut pods = [
                pod("a", "ContainerCreating"),
                pod("b", "ImagePullBackOff"),
                pod("c", "ContainerCreating"),
            ];
            complete(&mut pods, &failures, now);
            pods.map(|pod| pod.waiting.expect("it waits").0)
        };
        assert_eq!(
            after(5),
            ["ContainerCreating", "ImagePullBackOff", "ContainerCreating"]
        );
        assert_eq!(
            after(30),
            ["FailedMount", "ImagePullBackOff", "ContainerCreating"]
        );
    }
}
