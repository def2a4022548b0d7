//! Items on their way into a queue.
//!
//! Each enqueue that may be sent twice carries an `Idempotency-Key`, made up here if the caller gave none:
//! a broken connection leaves open whether the items went in, and the key lets the server tell.

use bytes::Bytes;
use queue_api::{Enqueued, IDEMPOTENCY_KEY, LeaseToken, NDJSON, NewItem, Options};
use reqwest::Method;
use serde::Serialize;

use crate::queue::QueueClient;
use crate::transport::{Answer, Repeat, UPLOAD_TIMEOUT};
use crate::{Error, Result};

const RAW: &str = "application/octet-stream";

/// What an enqueue says besides the bodies of its items.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnqueueOptions {
    /// Make the queue if there is none.
    pub create: bool,
    /// Seal the queue with this enqueue, in the same step.
    pub seal: bool,
    /// Answer with the id of each item, not the count alone.
    pub ids: bool,
    /// Of the item; or of each of many that does not say otherwise, and then without a key.
    pub item: Options,
    /// Enqueue only while this lease of the same queue lives; then a sealed queue takes the items too.
    /// Once it is lost: `lease_lost`, and nothing is enqueued.
    pub lease: Option<LeaseToken>,
    /// Names this enqueue: another with the same key and the same items answers as the first did and adds
    /// nothing, for a day after its last use. 1 to 255 visible ASCII. If none is given the client makes one
    /// up for its own repetitions.
    pub idempotency_key: Option<String>,
}

/// The bodies of items, as they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bodies {
    /// One, these bytes as they are.
    Raw(Bytes),
    /// One a line that is not empty.
    Lines(Bytes),
    /// One JSON object a line, with options of its own.
    Ndjson(Bytes),
}

/// What came of an enqueue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// What it answered.
    pub enqueued: Enqueued,
    /// Whether an earlier one of the same idempotency key had answered so, and nothing was added now.
    pub replayed: bool,
}

#[derive(Serialize)]
struct Query<'a> {
    ids: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    create: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seal: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease: Option<&'a LeaseToken>,
    #[serde(flatten)]
    item: &'a Options,
}

impl QueueClient {
    /// Adds one item, these bytes as they are. Repeated freely, and added once.
    pub async fn enqueue(
        &self,
        body: impl Into<Bytes>,
        options: EnqueueOptions,
    ) -> Result<Enqueued> {
        self.add(body.into(), RAW, false, options).await
    }

    /// Adds an item for each line that is not empty, all or none. At most
    /// [`MAX_REQUEST_BYTES`](queue_api::limits::MAX_REQUEST_BYTES) and
    /// [`MAX_ENQUEUE_ITEMS`](queue_api::limits::MAX_ENQUEUE_ITEMS) a call. Repeated freely, and added once.
    pub async fn enqueue_lines(
        &self,
        lines: impl Into<Bytes>,
        options: EnqueueOptions,
    ) -> Result<Enqueued> {
        self.add(lines.into(), RAW, true, options).await
    }

    /// Adds items with options of their own, all or none, as [`Self::enqueue_lines`] does.
    pub async fn enqueue_items(
        &self,
        items: impl IntoIterator<Item = impl Into<NewItem>>,
        options: EnqueueOptions,
    ) -> Result<Enqueued> {
        let mut lines = Vec::new();
        for item in items {
            serde_json::to_writer(&mut lines, &item.into()).map_err(|e| Error::Unread {
                what: format!("enqueue into queue {}", self.name()),
                source: e.into(),
            })?;
            lines.push(b'\n');
        }
        self.enqueue_ndjson(lines, options).await
    }

    /// The same, of items that are written already: one JSON object a line, `body` or `body_base64` beside its
    /// options.
    pub async fn enqueue_ndjson(
        &self,
        lines: impl Into<Bytes>,
        options: EnqueueOptions,
    ) -> Result<Enqueued> {
        self.add(lines.into(), NDJSON, false, options).await
    }

    /// Adds items in whichever form they are written, and tells whether the server had been given them before.
    pub async fn place(&self, bodies: Bodies, options: EnqueueOptions) -> Result<Placed> {
        let answer = match bodies {
            Bodies::Raw(body) => self.send(body, RAW, false, options).await?,
            Bodies::Lines(lines) => self.send(lines, RAW, true, options).await?,
            Bodies::Ndjson(lines) => self.send(lines, NDJSON, false, options).await?,
        };
        Ok(Placed {
            replayed: answer.is_replayed(),
            enqueued: answer.json()?,
        })
    }

    async fn add(
        &self,
        body: Bytes,
        media_type: &'static str,
        lines: bool,
        options: EnqueueOptions,
    ) -> Result<Enqueued> {
        self.send(body, media_type, lines, options).await?.json()
    }

    async fn send(
        &self,
        body: Bytes,
        media_type: &'static str,
        lines: bool,
        options: EnqueueOptions,
    ) -> Result<Answer> {
        let EnqueueOptions {
            create,
            seal,
            ids,
            item,
            lease,
            idempotency_key,
        } = options;
        let query = Query {
            ids,
            create: create.then_some(true),
            seal: seal.then_some(true),
            lines: lines.then_some(true),
            lease: lease.as_ref(),
            item: &item,
        };
        let mut call = self
            .asking(Method::POST, "enqueue into", "/items", &query)?
            .body(body, media_type)
            .try_timeout(UPLOAD_TIMEOUT);
        let key = match idempotency_key {
            // Who gives up at once repeats nothing, and spares the server remembering it.
            None if self.patience().is_zero() => None,
            None => made_up_key(),
            given => given,
        };
        call = match key {
            Some(key) => call.header(IDEMPOTENCY_KEY, key),
            None => call.repeat(Repeat::Unsent),
        };
        self.transport().send(&call).await
    }
}

/// Random, so that no other client makes up the same; none if this machine has no randomness to give.
fn made_up_key() -> Option<String> {
    let high = getrandom::u64().ok()?;
    let low = getrandom::u64().ok()?;
    Some(format!("{high:016x}{low:016x}"))
}
