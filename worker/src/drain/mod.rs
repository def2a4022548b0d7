//! The worker's loop: carries out what [`crate::slots`] decides, and tells it what happened.
//!
//! One task holds the slots, the outbox and the calls; each item is handled in a task of its own,
//! and the leases are renewed by another one. It knows which answers end a worker, but neither how
//! items are handled nor how calls are repeated.

mod ahead;
mod calls;
mod dead;
mod leave;
mod spans;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use queue_api::Until;
use queue_client::{Lease, QueueClient, Renewer};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::calls::Returned;
use self::dead::Watch;
pub(crate) use self::dead::tell as tell_of_too_many;
use self::leave::{Found, Stopping};
use self::spans::Spans;
use crate::config::Config;
use crate::exit::Exit;
use crate::handler::{Halt, Handler};
use crate::health::Health;
use crate::metrics::Meters;
use crate::outbox::Outbox;
use crate::slots::{CallId, Slots, Step};
use crate::stop::Urgency;
use crate::summary::Summary;
use crate::verdict::{Failure, Verdict};

/// The loop turns at least this often, so that its health can be seen.
const TICK: Duration = Duration::from_secs(5);

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
    meters: Arc<Meters>,
    mut stop: watch::Receiver<Urgency>,
) -> Ended {
    let Config {
        client,
        queue,
        slots,
        prefetch,
        max_dead,
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
        slots: Slots::new(slots, prefetch),
        ahead: VecDeque::new(),
        watch: max_dead.map(Watch::new),
        outbox: Outbox::default(),
        running: JoinSet::new(),
        held: HashMap::new(),
        calls: FuturesUnordered::new(),
        cuts: HashMap::new(),
        next_call: 0,
        found: Found::NotYet,
        paused: false,
        stopping: None,
        summary: Summary::new(Arc::clone(&meters)),
        meters,
        spans: Spans::default(),
    };
    let exit = drain.run(&health, &mut stop).await;
    drain.close(&mut stop).await;
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
    /// Items whose turn has not come.
    ahead: VecDeque<Arc<Lease>>,
    watch: Option<Watch>,
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
    meters: Arc<Meters>,
    spans: Spans,
}

/// The next look at the dead, if anybody wants to know.
async fn look(watch: &mut Option<Watch>, queue: &QueueClient) -> dead::Looked {
    match watch {
        Some(watch) => watch.look(queue).await,
        None => std::future::pending().await,
    }
}

/// What a handler made of an item.
struct Handled {
    verdict: Verdict,
    took: Duration,
}

impl Drain {
    async fn run(&mut self, health: &Health, stop: &mut watch::Receiver<Urgency>) -> Exit {
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
            let (running, unsettled) = (self.slots.running(), self.outbox.len());
            self.meters.are(running, self.ahead.len(), unsettled);
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
                looked = look(&mut self.watch, &self.queue) => self.looked(looked),
                () = self.handler.attend() => {}
                () = self.renewer.faded(), if !self.ahead.is_empty() => self.give_back_the_faded(),
                () = tokio::time::sleep_until(wake) => self.grace_over(),
            }
        }
    }

    /// Ends what the handler has beyond items; a second signal kills it.
    async fn close(&mut self, stop: &mut watch::Receiver<Urgency>) {
        let end = self.stopping.map(|stopping| stopping.end);
        let end = end.unwrap_or_else(|| Instant::now() + self.grace);
        let (handler, halt) = (self.handler.clone(), self.halt.clone());
        let close = handler.close(end, &halt);
        tokio::pin!(close);
        tokio::select! {
            () = &mut close => return,
            _ = stop.wait_for(|urgency| *urgency == Urgency::Now) => halt.kill.cancel(),
        }
        close.await;
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
    }

    /// Gives an item back that was not handled, for this reason.
    fn give_back(&mut self, lease: Arc<Lease>, why: &str) {
        let verdict = Verdict::Release(Failure::new(format!("given back: {why}")), None);
        self.spans.end(&lease, &verdict);
        self.outbox.put(lease, verdict);
    }

    fn handled(&mut self, joined: Result<(Id, Handled), JoinError>) {
        let (id, handled) = match joined {
            Ok(handled) => handled,
            Err(panic) => {
                let verdict = Verdict::nack(Failure::new(format!("the handler broke: {panic}")));
                let took = Duration::ZERO;
                (panic.id(), Handled { verdict, took })
            }
        };
        let Some(lease) = self.held.remove(&id) else {
            return;
        };
        let Handled { verdict, took } = handled;
        self.summary.busy(took);
        self.meters.handled(&verdict, took);
        report(&lease, &verdict, took);
        self.spans.end(&lease, &verdict);
        if matches!(verdict, Verdict::Broken(_)) {
            self.stop(Exit::Misconfigured, self.grace);
        }
        let to_settle = self.outbox.put(lease, verdict);
        if !to_settle {
            self.summary.lost();
        }
        self.slots.stopped_running(to_settle);
        self.next_of_those_ahead();
    }
}

/// One line an item.
fn report(lease: &Lease, verdict: &Verdict, took: Duration) {
    let (item, attempt, trace) = (lease.id, lease.attempt, lease.trace_id());
    let ms = millis(took);
    match verdict {
        Verdict::Ack { result, log: _ } => {
            let result = result.as_deref().unwrap_or_default();
            let first_line = result.lines().next().unwrap_or_default();
            let shown: String = first_line.chars().take(200).collect();
            tracing::info!(item.id = %item, item.attempt = attempt, trace.id = trace, duration_ms = ms, "done {shown}");
        }
        Verdict::Nack(failure, _) => {
            tracing::warn!(item.id = %item, item.attempt = attempt, trace.id = trace, duration_ms = ms, error.message = failure.headline(), "failed");
        }
        Verdict::Dead(failure) => {
            tracing::warn!(item.id = %item, item.attempt = attempt, trace.id = trace, duration_ms = ms, error.message = failure.headline(), "dead");
        }
        Verdict::Release(failure, _) => {
            tracing::info!(item.id = %item, item.attempt = attempt, trace.id = trace, duration_ms = ms, error.message = failure.headline(), "given back");
        }
        Verdict::Broken(failure) => {
            tracing::error!(item.id = %item, item.attempt = attempt, trace.id = trace, duration_ms = ms, error.message = failure.headline(), "no item can be handled");
        }
        Verdict::Lost => {
            tracing::warn!(item.id = %item, item.attempt = attempt, trace.id = trace, duration_ms = ms, "the lease was lost while it ran; dropped");
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
