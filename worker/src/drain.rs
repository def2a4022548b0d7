//! The worker's loop: carries out what [`crate::slots`] decides, and tells it what happened.
//!
//! One task holds the slots, the outbox and the calls; each item is handled in a task of its own,
//! and the leases are renewed by another one. It knows which answers end a worker, but neither how
//! items are handled nor how calls are repeated.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use queue_api::{Code, LeaseAnswer, LeaseRequest, QueueState, Settled, Until, limits};
use queue_client::{Error, Lease, QueueClient, Renewer};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::exit::Exit;
use crate::handler::{Halt, Handler};
use crate::health::Health;
use crate::outbox::Outbox;
use crate::slots::{CallId, Slots, Step};
use crate::stop::Urgency;
use crate::summary::Summary;
use crate::verdict::{Failure, Verdict};

/// How long a lease call is parked: less than proxies allow a silent connection.
const PARK: Duration = Duration::from_secs(25);
/// Before a queue that is not there is asked for again.
const MISSING_REST: Duration = Duration::from_millis(500);
/// Before a queue that has ended is asked again by a worker that does not end with it.
const ENDED_REST: Duration = Duration::from_secs(1);
/// An empty answer that comes sooner than this was not parked, whatever the reason.
const TOO_SOON: Duration = Duration::from_millis(50);
/// The loop turns at least this often, so that its health can be seen.
const TICK: Duration = Duration::from_secs(5);
/// What the last settlements get after the grace, and what they get when there is no time at all.
const FLUSH: Duration = Duration::from_secs(3);
const HASTY_FLUSH: Duration = Duration::from_secs(1);

/// How a worker of a queue ended, and what it did.
pub(crate) struct Ended {
    pub(crate) exit: Exit,
    pub(crate) summary: Summary,
}

/// Works on the queue until it is finished or the worker is to stop.
pub(crate) async fn drain(
    config: Config,
    grace: Duration,
    health: Health,
    stop: watch::Receiver<Urgency>,
) -> Ended {
    let Config {
        client,
        queue,
        slots,
        until,
        name,
        lease,
        wait_queue,
        server_timeout,
        handler,
    } = config;
    let queue = client.with_give_up_after(server_timeout).queue(queue);
    let mut drain = Drain {
        renewer: queue.renewer(lease),
        lease_ms: lease.map(millis),
        queue,
        until,
        name,
        wait_queue,
        grace,
        handler: Arc::new(handler),
        halt: Halt::default(),
        slots: Slots::new(slots),
        outbox: Outbox::default(),
        running: JoinSet::new(),
        held: HashMap::new(),
        calls: FuturesUnordered::new(),
        cuts: HashMap::new(),
        next_call: 0,
        found: Found::NotYet,
        paused: false,
        stopping: None,
        summary: Summary::new(),
    };
    let exit = drain.run(&health, stop).await;
    Ended {
        exit,
        summary: drain.summary,
    }
}

struct Drain {
    queue: QueueClient,
    renewer: Renewer,
    lease_ms: Option<u64>,
    until: Option<Until>,
    name: String,
    wait_queue: Duration,
    grace: Duration,
    handler: Arc<Handler>,
    halt: Halt,
    slots: Slots,
    outbox: Outbox,
    running: JoinSet<Handled>,
    held: HashMap<Id, Arc<Lease>>,
    calls: FuturesUnordered<BoxFuture<'static, Returned>>,
    cuts: HashMap<CallId, CancellationToken>,
    next_call: CallId,
    found: Found,
    paused: bool,
    stopping: Option<Stopping>,
    summary: Summary,
}

/// Whether the queue was there.
#[derive(Debug, Clone, Copy)]
enum Found {
    NotYet,
    MissingSince(Instant),
    Yes,
}

/// A worker on its way out.
#[derive(Debug, Clone, Copy)]
struct Stopping {
    exit: Exit,
    /// When handlers are ended that still run.
    end: Instant,
    /// Whether there is a server to settle with.
    settle: bool,
    hasty: bool,
}

/// What a handler made of an item.
struct Handled {
    verdict: Verdict,
    took: Duration,
}

/// A call that is over.
struct Returned {
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
    async fn run(&mut self, health: &Health, mut stop: watch::Receiver<Urgency>) -> Exit {
        loop {
            let wait = match self.slots.next(Instant::now()) {
                Step::Lease { slots } => {
                    self.lease(slots);
                    continue;
                }
                Step::Settle => {
                    self.settle();
                    continue;
                }
                Step::Cut(calls) => {
                    self.cut(&calls);
                    None
                }
                Step::Finish => return self.stopping.map_or(Exit::Finished, |stop| stop.exit),
                Step::Wait(until) => until,
            };
            health.turned(self.slots.running() > 0);
            let tick = Instant::now() + TICK;
            let end = self
                .stopping
                .map(|stop| stop.end)
                .filter(|_| !self.halt.end.is_cancelled());
            let wake = [Some(tick), wait, end]
                .into_iter()
                .flatten()
                .min()
                .unwrap_or(tick);
            tokio::select! {
                Some(returned) = self.calls.next() => self.returned(returned),
                Some(handled) = self.running.join_next_with_id() => self.handled(handled),
                Ok(()) = stop.changed() => {
                    let urgency = *stop.borrow_and_update();
                    health.stopping();
                    self.told_to_stop(urgency);
                }
                () = tokio::time::sleep_until(wake) => self.grace_over(),
            }
        }
    }

    /// Asks for items, and carries what is to be settled.
    fn lease(&mut self, slots: usize) {
        let slots = slots.min(limits::MAX_LEASE_ITEMS as usize);
        let (id, now) = (self.new_call(), Instant::now());
        let request = LeaseRequest {
            max: u32::try_from(slots).ok(),
            wait_ms: Some(millis(PARK)),
            lease_ms: self.lease_ms,
            worker: Some(self.name.clone()),
            until: self.until,
            settle: self.outbox.send(id),
        };
        let carried = request.settle.len();
        self.slots.called(id, slots, carried, now);
        let queue = self.queue.clone();
        self.call(id, carried, async move {
            Answer::Leased(queue.lease(&request).await)
        });
    }

    /// Settles without asking for items.
    fn settle(&mut self) {
        if self.stopping.is_some_and(|stop| !stop.settle) {
            self.abandon();
            return;
        }
        let (id, now) = (self.new_call(), Instant::now());
        let settlements = self.outbox.send(id);
        let carried = settlements.len();
        self.slots.called(id, 0, carried, now);
        let queue = self.queue.clone();
        let deadline = self.stopping.map(|stop| match stop.hasty {
            true => now + HASTY_FLUSH,
            false => stop.end.max(now) + FLUSH,
        });
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

    fn cut(&mut self, calls: &[CallId]) {
        for call in calls {
            if let Some(cut) = self.cuts.get(call) {
                cut.cancel();
            }
        }
    }

    fn returned(&mut self, returned: Returned) {
        let Returned {
            id,
            sent,
            carried,
            answer,
        } = returned;
        self.cuts.remove(&id);
        let error = match answer {
            Answer::Leased(Ok(answer)) => {
                let again = self.outbox.answered(id, &answer.settled, &mut self.summary);
                self.slots.returned(id, again);
                self.leased(answer, sent, carried);
                return;
            }
            Answer::Settled(Ok(answers)) => {
                let again = self.outbox.answered(id, &answers, &mut self.summary);
                self.slots.returned(id, again);
                return;
            }
            Answer::Cut => {
                let again = self.outbox.unsent(id);
                self.slots.returned(id, again);
                return;
            }
            Answer::Leased(Err(error)) | Answer::Settled(Err(error)) => error,
        };
        let again = self.outbox.unsent(id);
        self.slots.returned(id, again);
        self.failed(error);
    }

    /// Starts the items of an answer, and draws conclusions from its state.
    fn leased(&mut self, answer: LeaseAnswer, sent: Instant, carried: usize) {
        self.found = Found::Yes;
        self.note_pause(answer.state == QueueState::Paused);
        if !answer.items.is_empty() {
            self.slots.queue_goes_on();
            for item in answer.items {
                let lease = Arc::new(self.renewer.hold(item));
                match self.slots.is_stopping() {
                    true => self.give_back(lease),
                    false => self.start(lease),
                }
            }
            return;
        }
        let now = Instant::now();
        let ended = match (answer.state, self.until) {
            (QueueState::Drained, Some(_)) | (QueueState::Empty, Some(Until::Empty)) => true,
            (QueueState::Drained, None) => {
                self.slots.rest_until(now + ENDED_REST);
                false
            }
            _ => false,
        };
        if ended {
            if !self.slots.queue_ended() {
                self.slots.rest_until(now + ENDED_REST);
            }
            return;
        }
        self.slots.queue_goes_on();
        if carried == 0 && now - sent < TOO_SOON {
            self.slots.rest_until(now + TOO_SOON);
        }
    }

    fn note_pause(&mut self, paused: bool) {
        if paused != self.paused {
            self.paused = paused;
            let queue = self.queue.name();
            match paused {
                true => tracing::info!(%queue, "the queue is paused; waiting"),
                false => tracing::info!(%queue, "the queue is no longer paused"),
            }
        }
    }

    fn start(&mut self, lease: Arc<Lease>) {
        let (handler, halt, item) = (self.handler.clone(), self.halt.clone(), lease.clone());
        let task = self.running.spawn(async move {
            let start = Instant::now();
            let verdict = handler.handle(&item, &halt).await;
            Handled {
                verdict,
                took: start.elapsed(),
            }
        });
        self.held.insert(task.id(), lease);
        self.slots.started();
    }

    fn give_back(&mut self, lease: Arc<Lease>) {
        let failure = Failure::new("given back: its worker was told to stop");
        self.outbox.put(lease, Verdict::Release(failure, None));
        self.slots.gave_back();
    }

    fn handled(&mut self, joined: Result<(Id, Handled), JoinError>) {
        let (id, handled) = match joined {
            Ok(handled) => handled,
            Err(panic) => {
                let verdict = Verdict::Nack(Failure::new(format!("the handler broke: {panic}")));
                let took = Duration::ZERO;
                (panic.id(), Handled { verdict, took })
            }
        };
        let Some(lease) = self.held.remove(&id) else {
            return;
        };
        let Handled { verdict, took } = handled;
        self.summary.busy(took);
        report(&lease, &verdict, took);
        if matches!(verdict, Verdict::Broken(_)) {
            self.stop(Exit::Misconfigured, self.grace);
        }
        let to_settle = self.outbox.put(lease, verdict);
        if !to_settle {
            self.summary.lost();
        }
        self.slots.stopped_running(to_settle);
    }

    /// A call failed for good.
    fn failed(&mut self, error: Error) {
        if let Some(stopping) = &mut self.stopping {
            // There was one last try, and it was this.
            tracing::warn!("{:#}", anyhow::Error::from(error));
            stopping.settle = false;
            return;
        }
        if error.code() == Some(Code::NoSuchQueue) && self.wait_for_queue() {
            return;
        }
        let (exit, advice) = match (&error, error.status()) {
            (_, Some(404)) if !matches!(self.found, Found::Yes) => {
                (Exit::Unavailable, "the queue never came to be; giving up")
            }
            (_, Some(404 | 410)) => (Exit::Refused, "the queue was deleted; ending"),
            (_, Some(401 | 403)) => (Exit::Refused, "the server refuses this worker; ending"),
            _ if error.is_transient() => (
                Exit::Unavailable,
                "the server stayed out of reach; giving up",
            ),
            _ => (
                Exit::Misconfigured,
                "the server does not take what this worker asks; ending",
            ),
        };
        tracing::error!("{advice}: {:#}", anyhow::Error::from(error));
        self.stop(exit, Duration::ZERO);
        if let Some(stopping) = &mut self.stopping {
            stopping.settle = exit == Exit::Misconfigured;
        }
    }

    /// Whether there is still time for a queue that is not there yet.
    fn wait_for_queue(&mut self) -> bool {
        let now = Instant::now();
        let since = match self.found {
            Found::Yes => return false,
            Found::MissingSince(since) => since,
            Found::NotYet => {
                let (queue, wait) = (self.queue.name(), self.wait_queue.as_secs_f64());
                tracing::info!(
                    "queue {queue} does not exist yet; waiting for it for up to {wait} s"
                );
                self.found = Found::MissingSince(now);
                now
            }
        };
        self.slots.rest_until(now + MISSING_REST);
        now - since < self.wait_queue
    }

    fn told_to_stop(&mut self, urgency: Urgency) {
        if urgency == Urgency::GoOn {
            return;
        }
        if self.stopping.is_none() {
            let (running, grace) = (self.slots.running(), self.grace.as_secs_f64());
            tracing::info!(
                running,
                "taking no more items; those that run have {grace} s to finish"
            );
            self.stop(Exit::Stopped, self.grace);
        }
        if urgency == Urgency::Now {
            self.halt.kill.cancel();
            self.halt.end.cancel();
            if let Some(stopping) = &mut self.stopping {
                stopping.hasty = true;
            }
            let calls: Vec<_> = self.cuts.keys().copied().collect();
            self.cut(&calls);
        }
    }

    /// Takes no more items; those that run are ended after so long.
    fn stop(&mut self, exit: Exit, grace: Duration) {
        let end = Instant::now() + grace;
        self.stopping.get_or_insert(Stopping {
            exit,
            end,
            settle: true,
            hasty: false,
        });
        self.slots.stop();
    }

    fn grace_over(&mut self) {
        if let Some(stopping) = self.stopping
            && Instant::now() >= stopping.end
            && !self.halt.end.is_cancelled()
        {
            if self.slots.running() > 0 {
                tracing::warn!(
                    running = self.slots.running(),
                    "ending the items that still run"
                );
            }
            self.halt.end.cancel();
        }
    }

    /// Nobody is there to hear the verdicts.
    fn abandon(&mut self) {
        self.outbox.abandon();
        self.slots.forget_unsettled();
    }
}

/// One line an item.
fn report(lease: &Lease, verdict: &Verdict, took: Duration) {
    let (item, attempt, ms) = (lease.id, lease.attempt, millis(took));
    match verdict {
        Verdict::Ack { result } => {
            let result = result.as_deref().unwrap_or_default();
            let shown: String = result.chars().take(200).collect();
            tracing::info!(%item, attempt, ms, "done {shown}");
        }
        Verdict::Nack(failure) => {
            tracing::warn!(%item, attempt, ms, "failed: {}", failure.headline());
        }
        Verdict::Dead(failure) => {
            tracing::warn!(%item, attempt, ms, "dead: {}", failure.headline());
        }
        Verdict::Release(failure, _) => {
            tracing::info!(%item, attempt, ms, "given back: {}", failure.headline());
        }
        Verdict::Broken(failure) => {
            tracing::error!(%item, attempt, ms, "no item can be handled: {}", failure.headline());
        }
        Verdict::Lost => {
            tracing::warn!(%item, attempt, ms, "the lease was lost while it ran; dropped");
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
