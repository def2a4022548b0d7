//! A port of this machine that leads to a port of a pod, by way of the API server.
//!
//! Each connection finds its pod anew: when a pod goes, the next connection goes to the one that took its
//! place. A connection that leads nowhere is closed at once, as a refused one would be; what is in the way is kept for whoever asks.
//!
//! Others of this machine, and what a browser loads, reach the port, too: a connection whose first request does not have the key
//! that the forward's own clients show is closed before anything of it gets any further.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use queue_client::{ClientBuilder, HeaderValue};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::needs;

/// How long a connection may take to reach its pod.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long the first request may take to show its key: it is sent at once.
const ADMISSION: Duration = Duration::from_secs(2);
/// Bytes that the head of a request may have.
const HEAD: usize = 16 * 1024;
/// Connections at once: one for the outcomes of each of a run's steps, of which there are up to 100, and some to spare.
const CONNECTIONS: usize = 128;
/// The wait before the next connection is taken in when one could not be: too many files are open.
const PAUSE: Duration = Duration::from_millis(200);
/// The header in which the key is shown. `Authorization` is the queue server's own.
const HEADER: &str = "memq-forward";

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
    /// What the first request of a connection must show.
    key: String,
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
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(std::io::Error::other)?;
        let key = format!("{:032x}", u128::from_be_bytes(key));
        let way = Arc::new(Way {
            pods,
            goal,
            key,
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

    /// A client of what lies behind it, to be set up further.
    pub(crate) fn client(&self) -> ClientBuilder {
        let client = queue_client::Client::builder(&format!("http://{}", self.address));
        match HeaderValue::from_str(&self.way.key) {
            Ok(key) => client.secret_header(HEADER, key),
            // Digits always are one.
            Err(_) => client,
        }
    }

    /// The labels of the pods it leads to.
    pub(crate) fn selector(&self) -> &str {
        &self.way.goal.selector
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
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((connection, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let carried = carry(connection, Arc::clone(&way));
        let carried = async move {
            carried.await;
            drop(place);
        };
        tasks.spawn(ending.clone().run_until_cancelled_owned(carried));
    }
}

/// Reads a connection's first request as far as its head goes; what was read, if it shows what it must.
async fn admit(here: &mut (impl AsyncRead + Unpin), key: &str) -> Option<Vec<u8>> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if read.len() > HEAD || here.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    };
    let head = std::str::from_utf8(&read[..end]).ok()?;
    let shows = head.lines().skip(1).any(|line| {
        line.split_once(':')
            .is_some_and(|(name, value)| name.eq_ignore_ascii_case(HEADER) && value.trim() == key)
    });
    shows.then_some(read)
}

async fn carry(mut here: TcpStream, way: Arc<Way>) {
    let first = tokio::time::timeout(ADMISSION, admit(&mut here, &way.key)).await;
    let Ok(Some(first)) = first else { return };
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
    let copied = async {
        there.write_all(&first).await?;
        tokio::io::copy_bidirectional(&mut here, &mut there).await
    };
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

#[cfg(test)]
mod tests {
    use fake_kube::{FakeApi, NAMESPACE};

    use super::*;

    #[tokio::test]
    async fn only_who_was_given_the_address_gets_any_further() {
        let api = FakeApi::start().await;
        let pods = Api::<Pod>::namespaced(api.client(), NAMESPACE);
        let goal = Goal {
            selector: "app=q".into(),
            port: IntOrString::Int(8080),
        };
        let forward = Forward::open(pods, goal).await.expect("a port");
        let port = forward.address.port();
        for strange in [
            "GET /readyz HTTP/1.1\r\n\r\n".to_owned(),
            "GET /readyz HTTP/1.1\r\nmemq-forward: 0\r\n\r\n".to_owned(),
            "x".repeat(HEAD * 2),
        ] {
            let mut stranger = TcpStream::connect(forward.address)
                .await
                .expect("it is open");
            // It may be closed before all was sent.
            let _closed = stranger.write_all(strange.as_bytes()).await;
            let mut answer = Vec::new();
            let _closed = stranger.read_to_end(&mut answer).await;
            assert!(answer.is_empty());
        }
        assert_eq!(api.times("list", "pods"), 0);
        let known = forward
            .client()
            .give_up_after(Duration::ZERO)
            .build()
            .expect("a client");
        let error = known.ready().await.expect_err("there is no pod");
        assert_eq!(api.times("list", "pods"), 1);
        let trouble = forward.trouble().expect("it leads nowhere");
        assert_eq!(trouble.text, "no pod with app=q runs");
        let said = format!("{error:?} {}", crate::kube::say(&error));
        assert!(!said.contains(&forward.way.key), "port {port}: {said}");
    }
}
