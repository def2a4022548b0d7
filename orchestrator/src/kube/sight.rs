//! What is seen of one run: the facts a look brings together, and what must be remembered between looks.
//!
//! Owns the loading of the run's queues, which goes on in tasks of its own, and what was said to earlier
//! actions. It decides nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use queue_api::{Code, QueueName, Until};
use queue_client::QueueClient;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::clock;
use super::cluster::RunKey;
use super::home::Kept;
use super::keeper::Shared;
use super::load;
use super::observe;
use super::plan::{LoadSeen, QueueSeen, Refusal, Seen};
use super::render::{self, Place};
use super::status::RunStatus;
use crate::flow::Phase;
use crate::spec::{RunSpec, Work};

/// How long a queue server may take to answer; the next look asks again.
const QUEUE_PATIENCE: Duration = Duration::from_secs(3);
/// How soon loading is tried again that failed: what was cut off has been applied by then or never will be.
const LOAD_AGAIN: Duration = Duration::from_secs(10);

/// What is seen of one run.
pub(super) struct Sight {
    shared: Arc<Shared>,
    key: RunKey,
    /// Loading that goes on or has ended, by step.
    loads: HashMap<String, Loading>,
    refusals: BTreeMap<String, Refusal>,
    /// Logs that were read and not yet looked at.
    logs: BTreeMap<String, String>,
    /// Since when each queue does not answer.
    unreachable: BTreeMap<String, Timestamp>,
}

/// A task that loads a queue.
struct Loading {
    told: watch::Receiver<LoadSeen>,
    began: Timestamp,
    _task: AbortOnDropHandle<()>,
}

impl Sight {
    pub(super) fn new(shared: Arc<Shared>, key: RunKey) -> Self {
        Self {
            shared,
            key,
            loads: HashMap::new(),
            refusals: BTreeMap::new(),
            logs: BTreeMap::new(),
            unreachable: BTreeMap::new(),
        }
    }

    /// A Job could not be made.
    pub(super) fn refused(&mut self, job: &str, refusal: Refusal) {
        self.refusals.insert(job.to_owned(), refusal);
    }

    /// A Job was made.
    pub(super) fn made(&mut self, job: &str) {
        self.refusals.remove(job);
    }

    /// The end of a pod's log was read.
    pub(super) fn read(&mut self, pod: &str, log: String) {
        self.logs.insert(pod.to_owned(), log);
    }

    /// Resolves when a queue is drained that was not, or when loading has ended.
    pub(super) async fn news(&self, status: &RunStatus, within: Duration) {
        tokio::select! {
            () = self.drained(status, within) => {}
            () = self.loaded() => {}
        }
    }

    /// Looks at everything the planner wants to know.
    pub(super) async fn look(
        &mut self,
        kept: &Kept,
        spec: &RunSpec,
        place: &Place,
        now: Timestamp,
    ) -> Seen {
        let shared = Arc::clone(&self.shared);
        let mut jobs: Vec<_> = shared
            .cluster
            .jobs(&self.key, &kept.owner.uid)
            .iter()
            .map(|job| observe::job(job))
            .collect();
        shared.refused.tell(&self.key.namespace, &mut jobs).await;
        let mut pods: Vec<_> = shared
            .cluster
            .pods(&self.key)
            .iter()
            .map(|pod| observe::pod(pod))
            .collect();
        // A run of the same name that was deleted may have left pods that are still going.
        pods.retain(|pod| pod.created >= kept.created);
        let mut queues = BTreeMap::new();
        let mut quota = None;
        let mut nodes = None;
        for (step, status) in spec.steps.iter().zip(&kept.status.steps) {
            let (Work::Items(_), Phase::Running, Some(pool)) =
                (&step.work, status.phase, &status.pool)
            else {
                continue;
            };
            queues.insert(step.name.clone(), self.look_at(&pool.queue, now).await);
            if quota.is_none() {
                // A step that cannot be rendered is told of when its Job is to be made.
                if let Ok(pod) = render::pool_pod(place, step) {
                    quota = shared.quotas.left(&self.key.namespace, &pod).await;
                    if let Some(known) = &shared.nodes {
                        nodes = known.room(&pod).await;
                    }
                }
            }
        }
        self.forget_failed_loads(now);
        Seen {
            queues,
            loads: self
                .loads
                .iter()
                .map(|(step, load)| (step.clone(), load.told.borrow().clone()))
                .collect(),
            refusals: self.refusals.clone(),
            logs: std::mem::take(&mut self.logs),
            quota,
            nodes,
            cancelled: kept.cancelled,
            fresh: shared.cluster.fresh(),
            jobs,
            pods,
        }
    }

    async fn look_at(&mut self, name: &str, now: Timestamp) -> QueueSeen {
        let Some(queue) = self.queue(name) else {
            return QueueSeen::Missing;
        };
        match queue.show().await {
            Ok(found) => {
                self.unreachable.remove(name);
                QueueSeen::There(Box::new(found))
            }
            Err(error) if error.code() == Some(Code::NoSuchQueue) => {
                self.unreachable.remove(name);
                QueueSeen::Missing
            }
            Err(error) => {
                let since = *self.unreachable.entry(name.to_owned()).or_insert(now);
                QueueSeen::Unreachable(since, super::say(&error))
            }
        }
    }

    fn queue(&self, name: &str) -> Option<QueueClient> {
        let name: QueueName = name.parse().ok()?;
        let queue = self.shared.queues.queue(name);
        Some(queue.with_give_up_after(QUEUE_PATIENCE))
    }

    /// Lets loading that failed be begun anew after a while.
    fn forget_failed_loads(&mut self, now: Timestamp) {
        self.loads.retain(|_, load| {
            let again = matches!(
                &*load.told.borrow(),
                LoadSeen::Failed {
                    hopeless: false,
                    ..
                }
            );
            let waited = Duration::try_from(now.duration_since(load.began)).unwrap_or_default();
            !(again && waited >= LOAD_AGAIN)
        });
    }

    /// Begins to load the queue of a step; nothing if that goes on.
    pub(super) fn load(&mut self, step: usize, status: &RunStatus, spec: &RunSpec) {
        let Some(step) = spec.steps.get(step) else {
            return;
        };
        let status = status.steps.iter().find(|status| status.name == step.name);
        let (Work::Items(pool), Some(status)) = (&step.work, status.and_then(|s| s.pool.as_ref()))
        else {
            return;
        };
        let Some(queue) = self.queue(&status.queue) else {
            return;
        };
        self.loads.entry(step.name.clone()).or_insert_with(|| {
            let (tell, told) = watch::channel(LoadSeen::Loading(0));
            let task = tokio::spawn(load::load(pool.clone(), queue, tell));
            Loading {
                told,
                began: clock::now(),
                _task: AbortOnDropHandle::new(task),
            }
        });
    }

    /// Resolves when a queue that was not known to be drained is.
    async fn drained(&self, status: &RunStatus, within: Duration) {
        let waits = status.steps.iter().filter_map(|step| {
            let pool = step.pool.as_ref()?;
            let waits = step.phase == Phase::Running && pool.loaded && pool.drained_at.is_none();
            waits.then(|| self.queue(&pool.queue)).flatten()
        });
        let waits: Vec<_> = waits
            .map(|queue| {
                Box::pin(async move {
                    if !matches!(queue.wait(Until::Drained, within).await, Ok(Some(_))) {
                        // Not drained in this time, or not to be asked: the next look tells.
                        std::future::pending::<()>().await;
                    }
                })
            })
            .collect();
        if waits.is_empty() {
            return std::future::pending().await;
        }
        futures_util::future::select_all(waits).await;
    }

    /// Resolves when a load that goes on has ended.
    async fn loaded(&self) {
        let ends = self.loads.values().filter_map(|load| {
            let mut told = load.told.clone();
            let goes_on = matches!(&*told.borrow(), LoadSeen::Loading(_));
            goes_on.then(|| {
                Box::pin(async move {
                    let _task_ended = told
                        .wait_for(|seen| !matches!(seen, LoadSeen::Loading(_)))
                        .await
                        .map(drop);
                })
            })
        });
        let ends: Vec<_> = ends.collect();
        if ends.is_empty() {
            return std::future::pending().await;
        }
        futures_util::future::select_all(ends).await;
    }
}
