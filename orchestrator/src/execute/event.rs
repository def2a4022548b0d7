//! News of a run, from whoever hears it first to the one loop that acts on it.

use queue_api::Outcome;
use tokio::sync::mpsc;

use crate::plan::{Exit, Signal};

/// Events waiting to be acted on; past it those who bring them wait.
const WAITING: usize = 1_024;

/// A piece of news.
#[derive(Debug)]
pub(super) enum Event {
    /// So many items are in.
    Loading(u64),
    /// All items are in.
    Loaded,
    /// The queue takes no more.
    Sealed,
    /// An item is finished.
    Finished(Box<Outcome>),
    /// The queue is drained, and every outcome has been told.
    Drained,
    /// A worker ended.
    WorkerEnded {
        /// Which, from 0.
        worker: usize,
        /// How.
        exit: Exit,
    },
    /// A signal arrived.
    Signal(Signal),
    /// The run cannot go on.
    Trouble(String),
}

/// Where news is told.
#[derive(Debug, Clone)]
pub(super) struct Events(mpsc::Sender<Event>);

impl Events {
    pub(super) fn channel() -> (Self, mpsc::Receiver<Event>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), receiver)
    }

    /// Tells it. Once the run is over nobody listens any more, and that is well.
    pub(super) async fn tell(&self, event: Event) {
        let _over = self.0.send(event).await;
    }

    /// Tells what the next news of its kind will tell better: where many wait already it may be lost.
    pub(super) fn mention(&self, event: Event) {
        let _later = self.0.try_send(event);
    }
}
