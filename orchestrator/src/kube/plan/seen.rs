//! What can be seen of a run in the cluster and in its queues, as plain facts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use queue_api::Queue;

/// All that is seen of one run at one moment.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Its Jobs: those that carry its label and belong to it.
    pub jobs: Vec<JobSeen>,
    /// Their pods.
    pub pods: Vec<PodSeen>,
    /// The queues of steps that run, by step.
    pub queues: BTreeMap<String, QueueSeen>,
    /// How far the loading of queues is, by step.
    pub loads: BTreeMap<String, LoadSeen>,
    /// What the API server said to the last try to make or change a Job, if it refused, by Job.
    pub refusals: BTreeMap<String, Refusal>,
    /// The ends of the logs that were asked for, by pod. Empty where there is none to be had, or it
    /// could not be read after some tries: a Job is not deleted and does not expire before that.
    pub logs: BTreeMap<String, String>,
    /// Pods that fit beside those there are by the namespace's quota; none without a quota.
    pub quota: Option<QuotaSeen>,
    /// Pods of the run's shape that the nodes could hold; none where that is not known.
    pub nodes: Option<crate::size::Nodes>,
    /// Somebody asked for the run to be cancelled.
    pub cancelled: bool,
    /// Jobs and pods are what they are now: false after a list or watch failed, until it works again.
    pub fresh: bool,
}

/// A Job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSeen {
    /// Its name.
    pub name: String,
    /// The step it is of.
    pub step: String,
    /// Pods wanted at once.
    pub parallelism: u32,
    /// Pods that run or are pending.
    pub active: u32,
    /// Pods that succeeded.
    pub succeeded: u32,
    /// Pods that failed.
    pub failed: u32,
    /// When it was made.
    pub created: Timestamp,
    /// Its end, with Kubernetes' reason and message.
    pub ended: Option<(super::super::status::JobVerdict, String, String)>,
    /// It is being deleted.
    pub deleting: bool,
    /// It is suspended, by a queue of Jobs as Kueue or by somebody: it has no pods until it is let go.
    pub suspended: bool,
    /// It has a ttlSecondsAfterFinished.
    pub expires: bool,
    /// Its last pod could not be made (a quota, an admission rule): when, and what its event says.
    /// None once a pod was made after it.
    pub pods_refused: Option<(Timestamp, String)>,
}

/// A pod of a Job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodSeen {
    /// Its name.
    pub name: String,
    /// The Job it is of.
    pub job: String,
    /// The step it is of, by its label: it may outlive its Job.
    pub step: String,
    /// What it does.
    pub phase: PodPhase,
    /// Whether it is ready.
    pub ready: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When its worker started, which leases at once.
    pub started: Option<Timestamp>,
    /// The scheduler finds no node for it: since when, and its text.
    pub unschedulable: Option<(Timestamp, String)>,
    /// A container waits and has not started: its reason (`ContainerCreating`, which every start has for a while,
    /// `ImagePullBackOff`, `CreateContainerConfigError`) and message.
    pub waiting: Option<(String, String)>,
    /// How it ended.
    pub end: Option<PodEnd>,
    /// Kubernetes takes it away (preemption, drain, eviction): its reason.
    pub disrupted: Option<String>,
    /// It is being deleted.
    pub deleting: bool,
}

/// What a pod does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodPhase {
    /// It was not started yet.
    Pending,
    /// It runs.
    Running,
    /// All its containers exited 0.
    Succeeded,
    /// One did not, or Kubernetes gave it up.
    Failed,
}

/// How a pod ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodEnd {
    /// The exit code of the container that failed, or 0.
    pub exit_code: Option<i32>,
    /// The reason, of the container or of the pod.
    pub reason: String,
    /// The termination message, or the pod's message.
    pub message: String,
    /// When.
    pub at: Timestamp,
}

/// A queue.
#[derive(Debug, Clone, PartialEq)]
pub enum QueueSeen {
    /// As it is.
    There(Box<Queue>),
    /// The server has none of this name.
    Missing,
    /// The server does not answer, since when, and what the last try said.
    Unreachable(Timestamp, String),
}

/// How far loading is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadSeen {
    /// Items go in.
    Loading(u64),
    /// The queue has all of them and is sealed.
    Loaded,
    /// It failed, and will be tried again if that can help.
    Failed {
        /// What happened.
        message: String,
        /// Trying again cannot help.
        hopeless: bool,
    },
}

/// What the API server said instead of making an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub code: u16,
    /// Kubernetes' reason, as `Forbidden`.
    pub reason: String,
    /// Its message; for a missing right it names user, verb, resource and namespace.
    pub message: String,
    /// When.
    pub at: Timestamp,
}

/// What the namespace's quota leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaSeen {
    /// Pods of this run's shape that still fit, beside those there are.
    pub more_pods: u32,
    /// The quota and the resource that bind, as `team/requests.cpu`.
    pub binding: String,
}
