//! Items put into a queue, each once however often it is tried.
//!
//! Each request is named after the load and the number of items before it, and the server remembers the name for a
//! day: a request that was cut off and is carried out later, or by whoever took over, adds nothing a second time.
//! Reading runs on a thread of its own, a few requests ahead.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use queue_api::Options;
use queue_client::{Bodies, EnqueueOptions, QueueClient};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::trace;
use super::{Batch, Batcher, Choice, FeedError, Form, Source, Visit};

/// Requests read ahead of the one that is being sent.
const AHEAD: usize = 2;

/// Names the load of a run in the queue that is its step's alone.
pub const LOAD_OF_RUN: &str = "memq-run";

/// A load: items that go into one queue, under one name.
pub struct Pour {
    /// The items.
    pub source: Arc<Source>,
    /// Which of them; absent: all.
    pub choice: Option<Arc<Choice>>,
    /// Names the load in its queue: letters, digits, `.` and `-`, at most 200.
    pub id: String,
    /// Make the queue with the first request, if there is none.
    pub create: bool,
}

/// How far a load is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Poured {
    /// Items that have been dealt with, whichever way.
    pub items: u64,
    /// Items that came in now.
    pub new: u64,
    /// Items that an earlier try of the same load had brought in.
    pub already: u64,
    /// Items that were left out because the queue has another with their key.
    pub duplicates: u64,
    /// The last line that has been dealt with, where items are lines.
    pub line: u64,
}

/// Why a load did not come to its end. All of them are for whoever asked for it.
#[derive(Debug, thiserror::Error)]
pub enum PourError {
    /// The items cannot be read.
    #[error(transparent)]
    Read(#[from] FeedError),
    /// The queue did not take them.
    #[error("cannot load items into queue {queue} after the first {after}")]
    Send {
        /// The queue.
        queue: String,
        /// Items that are in.
        after: u64,
        /// Why not.
        source: queue_client::Error,
    },
    /// Whoever listened does not want it any more.
    #[error("nobody wants queue {queue} to be loaded any more")]
    Unwanted {
        /// The queue.
        queue: String,
    },
    /// The thread that reads is gone.
    #[error("the reader of the items stopped")]
    Reader(#[source] tokio::task::JoinError),
}

/// A load that has begun, and can be gone on with after an error.
pub struct Pouring {
    id: String,
    create: bool,
    batches: mpsc::Receiver<Batch>,
    reader: Option<JoinHandle<Result<(), FeedError>>>,
    /// What is being sent.
    next: Option<Batch>,
    poured: Poured,
}

impl Pour {
    /// Begins to read.
    #[must_use]
    pub fn begin(self) -> Pouring {
        let Self {
            source,
            choice,
            id,
            create,
        } = self;
        let (sender, batches) = mpsc::channel(AHEAD);
        let reader = tokio::task::spawn_blocking(move || read(&source, choice.as_deref(), &sender));
        Pouring {
            id,
            create,
            batches,
            reader: Some(reader),
            next: None,
            poured: Poured::default(),
        }
    }

    /// Puts them in; `told` hears after each request how far it is, and may say that it is enough.
    pub async fn into(
        self,
        queue: &QueueClient,
        told: impl FnMut(Poured) -> ControlFlow<()>,
    ) -> Result<Poured, PourError> {
        self.begin().go_on(queue, told).await
    }
}

impl Pouring {
    /// How far it is.
    #[must_use]
    pub fn poured(&self) -> Poured {
        self.poured
    }

    /// Puts in what is left. After an error of sending the same request is the next one, and nothing is read anew. After any
    /// other it cannot be gone on with.
    pub async fn go_on(
        &mut self,
        queue: &QueueClient,
        mut told: impl FnMut(Poured) -> ControlFlow<()>,
    ) -> Result<Poured, PourError> {
        let name = || queue.name().to_string();
        loop {
            if self.next.is_none() {
                self.next = self.batches.recv().await;
            }
            let Some(batch) = &self.next else { break };
            let (items, last_line) = (batch.items, batch.last_line);
            // A queue that goes away later is not made anew: it would lack what went with it.
            let create = self.create && batch.first == 0;
            let sent = send(queue, batch.clone(), &self.id, create).await;
            let sent = sent.map_err(|source| PourError::Send {
                queue: name(),
                after: self.poured.items,
                source,
            })?;
            self.next = None;
            let poured = &mut self.poured;
            match sent.replayed {
                true => poured.already += items,
                false => {
                    poured.duplicates += sent.duplicates;
                    poured.new += items - sent.duplicates.min(items);
                }
            }
            poured.items += items;
            poured.line = last_line;
            if told(*poured).is_break() {
                return Err(PourError::Unwanted { queue: name() });
            }
        }
        if let Some(reader) = self.reader.take() {
            reader.await.map_err(PourError::Reader)??;
        }
        Ok(self.poured)
    }
}

/// Notes in a queue that this load has begun there, without an item; whether it was noted before.
///
/// A load whose queue is its own asks this first. The note is used before any request of the load, so it is forgotten
/// before any of them is: where it is known, no request can go in twice.
pub async fn begin(queue: &QueueClient, id: &str) -> Result<bool, queue_client::Error> {
    let options = EnqueueOptions {
        idempotency_key: Some(format!("{id}.begin")),
        ..EnqueueOptions::default()
    };
    let placed = queue.place(Bodies::Ndjson(Bytes::new()), options).await?;
    Ok(placed.replayed)
}

/// What came of a request.
struct Sent {
    replayed: bool,
    duplicates: u64,
}

async fn send(
    queue: &QueueClient,
    batch: Batch,
    id: &str,
    create: bool,
) -> Result<Sent, queue_client::Error> {
    let Batch {
        first,
        keyed,
        form,
        body,
        ..
    } = batch;
    let bytes = body.len();
    let (bodies, options) = match form {
        Form::Lines(options) => (Bodies::Lines(body), options),
        Form::Raw(options) => (Bodies::Raw(body), options),
        Form::Ndjson => (Bodies::Ndjson(body), Options::default()),
    };
    let options = EnqueueOptions {
        // Only items with a key can be left out, and only the answer for each tells which.
        ids: keyed,
        create,
        item: options,
        idempotency_key: Some(format!("{id}.{first}")),
        ..EnqueueOptions::default()
    };
    let (_span, queue) = trace::sending(queue, bytes);
    let placed = queue.place(bodies, options).await?;
    let items = placed.enqueued.items.iter();
    Ok(Sent {
        replayed: placed.replayed,
        duplicates: items.filter(|item| item.duplicate).count() as u64,
    })
}

fn read(
    source: &Source,
    choice: Option<&Choice>,
    to: &mpsc::Sender<Batch>,
) -> Result<(), FeedError> {
    let mut batcher = match source.same() {
        Some(options) => Batcher::of_lines(options),
        None => Batcher::of_ndjson(),
    };
    let mut index = 0;
    // A closed channel means that the sender of requests failed or was stopped; it has said so.
    let send = |batch| to.blocking_send(batch).map_or(Visit::Stop, |()| Visit::Go);
    source.visit(|item| {
        let skip = choice.is_some_and(|choice| choice.is_skipped(index));
        index += 1;
        if skip {
            return Visit::Go;
        }
        let mut ready = batcher.push(item);
        if ready.all(|batch| send(batch) == Visit::Go) {
            Visit::Go
        } else {
            Visit::Stop
        }
    })?;
    batcher.flush().map(send);
    Ok(())
}
