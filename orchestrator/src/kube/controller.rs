//! The controller: leads or waits, watches runs, and gives each a keeper.
//!
//! Owns the beginning and the end of the process' work. It knows neither what a run does nor how; the cost
//! of watching is that of the runs and their pods, never of their items.
//!
//! Only the leader keeps runs. Whoever loses the lead ends its keepers and the process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client as Kube};
use queue_client::{Client, Token};
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
use super::object::Run;
use super::office::Office;
use super::patience::patient;
use super::quota::Quotas;
use super::refused::RefusedPods;
use super::stuck::StuckPods;
use super::watches;

/// How long what runs may take to end once we stop.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long a call to a queue server may take.
const QUEUE_PATIENCE: Duration = Duration::from_secs(5);
/// How long an ephemeral controller stays after its run ended, so that whoever started it can fetch what
/// the server beside it holds.
const LINGER: Duration = Duration::from_secs(600);
/// How often it is looked meanwhile whether the run's ConfigMap is still there.
const LINGER_LOOK: Duration = Duration::from_secs(5);
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
    /// Our own token for the queue server.
    pub(crate) token: Option<Token>,
    /// The Secret of the workers' token, in the namespace of each run.
    pub(crate) worker_token: Option<String>,
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
    let kube = metrics.counted(patient(kube));
    let ready = Arc::new(AtomicBool::new(false));
    let tasks = TaskTracker::new();
    let address = health::serve(options.listen, &ready, &metrics, &tasks, &stop)
        .await
        .with_context(|| format!("cannot listen on {}", options.listen))?;
    info!(server.address = %address, kube.namespace = options.namespace, server.url = options.server, "controlling");
    let ended = match options.ephemeral.clone() {
        Some(one) => {
            Box::pin(keep_one(
                kube, &options, one, metrics, &ready, &tasks, &stop,
            ))
            .await
        }
        None => Box::pin(stand(kube, &options, metrics, &ready, &stop)).await,
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
    let runs = scope.api::<Run>(kube);
    let mut office = Office::new(shared, scope, bells, tasks.clone(), ended.clone());
    watches::follow(runs, None, "runs", stop, |heard| office.hear(heard)).await;
    Ok(())
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
            .token(options.token.clone())
            .give_up_after(QUEUE_PATIENCE)
            .build()?,
        quotas: Quotas::new(kube.clone()),
        nodes: options.nodes.map(|rule| Nodes::new(kube.clone(), rule)),
        refused: RefusedPods::new(kube.clone()),
        stuck: StuckPods::new(kube.clone()),
        metrics,
        server: options.server.clone(),
        image: options.image.clone(),
        worker_account: options.worker_account.clone(),
        worker_token: options.worker_token.clone(),
        start_limit: options.start_limit,
    }))
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
    let keep = async {
        let _keeping = shared.metrics.keeping();
        loop {
            let bell = bells.of(&key);
            let shared = Arc::clone(&shared);
            let kept = keeper::keep(shared, key.clone(), home.clone(), bell, tasks.clone());
            Box::pin(kept).await;
            match home.read(&key.name).await {
                Ok(Some(kept)) if kept.status.phase.has_ended() => break,
                // Whoever took the ConfigMap away wants nothing more.
                Ok(None) => return,
                Ok(Some(_)) => {}
                Err(error) => warn!(error.message = %super::say(&error), "cannot read the run"),
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let gone = async {
            while !matches!(home.read(&key.name).await, Ok(None)) {
                tokio::time::sleep(LINGER_LOOK).await;
            }
        };
        let _lingered = tokio::time::timeout(LINGER, gone).await;
    };
    let _stopped = stop.run_until_cancelled(keep).await;
    Ok(())
}
