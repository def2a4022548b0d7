//! The controller: leads or waits, watches runs, and gives each a keeper.
//!
//! Owns who keeps what. It knows neither what a run does nor how; the cost of watching is that of the
//! runs and their pods, never of their items.
//!
//! 1. Only the leader keeps runs, and one keeper a run. Whoever loses the lead ends its keepers and the process.
//! 2. A run that is gone takes its queues with it.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::StreamExt as _;
use k8s_openapi::api::coordination::v1::Lease;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher as watch};
use kube::{Api, Client as Kube, ResourceExt as _};
use queue_api::Code;
use queue_client::Client;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::cluster::{Bells, Cluster, RunKey, Scope};
use super::health;
use super::home::Home;
use super::keeper::{self, Shared};
use super::leader::Leader;
use super::metrics::Metrics;
use super::nodes::{NodeRule, Nodes};
use super::object::{CANCEL, Run};
use super::plan::names;
use super::quota::Quotas;
use super::refused::RefusedPods;

/// How long what runs may take to end once we stop.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long a call to a queue server may take.
const QUEUE_PATIENCE: Duration = Duration::from_secs(5);
/// How long an ephemeral controller stays after its run ended, so that whoever started it can fetch what
/// the server beside it holds.
const LINGER: Duration = Duration::from_secs(600);
/// How soon a run is looked for again that is not there yet.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What a controller is told.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// The namespace it runs in and keeps its Lease in.
    pub(crate) namespace: String,
    /// Whether runs of all namespaces are kept.
    pub(crate) all_namespaces: bool,
    /// The queue server, as workers reach it.
    pub(crate) server: String,
    /// Our image.
    pub(crate) image: String,
    /// The service account of workers; none: the namespace's default.
    pub(crate) worker_account: Option<String>,
    /// How long a Job's first pod may fail to start before its step fails.
    pub(crate) start_limit: Duration,
    /// What nodes mean to sizing; none: they are not looked at.
    pub(crate) nodes: Option<NodeRule>,
    /// Where `/healthz`, `/readyz` and `/metrics` are answered.
    pub(crate) listen: SocketAddr,
    /// A name no other candidate has.
    pub(crate) identity: String,
    /// Keep this one run out of its ConfigMap, and end after it.
    pub(crate) ephemeral: Option<Ephemeral>,
}

/// The one run of an ephemeral controller.
#[derive(Debug, Clone)]
pub(crate) struct Ephemeral {
    /// The run's name.
    pub(crate) run: String,
    /// The ConfigMap it is kept in.
    pub(crate) config_map: String,
    /// The queue server, as this process reaches it: beside it in its pod.
    pub(crate) local_server: String,
}

/// Controls until told to stop. An error says why it cannot go on.
pub(crate) async fn control(
    kube: Kube,
    options: Options,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let metrics = Metrics::new().context("cannot set up metrics")?;
    let ready = Arc::new(AtomicBool::new(false));
    let tasks = TaskTracker::new();
    let address = health::serve(options.listen, &ready, &metrics, &tasks, &stop)
        .await
        .with_context(|| format!("cannot listen on {}", options.listen))?;
    info!(%address, namespace = options.namespace, server = options.server, "controlling");
    let ended = match options.ephemeral.clone() {
        Some(one) => keep_one(kube, &options, one, metrics, &ready, &tasks, &stop).await,
        None => stand(kube, &options, metrics, &ready, &stop).await,
    };
    stop.cancel();
    tasks.close();
    if tokio::time::timeout(FAREWELL, tasks.wait()).await.is_err() {
        warn!("some tasks did not end in time");
    }
    ended
}

/// Stands for election, and leads while elected.
async fn stand(
    kube: Kube,
    options: &Options,
    metrics: Metrics,
    ready: &AtomicBool,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let leases = Api::<Lease>::namespaced(kube.clone(), &options.namespace);
    let mut leader = Leader::new(leases, options.identity.clone());
    // Waiting for another to stop leading is what a second controller is for.
    ready.store(true, Ordering::Release);
    if !leader.win(stop).await {
        return Ok(());
    }
    info!("leading");
    metrics.leads(true);
    let ended = CancellationToken::new();
    let tasks = TaskTracker::new();
    let work = async {
        let led = lead(kube, options, metrics.clone(), &tasks, &ended, stop).await;
        // Nothing of ours may act once another may lead.
        ended.cancel();
        tasks.close();
        tasks.wait().await;
        led
    };
    let given_up = CancellationToken::new();
    let (led, kept) = {
        let keep = leader.keep(&given_up);
        tokio::pin!(keep, work);
        tokio::select! {
            led = &mut work => {
                given_up.cancel();
                (Some(led), keep.await)
            }
            kept = &mut keep => (None, kept),
        }
    };
    metrics.leads(false);
    match (led, kept) {
        (Some(led), _) => led,
        (None, _) => {
            ended.cancel();
            bail!(
                "lost the lease: another controller may lead; this one ends so that nothing is done twice"
            )
        }
    }
}

/// Keeps all runs until told to stop.
async fn lead(
    kube: Kube,
    options: &Options,
    metrics: Metrics,
    tasks: &TaskTracker,
    ended: &CancellationToken,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let scope = if options.all_namespaces {
        Scope::All
    } else {
        Scope::Namespace(options.namespace.clone())
    };
    let bells = Arc::new(Bells::default());
    let cluster = Cluster::watch(&kube, &scope, &bells, tasks, ended);
    let shared = share(&kube, options, &options.server, cluster, metrics)?;
    tokio::select! {
        listed = shared.cluster.listed() => listed.context("the watches of Jobs and pods ended")?,
        () = stop.cancelled() => return Ok(()),
    }
    let mut office = Office {
        shared,
        scope,
        bells,
        tasks: tasks.clone(),
        ended: ended.clone(),
        keepers: HashMap::new(),
        queues: HashMap::new(),
    };
    let runs = office.scope.api::<Run>(kube);
    let mut events = std::pin::pin!(watch(runs, watcher::Config::default()).default_backoff());
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = stop.cancelled() => return Ok(()),
        };
        match event {
            None => bail!("the watch of runs ended"),
            Some(Ok(event)) => office.hear(event).await,
            Some(Err(error)) => {
                office.shared.metrics.failed("watch");
                warn!(error = %super::say(&error), "cannot watch runs (is the CRD installed?); trying again");
            }
        }
    }
}

fn share(
    kube: &Kube,
    options: &Options,
    queues: &str,
    cluster: Cluster,
    metrics: Metrics,
) -> anyhow::Result<Arc<Shared>> {
    Ok(Arc::new(Shared {
        kube: kube.clone(),
        cluster,
        queues: Client::builder(queues)
            .give_up_after(QUEUE_PATIENCE)
            .build()?,
        quotas: Quotas::new(kube.clone()),
        nodes: options.nodes.map(|rule| Nodes::new(kube.clone(), rule)),
        refused: RefusedPods::new(kube.clone()),
        metrics,
        server: options.server.clone(),
        image: options.image.clone(),
        worker_account: options.worker_account.clone(),
        start_limit: options.start_limit,
    }))
}

/// Who keeps what.
struct Office {
    shared: Arc<Shared>,
    scope: Scope,
    bells: Arc<Bells>,
    tasks: TaskTracker,
    ended: CancellationToken,
    keepers: HashMap<RunKey, Desk>,
    /// The queues of all runs there are; while a list comes in, those of the list so far.
    queues: HashMap<RunKey, HashSet<String>>,
}

/// A keeper at work.
struct Desk {
    uid: String,
    asked: Asked,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Office {
    async fn hear(&mut self, event: Event<Run>) {
        match event {
            Event::Init => self.queues.clear(),
            Event::InitApply(run) | Event::Apply(run) => self.there(&run),
            Event::Delete(run) => self.gone(&run).await,
            Event::InitDone => self.sweep().await,
        }
        self.keepers.retain(|_, desk| !desk.task.is_finished());
        self.shared.metrics.keeps(self.keepers.len());
    }

    fn there(&mut self, run: &Run) {
        let Some(key) = key(run) else {
            return;
        };
        let uid = run.uid().unwrap_or_default();
        let asked = asked(run);
        self.queues.insert(key.clone(), queues_of(run, &key));
        if let Some(desk) = self.keepers.get_mut(&key) {
            if desk.uid == uid && !desk.task.is_finished() {
                // What the keeper itself wrote is no news to it.
                if desk.asked != asked {
                    desk.asked = asked;
                    self.bells.ring(&key);
                }
                return;
            }
            desk.stop.cancel();
        }
        // An ended run is taken up for its time to live alone.
        let over = run.status().is_ok_and(|status| status.is_settled());
        if over && run.spec.get("ttl").is_none_or(serde_json::Value::is_null) {
            return;
        }
        let stop = self.ended.child_token();
        let home = Home::object(self.shared.kube.clone(), &key);
        let bell = self.bells.of(&key);
        let task = self.tasks.spawn(keeper::keep(
            Arc::clone(&self.shared),
            key.clone(),
            home,
            bell,
            stop.clone(),
        ));
        self.keepers.insert(
            key,
            Desk {
                uid,
                asked,
                stop,
                task,
            },
        );
    }

    async fn gone(&mut self, run: &Run) {
        let Some(key) = key(run) else {
            return;
        };
        if let Some(desk) = self.keepers.remove(&key) {
            desk.stop.cancel();
        }
        self.bells.remove(&key);
        for queue in self.queues.remove(&key).unwrap_or_default() {
            self.remove_queue(&queue, true).await;
        }
    }

    /// Removes queues of runs that went while no controller looked, unless somebody works on them.
    async fn sweep(&mut self) {
        let known: HashSet<&String> = self.queues.values().flatten().collect();
        let found = match self.shared.queues.queues().await {
            Ok(found) => found,
            Err(error) => {
                warn!(error = %super::say(&error), "cannot look for queues of runs that are gone");
                return;
            }
        };
        let orphans: Vec<String> = found
            .into_iter()
            .map(|queue| queue.name.as_str().to_owned())
            .filter(|name| self.is_in_scope(name) && !known.contains(name))
            .collect();
        for queue in orphans {
            self.remove_queue(&queue, false).await;
        }
    }

    /// Whether a queue has the name of a run's queue in a namespace we keep.
    fn is_in_scope(&self, queue: &str) -> bool {
        queue.starts_with(&match &self.scope {
            Scope::Namespace(namespace) => names::queue_prefix(namespace),
            Scope::All => names::QUEUE_PREFIX.to_owned(),
        })
    }

    async fn remove_queue(&self, name: &str, force: bool) {
        let Ok(name) = name.parse() else {
            return;
        };
        match self.shared.queues.queue(name).delete(force).await {
            Ok(()) => {}
            Err(error) if error.code() == Some(Code::NoSuchQueue) => {}
            Err(error) => {
                warn!(error = %super::say(&error), "cannot remove the queue of a run that is gone")
            }
        }
    }
}

/// What people ask of a run that goes on: to cancel it, or to let it be deleted.
type Asked = (bool, bool);

fn asked(run: &Run) -> Asked {
    let cancelled = run.annotations().contains_key(CANCEL);
    (cancelled, run.metadata.deletion_timestamp.is_some())
}

/// The queues of a run that are its own.
fn queues_of(run: &Run, key: &RunKey) -> HashSet<String> {
    let steps = run.spec.get("steps").and_then(serde_json::Value::as_array);
    let names = steps
        .into_iter()
        .flatten()
        .filter_map(|step| step.get("name")?.as_str());
    names
        .map(|step| names::own_queue(&key.namespace, &key.name, step))
        .collect()
}

fn key(run: &Run) -> Option<RunKey> {
    Some(RunKey {
        namespace: run.namespace()?,
        name: run.name_any(),
    })
}

/// Keeps one run out of its ConfigMap until it has ended and somebody had time to fetch what came of it.
async fn keep_one(
    kube: Kube,
    options: &Options,
    one: Ephemeral,
    metrics: Metrics,
    ready: &AtomicBool,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let bells = Arc::new(Bells::default());
    let scope = Scope::Namespace(options.namespace.clone());
    let cluster = Cluster::watch(&kube, &scope, &bells, tasks, stop);
    let shared = share(&kube, options, &one.local_server, cluster, metrics)?;
    tokio::select! {
        listed = shared.cluster.listed() => listed.context("the watches of Jobs and pods ended")?,
        () = stop.cancelled() => return Ok(()),
    }
    ready.store(true, Ordering::Release);
    let key = RunKey {
        namespace: options.namespace.clone(),
        name: one.run.clone(),
    };
    let home = Home::config(kube, &options.namespace, one.config_map.clone());
    loop {
        keeper::keep(
            Arc::clone(&shared),
            key.clone(),
            home.clone(),
            bells.of(&key),
            stop.clone(),
        )
        .await;
        if stop.is_cancelled() {
            return Ok(());
        }
        match home.read(&key.name).await {
            Ok(Some(kept)) if kept.status.phase.has_ended() => break,
            // Whoever took the ConfigMap away wants nothing more.
            Ok(None) => return Ok(()),
            Ok(Some(_)) => {}
            Err(error) => warn!(error = %super::say(&error), "cannot read the run"),
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    info!(run = %key, "the run has ended");
    tokio::select! {
        () = tokio::time::sleep(LINGER) => {}
        () = stop.cancelled() => {}
    }
    Ok(())
}
