//! Keeps one run: looks, asks the planner, writes the status down, does what the planner said, waits.
//!
//! Thin. The status is written before anything is done, so that whoever takes over after a crash knows
//! what may have been done; every action may be done twice. What to do is [`super::plan`]'s.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client as Kube;
use queue_api::{Code, QueueName, Until};
use queue_client::{Client, QueueClient};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info, warn};

use super::act::{Came, Hands};
use super::cluster::{Cluster, RunKey};
use super::home::{Home, HomeError, Kept, remains};
use super::load;
use super::metrics::Metrics;
use super::observe;
use super::plan::{self, Action, Context, LoadSeen, News, QueueSeen, Refusal, Seen};
use super::quota::Quotas;
use super::refused::RefusedPods;
use super::render::{self, Place, Wanted};
use super::status::RunStatus;
use crate::flow::Phase;
use crate::spec::{self, RunSpec, Work};

/// How long a queue server may take to answer; the next look asks again.
const QUEUE_PATIENCE: Duration = Duration::from_secs(3);
/// How soon something is tried again that did not get through.
const AGAIN: Duration = Duration::from_secs(2);
/// How soon loading is tried again that failed: what was cut off has been applied by then or never will be.
const LOAD_AGAIN: Duration = Duration::from_secs(10);
/// Longest nap: what no watch tells of, as a queue that somebody deleted, is seen at last.
const LONGEST: Duration = Duration::from_secs(60);

/// What all keepers share.
pub(super) struct Shared {
    pub(super) kube: Kube,
    pub(super) cluster: Cluster,
    pub(super) queues: Client,
    pub(super) quotas: Quotas,
    pub(super) refused: RefusedPods,
    pub(super) metrics: Metrics,
    /// The address workers are told.
    pub(super) server: String,
    /// Our image.
    pub(super) image: String,
    /// Whose service account pulls it and so on; empty: the namespace's default.
    pub(super) worker_account: Option<String>,
}

/// Keeps one run until it has ended, is gone, or `stop` is cancelled.
pub(super) async fn keep(
    shared: Arc<Shared>,
    key: RunKey,
    home: Home,
    bell: Arc<Notify>,
    stop: CancellationToken,
) {
    let mut keeper = Keeper {
        shared,
        key,
        home,
        loads: HashMap::new(),
        refusals: BTreeMap::new(),
        logs: BTreeMap::new(),
        unreachable: BTreeMap::new(),
    };
    loop {
        let nap = match keeper.begin().await {
            Ok(Some(taken)) => match keeper.carry_on(taken, &bell, &stop).await {
                Next::End => return,
                Next::ReadAgain => AGAIN,
            },
            Ok(None) => return,
            Err(error) => {
                warn!(run = %keeper.key, error = %super::say(&error), "cannot read the run");
                AGAIN
            }
        };
        tokio::select! {
            () = tokio::time::sleep(nap) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// What comes after carrying on.
enum Next {
    End,
    ReadAgain,
}

/// A run that was taken up.
struct Taken {
    kept: Kept,
    spec: Result<RunSpec, String>,
}

struct Keeper {
    shared: Arc<Shared>,
    key: RunKey,
    home: Home,
    /// Loading that goes on, by step.
    loads: HashMap<String, Loading>,
    refusals: BTreeMap<String, Refusal>,
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

impl Keeper {
    async fn begin(&self) -> Result<Option<Taken>, HomeError> {
        let Some(kept) = self.home.read(&self.key.name).await? else {
            return Ok(None);
        };
        if kept.deleting {
            return Ok(None);
        }
        let spec = spec::from_object(&kept.object).map_err(|error| error.to_string());
        Ok(Some(Taken { kept, spec }))
    }

    /// Goes on until the end, or until the run must be read anew.
    async fn carry_on(
        &mut self,
        mut taken: Taken,
        bell: &Notify,
        stop: &CancellationToken,
    ) -> Next {
        let about = ObjectReference {
            api_version: Some(taken.kept.owner.api_version.clone()),
            kind: Some(taken.kept.owner.kind.clone()),
            name: Some(taken.kept.owner.name.clone()),
            uid: Some(taken.kept.owner.uid.clone()),
            namespace: Some(self.key.namespace.clone()),
            ..ObjectReference::default()
        };
        let hands = Hands::new(&self.shared.kube, &self.key.namespace, about);
        loop {
            let now = Timestamp::now();
            let spec = match &taken.spec {
                Ok(spec) => spec,
                Err(problem) => return self.refuse(&taken.kept, problem, &hands).await,
            };
            let context = Context {
                generation: taken.kept.generation,
                ..Context::new(&self.key.namespace, &self.shared.server)
            };
            let seen = self.look(&taken.kept, spec, now).await;
            let plan = plan::plan(spec, &context, &taken.kept.status, &seen, now);
            if plan.status != taken.kept.status {
                match self
                    .home
                    .write(&self.key.name, &taken.kept, &plan.status)
                    .await
                {
                    Ok(version) => {
                        self.shared.metrics.wrote(&taken.kept.status, &plan.status);
                        taken.kept.version = version;
                        taken.kept.status = plan.status;
                    }
                    Err(HomeError::Changed) => return Next::ReadAgain,
                    Err(error) => {
                        warn!(run = %self.key, error = %super::say(&error), "cannot write the status");
                        return Next::ReadAgain;
                    }
                }
            }
            let mut wake = plan.wake.unwrap_or(LONGEST).min(LONGEST);
            for action in &plan.actions {
                // Whoever leads next does the rest.
                if stop.is_cancelled() {
                    return Next::End;
                }
                if let Some(soon) = self.act(action, &taken.kept, spec, &hands).await {
                    wake = wake.min(soon);
                }
            }
            self.shared.metrics.looked();
            let nothing_left = plan.actions.is_empty() && plan.wake.is_none();
            if taken.kept.status.phase.has_ended() && nothing_left {
                return self.see_off(&taken.kept, spec, stop).await;
            }
            let woken = self.wait(spec, &taken.kept.status, wake, bell, stop).await;
            if woken == Woken::Stop {
                return Next::End;
            }
            // A cancelled or deleted run is told by the bell; nobody watches ConfigMaps.
            if woken == Woken::Bell || matches!(self.home, Home::Config(..)) {
                match self.home.read(&self.key.name).await {
                    Ok(Some(kept)) if kept.deleting || kept.uid != taken.kept.uid => {
                        return Next::End;
                    }
                    Ok(Some(kept)) => taken.kept = kept,
                    Ok(None) => return Next::End,
                    Err(error) => {
                        debug!(run = %self.key, error = %super::say(&error), "cannot read the run; going on with what is known");
                    }
                }
            }
        }
    }

    /// A spec that cannot be read ends the run, with the reason where people look.
    async fn refuse(&self, kept: &Kept, problem: &str, hands: &Hands) -> Next {
        let status = plan::failed_spec(&kept.status, kept.generation, problem, Timestamp::now());
        if status == kept.status {
            return Next::End;
        }
        match self.home.write(&self.key.name, kept, &status).await {
            Ok(_) => {
                info!(run = %self.key, problem, "the spec cannot be carried out");
                self.shared.metrics.wrote(&kept.status, &status);
                hands
                    .tell(&News {
                        warning: true,
                        reason: "InvalidSpec",
                        note: problem.to_owned(),
                    })
                    .await;
                Next::End
            }
            Err(error) => {
                warn!(run = %self.key, error = %super::say(&error), "cannot write the status");
                Next::ReadAgain
            }
        }
    }

    /// Waits for the end of an ended run's time and removes it.
    async fn see_off(&self, kept: &Kept, spec: &RunSpec, stop: &CancellationToken) -> Next {
        let Some(left) = remains(&kept.status, spec.ttl, Timestamp::now()) else {
            return Next::End;
        };
        tokio::select! {
            () = tokio::time::sleep(left) => {}
            () = stop.cancelled() => return Next::End,
        }
        match self.home.remove(&self.key.name, kept).await {
            Ok(()) => Next::End,
            Err(error) => {
                warn!(run = %self.key, error = %super::say(&error), "cannot remove the run, whose time is over");
                Next::ReadAgain
            }
        }
    }

    async fn look(&mut self, kept: &Kept, spec: &RunSpec, now: Timestamp) -> Seen {
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
        pods.retain(|pod| jobs.iter().any(|job| job.name == pod.job));
        let mut queues = BTreeMap::new();
        let mut quota = None;
        for (step, status) in spec.steps.iter().zip(&kept.status.steps) {
            let (Work::Items(_), Phase::Running, Some(pool)) =
                (&step.work, status.phase, &status.pool)
            else {
                continue;
            };
            queues.insert(step.name.clone(), self.look_at(&pool.queue, now).await);
            if quota.is_none() {
                // A step that cannot be rendered is told of when its Job is to be made.
                if let Ok(pod) = render::pool_pod(&self.place(kept), step) {
                    quota = shared.quotas.left(&self.key.namespace, &pod).await;
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

    /// Does one thing; how soon to look again because of it, if sooner than planned.
    async fn act(
        &mut self,
        action: &Action,
        kept: &Kept,
        spec: &RunSpec,
        hands: &Hands,
    ) -> Option<Duration> {
        let came = match action {
            Action::Load { step } => {
                self.load(*step, kept, spec);
                return None;
            }
            Action::CreateJob {
                step,
                name,
                element,
                parallelism,
            } => {
                let came = self
                    .create(*step, name, *element, *parallelism, kept, spec, hands)
                    .await;
                match &came {
                    Came::Refused(refusal) => {
                        info!(run = %self.key, job = name, problem = refusal.message, "cannot make a Job");
                        self.refusals.insert(name.clone(), refusal.clone());
                    }
                    Came::Done => {
                        self.refusals.remove(name);
                    }
                    Came::Failed(_) => {}
                }
                came
            }
            Action::SetParallelism { job, to } => hands.set_parallelism(job, *to).await,
            Action::DeleteJob { job } => hands.delete_job(job).await,
            Action::Expire { job, after } => hands.expire(job, *after).await,
            Action::ReadLog { pod } => match hands.read_log(pod).await {
                Ok(text) => {
                    self.logs.insert(pod.clone(), text);
                    // The planner takes it over at the next look.
                    return Some(Duration::ZERO);
                }
                Err(error) => Came::Failed(error),
            },
            Action::Tell(news) => {
                hands.tell(news).await;
                return None;
            }
        };
        match came {
            Came::Done => None,
            // What was refused is for the planner to judge.
            Came::Refused(_) => Some(AGAIN),
            Came::Failed(error) => {
                self.shared.metrics.failed("action");
                warn!(run = %self.key, ?action, error = %super::say(&error), "an action did not get through; trying again");
                Some(AGAIN)
            }
        }
    }

    fn load(&mut self, step: usize, kept: &Kept, spec: &RunSpec) {
        let Some(step) = spec.steps.get(step) else {
            return;
        };
        let status = kept
            .status
            .steps
            .iter()
            .find(|status| status.name == step.name);
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
                began: Timestamp::now(),
                _task: AbortOnDropHandle::new(task),
            }
        });
    }

    fn place(&self, kept: &Kept) -> Place {
        Place {
            namespace: self.key.namespace.clone(),
            run: self.key.name.clone(),
            owner: Some(kept.owner.clone()),
            server: self.shared.server.clone(),
            image: self.shared.image.clone(),
            worker_account: self.shared.worker_account.clone(),
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of one action and its surroundings"
    )]
    async fn create(
        &self,
        step: usize,
        name: &str,
        element: Option<u32>,
        parallelism: u32,
        kept: &Kept,
        spec: &RunSpec,
        hands: &Hands,
    ) -> Came {
        let status = kept.status.steps.get(step);
        let queue = status.and_then(|status| status.pool.as_ref());
        let Some(of) = spec.steps.get(step) else {
            return Came::Done;
        };
        let wanted = Wanted {
            name: name.to_owned(),
            step: of,
            element,
            queue: queue.map(|pool| pool.queue.clone()).unwrap_or_default(),
            parallelism,
        };
        match render::job(&self.place(kept), &wanted) {
            Ok(made) => {
                hands
                    .create_job(&made.job, &made.config_maps, &kept.owner.uid)
                    .await
            }
            Err(error) => Came::Refused(Refusal {
                code: 422,
                reason: "Invalid".into(),
                message: super::say(&error),
                at: Timestamp::now(),
            }),
        }
    }

    async fn wait(
        &self,
        spec: &RunSpec,
        status: &RunStatus,
        wake: Duration,
        bell: &Notify,
        stop: &CancellationToken,
    ) -> Woken {
        let drained = self.drained(spec, status, wake);
        let loaded = self.loaded();
        tokio::select! {
            () = stop.cancelled() => Woken::Stop,
            () = bell.notified() => Woken::Bell,
            () = tokio::time::sleep(wake) => Woken::Time,
            () = drained => Woken::Time,
            () = loaded => Woken::Time,
        }
    }

    /// Resolves when a queue that was not known to be drained is.
    async fn drained(&self, spec: &RunSpec, status: &RunStatus, within: Duration) {
        let waits = spec
            .steps
            .iter()
            .zip(&status.steps)
            .filter_map(|(_, step)| {
                let pool = step.pool.as_ref()?;
                let waits =
                    step.phase == Phase::Running && pool.loaded && pool.drained_at.is_none();
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Woken {
    Stop,
    Bell,
    Time,
}
