//! The server a run works on, its own or a given one, and the run's queue there.

use std::time::Duration;

use anyhow::{Context as _, bail};
use queue_api::{Backoff, Code, SettingsPatch};
use queue_client::{Client, QueueClient};

use super::own::OwnServer;
use super::{Job, only_pool};
use crate::cli::quoted;
use crate::feed::Choice;

/// Length of a lease on our own server: workers and server share a machine, so a renewal is late only
/// if the machine stands still, and an item of a killed worker waits no longer than this.
const OWN_LEASE: Duration = Duration::from_secs(10);
/// What an attempt may take beyond its own time limit before the server gives its item to another:
/// time to kill the handler and to say so.
const BEYOND_TIMEOUT: Duration = Duration::from_secs(30);

/// Where the run takes place.
pub(super) struct Target {
    /// Our own server, if none was given.
    own: Option<OwnServer>,
    /// The address workers are told.
    pub(super) url: String,
    /// The run's queue.
    pub(super) queue: QueueClient,
}

impl Target {
    /// Starts or finds the server and makes the queue.
    pub(super) async fn prepare(job: &Job, choice: &Choice) -> anyhow::Result<Self> {
        let (own, url) = match &job.server {
            Some(url) => (None, url.clone()),
            None => {
                let server = OwnServer::start().await?;
                let url = server.url();
                (Some(server), url)
            }
        };
        let client = Client::builder(&url)
            .give_up_after(job.server_timeout)
            .build()?;
        client.ready().await.with_context(|| no_server(&url))?;
        let queue = client.queue(job.spec.name.clone());
        if own.is_none() {
            must_be_unused(&queue, job, &url).await?;
        }
        queue
            .create(&settings(job, choice, own.is_some())?)
            .await
            .with_context(|| format!("cannot create queue {} on {url}", job.spec.name))?;
        Ok(Self { own, url, queue })
    }

    /// Whether what finished last can be asked for though the run is in trouble.
    pub(super) fn answers(&self) -> bool {
        self.own.as_ref().is_some_and(OwnServer::answers)
    }

    /// Where our own server keeps the queue, for people.
    pub(super) fn within(&self) -> Option<String> {
        self.own.as_ref().map(OwnServer::within)
    }

    /// Resolves once, if our own server cannot go on, and says why.
    pub(super) async fn broken(&mut self) -> String {
        match &mut self.own {
            Some(server) => server.broken().await,
            None => std::future::pending().await,
        }
    }

    /// Stops our own server.
    pub(super) async fn end(self) {
        if let Some(server) = self.own {
            server.end().await;
        }
    }
}

fn no_server(url: &str) -> String {
    format!(
        "no memq server answers at {url}; start one with `memq server`, or run without --server"
    )
}

/// A queue that others have used, or still use, has counts and outcomes that are not this run's.
///
/// The way out names the server: a queue of this name on another one is somebody else's.
async fn must_be_unused(queue: &QueueClient, job: &Job, url: &str) -> anyhow::Result<()> {
    let name = &job.spec.name;
    let url = quoted(url);
    let found = match queue.show().await {
        Ok(found) => found,
        Err(error) if error.code() == Some(Code::NoSuchQueue) => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot look for queue {name}")),
    };
    let counts = found.counts;
    if found.totals.enqueued > 0 || found.sealed {
        bail!(
            "queue {name} has been used already: {} unfinished, {} done, {} dead; remove it with \
             `memq queue rm {name} --force --server {url}`, or give the run another name (`generateName` in {} \
             makes a new one each time)",
            found.unfinished,
            counts.done,
            counts.dead,
            job.spec.file.display(),
        );
    }
    if found.paused {
        bail!("queue {name} is paused: `memq queue resume {name} --server {url}` first");
    }
    Ok(())
}

fn settings(job: &Job, choice: &Choice, own: bool) -> anyhow::Result<SettingsPatch> {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let item = &only_pool(&job.spec)?.1.item;
    let longest = choice.longest as u64;
    let usual = queue_api::Settings::default().max_body_bytes;
    Ok(SettingsPatch {
        lease_ms: own.then_some(Some(ms(OWN_LEASE))),
        max_lease_ms: item
            .timeout
            .map(|timeout| Some(ms(timeout + BEYOND_TIMEOUT))),
        max_attempts: item.attempts.map(Some),
        backoff: item.backoff.map(|(least, most)| {
            Some(Backoff {
                min_ms: ms(least),
                max_ms: ms(most),
                ..Backoff::default()
            })
        }),
        max_body_bytes: (longest > usual).then_some(Some(longest)),
        ..SettingsPatch::default()
    })
}
