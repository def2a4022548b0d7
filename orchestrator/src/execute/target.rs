//! The queue of a step that has items: made on the run's server, or found there.

use std::path::Path;

use anyhow::{Context as _, bail};
use queue_api::{Code, ItemId, Queue, QueueName, Redrive};
use queue_client::QueueClient;

use super::server::Reached;
use crate::cli::quoted;
use crate::feed::{Choice, queue_settings};
use crate::spec::Pool;

/// Length of a lease on our own server, in milliseconds: workers and server share a machine, so a renewal is late only
/// if the machine stands still, and an item of a killed worker waits no longer than this.
const OWN_LEASE_MS: u64 = 10_000;

/// Where a step's items are.
pub(super) struct Target {
    /// The server.
    pub(super) server: Reached,
    /// The queue.
    pub(super) queue: QueueClient,
    /// The outcome after which the step's own come.
    pub(super) after: u64,
}

impl Target {
    /// Makes a queue for items that are to be loaded. `file` is the spec, for people.
    pub(super) async fn make(
        server: Reached,
        name: QueueName,
        pool: &Pool,
        choice: &Choice,
        file: &Path,
    ) -> anyhow::Result<Self> {
        let queue = server.client.queue(name.clone());
        let mut settings = queue_settings(&pool.item, pool.may_be_keyed(), choice.longest as u64);
        if server.is_own() {
            settings.lease_ms = Some(Some(OWN_LEASE_MS));
        } else {
            must_be_unused(&queue, &server.url, file).await?;
        }
        queue
            .create(&settings)
            .await
            .with_context(|| format!("cannot create queue {name} on {}", server.url))?;
        Ok(Self {
            server,
            queue,
            after: 0,
        })
    }

    /// Finds the queue of an earlier try of the step, and makes what died in it ready again: these items, or all.
    /// Also how many there are.
    pub(super) async fn go_on(
        server: Reached,
        name: QueueName,
        ids: Option<Vec<ItemId>>,
    ) -> anyhow::Result<(Self, u64)> {
        let queue = server.client.queue(name.clone());
        let url = quoted(&server.url);
        let found = queue
            .show()
            .await
            .with_context(|| format!("cannot find queue {name} of the run on {url}"))?;
        if !found.sealed {
            bail!(
                "queue {name} was not loaded to its end, so it cannot be gone on with: remove it with \
                 `memq queue rm {name} --force --server {url}` and run the spec anew"
            );
        }
        let which = Redrive {
            ids,
            ..Redrive::default()
        };
        let again = queue.redrive(&which).await;
        let again =
            again.with_context(|| format!("cannot make what died in queue {name} ready again"))?;
        let ready = again.queue.unfinished;
        if ready == 0 {
            bail!(
                "queue {name} holds nothing that could be tried again: its dead items have been thrown away"
            );
        }
        let target = Self {
            server,
            queue,
            after: outcomes(&found),
        };
        Ok((target, ready))
    }

    /// Finds a queue that others have loaded; also how many of its items are not finished, and whether
    /// it is sealed.
    pub(super) async fn find(
        server: Reached,
        name: QueueName,
    ) -> anyhow::Result<(Self, u64, bool)> {
        let queue = server.client.queue(name.clone());
        let url = &server.url;
        let found = queue
            .show()
            .await
            .with_context(|| format!("cannot find queue {name} on {url}"))?;
        let after = outcomes(&found);
        let target = Self {
            server,
            queue,
            after,
        };
        Ok((target, found.unfinished, found.sealed))
    }
}

/// The number of the last outcome. They are numbered from 1, and each is an item that ended.
fn outcomes(queue: &Queue) -> u64 {
    let totals = queue.totals;
    totals.acked + totals.dead + totals.item_expired + totals.cancelled
}

/// A queue that others have used, or still use, has counts and outcomes that are not this run's.
///
/// The way out names the server: a queue of this name on another one is somebody else's.
async fn must_be_unused(queue: &QueueClient, url: &str, file: &Path) -> anyhow::Result<()> {
    let name = queue.name();
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
            file.display(),
        );
    }
    if found.paused {
        bail!("queue {name} is paused: `memq queue resume {name} --server {url}` first");
    }
    Ok(())
}
