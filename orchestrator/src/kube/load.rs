//! Puts the items of a step into its queue, from where the queue says that loading stopped.
//!
//! The queue belongs to this step alone, its items come in a fixed order and each request is all or
//! nothing, so the number of items that ever came in is the place to go on at: a controller that takes
//! over loads nothing twice. What the items are is [`crate::feed`]'s.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use queue_api::Code;
use queue_client::{EnqueueOptions, QueueClient};
use tokio::sync::{mpsc, watch};

use super::plan::LoadSeen;
use crate::feed::{Batch, Batcher, FeedError, Source, Visit, queue_settings};
use crate::spec::{Items, Pool};

/// Batches read ahead of the one that is being sent.
const AHEAD: usize = 2;

/// Loads and seals within a cluster; tells how far it is, and in the end how it went.
pub(super) async fn load(pool: Pool, queue: QueueClient, told: watch::Sender<LoadSeen>) {
    if let Items::Lines { file } = &pool.items {
        told.send_replace(LoadSeen::Failed {
            hopeless: true,
            message: format!(
                "`items.lines` names {}, a file of another machine: make the run with `memq run FILE --kube`, which loads it",
                file.display()
            ),
        });
        return;
    }
    bring(pool, queue, told).await;
}

/// The same where files that the items name are at hand.
pub(super) async fn bring(pool: Pool, queue: QueueClient, told: watch::Sender<LoadSeen>) {
    let end = match fill(&pool, &queue, &told).await {
        Ok(()) => LoadSeen::Loaded,
        Err(error) => LoadSeen::Failed {
            hopeless: hopeless(&error),
            message: format!("{error:#}"),
        },
    };
    told.send_replace(end);
}

async fn fill(
    pool: &Pool,
    queue: &QueueClient,
    told: &watch::Sender<LoadSeen>,
) -> anyhow::Result<()> {
    let name = queue.name();
    let source = Arc::new(Source::open(pool.items.clone())?);
    let measured = Arc::clone(&source);
    let longest = tokio::task::spawn_blocking(move || measured.longest());
    let longest = longest.await.context("the reader of the items stopped")??;
    let found = queue
        .create(&queue_settings(&pool.item, longest))
        .await
        .with_context(|| format!("cannot make queue {name}"))?;
    let in_already = found.totals.enqueued;
    if found.sealed {
        return Ok(());
    }
    told.send_replace(LoadSeen::Loading(in_already));
    let (sender, mut batches) = mpsc::channel(AHEAD);
    let reader = tokio::task::spawn_blocking(move || read(&source, in_already, &sender));
    let mut loaded = in_already;
    while let Some(batch) = batches.recv().await {
        let items = batch.items();
        let options = EnqueueOptions::default();
        let sent = match batch {
            Batch::Lines { lines, .. } => queue.enqueue_lines(lines, options).await,
            Batch::Raw(body) => queue.enqueue(body, options).await,
        };
        sent.with_context(|| {
            format!("cannot load items into queue {name} after the first {loaded}")
        })?;
        loaded += items;
        told.send_replace(LoadSeen::Loading(loaded));
        // Whoever loads after us begins where we are: nothing of ours may come in after that.
        if told.is_closed() {
            bail!("nobody wants queue {name} to be loaded any more");
        }
    }
    let known = reader.await.context("the reader of the items stopped")??;
    if in_already > known {
        bail!(Foreign(format!(
            "queue {name} has {in_already} items and the step only {known}: something else uses the queue"
        )));
    }
    queue
        .seal()
        .await
        .with_context(|| format!("cannot seal queue {name}"))?;
    Ok(())
}

/// Reads what lies behind the first `skip` items; gives how many items there are.
fn read(source: &Source, skip: u64, to: &mpsc::Sender<Batch>) -> Result<u64, FeedError> {
    let (mut batcher, mut index) = (Batcher::default(), 0_u64);
    // A closed channel means that the sender of requests failed; it says so.
    let send = |batch| to.blocking_send(batch).map_or(Visit::Stop, |()| Visit::Go);
    source.visit(|body| {
        index += 1;
        if index <= skip {
            return Visit::Go;
        }
        let mut ready = batcher.push(body);
        if ready.all(|batch| send(batch) == Visit::Go) {
            Visit::Go
        } else {
            Visit::Stop
        }
    })?;
    batcher.flush().map(send);
    Ok(index)
}

/// The items are not here, or the queue is not this step's alone.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Foreign(String);

/// Whether trying again cannot help.
fn hopeless(error: &anyhow::Error) -> bool {
    if error.is::<FeedError>() || error.is::<Foreign>() {
        return true;
    }
    let code = error
        .downcast_ref::<queue_client::Error>()
        .and_then(queue_client::Error::code);
    // Full queues and servers that are not ready get better; what they refuse for its form does not.
    matches!(
        code,
        Some(Code::BadRequest | Code::BodyTooLarge | Code::QueueSealed)
    )
}
