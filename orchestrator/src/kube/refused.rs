//! Why pods of a Job are missing: the Job says nothing of a pod that a quota or an admission rule
//! refused; an event of the Job does.
//!
//! Events are asked for only where pods are missing, for all Jobs of a namespace at once, and no more
//! often than needed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::api::ListParams;
use kube::{Api, Client};
use tracing::debug;

use super::known::Known;
use super::patience::{CALL, within};
use super::plan::JobSeen;
use super::status::KEPT_MESSAGE_BYTES;

/// How long an answer is used.
const FRESH: Duration = Duration::from_secs(10);
/// The reason of the event by which the Job controller says that it could not make a pod.
const FAILED_CREATE: &str = "FailedCreate";
/// Events asked for of a namespace: the Job controller repeats one of a Job rather than making many.
const MOST: u32 = 1_000;

/// The last refusal of each Job.
type Refusals = Arc<HashMap<String, (Timestamp, String)>>;

/// Asks for events, and remembers the answers for a moment.
pub(super) struct RefusedPods {
    client: Client,
    known: Known<Refusals>,
}

impl RefusedPods {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            known: Known::new(FRESH),
        }
    }

    /// Completes Jobs that have fewer pods than they want with why that is, where an event says so.
    pub(super) async fn tell(&self, namespace: &str, jobs: &mut [JobSeen]) {
        let wants = |job: &JobSeen| {
            let open = job.ended.is_none() && !job.deleting && job.succeeded == 0;
            open && job.active < job.parallelism
        };
        if !jobs.iter().any(wants) {
            return;
        }
        let refusals = self.known.get(namespace, || self.ask(namespace)).await;
        for job in jobs.iter_mut().filter(|job| wants(job)) {
            let refused = refusals.get(&job.name);
            // An earlier Job of this name may have been refused what this one is not.
            job.pods_refused = refused.filter(|(at, _)| *at >= job.created).cloned();
        }
    }

    async fn ask(&self, namespace: &str) -> Refusals {
        let about = format!("involvedObject.kind=Job,reason={FAILED_CREATE}");
        let params = ListParams::default().fields(&about).limit(MOST);
        let events = Api::<Event>::namespaced(self.client.clone(), namespace);
        match within(CALL, events.list(&params)).await {
            Ok(found) => Arc::new(by_job(found.items)),
            Err(error) => {
                debug!(kube.namespace = namespace, error.message = %super::say(&error), "cannot ask for events; going on without");
                Refusals::default()
            }
        }
    }
}

fn by_job(events: Vec<Event>) -> HashMap<String, (Timestamp, String)> {
    let mut jobs: HashMap<String, Vec<Event>> = HashMap::new();
    for event in events {
        let job = event.involved_object.name.clone().unwrap_or_default();
        jobs.entry(job).or_default().push(event);
    }
    jobs.into_iter()
        .filter_map(|(job, events)| Some((job, last(&events)?)))
        .collect()
}

/// The last of these events.
pub(super) fn last(events: &[Event]) -> Option<(Timestamp, String)> {
    let when = |event: &Event| {
        let seen = event.last_timestamp.as_ref().map(|time| time.0);
        let series = event
            .series
            .as_ref()
            .and_then(|series| series.last_observed_time.as_ref());
        let made = event.event_time.as_ref().map(|time| time.0);
        seen.max(series.map(|time| time.0)).max(made)
    };
    let last = events.iter().max_by_key(|event| when(event))?;
    let text = last.message.as_deref().unwrap_or_default().trim();
    let text = &text[..text.floor_char_boundary(KEPT_MESSAGE_BYTES)];
    Some((when(last)?, text.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_refusal_counts_however_its_event_tells_the_time() {
        let event = |value| serde_json::from_value::<Event>(value).expect("an event");
        let old = event(
            json!({"metadata": {}, "involvedObject": {}, "message": "old", "lastTimestamp": "2026-01-01T00:00:01Z"}),
        );
        let new = event(
            json!({"metadata": {}, "involvedObject": {}, "message": "exceeded quota: team\n",
            "eventTime": "2026-01-01T00:00:00.000000Z", "series": {"count": 3, "lastObservedTime": "2026-01-01T00:00:09.000000Z"}}),
        );
        let found = last(&[new, old]).expect("an event");
        assert_eq!(
            (found.0.to_string().as_str(), found.1.as_str()),
            ("2026-01-01T00:00:09Z", "exceeded quota: team")
        );
        assert_eq!(last(&[]), None);
    }
}
