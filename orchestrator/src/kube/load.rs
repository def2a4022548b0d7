//! Puts the items of a step into its queue, from the beginning where another process has tried before: what it brought
//! in is not brought in again.
//!
//! The queue belongs to this step alone, its items come in a fixed order, and each request has a name of its
//! own that the queue remembers for a day. A request that was cut off and is carried out after another
//! controller took over adds nothing. What the items are is [`crate::feed`]'s.

use std::ops::ControlFlow;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use queue_api::Code;
use queue_client::QueueClient;
use tokio::sync::watch;

use super::plan::LoadSeen;
use crate::feed::{
    FeedError, LOAD_OF_RUN, Pour, PourError, Pouring, Source, begin, queue_settings,
};
use crate::spec::Pool;
use crate::view::count;

/// Loads and seals within a cluster; tells how far it is, and in the end how it went.
pub(super) async fn load(pool: Pool, queue: QueueClient, told: watch::Sender<LoadSeen>) {
    if let Some((field, what)) = pool.items.lie_outside() {
        told.send_replace(LoadSeen::Failed {
            hopeless: true,
            message: format!(
                "`{field}` names {what}, which lies on another machine: make the run with `memq run FILE --kube`, \
                 which loads it"
            ),
        });
        return;
    }
    match open(&pool).await {
        Ok(source) => Load::of(pool, source).bring(&queue, &told).await,
        Err(error) => drop(told.send_replace(failed(&error))),
    }
}

/// Opens the items.
pub(super) async fn open(pool: &Pool) -> anyhow::Result<Arc<Source>> {
    let (items, marks) = (pool.items.clone(), pool.marks.clone());
    let opening = tokio::task::spawn_blocking(move || Source::open(items, marks));
    let source = opening.await.context("the reader of the items stopped")??;
    Ok(Arc::new(source))
}

/// A load of items that are at hand, to be tried as often as it takes.
pub(super) struct Load {
    pool: Pool,
    source: Arc<Source>,
    /// Bytes of the longest body, once it is known.
    longest: Option<u64>,
    /// What an earlier try has left.
    pouring: Option<Pouring>,
}

/// How a load that did not come to its end is told.
pub(super) fn failed(error: &anyhow::Error) -> LoadSeen {
    LoadSeen::Failed {
        hopeless: hopeless(error),
        message: format!("{error:#}"),
    }
}

impl Load {
    pub(super) fn of(pool: Pool, source: Arc<Source>) -> Self {
        Self {
            pool,
            source,
            longest: None,
            pouring: None,
        }
    }

    /// Tries to come to its end, from where the last try broke off.
    pub(super) async fn bring(&mut self, queue: &QueueClient, told: &watch::Sender<LoadSeen>) {
        let end = match self.fill(queue, told).await {
            Ok(()) => LoadSeen::Loaded,
            Err(error) => failed(&error),
        };
        told.send_replace(end);
    }

    async fn fill(
        &mut self,
        queue: &QueueClient,
        told: &watch::Sender<LoadSeen>,
    ) -> anyhow::Result<()> {
        let name = queue.name();
        let longest = self.longest().await?;
        let settings = queue_settings(&self.pool.item, self.pool.may_be_keyed(), longest);
        let found = queue
            .create(&settings)
            .await
            .with_context(|| format!("cannot make queue {name}"))?;
        let in_already = found.totals.enqueued;
        if found.sealed {
            return Ok(());
        }
        told.send_replace(LoadSeen::Loading(in_already));
        let begun = begin(queue, LOAD_OF_RUN).await;
        let begun = begun.with_context(|| format!("cannot begin to load queue {name}"))?;
        if !begun && in_already > 0 {
            bail!(Foreign(format!(
                "queue {name} has {} that this step did not bring within the last 24 hours, so nothing was put in: \
                 something else uses the queue, or the load was broken off too long ago to be gone on with. Remove \
                 it with `memq queue rm {name} --force` and make the run anew",
                count(in_already, "item")
            )));
        }
        // A queue with less than was put in is another one: its server came back with nothing.
        let still_there = |pouring: &Pouring| {
            let poured = pouring.poured();
            begun && poured.new + poured.already <= in_already
        };
        let mut pouring = match self.pouring.take().filter(still_there) {
            Some(pouring) => pouring,
            None => {
                let pour = Pour {
                    source: self.source.clone(),
                    choice: None,
                    id: LOAD_OF_RUN.to_owned(),
                    create: false,
                };
                pour.begin()
            }
        };
        let poured = pouring.go_on(queue, |poured| {
            told.send_replace(LoadSeen::Loading(poured.items.max(in_already)));
            match told.is_closed() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        if let Err(error) = poured.await {
            // Of items that could not be read nobody knows where it stopped.
            if matches!(error, PourError::Send { .. }) {
                self.pouring = Some(pouring);
            }
            return Err(error.into());
        }
        queue
            .seal()
            .await
            .with_context(|| format!("cannot seal queue {name}"))?;
        Ok(())
    }

    /// Bytes of the longest body; a file is read for it, once.
    async fn longest(&mut self) -> anyhow::Result<u64> {
        if let Some(longest) = self.longest {
            return Ok(longest);
        }
        let source = self.source.clone();
        let measuring = tokio::task::spawn_blocking(move || source.longest());
        let longest = measuring
            .await
            .context("the reader of the items stopped")??;
        Ok(*self.longest.insert(longest))
    }
}

/// The queue is not this step's alone.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Foreign(String);

/// Whether trying again cannot help.
fn hopeless(error: &anyhow::Error) -> bool {
    let refused = match error.downcast_ref::<PourError>() {
        Some(PourError::Read(_)) => return true,
        Some(PourError::Send { source, .. }) => Some(source),
        _ if error.is::<FeedError>() || error.is::<Foreign>() => return true,
        _ => error.downcast_ref::<queue_client::Error>(),
    };
    // Full queues and servers that are not ready get better; what they refuse for its form does not.
    matches!(
        refused.and_then(queue_client::Error::code),
        Some(Code::BadRequest | Code::BodyTooLarge | Code::QueueSealed | Code::IdempotencyMismatch)
    )
}
