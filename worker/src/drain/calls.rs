//! Calls to the server: what they carry, and what their answers mean.

use std::sync::Arc;
use std::time::Duration;

use queue_api::{LeaseAnswer, LeaseRequest, QueueState, Settled, Until, limits};
use queue_client::Error;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::leave::Found;
use super::{Drain, millis};
use crate::metrics::{Call, CallEnd};
use crate::slots::CallId;

/// How long a lease call is parked: less than proxies allow a silent connection.
const PARK: Duration = Duration::from_secs(25);
/// How long one is parked that carries settlements. What became of them is told with its answer, so it is short; items
/// that follow each other closely cost one call each all the same. It ends before it would count as parked.
const LINGER: Duration = Duration::from_millis(10);
/// Before a queue that has ended is asked again by a worker that does not end with it.
const ENDED_REST: Duration = Duration::from_secs(1);
/// An empty answer that comes sooner than this was not parked, whatever the reason.
const TOO_SOON: Duration = Duration::from_millis(50);

/// A call that is over.
pub(super) struct Returned {
    id: CallId,
    sent: Instant,
    carried: usize,
    answer: Answer,
}

enum Answer {
    Leased(Result<LeaseAnswer, Error>),
    Settled(Result<Vec<Settled>, Error>),
    /// Not waited for any more.
    Cut,
}

impl Drain {
    /// Asks for items, and carries what is to be settled.
    pub(super) fn lease(&mut self, slots: usize) {
        let slots = slots.min(limits::MAX_LEASE_ITEMS as usize);
        let (id, now) = (self.new_call(), Instant::now());
        let settle = self.outbox.send(id);
        let wait = if settle.is_empty() { PARK } else { LINGER };
        let request = LeaseRequest {
            max: u32::try_from(slots).ok(),
            wait_ms: Some(millis(wait)),
            lease_ms: self.lease_ms,
            worker: Some(self.name.clone()),
            until: self.until,
            settle,
        };
        let carried = request.settle.len();
        self.slots.called(id, slots, carried, now);
        let queue = self.queue.with_trace(self.outbox.trace(id));
        self.call(id, carried, async move {
            Answer::Leased(queue.lease(&request).await)
        });
    }

    /// Settles without asking for items.
    pub(super) fn settle(&mut self) {
        if self.stopping.is_some_and(|stop| !stop.settle) {
            self.abandon();
            return;
        }
        let (id, now) = (self.new_call(), Instant::now());
        let settlements = self.outbox.send(id);
        let carried = settlements.len();
        self.slots.called(id, 0, carried, now);
        let queue = self.queue.with_trace(self.outbox.trace(id));
        let deadline = self.stopping.map(|stop| stop.settled_by(now));
        self.call(id, carried, async move {
            let settle = queue.settle(settlements);
            Answer::Settled(match deadline {
                None => settle.await,
                Some(at) => tokio::time::timeout_at(at, settle)
                    .await
                    .unwrap_or_else(|late| {
                        Err(Error::Unreachable {
                            what: "settle the last items in time".into(),
                            source: Box::new(late),
                        })
                    }),
            })
        });
    }

    fn new_call(&mut self) -> CallId {
        self.next_call += 1;
        self.next_call
    }

    fn call(
        &mut self,
        id: CallId,
        carried: usize,
        answer: impl Future<Output = Answer> + Send + 'static,
    ) {
        let (cut, sent) = (CancellationToken::new(), Instant::now());
        self.cuts.insert(id, cut.clone());
        self.calls.push(Box::pin(async move {
            let answer = tokio::select! {
                answer = answer => answer,
                // The connection closes, and the server gives back what it had just lent.
                () = cut.cancelled() => Answer::Cut,
            };
            Returned {
                id,
                sent,
                carried,
                answer,
            }
        }));
    }

    pub(super) fn cut(&mut self, calls: &[CallId]) {
        for call in calls {
            if let Some(cut) = self.cuts.get(call) {
                cut.cancel();
            }
        }
    }

    pub(super) fn returned(&mut self, returned: Returned) {
        let Returned {
            id,
            sent,
            carried,
            answer,
        } = returned;
        self.cuts.remove(&id);
        self.count(&answer);
        let (error, settling) = match answer {
            Answer::Leased(Ok(answer)) => {
                self.answered(id, &answer.settled);
                self.leased(answer, sent, carried);
                return;
            }
            Answer::Settled(Ok(answers)) => {
                self.answered(id, &answers);
                return;
            }
            Answer::Cut => {
                let again = self.outbox.unsent(id);
                self.slots.returned(id, again);
                return;
            }
            Answer::Leased(Err(error)) => (error, false),
            Answer::Settled(Err(error)) => (error, true),
        };
        let again = self.outbox.unsent(id);
        self.slots.returned(id, again);
        self.failed(error, settling);
    }

    fn count(&self, answer: &Answer) {
        let (call, error) = match answer {
            Answer::Leased(answer) => (Call::Lease, answer.as_ref().err()),
            Answer::Settled(answer) => (Call::Settle, answer.as_ref().err()),
            Answer::Cut => return,
        };
        let end = match error {
            None => CallEnd::Answered,
            Some(error) if error.is_transient() => CallEnd::Unreachable,
            Some(_) => CallEnd::Refused,
        };
        self.meters.called(call, end);
    }

    fn answered(&mut self, call: CallId, answers: &[Settled]) {
        let answered = self.outbox.answered(call, answers, &mut self.summary);
        self.slots.returned(call, answered.again);
        if let Some(watch) = self.watch.as_mut().filter(|_| answered.failures) {
            watch.alarm();
        }
    }

    /// Starts the items of an answer, and draws conclusions from its state.
    fn leased(&mut self, answer: LeaseAnswer, sent: Instant, carried: usize) {
        self.found = Found::Yes;
        self.note_pause(answer.state == QueueState::Paused);
        if !answer.items.is_empty() {
            self.slots.queue_goes_on();
            for mut item in answer.items {
                self.spans.begin(self.queue.name(), &mut item);
                let lease = Arc::new(self.renewer.hold(item));
                if self.slots.is_stopping() {
                    self.slots.gave_back();
                    self.give_back(lease, "its worker was told to stop");
                } else if self.slots.have_room() {
                    self.slots.started();
                    self.start(lease);
                } else {
                    self.slots.keeps();
                    self.ahead.push_back(lease);
                }
            }
            return;
        }
        let now = Instant::now();
        let ended = match (answer.state, self.until) {
            (QueueState::Drained, Some(_)) | (QueueState::Empty, Some(Until::Empty)) => {
                if self.slots.queue_ended() {
                    return;
                }
                true
            }
            // A worker for ever: the server answers at once, however often it is asked.
            (QueueState::Drained, None) => true,
            _ => false,
        };
        self.slots.queue_goes_on();
        if ended {
            self.slots.rest_until(now + ENDED_REST);
        } else if carried == 0 && now - sent < TOO_SOON {
            self.slots.rest_until(now + TOO_SOON);
        }
    }

    fn note_pause(&mut self, paused: bool) {
        if paused != self.paused {
            self.paused = paused;
            let queue = self.queue.name();
            match paused {
                true => tracing::info!(queue.name = %queue, "the queue is paused; waiting"),
                false => tracing::info!(queue.name = %queue, "the queue is no longer paused"),
            }
        }
    }
}
