//! Lease calls, and how they wait.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use queue_api::Settled;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::ParkingPlace;
use super::fault::Fault;
use super::grant::Granted;
use super::live::LiveQueue;
use super::settle::Report;
use super::waiters::{Ask, Waiter};

/// The answer to a lease call.
#[derive(Debug)]
pub(crate) struct LeaseReply {
    /// What became of the carried settlements.
    pub(crate) settled: Vec<Settled>,
    /// What is lent.
    pub(crate) granted: Granted,
    /// How long the call was parked; zero of one that was not.
    pub(crate) parked: Duration,
}

/// A parked call. Dropped before its end (its client vanished), it leaves the queue, and what it was
/// given in that instant goes back.
struct Parked {
    queue: Arc<LiveQueue>,
    ticket: Option<u64>,
    answer: oneshot::Receiver<Granted>,
}

impl LiveQueue {
    /// Applies the settlements, then lends, and waits up to `wait` for something to lend, or until it is
    /// `called_off` before that.
    ///
    /// Does not wait where a settlement was refused: its worker should hear of it at once. Where there
    /// is no place to wait, a call that carried settlements hears what became of them and comes back
    /// without any; only that one is refused.
    pub(crate) async fn lease(
        self: &Arc<Self>,
        mut ask: Ask,
        wait: Duration,
        called_off: BoxFuture<'static, ()>,
        reports: &[Report],
    ) -> Result<LeaseReply, Fault> {
        let place = ParkingPlace::take(&self.shared, wait);
        let may_park = matches!(place, Ok(Some(_)));
        let ((settled, first), rest) = self.turn(|turn| {
            let settled = self.settle_in(turn, reports);
            ask.worker = ask.worker.map(|name| turn.inner.workers.intern(&name));
            let granted = turn.lend(&ask);
            if granted.items.len() < ask.max {
                turn.count_limit();
            }
            let would_wait = granted.items.is_empty()
                && ask.max > 0
                && settled.iter().all(|settled| settled.ok)
                && !turn.has_reached(ask.until)
                && !self.shared.stop.is_cancelled();
            if !would_wait {
                return (settled, First::Answer(granted));
            }
            if wait.is_zero()
                && let Some(after) = turn.next_token()
            {
                return (settled, First::Limited(after, granted));
            }
            if !may_park && ask.max > 0 && turn.could_lend() {
                return (settled, First::Full(granted));
            }
            if !may_park {
                return (settled, First::Nothing(granted));
            }
            let (reply, answer) = oneshot::channel();
            let ticket = Some(turn.inner.waiters.push(Waiter { ask, reply }));
            let queue = Arc::clone(self);
            let parked = Parked {
                queue,
                ticket,
                answer,
            };
            (settled, First::Parked(parked))
        })?;
        let mut parked_for = Duration::ZERO;
        let mut granted = match first {
            First::Answer(granted) => granted,
            First::Nothing(granted) if settled.is_empty() => place.map(|_| granted)?,
            First::Full(_) if settled.is_empty() => return Err(Fault::StorageFull),
            First::Limited(after, _) if settled.is_empty() => {
                let name = self.name.clone();
                return Err(Fault::RateLimited { name, after });
            }
            First::Nothing(granted) | First::Full(granted) | First::Limited(_, granted) => granted,
            First::Parked(parked) => {
                let since = Instant::now();
                let granted = parked.wait(wait, called_off).await?;
                parked_for = since.elapsed();
                granted
            }
        };
        let rest = match settled.is_empty() {
            true => granted.rest,
            false => granted.rest.and(rest.durable),
        };
        self.shared.store().wait(rest).await?;
        self.read_bodies(&mut granted).await?;
        Ok(LeaseReply {
            settled,
            granted,
            parked: parked_for,
        })
    }
}

/// What a lease call comes to at first.
enum First {
    /// An answer, whether there was room to wait or not.
    Answer(Granted),
    /// Nothing to lend, and no wait.
    Nothing(Granted),
    /// Nothing is lent for want of room to record that, and no wait.
    Full(Granted),
    /// Nothing is lent because of the rate of the queue, which gives something after so long, and no wait.
    Limited(Duration, Granted),
    /// A wait.
    Parked(Parked),
}

impl Parked {
    async fn wait(
        mut self,
        wait: Duration,
        called_off: BoxFuture<'static, ()>,
    ) -> Result<Granted, Fault> {
        let stop = self.queue.shared.stop.clone();
        tokio::select! {
            biased;
            answer = &mut self.answer => {
                self.ticket = None;
                answer.map_err(|_closed| Fault::Deleted(self.queue.name.clone()))
            }
            () = stop.cancelled() => self.leave(),
            () = called_off => self.leave(),
            () = tokio::time::sleep(wait) => self.leave(),
        }
    }

    /// Leaves the queue with what it was given in that instant, or with nothing.
    fn leave(mut self) -> Result<Granted, Fault> {
        let ticket = self.ticket.take();
        let answer = &mut self.answer;
        let left = self.queue.turn(|turn| {
            let waiter = ticket.and_then(|ticket| turn.inner.waiters.remove(ticket));
            let answered = waiter.is_none().then(|| answer.try_recv().ok()).flatten();
            answered.unwrap_or_else(|| turn.granted(Vec::new(), turn.state()))
        });
        left.map(|(granted, _)| granted)
            .map_err(|fault| match fault {
                // It was there when the call came.
                Fault::NoSuchQueue(name) => Fault::Deleted(name),
                other => other,
            })
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            let answer = &mut self.answer;
            self.queue.abandon(ticket, || answer.try_recv().ok());
        }
    }
}
