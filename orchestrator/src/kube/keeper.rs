//! Keeps one run: looks, asks the planner, writes the status down, does what the planner said, waits.
//!
//! Thin. The status is written before anything is done, so that whoever takes over after a crash knows
//! what may have been done; every action may be done twice. What to do is [`super::plan`]'s.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client as Kube;
use queue_api::{Code, QueueName};
use queue_client::Client;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::act::{Came, Hands};
use super::clock;
use super::cluster::{Cluster, RunKey};
use super::held::Held;
use super::home::{Home, HomeError, Kept, remains};
use super::metrics::{Metrics, Shown, UNREADABLE};
use super::nodes::Nodes;
use super::plan::{self, Action, Context, News, Refusal, Seen};
use super::quota::Quotas;
use super::refused::RefusedPods;
use super::render::{self, Place, Wanted};
use super::report;
use super::sight::Sight;
use super::status::RunStatus;
use super::stuck::StuckPods;
use crate::reporter::Reporter;
use crate::spec::{self, RunSpec};

/// How soon something is tried again that did not get through.
const AGAIN: Duration = Duration::from_secs(2);
/// How long changes are gathered before the next look: a Job that starts brings many at once.
const GATHER: Duration = Duration::from_millis(200);
/// How long the removal of a queue is waited for.
const REMOVAL: Duration = Duration::from_secs(3);
/// Longest nap: what no watch tells of, as a queue that somebody deleted, is seen at last.
const LONGEST: Duration = Duration::from_secs(60);
/// How much later the next look is for each run that is kept: time alone makes no more than 50 looks a
/// second, each of which may write a status, however many runs there are.
const EACH: Duration = Duration::from_millis(20);
/// The same where not even the run itself is watched.
const LONGEST_UNTOLD: Duration = Duration::from_secs(5);

/// What all keepers share.
pub(super) struct Shared {
    pub(super) kube: Kube,
    pub(super) cluster: Cluster,
    pub(super) queues: Client,
    pub(super) quotas: Quotas,
    /// Only where a ClusterRole lets us look at nodes.
    pub(super) nodes: Option<Nodes>,
    pub(super) refused: RefusedPods,
    pub(super) stuck: StuckPods,
    pub(super) metrics: Metrics,
    /// The address workers are told.
    pub(super) server: String,
    /// Our image.
    pub(super) image: String,
    /// Whose service account pulls it and so on; empty: the namespace's default.
    pub(super) worker_account: Option<String>,
    /// The Secret of the workers' token.
    pub(super) worker_token: Option<String>,
    /// How long a Job's first pod may fail to start before its step fails.
    pub(super) start_limit: Duration,
}

/// Keeps one run until it has ended or is gone. It may be dropped at any time; what is being loaded then
/// ends by itself, among `loads`.
pub(super) async fn keep(
    shared: Arc<Shared>,
    key: RunKey,
    home: Home,
    bell: Arc<Notify>,
    loads: TaskTracker,
) {
    let mut keeper = Keeper {
        sight: Sight::new(Arc::clone(&shared), key.clone(), loads),
        held: Held::default(),
        reporter: None,
        shown: shared.metrics.shown(&key),
        shared,
        key,
        home,
    };
    let mut nap = AGAIN;
    loop {
        nap = match keeper.begin().await {
            Ok(Some(taken)) => match keeper.carry_on(taken, &bell).await {
                Next::End => break,
                Next::ReadAgain => AGAIN,
                Next::Failed => LONGEST.min(nap * 2),
            },
            Ok(None) => break,
            Err(error) => {
                keeper.shared.metrics.failed("read");
                warn!(run.name = %keeper.key, error.message = %super::say(&error), "cannot read the run");
                LONGEST.min(nap * 2)
            }
        };
        tokio::time::sleep(nap).await;
    }
    if let Some(reporter) = keeper.reporter {
        reporter.end().await;
    }
}

/// What comes after carrying on.
enum Next {
    End,
    /// Somebody changed the run.
    ReadAgain,
    /// Something failed that may go on failing.
    Failed,
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
    sight: Sight,
    held: Held,
    /// The queue server is told of a run that this keeper saw going on.
    reporter: Option<Reporter>,
    /// What the metrics tell of the run.
    shown: Shown,
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
    async fn carry_on(&mut self, mut taken: Taken, bell: &Notify) -> Next {
        let about = ObjectReference {
            api_version: Some(taken.kept.owner.api_version.clone()),
            kind: Some(taken.kept.owner.kind.clone()),
            name: Some(taken.kept.owner.name.clone()),
            uid: Some(taken.kept.owner.uid.clone()),
            namespace: Some(self.key.namespace.clone()),
            ..ObjectReference::default()
        };
        let hands = Hands::new(&self.shared.kube, &self.key.namespace, about);
        // What was told by the bell and could not be read yet.
        let mut unread = false;
        loop {
            let begun = Instant::now();
            let spec = match &taken.spec {
                Ok(spec) => spec,
                Err(problem) => return self.refuse(&taken.kept, problem, &hands).await,
            };
            let context = Context {
                generation: taken.kept.generation,
                start_limit: self.shared.start_limit,
                ..Context::new(&self.key.namespace, &self.shared.server)
            };
            let place = self.place(&taken.kept);
            let seen = self.sight.look(&taken.kept, spec, &place).await;
            let went_on = !taken.kept.status.phase.has_ended();
            let now = clock::now();
            let plan = plan::plan(spec, &context, &taken.kept.status, &seen, now);
            if plan.status != taken.kept.status {
                match self
                    .home
                    .write(&self.key.name, &taken.kept, &plan.status)
                    .await
                {
                    Ok(version) => {
                        let metrics = &self.shared.metrics;
                        metrics.wrote(&spec.base_name, &taken.kept.status, &plan.status);
                        self.log(spec, &taken.kept.status, &plan.status);
                        taken.kept.version = version;
                        taken.kept.status = plan.status;
                    }
                    Err(HomeError::Changed) => return Next::ReadAgain,
                    Err(error) => {
                        self.shared.metrics.failed("write");
                        warn!(run.name = %self.key, error.message = %super::say(&error), "cannot write the status");
                        return Next::Failed;
                    }
                }
            }
            self.shown.is(&spec.base_name, &taken.kept.status);
            if went_on {
                self.tell(&taken.kept, &spec.base_name, &seen);
            }
            let pace = EACH.saturating_mul(self.shared.metrics.kept());
            let wake = plan.wake.unwrap_or(LONGEST).max(pace);
            let mut wake = wake.min(self.longest());
            if unread {
                wake = wake.min(AGAIN);
            }
            for action in &plan.actions {
                if let Some(soon) = self.act(action, &taken.kept, spec, &hands).await {
                    wake = wake.min(soon);
                }
            }
            self.shared.metrics.looked(begun.elapsed());
            let status = &taken.kept.status;
            let nothing_left = plan.actions.is_empty() && plan.wake.is_none();
            let over = remains(status, spec.ttl, clock::now()).is_some_and(|left| left.is_zero());
            if status.phase.has_ended() && (nothing_left || over) {
                return self.see_off(&taken.kept, spec).await;
            }
            unread |= self.wait(status, wake, bell).await == Woken::Bell;
            // A cancelled or deleted run is told by the bell; nobody watches ConfigMaps.
            if unread || matches!(self.home, Home::Config(..)) {
                match self.home.read(&self.key.name).await {
                    Ok(Some(kept)) if kept.deleting || kept.uid != taken.kept.uid => {
                        return Next::End;
                    }
                    Ok(Some(kept)) => (taken.kept, unread) = (kept, false),
                    Ok(None) => return Next::End,
                    Err(error) => {
                        debug!(run.name = %self.key, error.message = %super::say(&error), "cannot read the run; going on with what is known");
                    }
                }
            }
        }
    }

    /// Leaves word for the queue server of how far the run is.
    fn tell(&mut self, kept: &Kept, base_name: &str, seen: &Seen) {
        if let Some(report) = report::report(&self.key, kept, base_name, seen) {
            let server = || Reporter::new(self.shared.queues.clone());
            self.reporter.get_or_insert_with(server).tell(report);
        }
    }

    /// Says that the run begins, and how it ended.
    fn log(&self, spec: &RunSpec, before: &RunStatus, after: &RunStatus) {
        let spec = &spec.base_name;
        if before.started_at.is_none() && after.started_at.is_some() {
            let steps = after.steps.len();
            info!(run.name = %self.key, spec.name = spec, step.count = steps, "the run begins");
        }
        if after.phase.has_ended() && !before.phase.has_ended() {
            let took = after.started_at.zip(after.finished_at);
            let elapsed_ms = took.map(|(begin, end)| end.duration_since(begin).as_millis());
            let RunStatus {
                phase,
                message,
                progress,
                ..
            } = after;
            info!(run.name = %self.key, spec.name = spec, run.phase = ?phase, duration_ms = elapsed_ms, run.progress = progress, run.message = message, "the run has ended");
        }
    }

    /// The longest nap.
    fn longest(&self) -> Duration {
        match self.home {
            Home::Object(_) => LONGEST,
            Home::Config(..) => LONGEST_UNTOLD,
        }
    }

    /// A spec that cannot be read ends the run, with the reason where people look.
    async fn refuse(&mut self, kept: &Kept, problem: &str, hands: &Hands) -> Next {
        // How it ended stays, whatever became of its spec since.
        if kept.status.phase.has_ended() {
            return Next::End;
        }
        let status = plan::failed_spec(&kept.status, kept.generation, problem, clock::now());
        match self.home.write(&self.key.name, kept, &status).await {
            Ok(_) => {
                info!(run.name = %self.key, error.message = problem, "the spec cannot be carried out");
                let metrics = &self.shared.metrics;
                metrics.wrote(UNREADABLE, &kept.status, &status);
                let ended = Kept {
                    status,
                    ..kept.clone()
                };
                // Nobody knows what its spec is called.
                self.tell(&ended, &self.key.name.clone(), &Seen::default());
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
                self.shared.metrics.failed("write");
                warn!(run.name = %self.key, error.message = %super::say(&error), "cannot write the status");
                Next::Failed
            }
        }
    }

    /// Waits for the end of an ended run's time and removes it.
    async fn see_off(&self, kept: &Kept, spec: &RunSpec) -> Next {
        let Some(left) = remains(&kept.status, spec.ttl, clock::now()) else {
            return Next::End;
        };
        tokio::time::sleep(left).await;
        match self.home.remove(&self.key.name, kept).await {
            Ok(()) => Next::End,
            Err(error) => {
                warn!(run.name = %self.key, error.message = %super::say(&error), "cannot remove the run, whose time is over");
                Next::Failed
            }
        }
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
                self.sight.load(*step, &kept.status, spec);
                return None;
            }
            Action::RemoveQueue { queue } => return self.remove_queue(queue).await,
            Action::CreateJob {
                step,
                name,
                element,
                number,
                parallelism,
            } => {
                let status = kept.status.steps.get(*step);
                let pool = status.and_then(|status| status.pool.as_ref());
                let wanted = Wanted {
                    name: name.clone(),
                    step: spec.steps.get(*step)?,
                    element: *element,
                    number: *number,
                    queue: pool.map(|pool| pool.queue.clone()).unwrap_or_default(),
                    parallelism: *parallelism,
                };
                let came = self.create(&wanted, kept, hands).await;
                match &came {
                    Came::Refused(refusal) => {
                        info!(run.name = %self.key, kube.job = name, error.message = refusal.message, "cannot make a Job");
                        self.sight.refused(name, refusal.clone());
                    }
                    Came::Done => self.sight.made(name),
                    Came::Failed(_) => {}
                }
                came
            }
            Action::SetParallelism { job, .. }
            | Action::DeleteJob { job }
            | Action::Expire { job, .. } => return self.change(action, job, kept, hands).await,
            Action::ReadLog { pod } => {
                let text = match hands.read_log(pod).await {
                    Ok(text) => text,
                    Err(error) if self.held.may_try(pod) => return self.failed(action, &error),
                    // Its node may be gone for good; a run must not wait for that.
                    Err(_) => String::new(),
                };
                self.sight.read(pod, text);
                // The planner takes it over at the next look.
                return Some(Duration::ZERO);
            }
            Action::Tell(news) => {
                hands.tell(news).await;
                return None;
            }
        };
        match came {
            Came::Done => None,
            // What was refused is for the planner to judge.
            Came::Refused(_) => Some(AGAIN),
            Came::Failed(error) => self.failed(action, &error),
        }
    }

    /// Changes a Job. What is refused is told, and not asked for again for a while.
    async fn change(
        &mut self,
        action: &Action,
        job: &str,
        kept: &Kept,
        hands: &Hands,
    ) -> Option<Duration> {
        if let Some(left) = self.held.waits(action) {
            return Some(left);
        }
        let came = match action {
            Action::SetParallelism { to, .. } => hands.set_parallelism(job, *to).await,
            Action::DeleteJob { .. } => hands.delete_job(job, &kept.owner.uid).await,
            Action::Expire { after, .. } => hands.expire(job, *after).await,
            _ => return None,
        };
        match came {
            Came::Done => {
                if self.held.mended(action) {
                    self.sight.made(job);
                }
                None
            }
            Came::Refused(refusal) => {
                info!(run.name = %self.key, run.action = ?action, error.message = refusal.message, "a change of a Job is refused");
                self.sight.refused(job, refusal);
                self.held.refused(action);
                Some(AGAIN)
            }
            Came::Failed(error) => self.failed(action, &error),
        }
    }

    fn failed(&self, action: &Action, error: &kube::Error) -> Option<Duration> {
        self.shared.metrics.failed("action");
        warn!(run.name = %self.key, run.action = ?action, error.message = %super::say(error), "an action did not get through; trying again");
        Some(AGAIN)
    }

    /// Removes a queue, whatever it holds.
    async fn remove_queue(&self, name: &str) -> Option<Duration> {
        let name: QueueName = name.parse().ok()?;
        let queue = self.shared.queues.queue(name);
        match queue.with_give_up_after(REMOVAL).delete(true).await {
            Ok(()) => {
                info!(run.name = %self.key, "removed a queue that an earlier run of this name left");
            }
            Err(error) if error.code() == Some(Code::NoSuchQueue) => {}
            Err(error) => {
                self.shared.metrics.failed("action");
                warn!(run.name = %self.key, error.message = %super::say(&error), "cannot remove the queue of an earlier run of this name; trying again");
                return Some(AGAIN);
            }
        }
        Some(Duration::ZERO)
    }

    fn place(&self, kept: &Kept) -> Place {
        Place {
            namespace: self.key.namespace.clone(),
            run: self.key.name.clone(),
            owner: Some(kept.owner.clone()),
            server: self.shared.server.clone(),
            image: self.shared.image.clone(),
            worker_account: self.shared.worker_account.clone(),
            worker_token: self.shared.worker_token.clone(),
        }
    }

    async fn create(&self, wanted: &Wanted<'_>, kept: &Kept, hands: &Hands) -> Came {
        match render::job(&self.place(kept), wanted) {
            Ok(made) => {
                hands
                    .create_job(&made.job, &made.config_maps, &kept.owner.uid)
                    .await
            }
            Err(error) => Came::Refused(Refusal {
                code: 422,
                reason: "Invalid".into(),
                message: super::say(&error),
                at: clock::now(),
            }),
        }
    }

    async fn wait(&self, status: &RunStatus, wake: Duration, bell: &Notify) -> Woken {
        tokio::select! {
            () = tokio::time::sleep(wake) => Woken::Time,
            () = self.sight.news(status, wake) => Woken::Time,
            () = bell.notified() => {
                tokio::time::sleep(GATHER).await;
                Woken::Bell
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Woken {
    Bell,
    Time,
}
