//! What the API server shows of all runs' Jobs and pods, kept by one watch each for the whole controller.
//!
//! It knows which run an object is of, and tells that run's keeper when something changed. What it means
//! is not known here.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt as _};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher as watch};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::object::RUN_LABEL;

/// A watch that has said nothing of errors for this long works again: it is silent while nothing
/// changes, and a broken one is tried anew more often than this.
const QUIET: Duration = Duration::from_secs(60);

/// Which run: namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RunKey {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl std::fmt::Display for RunKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Which namespaces are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// One.
    Namespace(String),
    /// All of them: needs a ClusterRole.
    All,
}

impl Scope {
    /// The objects of a kind in this scope.
    pub(super) fn api<K>(&self, client: Client) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        match self {
            Self::Namespace(namespace) => Api::namespaced(client, namespace),
            Self::All => Api::all(client),
        }
    }
}

/// Who is told of changes, by run.
#[derive(Debug, Default)]
pub(super) struct Bells(Mutex<HashMap<RunKey, Arc<Notify>>>);

impl Bells {
    /// The bell of this run.
    pub(super) fn of(&self, key: &RunKey) -> Arc<Notify> {
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(bells.entry(key.clone()).or_default())
    }

    pub(super) fn remove(&self, key: &RunKey) {
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bells.remove(key);
    }

    pub(super) fn ring(&self, key: &RunKey) {
        let bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = bells.get(key) {
            bell.notify_one();
        }
    }

    fn ring_all(&self) {
        let bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for bell in bells.values() {
            bell.notify_one();
        }
    }
}

/// The Jobs and pods of all runs.
pub(super) struct Cluster {
    jobs: Store<Job>,
    pods: Store<Pod>,
    jobs_health: Arc<Health>,
    pods_health: Arc<Health>,
}

/// Whether a watch can be believed.
#[derive(Debug, Default)]
struct Health(Mutex<Option<Instant>>);

impl Health {
    fn failed(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// It works; whether that is news.
    fn works(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .is_some()
    }

    fn fresh(&self) -> bool {
        let failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failed.is_none_or(|at| at.elapsed() > QUIET)
    }
}

impl Cluster {
    /// Starts both watches; they end when told to stop.
    pub(super) fn watch(
        client: &Client,
        scope: &Scope,
        bells: &Arc<Bells>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let (jobs, jobs_health) =
            follow(scope.api::<Job>(client.clone()), "jobs", bells, tasks, stop);
        let (pods, pods_health) =
            follow(scope.api::<Pod>(client.clone()), "pods", bells, tasks, stop);
        Self {
            jobs,
            pods,
            jobs_health,
            pods_health,
        }
    }

    /// Waits until both have been listed once. An error says that the watches ended before.
    pub(super) async fn listed(&self) -> Result<(), reflector::store::WriterDropped> {
        self.jobs.wait_until_ready().await?;
        self.pods.wait_until_ready().await
    }

    /// Whether both are what they are now, as far as can be known.
    pub(super) fn fresh(&self) -> bool {
        self.jobs_health.fresh() && self.pods_health.fresh()
    }

    /// The Jobs of a run that belong to this owner.
    pub(super) fn jobs(&self, run: &RunKey, owner: &str) -> Vec<Arc<Job>> {
        let mut jobs = self
            .jobs
            .state_filter(|job| is_of(job, run) && belongs(job, owner));
        jobs.sort_by_key(|job| job.name_any());
        jobs
    }

    /// The pods of a run, whoever they belong to: their Jobs are looked at.
    pub(super) fn pods(&self, run: &RunKey) -> Vec<Arc<Pod>> {
        let mut pods = self.pods.state_filter(|pod| is_of(pod, run));
        pods.sort_by_key(|pod| pod.name_any());
        pods
    }
}

/// The run an object is of, by its label.
fn run_of(object: &impl Resource) -> Option<RunKey> {
    let name = object.meta().labels.as_ref()?.get(RUN_LABEL)?.clone();
    let namespace = object.meta().namespace.clone()?;
    Some(RunKey { namespace, name })
}

fn is_of(object: &impl Resource, run: &RunKey) -> bool {
    let meta = object.meta();
    meta.namespace.as_deref() == Some(&run.namespace)
        && meta
            .labels
            .as_ref()
            .and_then(|labels| labels.get(RUN_LABEL))
            == Some(&run.name)
}

/// Whether an object belongs to this owner. A run of the same name that was deleted has left objects
/// that belong to that one.
pub(super) fn belongs(object: &impl Resource, owner: &str) -> bool {
    let owners = object
        .meta()
        .owner_references
        .as_deref()
        .unwrap_or_default();
    owners.iter().any(|reference| reference.uid == owner)
}

fn follow<K>(
    api: Api<K>,
    what: &'static str,
    bells: &Arc<Bells>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> (Store<K>, Arc<Health>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let (reader, writer) = reflector::store();
    let health = Arc::new(Health::default());
    let events = watch(api, watcher::Config::default().labels(RUN_LABEL))
        .reflect(writer)
        .default_backoff();
    tasks.spawn(tell(
        events,
        what,
        Arc::clone(bells),
        Arc::clone(&health),
        stop.clone(),
    ));
    (reader, health)
}

/// Rings the bell of each run that something changed of.
async fn tell<K: Resource>(
    events: impl Stream<Item = watcher::Result<Event<K>>>,
    what: &'static str,
    bells: Arc<Bells>,
    health: Arc<Health>,
    stop: CancellationToken,
) {
    let mut events = std::pin::pin!(events);
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = stop.cancelled() => return,
        };
        match event {
            None => return,
            // A list has begun: what is kept is still the old.
            Some(Ok(Event::Init | Event::InitApply(_))) => {}
            // What vanished meanwhile says nothing of itself.
            Some(Ok(Event::InitDone)) => {
                health.works();
                bells.ring_all();
            }
            Some(Ok(Event::Apply(object) | Event::Delete(object))) => {
                if health.works() {
                    bells.ring_all();
                } else if let Some(run) = run_of(&object) {
                    bells.ring(&run);
                }
            }
            Some(Err(error)) => {
                health.failed();
                warn!(what, error = %super::say(&error), "cannot watch; trying again");
            }
        }
    }
}
