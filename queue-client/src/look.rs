//! Items looked at without taking them, and what can be done to one by its id.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use queue_api::{Affected, Code, Item, ItemId, ItemPage, ItemState, Redrive};
use reqwest::Method;
use serde::Serialize;

use crate::Result;
use crate::queue::QueueClient;
use crate::transport::Repeat;

/// Which items to look at. Without anything said: all there are, in the order in which they were enqueued.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Look {
    /// Those in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<ItemState>,
    /// Those of this group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// No more than so many a page, at most
    /// [`MAX_PAGE_ITEMS`](queue_api::limits::MAX_PAGE_ITEMS); a page may hold fewer and not be the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Those enqueued after this one, which need not be there any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<ItemId>,
}

#[derive(Serialize)]
struct LogQuery {
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
}

impl QueueClient {
    /// One page of items. The next one begins after its `next`, and there is none without.
    pub async fn page(&self, look: &Look) -> Result<ItemPage> {
        let call = self.asking(Method::GET, "look at items of", "/items", look)?;
        self.transport().send(&call).await?.json()
    }

    /// Items one after the other, page by page as they are asked for. What changes meanwhile may or may not be
    /// seen; an item that stays is seen once. Ends after the first error.
    pub fn items(&self, look: Look) -> impl Stream<Item = Result<Item>> + Send + use<> {
        let queue = self.clone();
        let start = (VecDeque::new(), Some(look));
        stream::try_unfold(start, move |(mut page, mut ask)| {
            let queue = queue.clone();
            async move {
                loop {
                    if let Some(item) = page.pop_front() {
                        return Ok(Some((item, (page, ask))));
                    }
                    let Some(look) = ask.take() else {
                        return Ok(None);
                    };
                    let ItemPage { items, next } = queue.page(&look).await?;
                    page = items.into();
                    ask = next.map(|after| Look {
                        after: Some(after),
                        ..look
                    });
                }
            }
        })
        .boxed()
    }

    /// One item with its past attempts, the last [`MAX_HISTORY`](queue_api::limits::MAX_HISTORY) of them. One
    /// that is gone is `no_such_item`.
    pub async fn item(&self, id: &ItemId) -> Result<Item> {
        let call = self.call(Method::GET, "show an item of", &format!("/items/{id}"));
        self.transport().send(&call).await?.json()
    }

    /// What an attempt at an item printed, the last one's if none is named: the log kept with it, or else its
    /// error. Empty if there is neither.
    pub async fn item_log(&self, id: &ItemId, attempt: Option<u32>) -> Result<Bytes> {
        let path = format!("/items/{id}/log");
        let query = LogQuery { attempt };
        let call = self.asking(Method::GET, "read the log of an item of", &path, &query)?;
        Ok(self.transport().send(&call).await?.bytes().clone())
    }

    /// Ends an item: one that is leased is taken from its worker, one that is dead is thrown away. Done or expired
    /// already: `item_finished`.
    ///
    /// An item that is gone when an earlier try failed on the way counts as cancelled.
    pub async fn cancel(&self, id: &ItemId) -> Result<()> {
        let path = format!("/items/{id}");
        self.remove("cancel an item of", &path, Code::NoSuchItem)
            .await
    }

    /// Makes dead items ready again, with all their attempts before them: those for which every condition holds.
    ///
    /// Not repeated after a connection that broke: what died again meanwhile would get its attempts anew, and the
    /// number would be of the last try only.
    pub async fn redrive(&self, which: &Redrive) -> Result<Affected> {
        let call = self
            .call(Method::POST, "redrive", "/redrive")
            .repeat(Repeat::Unsent);
        self.send_json(call, which).await?.json()
    }
}
