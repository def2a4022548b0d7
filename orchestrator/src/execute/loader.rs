//! Puts the items of a run into its queue. Reading runs on a thread of its own, sending here.

use std::sync::Arc;

use anyhow::Context as _;
use queue_api::Code;
use queue_client::{EnqueueOptions, QueueClient};
use tokio::sync::mpsc;

use super::event::{Event, Events};
use crate::feed::{Batch, Batcher, Choice, FeedError, Source, Visit};

/// Batches read ahead of the one that is being sent.
const AHEAD: usize = 2;

/// Loads what the choice leaves of the source; tells how far it is, and in the end how it went.
/// `within` is where our own server keeps the queue.
pub(super) async fn load(
    source: Source,
    choice: Arc<Choice>,
    queue: QueueClient,
    within: Option<String>,
    events: Events,
) {
    let news = match send(source, choice, &queue, &events).await {
        Ok(()) => Event::Loaded,
        Err(error) => {
            let mut trouble = format!("{error:#}");
            let refused = error.downcast_ref::<queue_client::Error>();
            let full = refused.and_then(queue_client::Error::code) == Some(Code::StorageFull);
            if let Some(within) = within.filter(|_| full) {
                trouble.push_str(&format!("; the queue lies {within}"));
            }
            Event::Trouble(trouble)
        }
    };
    events.tell(news).await;
}

async fn send(
    source: Source,
    choice: Arc<Choice>,
    queue: &QueueClient,
    events: &Events,
) -> anyhow::Result<()> {
    let (sender, mut batches) = mpsc::channel(AHEAD);
    let reader = tokio::task::spawn_blocking(move || read(&source, &choice, &sender));
    let mut loaded = 0;
    while let Some(batch) = batches.recv().await {
        let items = batch.items();
        let options = EnqueueOptions {
            ids: false,
            ..EnqueueOptions::default()
        };
        let sent = match batch {
            Batch::Lines { lines, .. } => queue.enqueue_lines(lines, options).await,
            Batch::Raw(body) => queue.enqueue(body, options).await,
        };
        sent.with_context(|| {
            format!(
                "cannot load items into queue {} after the first {loaded}",
                queue.name()
            )
        })?;
        loaded += items;
        events.tell(Event::Loading(loaded)).await;
    }
    reader.await.context("the reader of the items stopped")??;
    Ok(())
}

fn read(source: &Source, choice: &Choice, to: &mpsc::Sender<Batch>) -> Result<(), FeedError> {
    let (mut batcher, mut index) = (Batcher::default(), 0);
    // A closed channel means that the sender of requests failed or was stopped; it has said so.
    let send = |batch| to.blocking_send(batch).map_or(Visit::Stop, |()| Visit::Go);
    source.visit(|body| {
        let skip = choice.is_skipped(index);
        index += 1;
        if skip {
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
    Ok(())
}
