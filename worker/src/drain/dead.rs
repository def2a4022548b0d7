//! Dead items: a worker that was told how many its queue may have looks at the queue now and then,
//! and gives up past that number.
//!
//! No answer to a lease or a settlement counts the dead, so it asks for itself: soon after an item of
//! its own failed, and every few seconds for those of other workers.

use std::time::Duration;

use futures_util::future::BoxFuture;
use queue_api::Queue;
use queue_client::{Error, QueueClient};
use tokio::time::Instant;

use super::Drain;
use crate::exit::Exit;
use crate::max_dead::MaxDead;

/// Between two looks when nothing of our own failed.
const CALM: Duration = Duration::from_secs(10);
/// Between two looks while our own items fail: each is a call, whatever the number of failures.
const ALARMED: Duration = Duration::from_millis(250);

/// What comes of a look.
pub(super) type Looked = Result<Queue, Error>;

/// A watch over the dead.
pub(super) struct Watch {
    most: MaxDead,
    next: Instant,
    looked: Option<Instant>,
    look: Option<BoxFuture<'static, Looked>>,
}

impl Watch {
    pub(super) fn new(most: MaxDead) -> Self {
        Self {
            most,
            next: Instant::now(),
            looked: None,
            look: None,
        }
    }

    /// An item of our own failed, and may be dead.
    pub(super) fn alarm(&mut self) {
        let soon = self.looked.map_or_else(Instant::now, |at| at + ALARMED);
        self.next = self.next.min(soon);
    }

    /// The next look, once it is time and there is an answer.
    pub(super) async fn look(&mut self, queue: &QueueClient) -> Looked {
        if self.look.is_none() {
            tokio::time::sleep_until(self.next).await;
            let now = Instant::now();
            (self.next, self.looked) = (now + CALM, Some(now));
            let queue = queue.clone();
            self.look = Some(Box::pin(async move { queue.show().await }));
        }
        let looked = match &mut self.look {
            Some(look) => look.await,
            None => std::future::pending().await,
        };
        self.look = None;
        looked
    }
}

impl Drain {
    /// Gives up if the queue has more dead items than it may.
    pub(super) fn looked(&mut self, looked: Looked) {
        let Some(watch) = &self.watch else { return };
        let queue = match looked {
            Ok(queue) => queue,
            // The calls that do the work have the same trouble, and know what to make of it.
            Err(error) => {
                tracing::debug!(queue.name = %self.queue.name(), error.message = %error, "cannot count the dead");
                return;
            }
        };
        if self.stopping.is_none() && !watch.most.allows(&queue) {
            tell(watch.most, &queue);
            self.stop(Exit::TooManyDead, self.grace);
        }
    }
}

/// Says that there are more than so many.
pub(crate) fn tell(most: MaxDead, queue: &Queue) {
    let (dead, all, name) = (queue.counts.dead, queue.totals.enqueued, &queue.name);
    tracing::error!(
        queue.name = %name,
        item.count = dead,
        "{dead} of {all} items of queue {name} are dead, more than --max-dead {most} allows; giving up"
    );
}
