//! A long-lived process as a handler: started once per slot, handed one item after the other.
//!
//! `line` is what passes between the two, `running` is one process that runs, `seat` is the place of
//! one: it starts it, again and again if it dies, and judges. Leases and wires are not known here.

mod line;
mod running;
mod seat;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use queue_client::Lease;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use self::line::About;
use self::seat::{Seat, Starts};
use crate::child::Program;
use crate::handler::Cut;
use crate::verdict::Verdict;

/// Processes of one program, one for each item that is handled at a time.
#[derive(Debug)]
pub(crate) struct Processes {
    program: Program,
    about: About,
    /// Those that have no item. Those with a living process are at the end, where they are taken from.
    idle: Mutex<Vec<Seat>>,
    starts: Starts,
}

impl Processes {
    pub(crate) fn new(program: Program, about: About) -> Self {
        Self {
            program,
            about,
            idle: Mutex::default(),
            starts: Starts::default(),
        }
    }

    /// Hands an item to a process that has none, and waits for its answer. The time limit counts from
    /// when the item is handed over.
    pub(crate) async fn handle(
        &self,
        lease: &Lease,
        limit: Option<Duration>,
        cut: impl Future<Output = Cut>,
        kill: &CancellationToken,
    ) -> Verdict {
        let mut seat = self.idle().pop().unwrap_or_default();
        let verdict = seat.handle(self, lease, limit, cut, kill).await;
        let mut idle = self.idle();
        let place = if seat.is_taken() { idle.len() } else { 0 };
        idle.insert(place, seat);
        verdict
    }

    /// Listens to the processes that have no item: nobody else does, and one that prints would fill
    /// its pipe and stand still. Never ends; poll it anew after each item.
    pub(crate) async fn attend(&self) {
        std::future::poll_fn(|context| -> Poll<()> {
            for seat in self.idle().iter_mut() {
                seat.poll_idle(context);
            }
            Poll::Pending
        })
        .await;
    }

    /// Ends all processes: closes their standard input, asks those that are still there at `end`, and
    /// kills what does not go. Call it when no item is handled any more.
    pub(crate) async fn close(&self, end: Instant, kill: &CancellationToken) {
        let seats = std::mem::take(&mut *self.idle());
        let count = seats.iter().filter(|seat| seat.is_taken()).count();
        if count > 0 {
            let word = if count == 1 { "process" } else { "processes" };
            tracing::info!(process.count = count, "waiting for {count} {word} to end");
        }
        let closing = seats.into_iter().map(|seat| seat.close(end, kill));
        futures_util::future::join_all(closing).await;
    }

    /// A panic elsewhere leaves the list whole: each change is one insert or remove.
    fn idle(&self) -> MutexGuard<'_, Vec<Seat>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
