//! Why pods of a Job are missing: the Job says nothing of a pod that a quota or an admission rule
//! refused; an event of the Job does.
//!
//! Events are asked for only where pods are missing, and no more often than needed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::api::ListParams;
use kube::{Api, Client};
use tracing::debug;

use super::plan::JobSeen;
use super::status::KEPT_MESSAGE_BYTES;

/// How long an answer is used.
const FRESH: Duration = Duration::from_secs(10);
/// The reason of the event by which the Job controller says that it could not make a pod.
const FAILED_CREATE: &str = "FailedCreate";
/// Events asked for of one Job: it repeats one of them, and few differ.
const MOST: u32 = 20;

type Refused = Option<(Timestamp, String)>;

/// Asks for events, and remembers the answers for a moment.
pub(super) struct RefusedPods {
    client: Client,
    known: Mutex<HashMap<(String, String), (Instant, Refused)>>,
}

impl RefusedPods {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            known: Mutex::default(),
        }
    }

    /// Completes Jobs that have fewer pods than they want with why that is, where an event says so.
    pub(super) async fn tell(&self, namespace: &str, jobs: &mut [JobSeen]) {
        for job in jobs {
            let wants = job.ended.is_none() && !job.deleting && job.succeeded == 0;
            if wants && job.active < job.parallelism {
                job.pods_refused = self.of(namespace, &job.name).await;
            }
        }
    }

    async fn of(&self, namespace: &str, job: &str) -> Refused {
        let key = (namespace.to_owned(), job.to_owned());
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.retain(|_, (at, _)| at.elapsed() < FRESH);
            if let Some((_, refused)) = known.get(&key) {
                return refused.clone();
            }
        }
        let refused = match self.ask(namespace, job).await {
            Ok(refused) => refused,
            Err(error) => {
                debug!(namespace, job, error = %super::say(&error), "cannot ask for events; going on without");
                None
            }
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(key, (Instant::now(), refused.clone()));
        refused
    }

    async fn ask(&self, namespace: &str, job: &str) -> kube::Result<Refused> {
        let about =
            format!("involvedObject.kind=Job,involvedObject.name={job},reason={FAILED_CREATE}");
        let params = ListParams::default().fields(&about).limit(MOST);
        let events = Api::<Event>::namespaced(self.client.clone(), namespace);
        Ok(last(&events.list(&params).await?.items))
    }
}

/// The last of these events.
fn last(events: &[Event]) -> Refused {
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
