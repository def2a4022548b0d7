//! The one call of the MemQ API that a consumer of kuard makes.
//!
//! Delivery and acknowledgement in one: an item is gone when it is handed out. It is never repeated,
//! because a lost answer is a lost item, and taking another one would not bring it back.

use std::sync::Arc;
use std::time::Duration;

use queue_api::Body;
use reqwest::Method;
use serde::Deserialize;

use crate::transport::{Call, Repeat, Transport};
use crate::{Client, Result};

/// A client of a server that speaks MemQ, be it kuard's own or ours.
#[derive(Debug, Clone)]
pub struct MemqClient {
    transport: Arc<Transport>,
}

/// An item as MemQ hands it out; only what a consumer needs of it.
#[derive(Debug, Deserialize)]
struct Message {
    body: String,
}

impl MemqClient {
    /// A client of the server at this address, its path included: `http://host:8080/memq/server`.
    pub fn new(url: &str) -> Result<Self> {
        Client::new(url).map(Self::of)
    }

    /// The same, set up as this client is.
    #[must_use]
    pub fn of(client: Client) -> Self {
        Self {
            transport: client.into_transport(),
        }
    }

    /// Takes the oldest item for good; `None` if there is none. The queue's name goes as it is.
    pub async fn dequeue(&self, queue: &str, timeout: Duration) -> Result<Option<Body>> {
        let path = format!("/queues/{queue}/dequeue");
        let call = Call::new(Method::POST, "dequeue an item", None, path)
            .repeat(Repeat::Never)
            .try_timeout(timeout);
        let answer = self.transport.send(&call).await?;
        if answer.is_empty() {
            return Ok(None);
        }
        let message: Message = answer.json()?;
        Ok(Some(message.body.into()))
    }
}
