//! What is kept of a run in a cluster: the status of its `Run`, and the memory of the planner.
//!
//! Whatever is needed to take a run up again after a crash stands here or can be seen in the cluster and
//! in the queue. Items never stand here, nor anything that grows with their number: elements of a
//! `forEach` are counted in ranges, failures are kept up to a bound. It knows no API.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::size::{Sizer, Sizing};

/// Failed pods that are kept of a step, the newest.
pub const KEPT_FAILURES: usize = 5;
/// Bytes kept of the end of a failed pod's log.
pub const KEPT_LOG_BYTES: usize = 2 * 1024;
/// Bytes kept of any message that comes from elsewhere.
pub const KEPT_MESSAGE_BYTES: usize = 1024;

/// The status of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunStatus {
    /// The generation of the spec this was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Where the run is.
    pub phase: RunPhase,
    /// One word, in capitals and small letters, for programs.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// A sentence, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// How far it is, as `57/100`: items, or steps if no step has items.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub progress: String,
    /// When it may be through, as `2m..3m` from now; empty while it cannot be said.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub eta: String,
    /// When the controller took it up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// The queue server its workers use.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub server: String,
    /// Conditions by type; `Finished` is true at the end, whichever end it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// One entry a step, in the order of the spec.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepStatus>,
}

impl RunStatus {
    /// Whether the run has ended and nothing of it is left to be looked after.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.phase.has_ended() && self.steps.iter().all(|step| step.jobs.is_empty())
    }

    /// What stands in its way now, what matters most first.
    pub fn troubles(&self) -> impl Iterator<Item = &Condition> {
        let holds = |name: &str| {
            let mut conditions = self.conditions.iter();
            conditions.find(|condition| condition.r#type == name && condition.status == "True")
        };
        TROUBLES.into_iter().filter_map(holds)
    }
}

/// Conditions that are true while something stands in a run's way.
const TROUBLES: [&str; 3] = ["Blocked", "CapacityBlocked", "DeadlineInfeasible"];

impl RunPhase {
    /// Whether it stays as it is.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum RunPhase {
    /// Nobody has taken it up.
    #[default]
    Pending,
    /// It goes on.
    Running,
    /// It was told to stop, and what runs is being ended.
    Stopping,
    /// Ended: no step failed.
    Succeeded,
    /// Ended: a step failed, or the spec cannot be carried out.
    Failed,
    /// Ended: it was told to stop.
    Cancelled,
}

/// A condition, as the API's conventions have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Its kind: `Finished`, `Blocked`, `CapacityBlocked`, `DeadlineInfeasible`.
    pub r#type: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word for programs.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
    /// When the status last changed.
    pub last_transition_time: Timestamp,
}

/// Where a step is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StepStatus {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub phase: crate::flow::Phase,
    /// One word for programs: why it is where it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// A sentence for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Jobs that run or have not been recorded as ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<JobRecord>,
    /// Of a step with items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolStatus>,
    /// Of a step with `forEach`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub each: Option<EachStatus>,
    /// What the last pods that failed left behind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<PodFailure>,
    /// Pods that ended without success, all of them.
    #[serde(skip_serializing_if = "is_zero")]
    pub failed_pods: u64,
    /// How it will end, once what it runs has been taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
}

/// The end of a step that is certain and not there yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ending {
    /// Where the step will be.
    pub phase: crate::flow::Phase,
    /// One word for programs.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
    /// Since when it is certain.
    pub since: Timestamp,
}

/// A Job of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobRecord {
    /// Its name.
    pub name: String,
    /// Which element of a `forEach` it is for, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub element: Option<u32>,
    /// The round of a pool, or the try of anything else, from 1.
    pub number: u32,
    /// Whether it has been seen: a Job that was seen and is gone was deleted by somebody.
    #[serde(default)]
    pub seen: bool,
    /// When it was decided on.
    pub since: Timestamp,
    /// Pods it should have at once: of a pool what was decided last, of anything else 1.
    pub parallelism: u32,
    /// Of a round of a pool: it gets no more workers, and is deleted once it has none.
    #[serde(default, skip_serializing_if = "is_false")]
    pub retiring: bool,
    /// Since when it is to be deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<Timestamp>,
    /// Since when it has not been seen though it was before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<Timestamp>,
    /// Since when none of its pods starts, for a reason of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_up: Option<HeldUp>,
    /// How often the API server refused to make it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refused: u32,
    /// When it did so last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_at: Option<Timestamp>,
    /// Its pods that ended without success, as many as were ever seen.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u32,
    /// Its workers that exited 69 or 75 and that nobody took away, as many as were ever seen.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ignored: u32,
    /// Items of the queue that were finished when it was decided on.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub finished_before: u64,
    /// How it ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<JobEnd>,
}

/// A Job none of whose pods starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldUp {
    /// Since when this was seen.
    pub since: Timestamp,
    /// What it waits for is on its way, as a large image is, and no mistake.
    #[serde(default, skip_serializing_if = "is_false")]
    pub on_its_way: bool,
}

impl JobRecord {
    /// A Job that was just decided on.
    #[must_use]
    pub fn new(name: String, number: u32, parallelism: u32, since: Timestamp) -> Self {
        Self {
            name,
            element: None,
            number,
            seen: false,
            since,
            parallelism,
            retiring: false,
            leaving: None,
            absent: None,
            held_up: None,
            refused: 0,
            refused_at: None,
            failed: 0,
            ignored: 0,
            finished_before: 0,
            ended: None,
        }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// How a Job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobEnd {
    /// What Kubernetes says: `Complete`, `Failed`, or `Deleted` if somebody or we deleted it.
    pub verdict: JobVerdict,
    /// Kubernetes' reason, as `BackoffLimitExceeded`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Kubernetes' message.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// When.
    pub at: Timestamp,
}

/// What Kubernetes says of a Job that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobVerdict {
    /// It has the condition `Complete`.
    Complete,
    /// It has the condition `Failed`.
    Failed,
    /// It is gone.
    Deleted,
}

/// How far a step with items is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PoolStatus {
    /// Its queue.
    pub queue: String,
    /// Whether the step's own queue was seen to be missing before anything was put into it: what was
    /// there before that is left of an earlier run of this name. A queue that is given is not claimed.
    #[serde(skip_serializing_if = "is_false")]
    pub claimed: bool,
    /// Whether the queue has all its items and is sealed.
    pub loaded: bool,
    /// What a queue that was given had behind it when the step first saw it: none of the step's business.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Behind>,
    /// Items that came in.
    pub total: u64,
    /// Items done.
    pub done: u64,
    /// Items dead.
    pub dead: u64,
    /// When an item came into a queue that whoever made the run fills, or was through, last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_at: Option<Timestamp>,
    /// Since when the queue is known to be drained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drained_at: Option<Timestamp>,
    /// Since when workers that are wanted have been missing without a cause that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_since: Option<Timestamp>,
    /// Workers that exited 69 or 75 since an item was finished last: the Job ignores them, so we count them.
    #[serde(skip_serializing_if = "is_zero")]
    pub ignored_exits: u32,
    /// The last round that was decided on, from 1.
    pub round: u32,
    /// Rounds in a row that ended without an item finished in them.
    #[serde(skip_serializing_if = "is_zero")]
    pub barren: u32,
    /// No new round before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// How the last Job that did not end well ended, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_end: String,
    /// 90th percentile of the time from a pod's creation to the start of its worker, in milliseconds, as seen last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup_ms: Option<u64>,
    /// What sizing decided last, with every term.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sizing: Option<Sizing>,
    /// When it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sized_at: Option<Timestamp>,
    /// What sizing remembers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sizer: Option<Sizer>,
}

/// The part of a queue's counts that is of an earlier life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Behind {
    /// Items that had come in and were no longer to be done.
    pub total: u64,
    /// Items done.
    pub done: u64,
    /// Items dead.
    pub dead: u64,
}

/// How far a step with `forEach` is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EachStatus {
    /// Elements of the step.
    pub total: u32,
    /// Elements that succeeded, as ranges from 0: `0-57,60`.
    pub succeeded: String,
    /// Elements that failed their last try, as ranges from 0.
    pub failed: String,
}

/// What a pod that failed left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodFailure {
    /// Its name.
    pub pod: String,
    /// The Job it was of.
    pub job: String,
    /// When it ended.
    pub at: Timestamp,
    /// The exit code of the container that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The reason, as `Error`, `OOMKilled`, `Evicted`, `ImagePullBackOff`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What the container or the kubelet says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The end of its log, once it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}
