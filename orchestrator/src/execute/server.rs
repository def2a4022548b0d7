//! The server that the steps of a run share: a given one, or one of our own, which is started when the
//! first step that has items begins and stopped at the end of the run.

use std::time::Duration;

use anyhow::Context as _;
use queue_client::Client;
use tokio::sync::{Mutex, oneshot, watch};
use tokio::task::JoinHandle;

use super::own::OwnServer;

/// The way to a run's server.
#[derive(Debug)]
pub(super) struct ServerOf {
    given: Option<String>,
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
    /// The address workers are told.
    pub(super) url: String,
    /// To ask it.
    pub(super) client: Client,
    /// Of our own: where it keeps its queues, for people.
    pub(super) within: Option<String>,
    /// Of our own: why it cannot go on, once it cannot.
    broken: Option<watch::Receiver<Option<String>>>,
}

impl ServerOf {
    /// None is reached or started yet.
    pub(super) fn new(given: Option<String>, patience: Duration) -> Self {
        Self {
            given,
            patience,
            own: Mutex::new(None),
        }
    }

    /// The address of the given one.
    pub(super) fn given(&self) -> Option<&str> {
        self.given.as_deref()
    }

    /// Reaches the given one, or our own; starts that first, if nobody has.
    pub(super) async fn reach(&self) -> anyhow::Result<Reached> {
        if let Some(url) = &self.given {
            return self.answering(url.clone(), None, None).await;
        }
        let mut own = self.own.lock().await;
        if let Some(own) = &*own {
            return Ok(own.reached.clone());
        }
        let server = OwnServer::start().await?;
        let (url, within) = (server.url(), server.within());
        let (tell, broken) = watch::channel(None);
        let (stop, stopped) = oneshot::channel();
        let keeper = tokio::spawn(keep(server, tell, stopped));
        let reached = self.answering(url, Some(within), Some(broken)).await?;
        *own = Some(Own {
            reached: reached.clone(),
            stop,
            keeper,
        });
        Ok(reached)
    }

    async fn answering(
        &self,
        url: String,
        within: Option<String>,
        broken: Option<watch::Receiver<Option<String>>>,
    ) -> anyhow::Result<Reached> {
        let client = Client::builder(&url).give_up_after(self.patience).build()?;
        client.ready().await.with_context(|| {
            format!(
                "no memq server answers at {url}; start one with `memq server`, or run without --server"
            )
        })?;
        Ok(Reached {
            url,
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
