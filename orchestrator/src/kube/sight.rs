//! What is seen of one run: the facts a look brings together, and what must be remembered between looks.
//!
//! Owns the loading of the run's queues, which goes on in tasks of its own, and what was said to earlier
//! actions. It decides nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use queue_api::{Code, Queue, QueueName, Until};
use queue_client::QueueClient;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use super::clock;
use super::cluster::RunKey;
use super::home::Kept;
use super::keeper::Shared;
use super::load;
use super::patience::CALL;
use super::plan::{LoadSeen, QueueSeen, QuotaSeen, Refusal, Seen};
use super::render::{self, Place};
use super::status::{PoolStatus, RunStatus};
use crate::flow::Phase;
use crate::size;
use crate::spec::{RunSpec, Step, Work};

/// How long a queue server may take to answer; the next look asks again.
const QUEUE_PATIENCE: Duration = Duration::from_secs(3);
/// How soon loading is tried again that failed: what was cut off has been applied by then or never will be.
const LOAD_AGAIN: Duration = Duration::from_secs(10);

/// What is seen of one run.
pub(super) struct Sight {
    shared: Arc<Shared>,
    key: RunKey,
    tasks: TaskTracker,
    /// Loading that goes on or has ended, by step.
    loads: HashMap<String, Loading>,
    refusals: BTreeMap<String, Refusal>,
    /// Logs that were read and not yet looked at.
    logs: BTreeMap<String, String>,
    /// Since when the queue of each step does not answer.
    unreachable: BTreeMap<String, Timestamp>,
}

/// A task that loads a queue. It stops between two requests when nobody listens any more: what is cut off
/// in the middle might come in after another has begun to load.
struct Loading {
    told: watch::Receiver<LoadSeen>,
    began: Instant,
}

impl Loading {
    fn seen(&self) -> LoadSeen {
        let seen = self.told.borrow().clone();
        match seen {
            LoadSeen::Loading(_) if self.told.has_changed().is_err() => LoadSeen::Failed {
                message: "loading stopped without a word".into(),
                hopeless: false,
            },
            seen => seen,
        }
    }
}

/// A step, and what its queue says: none where there is no queue, an error where nobody answers.
type Looked = (String, Result<Option<Queue>, String>);

/// The steps with items that run.
fn running<'a>(
    kept: &'a Kept,
    spec: &'a RunSpec,
) -> impl Iterator<Item = (&'a Step, &'a PoolStatus)> {
    let steps = spec.steps.iter().zip(&kept.status.steps);
    steps.filter_map(|(step, status)| {
        let runs = status.phase == Phase::Running && matches!(step.work, Work::Items(_));
        runs.then_some((step, status.pool.as_ref()?))
    })
}

impl Sight {
    /// Loading goes on among `tasks`.
    pub(super) fn new(shared: Arc<Shared>, key: RunKey, tasks: TaskTracker) -> Self {
        Self {
            shared,
            key,
            tasks,
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
    pub(super) async fn look(&mut self, kept: &Kept, spec: &RunSpec, place: &Place) -> Seen {
        let shared = Arc::clone(&self.shared);
        // What may take long comes first: what is concluded from absence must be young.
        let (queues, (quota, nodes)) = tokio::join!(
            self.look_at_queues(kept, spec),
            self.room(kept, spec, place)
        );
        let queues = self.note_unreachable(queues);
        let jobs = kept.status.steps.iter().flat_map(|step| &step.jobs);
        let jobs: HashSet<&str> = jobs.map(|job| job.name.as_str()).collect();
        self.refusals.retain(|job, _| jobs.contains(job.as_str()));
        self.forget_failed_loads();
        // Asked before the lists are read: they are at least as young.
        let fresh = shared.cluster.fresh();
        let mut jobs = shared.cluster.jobs(&self.key, &kept.owner.uid);
        let mut pods = shared.cluster.pods(&self.key);
        // A run of the same name that was deleted may have left pods that are still going.
        pods.retain(|pod| pod.created >= kept.created);
        shared.stuck.tell(&self.key.namespace, &mut pods).await;
        shared.refused.tell(&self.key.namespace, &mut jobs).await;
        Seen {
            queues,
            loads: self
                .loads
                .iter()
                .map(|(step, load)| (step.clone(), load.seen()))
                .collect(),
            refusals: self.refusals.clone(),
            logs: std::mem::take(&mut self.logs),
            quota,
            nodes,
            cancelled: kept.cancelled,
            fresh,
            jobs,
            pods,
        }
    }

    /// The queues of all steps that run, at once: one that hangs must not hold up the others.
    async fn look_at_queues(&self, kept: &Kept, spec: &RunSpec) -> Vec<Looked> {
        let looks = running(kept, spec).map(async |(step, pool)| {
            let found = match self.queue(&pool.queue) {
                None => Ok(None),
                Some(queue) => match timeout(QUEUE_PATIENCE, queue.show()).await {
                    Ok(Ok(found)) => Ok(Some(found)),
                    Ok(Err(error)) if error.code() == Some(Code::NoSuchQueue) => Ok(None),
                    Ok(Err(error)) => Err(super::say(&error)),
                    Err(_elapsed) => {
                        Err(format!("no answer within {} s", QUEUE_PATIENCE.as_secs()))
                    }
                },
            };
            (step.name.clone(), found)
        });
        join_all(looks).await
    }

    fn note_unreachable(&mut self, looked: Vec<Looked>) -> BTreeMap<String, QueueSeen> {
        let mut before = std::mem::take(&mut self.unreachable);
        let mut seen = BTreeMap::new();
        for (step, found) in looked {
            let found = match found {
                Ok(Some(found)) => QueueSeen::There(Box::new(found)),
                Ok(None) => QueueSeen::Missing,
                Err(said) => {
                    let since = before.remove(&step).unwrap_or_else(clock::now);
                    self.unreachable.insert(step.clone(), since);
                    QueueSeen::Unreachable(since, said)
                }
            };
            seen.insert(step, found);
        }
        seen
    }

    /// How many more pods quotas and nodes leave room for.
    async fn room(
        &self,
        kept: &Kept,
        spec: &RunSpec,
        place: &Place,
    ) -> (Option<QuotaSeen>, Option<size::Nodes>) {
        // A step that cannot be rendered is told of when its Job is to be made.
        let mut pods =
            running(kept, spec).filter_map(|(step, _)| render::pool_pod(place, step).ok());
        let Some(pod) = pods.next() else {
            return (None, None);
        };
        let nodes = async {
            let known = self.shared.nodes.as_ref()?;
            let room = timeout(CALL, known.room(&pod)).await;
            room.ok().flatten()
        };
        tokio::join!(self.shared.quotas.left(&self.key.namespace, &pod), nodes)
    }

    fn queue(&self, name: &str) -> Option<QueueClient> {
        let name: QueueName = name.parse().ok()?;
        let queue = self.shared.queues.queue(name);
        Some(queue.with_give_up_after(QUEUE_PATIENCE))
    }

    /// Lets loading that failed be begun anew after a while.
    fn forget_failed_loads(&mut self) {
        self.loads.retain(|_, load| {
            let again = matches!(
                load.seen(),
                LoadSeen::Failed {
                    hopeless: false,
                    ..
                }
            );
            !(again && load.began.elapsed() >= LOAD_AGAIN)
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
            self.tasks.spawn(load::load((**pool).clone(), queue, tell));
            Loading {
                told,
                began: Instant::now(),
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
            let goes_on = matches!(load.seen(), LoadSeen::Loading(_));
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
