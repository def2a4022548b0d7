//! What the API server shows of all runs' Jobs and pods, kept by one watch each for the whole controller.
//!
//! It knows which run an object is of, and tells that run's keeper when something changed. What it means
//! is not known here.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::Event;
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::object::RUN_LABEL;
use super::observe;
use super::plan::{JobSeen, PodSeen};
use super::watches::{self, Heard};

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
    jobs: Shelf<JobSeen>,
    pods: Shelf<PodSeen>,
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
        let jobs = scope.api::<Job>(client.clone());
        let pods = scope.api::<Pod>(client.clone());
        Self {
            jobs: follow(jobs, "jobs", observe::job, bells, tasks, stop),
            pods: follow(pods, "pods", observe::pod, bells, tasks, stop),
        }
    }

    /// Waits until both have been listed once. An error says that the watches ended before.
    pub(super) async fn listed(&self) -> Result<(), watch::error::RecvError> {
        self.jobs.listed().await?;
        self.pods.listed().await
    }

    /// Whether both are what they are now, as far as can be known.
    pub(super) fn fresh(&self) -> bool {
        *self.jobs.fresh.borrow() && *self.pods.fresh.borrow()
    }

    /// The Jobs of a run that belong to this owner, by name.
    pub(super) fn jobs(&self, run: &RunKey, owner: &str) -> Vec<JobSeen> {
        let owned = |object: &Held<JobSeen>| object.owners.iter().any(|uid| uid == owner);
        self.jobs.of(run, owned)
    }

    /// The pods of a run, whoever they belong to, by name: their Jobs are looked at.
    pub(super) fn pods(&self, run: &RunKey) -> Vec<PodSeen> {
        self.pods.of(run, |_| true)
    }
}

/// What is there of one kind, as far as it was told.
struct Shelf<T> {
    held: Arc<Mutex<ByRun<T>>>,
    fresh: watch::Receiver<bool>,
}

/// Objects by run and name: looking at one run must not cost what all runs have.
type ByRun<T> = HashMap<RunKey, BTreeMap<String, Held<T>>>;

struct Held<T> {
    owners: Vec<String>,
    seen: T,
}

impl<T: Clone> Shelf<T> {
    async fn listed(&self) -> Result<(), watch::error::RecvError> {
        self.fresh.clone().wait_for(|fresh| *fresh).await.map(drop)
    }

    fn of(&self, run: &RunKey, which: impl Fn(&Held<T>) -> bool) -> Vec<T> {
        let held = lock(&self.held);
        let objects = held.get(run).into_iter().flat_map(BTreeMap::values);
        objects
            .filter(|object| which(object))
            .map(|object| object.seen.clone())
            .collect()
    }
}

fn lock<T>(held: &Mutex<ByRun<T>>) -> MutexGuard<'_, ByRun<T>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a shelf as the cluster is, and rings the bell of each run that something changed of.
fn follow<K, T>(
    api: Api<K>,
    what: &'static str,
    read: fn(&K) -> T,
    bells: &Arc<Bells>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Shelf<T>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    T: Send + 'static,
{
    let (tell, fresh) = watch::channel(false);
    let held = Arc::new(Mutex::new(ByRun::new()));
    let (shelf, bells, stop) = (Arc::clone(&held), Arc::clone(bells), stop.clone());
    let put = move |into: &mut ByRun<T>, object: &K| {
        let Some(run) = run_of(object) else {
            return;
        };
        let held = Held {
            owners: owners(object).map(str::to_owned).collect(),
            seen: read(object),
        };
        into.entry(run).or_default().insert(object.name_any(), held);
    };
    tasks.spawn(async move {
        // What a list has told so far; what is held is the old until it is done.
        let mut coming = ByRun::new();
        let hear = |heard: Heard<K>| match heard {
            Heard::Lost => {
                tell.send_replace(false);
            }
            Heard::Event(Event::Init) => coming.clear(),
            Heard::Event(Event::InitApply(object)) => put(&mut coming, &object),
            Heard::Event(Event::InitDone) => {
                *lock(&shelf) = std::mem::take(&mut coming);
                tell.send_replace(true);
                // What vanished meanwhile says nothing of itself.
                bells.ring_all();
            }
            Heard::Event(Event::Apply(object)) => {
                put(&mut lock(&shelf), &object);
                ring(&bells, &object);
            }
            Heard::Event(Event::Delete(object)) => {
                take(&mut lock(&shelf), &object);
                ring(&bells, &object);
            }
        };
        watches::follow(api, Some(RUN_LABEL), what, &stop, hear).await;
    });
    Shelf { held, fresh }
}

fn take<T>(from: &mut ByRun<T>, object: &impl Resource) {
    let Some(run) = run_of(object) else {
        return;
    };
    if let Some(objects) = from.get_mut(&run) {
        objects.remove(&object.name_any());
        if objects.is_empty() {
            from.remove(&run);
        }
    }
}

fn ring(bells: &Bells, object: &impl Resource) {
    if let Some(run) = run_of(object) {
        bells.ring(&run);
    }
}

/// The run an object is of, by its label.
fn run_of(object: &impl Resource) -> Option<RunKey> {
    let name = object.meta().labels.as_ref()?.get(RUN_LABEL)?.clone();
    let namespace = object.meta().namespace.clone()?;
    Some(RunKey { namespace, name })
}

fn owners(object: &impl Resource) -> impl Iterator<Item = &str> {
    let owners = object.meta().owner_references.iter().flatten();
    owners.map(|reference| reference.uid.as_str())
}

/// Whether an object belongs to this owner. A run of the same name that was deleted has left objects
/// that belong to that one.
pub(super) fn belongs(object: &impl Resource, owner: &str) -> bool {
    owners(object).any(|uid| uid == owner)
}
