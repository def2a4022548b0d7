//! The server that the steps of a run share: a given one, or one of our own, which is started when the
//! first step that has items begins and stopped at the end of the run.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::Context as _;
use queue_client::{Client, ClientBuilder, TokenArg};
use tokio::sync::{Mutex, oneshot, watch};
use tokio::task::JoinHandle;

use super::own::OwnServer;

/// Variables for processes.
pub(super) type Environment = Vec<(&'static str, OsString)>;

/// The way to a run's server.
#[derive(Debug)]
pub(super) struct ServerOf {
    given: Option<String>,
    token: TokenArg,
    patience: Duration,
    own: Mutex<Option<Own>>,
}

/// Our own, kept by a task that watches it.
#[derive(Debug)]
struct Own {
    reached: Reached,
    stop: oneshot::Sender<()>,
    keeper: JoinHandle<()>,
}

/// A server that answers.
#[derive(Debug, Clone)]
pub(super) struct Reached {
    /// Its address, for people.
    pub(super) url: String,
    /// What workers, and what they start, are told of it.
    pub(super) told: Environment,
    /// To ask it.
    pub(super) client: Client,
    /// Of our own: where it keeps its queues, for people.
    pub(super) within: Option<String>,
    /// Of our own: why it cannot go on, once it cannot.
    broken: Option<watch::Receiver<Option<String>>>,
}

impl ServerOf {
    /// None is reached or started yet.
    pub(super) fn new(given: Option<String>, token: TokenArg, patience: Duration) -> Self {
        Self {
            given,
            token,
            patience,
            own: Mutex::new(None),
        }
    }

    /// The address of the given one, for people.
    pub(super) fn given(&self) -> Option<String> {
        self.given.as_deref().map(queue_client::without_user)
    }

    /// What processes are told of the given one. A token is told as its file or in the environment: everybody on the
    /// machine sees arguments.
    pub(super) fn told_of_given(&self) -> Environment {
        let Some(url) = &self.given else {
            return Environment::new();
        };
        let server = (queue_client::SERVER_VARIABLE, url.into());
        [server]
            .into_iter()
            .chain(self.token.environment())
            .collect()
    }

    /// A client of the given one, whether it answers or not; none if none was given, or what was given cannot be
    /// used, as whoever [reaches](Self::reach) it hears.
    pub(super) fn client_of_given(&self) -> Option<Client> {
        let url = self.given.as_deref()?;
        let client = Client::builder(url).token(self.token.token().ok()?);
        client.give_up_after(self.patience).build().ok()
    }

    /// Reaches the given one, or our own; starts that first, if nobody has.
    pub(super) async fn reach(&self) -> anyhow::Result<Reached> {
        if let Some(url) = &self.given {
            let client = Client::builder(url).token(self.token.token()?);
            let told = self.told_of_given();
            return self.answering(client, told, None, None).await;
        }
        let mut own = self.own.lock().await;
        if let Some(own) = &*own {
            return Ok(own.reached.clone());
        }
        let server = OwnServer::start().await?;
        let (url, within) = (server.url(), server.within());
        // It asks for no token, and what is set up for another server is nothing of its.
        let told = vec![(queue_client::SERVER_VARIABLE, (&url).into())];
        let client = Client::builder(&url);
        let (tell, broken) = watch::channel(None);
        let (stop, stopped) = oneshot::channel();
        let keeper = tokio::spawn(keep(server, tell, stopped));
        let reached = self
            .answering(client, told, Some(within), Some(broken))
            .await?;
        *own = Some(Own {
            reached: reached.clone(),
            stop,
            keeper,
        });
        Ok(reached)
    }

    async fn answering(
        &self,
        client: ClientBuilder,
        told: Environment,
        within: Option<String>,
        broken: Option<watch::Receiver<Option<String>>>,
    ) -> anyhow::Result<Reached> {
        let client = client.give_up_after(self.patience).build()?;
        let url = client.url().to_owned();
        client.ready().await.with_context(|| {
            format!(
                "no memq server answers at {url}; start one with `memq server`, or run without --server"
            )
        })?;
        // Better said now than of the first step.
        client.let_in().await?;
        Ok(Reached {
            url,
            told,
            client,
            within,
            broken,
        })
    }

    /// Stops our own.
    pub(super) async fn end(&self) {
        if let Some(own) = self.own.lock().await.take() {
            let _broken = own.stop.send(());
            let _ended = own.keeper.await;
        }
    }
}

async fn keep(
    mut server: OwnServer,
    tell: watch::Sender<Option<String>>,
    mut stopped: oneshot::Receiver<()>,
) {
    tokio::select! {
        why = server.broken() => {
            tell.send_replace(Some(why));
            let _over = stopped.await;
        }
        _ = &mut stopped => {}
    }
    server.end().await;
}

impl Reached {
    /// Whether it is one of our own.
    pub(super) fn is_own(&self) -> bool {
        self.broken.is_some()
    }

    /// Whether what finished last can be asked for though the run is in trouble.
    pub(super) fn answers(&self) -> bool {
        let broken = self.broken.as_ref();
        broken.is_some_and(|broken| broken.borrow().is_none())
    }

    /// Resolves once, if our own cannot go on, and says why.
    pub(super) async fn broken(&mut self) -> String {
        let Some(broken) = &mut self.broken else {
            return std::future::pending().await;
        };
        loop {
            // Seen once it is not told again.
            if broken.changed().await.is_err() {
                return std::future::pending().await;
            }
            if let Some(why) = broken.borrow_and_update().clone() {
                return why;
            }
        }
    }
}
