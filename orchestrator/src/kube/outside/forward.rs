//! A port of this machine that leads to a port of a pod, by way of the API server.
//!
//! Each connection finds its pod anew: when a pod goes, the next connection goes to the one that took its
//! place. A connection that leads nowhere is closed at once, as a refused one would be; what is in the way is kept for whoever asks.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::needs;

/// How long a connection may take to reach its pod.
const PATIENCE: Duration = Duration::from_secs(15);

/// Which pods, and which of their ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Goal {
    /// Labels of the pods.
    pub(crate) selector: String,
    /// The port, or the name of one.
    pub(crate) port: IntOrString,
}

/// What stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// In words.
    pub(crate) text: String,
    /// A right is missing: trying again does not help.
    pub(crate) forbidden: bool,
}

impl From<String> for Trouble {
    fn from(text: String) -> Self {
        Self {
            text,
            forbidden: false,
        }
    }
}

/// An open port. It closes, with its connections, when this is dropped.
#[derive(Debug)]
pub(crate) struct Forward {
    address: SocketAddr,
    way: Arc<Way>,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Way {
    pods: Api<Pod>,
    goal: Goal,
    trouble: Mutex<Option<Trouble>>,
    /// The image of the pod that was reached last.
    image: Mutex<Option<String>>,
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Forward {
    /// Opens a port of this machine, for this machine alone.
    pub(crate) async fn open(pods: Api<Pod>, goal: Goal) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let way = Arc::new(Way {
            pods,
            goal,
            trouble: Mutex::new(None),
            image: Mutex::new(None),
        });
        let stop = CancellationToken::new();
        tokio::spawn(
            stop.clone()
                .run_until_cancelled_owned(serve(listener, Arc::clone(&way))),
        );
        Ok(Self { address, way, stop })
    }

    /// The address to use here.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The image of what was reached last.
    pub(crate) fn image(&self) -> Option<String> {
        let image = self.way.image.lock();
        image.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why the last connection led nowhere, if it did.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.way.lock().clone()
    }
}

impl Way {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes connections in; those under way end with it.
async fn serve(listener: TcpListener, way: Arc<Way>) {
    let (tasks, ending) = (TaskTracker::new(), CancellationToken::new());
    let _ends_them = ending.clone().drop_guard();
    while let Ok((connection, _)) = listener.accept().await {
        let connection = carry(connection, Arc::clone(&way));
        tasks.spawn(ending.clone().run_until_cancelled_owned(connection));
    }
}

async fn carry(mut here: TcpStream, way: Arc<Way>) {
    let reached = tokio::time::timeout(PATIENCE, way.reach()).await;
    let reached =
        reached.unwrap_or_else(|_| Err(format!("nothing answers within {PATIENCE:?}").into()));
    let (mut forwarder, port) = match reached {
        Ok(reached) => reached,
        Err(trouble) => {
            *way.lock() = Some(trouble);
            return;
        }
    };
    let Some(mut there) = forwarder.take_stream(port) else {
        return;
    };
    let refused = forwarder.take_error(port);
    let refused = async move {
        match refused {
            Some(refused) => refused.await,
            None => None,
        }
    };
    let copied = tokio::io::copy_bidirectional(&mut here, &mut there);
    let trouble = tokio::select! {
        copied = copied => copied.err().map(|error| error.to_string()),
        Some(refused) = refused => Some(refused),
    };
    // A connection that was ever up says that the way is there; one that the pod refused, that it is not.
    *way.lock() = trouble
        .filter(|text| text.contains("refused"))
        .map(Trouble::from);
    let _gone = here.shutdown().await;
    forwarder.abort();
}

impl Way {
    /// A way to the port of a pod that is up.
    async fn reach(&self) -> Result<(kube::api::Portforwarder, u16), Trouble> {
        let select = ListParams::default().labels(&self.goal.selector);
        let pods = self.pods.list(&select).await;
        let pods = pods.map_err(|error| trouble("look for the queue server's pod", &error))?;
        let mut pods = pods.items;
        pods.retain(|pod| phase(pod) == "Running" && pod.metadata.deletion_timestamp.is_none());
        pods.sort_by_key(|pod| !is_ready(pod));
        let Some(pod) = pods.first() else {
            return Err(format!("no pod with {} runs", self.goal.selector).into());
        };
        let port = port(pod, &self.goal.port)
            .ok_or_else(|| format!("pod {} has no such port", pod.name_any()))?;
        let name = pod.name_any();
        let forwarder = self.pods.portforward(&name, &[port]).await;
        let doing = || format!("forward a port to pod {name}");
        let forwarder = forwarder.map_err(|error| trouble(&doing(), &error))?;
        let mut image = self.image.lock().unwrap_or_else(PoisonError::into_inner);
        *image = exposing(pod, port).and_then(|container| container.image.clone());
        Ok((forwarder, port))
    }
}

/// What the API server said to an attempt.
fn trouble(doing: &str, error: &kube::Error) -> Trouble {
    let said = needs::said(error);
    let forbidden = matches!(error, kube::Error::Api(status) if status.code == 403);
    Trouble {
        text: format!("cannot {doing}: {said}"),
        forbidden,
    }
}

fn phase(pod: &Pod) -> &str {
    let status = pod.status.as_ref();
    status
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// The number of a port that may be a name.
fn port(pod: &Pod, wanted: &IntOrString) -> Option<u16> {
    let name = match wanted {
        IntOrString::Int(number) => return u16::try_from(*number).ok(),
        IntOrString::String(name) => name,
    };
    let mut ports = containers(pod).flat_map(|one| one.ports.iter().flatten());
    let found = ports.find(|port| port.name.as_ref() == Some(name))?;
    u16::try_from(found.container_port).ok()
}

/// The container that says that it has a port.
fn exposing(pod: &Pod, port: u16) -> Option<&Container> {
    containers(pod).find(|one| {
        let mut ports = one.ports.iter().flatten();
        ports.any(|found| found.container_port == i32::from(port))
    })
}

/// All containers; a native sidecar is an init container.
fn containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    let spec = pod.spec.iter();
    spec.flat_map(|spec| {
        spec.containers
            .iter()
            .chain(spec.init_containers.iter().flatten())
    })
}
