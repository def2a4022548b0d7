//! A small API server over HTTP, for tests of what speaks to Kubernetes. It is no part of what is shipped.
//!
//! It keeps objects by their path, with versions, watches, merge and apply patches and a status of their
//! own, as far as memq's kinds need it, and takes away what belonged to what was deleted. Nothing in it runs
//! by itself: a test plays the Job controller and the kubelet with [`FakeApi::put`] and [`FakeApi::change`], and says
//! what goes wrong with [`FakeApi::fault`], [`FakeApi::forbid`], [`FakeApi::cut_watches`] and [`FakeApi::forget`].
//! Tests that are not Rust start the program `fake-kube` and do the same by calls, as the API has them: POST an object,
//! PATCH its status. It knows neither schemas nor admission, and nothing of memq but that the kind `Run` may be missing.

mod answer;
mod fault;
mod patch;
mod store;
mod target;
mod watch;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use kube::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

pub use fault::Fault;
use store::Store;
use target::Target;

/// The namespace of clients, and of objects that name none.
pub const NAMESPACE: &str = "team";
/// The header that says which client asks.
const WHO: &str = "x-asked-by";
/// How long a test waits for what it expects.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The name of the client, if it was made by one.
    pub by: String,
    /// The verb of RBAC: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`.
    pub verb: &'static str,
    /// The resource with its subresource, as `runs/status`.
    pub resource: String,
    /// The object's name; empty for a collection.
    pub name: String,
}

/// The server. It ends with this.
pub struct FakeApi {
    shared: Arc<Shared>,
    url: String,
    _serving: AbortOnDropHandle<()>,
}

/// What requests and tests share.
struct Shared {
    state: Mutex<State>,
    /// The version of the last change, and how often all watches were cut.
    changed: tokio::sync::watch::Sender<(u64, u64)>,
}

#[derive(Default)]
struct State {
    store: Store,
    faults: Vec<Fault>,
    forbidden: Vec<(String, String)>,
    asked: Vec<Asked>,
    logs: std::collections::BTreeMap<String, String>,
    cuts: u64,
    tears: bool,
    runs_are_known: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the watches what there is now.
    fn tell(&self, state: &State) {
        self.changed
            .send_replace((state.store.version(), state.cuts));
    }
}

impl FakeApi {
    /// A server on a free port of this machine, where memq is installed and nothing else is.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn start() -> Self {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self::listen(anywhere).await.expect("a port")
    }

    /// The same on this address.
    ///
    /// # Errors
    /// If it cannot be listened on.
    pub async fn listen(address: SocketAddr) -> io::Result<Self> {
        let state = State {
            runs_are_known: true,
            ..State::default()
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: tokio::sync::watch::channel((0, 0)).0,
        });
        let listener = TcpListener::bind(address).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let routes = Router::new()
            .fallback(answer::answer)
            .with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            let _ended = axum::serve(listener, routes).await;
        });
        Ok(Self {
            shared,
            url,
            _serving: AbortOnDropHandle::new(serving),
        })
    }

    /// A server where nobody installed the kind `Run`.
    pub async fn without_runs() -> Self {
        let api = Self::start().await;
        api.shared.lock().runs_are_known = false;
        api
    }

    /// A client whose own namespace is [`NAMESPACE`].
    ///
    /// # Panics
    /// If TLS is not to be had, which nothing here uses.
    pub fn client(&self) -> Client {
        Client::try_from(self.config("")).expect("a client")
    }

    /// How a client reaches it whose requests are to be told from others.
    ///
    /// # Panics
    /// If a header cannot have this name.
    pub fn config(&self, name: &str) -> kube::Config {
        let mut config = kube::Config::new(self.url.parse().expect("its address is one"));
        config.default_namespace = NAMESPACE.into();
        if !name.is_empty() {
            let who = name.parse().expect("a name");
            config.headers.push((WHO.parse().expect("a header"), who));
        }
        config
    }

    /// The same as a file for other programs: they take its path from `KUBECONFIG`.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
            "users": [{"name": "tester", "user": {}}],
            "contexts": [{
                "name": "fake",
                "context": {"cluster": "fake", "user": "tester", "namespace": NAMESPACE},
            }],
        });
        // JSON is YAML.
        format!("{config:#}\n")
    }

    /// Puts an object there as it is, with its status, whoever else would have made it; gives it as it is kept.
    pub fn put(&self, object: Value) -> Value {
        let mut state = self.shared.lock();
        let target = Target::of(&object);
        let kept = state.store.put(&target, object);
        self.shared.tell(&state);
        kept
    }

    /// The object, if it is there. `resource` is the plural: `jobs`.
    pub fn get(&self, resource: &str, name: &str) -> Option<Value> {
        let state = self.shared.lock();
        state
            .store
            .find(resource, name)
            .map(|(_, object)| object.clone())
    }

    /// The names of all objects of a resource, in order.
    pub fn names(&self, resource: &str) -> Vec<String> {
        let state = self.shared.lock();
        state.store.names(resource)
    }

    /// Changes an object that is there, its status too.
    ///
    /// # Panics
    /// If it is not there.
    pub fn change(&self, resource: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut state = self.shared.lock();
        let found = state.store.find(resource, name);
        let (target, mut object) = found
            .map(|(target, object)| (target.clone(), object.clone()))
            .unwrap_or_else(|| panic!("there is no {name} among the {resource}"));
        change(&mut object);
        state.store.put(&target, object);
        self.shared.tell(&state);
    }

    /// Deletes an object and what belongs to it, if it is there.
    pub fn delete(&self, resource: &str, name: &str) {
        let mut state = self.shared.lock();
        let found = state
            .store
            .find(resource, name)
            .map(|(target, _)| target.clone());
        if let Some(target) = found {
            state.store.delete(&target);
        }
        self.shared.tell(&state);
    }

    /// What this pod's log says from now on.
    pub fn log(&self, pod: &str, text: &str) {
        let mut state = self.shared.lock();
        state.logs.insert(pod.to_owned(), text.to_owned());
    }

    /// Requests that go wrong from now on.
    pub fn fault(&self, fault: Fault) {
        self.shared.lock().faults.push(fault);
    }

    /// Nothing goes wrong any more with requests that come in from now on.
    pub fn mend(&self) {
        self.shared.lock().faults.clear();
    }

    /// Takes a right away: 403 from now on, and reviews of access say so.
    pub fn forbid(&self, verb: &str, resource: &str) {
        let mut state = self.shared.lock();
        state.forbidden.push((verb.to_owned(), resource.to_owned()));
    }

    /// Gives all rights back.
    pub fn permit_all(&self) {
        self.shared.lock().forbidden.clear();
    }

    /// Ends all watches there are, as a restart of the server does.
    pub fn cut_watches(&self) {
        let mut state = self.shared.lock();
        state.cuts += 1;
        state.tears = false;
        self.shared.tell(&state);
    }

    /// Tears the connections of all watches there are.
    pub fn tear_watches(&self) {
        let mut state = self.shared.lock();
        state.cuts += 1;
        state.tears = true;
        self.shared.tell(&state);
    }

    /// Forgets all changes so far: whoever wants to watch from there on is told 410.
    pub fn forget(&self) {
        let mut state = self.shared.lock();
        state.store.forget();
        state.cuts += 1;
        self.shared.tell(&state);
    }

    /// What was asked so far, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.lock().asked.clone()
    }

    /// How often this was asked.
    pub fn times(&self, verb: &str, resource: &str) -> usize {
        let asked = self.asked();
        let same = |asked: &&Asked| asked.verb == verb && asked.resource == resource;
        asked.iter().filter(same).count()
    }

    /// Waits until something holds, looking at each change and now and then.
    ///
    /// # Panics
    /// If it does not hold in time.
    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let mut changes = self.shared.changed.subscribe();
        let wait = async {
            while !holds(self) {
                let look = Duration::from_millis(20);
                let _looked = tokio::time::timeout(look, changes.changed()).await;
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            panic!(
                "{what}: not in {PATIENCE:?}; asked so far: {:#?}",
                self.asked()
            );
        }
    }
}

/// The answer that something went wrong, as Kubernetes puts it.
fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    })
}

#[cfg(test)]
mod tests;
