//! Carries out what the planner asks of Kubernetes. Each call may be made twice.
//!
//! It decides nothing: what the API server says no to is told as a [`Refusal`], what did not get through
//! as an error to be tried again.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, ObjectReference, Pod};
use kube::api::{DeleteParams, LogParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tracing::{debug, warn};

use super::cluster::belongs;
use super::object::FIELD_MANAGER;
use super::patience::{CALL, within};
use super::plan::{News, Refusal};
use super::render::WORKER;
use super::status::KEPT_LOG_BYTES;

/// Lines asked for of the end of a log; what is kept of them is bounded in bytes.
const LOG_LINES: i64 = 40;
/// Bytes asked for of a log's end: lines may be long, and the last are wanted, not the first.
const LOG_BYTES: i64 = 256 * 1024;

/// Longest note that Kubernetes takes.
const NOTE_BYTES: usize = 1024;

/// What came of a call.
#[derive(Debug)]
pub(super) enum Came {
    /// It is so.
    Done,
    /// The API server says no.
    Refused(Refusal),
    /// It was not reached, or had a fault of its own.
    Failed(kube::Error),
}

/// Acts in one namespace for one run.
pub(super) struct Hands {
    jobs: Api<Job>,
    pods: Api<Pod>,
    configs: Api<ConfigMap>,
    client: Client,
    reporter: Reporter,
    about: ObjectReference,
}

impl Hands {
    /// Acts in this namespace; events are about this object.
    pub(super) fn new(client: &Client, namespace: &str, about: ObjectReference) -> Self {
        let reporter = Reporter {
            controller: "memq".into(),
            instance: None,
        };
        Self {
            jobs: Api::namespaced(client.clone(), namespace),
            pods: Api::namespaced(client.clone(), namespace),
            configs: Api::namespaced(client.clone(), namespace),
            client: client.clone(),
            reporter,
            about,
        }
    }

    /// Makes a Job and what it mounts. A Job of that name that belongs to this owner is this Job.
    pub(super) async fn create_job(&self, job: &Job, configs: &[ConfigMap], owner: &str) -> Came {
        for config in configs {
            let apply = PatchParams::apply(FIELD_MANAGER).force();
            let name = config.name_any();
            let config = Patch::Apply(config);
            if let Err(error) = within(CALL, self.configs.patch(&name, &apply, &config)).await {
                return came(error);
            }
        }
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.into()),
            ..PostParams::default()
        };
        match within(CALL, self.jobs.create(&params, job)).await {
            Ok(_) => Came::Done,
            Err(kube::Error::Api(status)) if status.is_already_exists() => {
                self.is_ours(&job.name_any(), owner).await
            }
            Err(error) => came(error),
        }
    }

    async fn is_ours(&self, name: &str, owner: &str) -> Came {
        match within(CALL, self.jobs.get_opt(name)).await {
            Ok(Some(found)) if belongs(&found, owner) => Came::Done,
            Ok(Some(_)) => Came::Refused(Refusal {
                code: 409,
                reason: "AlreadyExists".into(),
                message: format!(
                    "a Job {name} is there that belongs to something else; delete it or give the run another name"
                ),
                at: super::clock::now(),
            }),
            // Gone again: the next look makes it.
            Ok(None) => Came::Done,
            Err(error) => came(error),
        }
    }

    /// Sets how many pods a Job has at once.
    pub(super) async fn set_parallelism(&self, job: &str, to: u32) -> Came {
        self.change(job, json!({"spec": {"parallelism": to}})).await
    }

    /// Lets Kubernetes take an ended Job away after this time.
    pub(super) async fn expire(&self, job: &str, after: Duration) -> Came {
        let seconds = i32::try_from(after.as_secs()).unwrap_or(i32::MAX);
        self.change(job, json!({"spec": {"ttlSecondsAfterFinished": seconds}}))
            .await
    }

    async fn change(&self, job: &str, patch: serde_json::Value) -> Came {
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.into()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(&patch);
        match within(CALL, self.jobs.patch(job, &params, &patch)).await {
            Ok(_) => Came::Done,
            // What is gone needs no change; that it is gone is seen.
            Err(kube::Error::Api(status)) if status.is_not_found() => Came::Done,
            Err(error) => came(error),
        }
    }

    /// Deletes a Job that belongs to this owner; its pods go with it. Another's of that name stays.
    pub(super) async fn delete_job(&self, job: &str, owner: &str) -> Came {
        let found = match within(CALL, self.jobs.get_opt(job)).await {
            Ok(Some(found)) if belongs(&found, owner) => found,
            Ok(_) => return Came::Done,
            Err(error) => return came(error),
        };
        let params = DeleteParams::background().preconditions(Preconditions {
            uid: found.uid(),
            resource_version: None,
        });
        match within(CALL, self.jobs.delete(job, &params)).await {
            Ok(_) => Came::Done,
            // Gone, or another took its name.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Came::Done,
            Err(error) => came(error),
        }
    }

    /// The end of a pod's log; empty where there is none to be had.
    pub(super) async fn read_log(&self, pod: &str) -> Result<String, kube::Error> {
        let params = LogParams {
            container: Some(WORKER.into()),
            tail_lines: Some(LOG_LINES),
            limit_bytes: Some(LOG_BYTES),
            ..LogParams::default()
        };
        match within(CALL, self.pods.logs(pod, &params)).await {
            Ok(text) => Ok(tail(&text)),
            // Gone with its node, never started, or not ours to read: there will not be one.
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 403 | 404) => {
                debug!(kube.pod = pod, error.message = %status.message, "there is no log to keep");
                Ok(String::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Makes an event of the run. An event that is lost changes nothing.
    pub(super) async fn tell(&self, news: &News) {
        let note = &news.note[..news.note.floor_char_boundary(NOTE_BYTES)];
        let event = Event {
            type_: if news.warning {
                EventType::Warning
            } else {
                EventType::Normal
            },
            reason: news.reason.into(),
            note: Some(note.to_owned()),
            action: "Reconcile".into(),
            secondary: None,
        };
        // One that remembers would tell a second event of a reason by the words of the first.
        let recorder = Recorder::new(self.client.clone(), self.reporter.clone());
        if let Err(error) = within(CALL, recorder.publish(&event, &self.about)).await {
            warn!(kube.reason = news.reason, error.message = %super::say(&error), "cannot make an event");
        }
    }
}

/// The last bytes of a text, from the beginning of a line where there is one.
fn tail(text: &str) -> String {
    let text = text.trim_end();
    let from = text.ceil_char_boundary(text.len().saturating_sub(KEPT_LOG_BYTES));
    let end = &text[from..];
    let end = match end.find('\n') {
        Some(line) if from > 0 => &end[line + 1..],
        _ => end,
    };
    end.to_owned()
}

/// Whether the API server said no, or did not get to saying anything of use.
pub(super) fn came(error: kube::Error) -> Came {
    match error {
        kube::Error::Api(status)
            if matches!(status.code, 400..=499) && !matches!(status.code, 408 | 409 | 429) =>
        {
            Came::Refused(Refusal {
                code: status.code,
                reason: status.reason.clone(),
                message: status.message.clone(),
                at: super::clock::now(),
            })
        }
        error => Came::Failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_begins_with_a_whole_line_and_fits() {
        assert_eq!(tail("short\n"), "short");
        let long: String = (0..1_000).map(|n| format!("line {n} ü\n")).collect();
        let end = tail(&long);
        assert!(
            end.len() <= KEPT_LOG_BYTES && end.starts_with("line ") && end.ends_with("line 999 ü")
        );
        let one = "ü".repeat(KEPT_LOG_BYTES);
        assert_eq!(tail(&one).len(), KEPT_LOG_BYTES);
    }
}
