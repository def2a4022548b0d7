//! One queue that serves callers: the core under a lock, and around it what the core does not know:
//! bytes, parked calls, the clock, and who wants to hear of progress.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use queue_api::limits::MAX_LEASE_BYTES;
use queue_api::{QueueName, QueueState, Settings, Until};
use queue_core::{Blob, Event, Fence, How, Next, Queue, Seq, Settlement, Time};
use queue_log::Lsn;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::Shared;
use super::bodies::{Bodies, Stored};
use super::entropy::Entropy;
use super::fault::Fault;
use super::grant::{Bytes, Grant, Granted};
use super::names::Names;
use super::rate::Rate;
use super::store::encode::{self, Introduced, Source};
use super::store::{Recovered, Rest};
use super::waiters::{Ask, Waiter, Waiters};

/// Most events that room is kept for between turns: a turn that moved millions must not hold on to
/// their memory.
const KEPT_EVENTS: usize = 4 * queue_core::SLICE;
/// Items that take longer to let go of than a request may be kept waiting.
const AWHILE: u64 = 10_000;

/// A named queue.
#[derive(Debug)]
pub(crate) struct LiveQueue {
    pub(super) name: QueueName,
    /// Drawn when the queue is made: ids and tokens of an earlier queue of this name are not its own.
    pub(super) incarnation: u64,
    pub(super) shared: Arc<Shared>,
    inner: Mutex<Inner>,
    /// Told when an item ends, when the queue becomes drained or empty, and when it is deleted.
    progress: Notify,
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) core: Queue,
    pub(super) settings: Settings,
    pub(super) bodies: Bodies,
    pub(super) waiters: Waiters,
    pub(super) workers: Names,
    pub(super) rate: Rate,
    entropy: Entropy,
    pub(super) deleted: bool,
    /// What an answer about this queue waits for: the last record that must be durable, the last that
    /// must be written.
    rest: Rest,
    /// Where the queue's records begin: what lies before is not needed to recover it.
    pub(super) base: Lsn,
    /// Bytes of bodies in memory that the store was told of.
    in_memory: u64,
    /// Items and bytes that the engine was told of.
    held: (u64, u64),
    /// When the timer will come round; nothing earlier may be due without telling it.
    armed: Option<Time>,
    told: Progress,
    /// Kept between turns so that a turn need not allocate.
    events: Vec<Event>,
    free: Vec<Blob>,
}

/// What those who follow a queue wait to see change.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Progress {
    last_outcome: u64,
    drained: bool,
    empty: bool,
}

impl Progress {
    fn of(core: &Queue, now: Time) -> Self {
        Self {
            last_outcome: core.last_outcome(),
            drained: core.is_drained(),
            empty: core.is_empty(now),
        }
    }
}

/// One command's time with the queue: the lock is held, and `now` is stamped once.
pub(super) struct Turn<'a> {
    pub(super) inner: &'a mut Inner,
    pub(super) now: Time,
    queue: &'a LiveQueue,
}

impl LiveQueue {
    pub(super) fn new(
        name: QueueName,
        incarnation: u64,
        shared: Arc<Shared>,
        settings: Settings,
    ) -> Self {
        let made = Introduced {
            incarnation,
            name: &name,
            settings: &settings,
        };
        let store = shared.store();
        let now = shared.clock.now();
        let recorded = store.append(|record| encode::created(record, made, now));
        let (base, end) = recorded.unwrap_or_default();
        let inner = Inner {
            core: Queue::new(super::settings::for_core(&settings)),
            settings,
            rest: Rest {
                durable: end,
                written: end,
            },
            base,
            ..Inner::default()
        };
        Self {
            name,
            incarnation,
            shared,
            inner: Mutex::new(inner),
            progress: Notify::new(),
        }
    }

    /// A queue as its records tell of it. Its leases last at least their length from now: nobody could
    /// renew them meanwhile.
    pub(super) fn recovered(recovered: Recovered, shared: Arc<Shared>) -> Self {
        let Recovered {
            incarnation,
            name,
            settings,
            base,
            core,
            bodies,
            workers,
        } = recovered;
        let inner = Inner {
            told: Progress::of(&core, shared.clock.now()),
            core,
            settings,
            bodies,
            workers,
            base,
            ..Inner::default()
        };
        Self {
            name,
            incarnation,
            shared,
            inner: Mutex::new(inner),
            progress: Notify::new(),
        }
    }

    /// Gives each lease its whole length again: its holder could not renew it while the server was
    /// away. Before any command, which would end those that ran out meanwhile.
    pub(super) fn renew_leases(&self) {
        let mut inner = self.lock();
        let now = self.shared.clock.now();
        let mut turn = Turn {
            inner: &mut inner,
            now,
            queue: self,
        };
        let mut from = Some(Seq(0));
        while let Some(seq) = from {
            from = turn.apply(|core, now, events| core.recovered(now, seq, events));
        }
        turn.report();
        if let Some(at) = turn.wake_up_at() {
            self.shared.timer.arm(at, self.incarnation);
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &QueueName {
        &self.name
    }

    /// What its item ids and lease tokens are made of.
    pub(crate) fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Runs one command: first what is due, then the command, then whoever can be served by now. What
    /// comes out may be answered once the disk has what it [rests](Rest) on.
    pub(super) fn turn<R>(
        &self,
        command: impl FnOnce(&mut Turn<'_>) -> R,
    ) -> Result<(R, Rest), Fault> {
        if let Some(failed) = self.shared.store().failure() {
            return Err(failed.clone().into());
        }
        let mut inner = self.lock();
        if inner.deleted {
            return Err(Fault::NoSuchQueue(self.name.clone()));
        }
        let now = self.shared.clock.now();
        let mut turn = Turn {
            inner: &mut inner,
            now,
            queue: self,
        };
        turn.apply(Queue::due);
        let result = command(&mut turn);
        turn.serve_waiters();
        let at = turn.wake_up_at();
        let moved = turn.has_moved();
        turn.report();
        let rest = inner.rest;
        drop(inner);
        if let Some(at) = at {
            self.shared.timer.arm(at, self.incarnation);
        }
        if moved {
            self.progress.notify_waiters();
        }
        Ok((result, rest))
    }

    /// Runs one command, and waits until what it changed, and all it could see of what others changed,
    /// is on disk: leases and their extensions apart, which a loss of power turns into a redelivery.
    pub(super) async fn commit<R>(
        &self,
        command: impl FnOnce(&mut Turn<'_>) -> R,
    ) -> Result<R, Fault> {
        let (result, Rest { durable, .. }) = self.turn(command)?;
        let rest = Rest {
            durable,
            ..Rest::default()
        };
        self.shared.store().wait(rest).await?;
        Ok(result)
    }

    /// Does a slice of what time alone has made due. What is left arms the timer again.
    pub(super) fn tick(&self) {
        // A queue that was deleted meanwhile has nothing due.
        let _deleted = self.turn(|turn| turn.inner.armed = None);
    }

    /// Resolves at the next progress. Enable it before looking, so that nothing falls in between.
    pub(crate) fn progress(&self) -> Notified<'_> {
        self.progress.notified()
    }

    /// Marks the queue deleted and lets go of everything in it. The answer rests on what comes back.
    pub(super) fn delete(&self, force: bool) -> Result<Rest, Fault> {
        let mut inner = self.lock();
        if inner.deleted {
            return Err(Fault::NoSuchQueue(self.name.clone()));
        }
        let leased = inner.core.counts().leased;
        if leased > 0 && !force {
            let name = self.name.clone();
            return Err(Fault::QueueBusy { name, leased });
        }
        // Dropping the waiters closes their channels: parked calls hear that the queue is gone.
        let emptied = Inner {
            deleted: true,
            ..Inner::default()
        };
        let store = self.shared.store();
        let now = self.shared.clock.now();
        let recorded = store.append(|record| encode::deleted(record, self.incarnation, now));
        let held = std::mem::replace(&mut *inner, emptied);
        drop(inner);
        store.holds(held.in_memory, 0);
        self.shared.held.change(held.held, (0, 0));
        let (_, durable) = recorded.unwrap_or_default();
        // Not under the lock, and not where requests are served: millions of items take a while to
        // let go of.
        match held.core.snapshot_len() {
            0..AWHILE => drop(held),
            AWHILE.. => drop(tokio::task::spawn_blocking(move || drop(held))),
        }
        self.progress.notify_waiters();
        Ok(Rest {
            durable,
            ..Rest::default()
        })
    }

    /// Takes a parked call out. If it was answered meanwhile, `answered` is what it was given, and
    /// goes back to the queue.
    pub(super) fn abandon(&self, ticket: u64, answered: impl FnOnce() -> Option<Granted>) {
        // A queue that was deleted meanwhile has nothing to take back.
        let _deleted = self.turn(|turn| {
            if turn.inner.waiters.remove(ticket).is_none()
                && let Some(granted) = answered()
            {
                turn.take_back(&granted);
            }
        });
    }

    /// The queue behind its lock.
    ///
    /// # Panics
    /// If a command panicked while it held the lock: that queue can no longer be trusted, and every
    /// later command on it fails rather than build on it.
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .expect("no command left the queue half changed")
    }
}

impl LiveQueue {
    /// The queue under its lock, unless it was deleted.
    pub(super) fn present(&self) -> Result<MutexGuard<'_, Inner>, Fault> {
        let inner = self.lock();
        match inner.deleted {
            false => Ok(inner),
            true => Err(Fault::NoSuchQueue(self.name.clone())),
        }
    }
}

impl Turn<'_> {
    /// Decides, records what was decided, then makes it true.
    pub(super) fn apply<R>(
        &mut self,
        decide: impl FnOnce(&Queue, Time, &mut Vec<Event>) -> R,
    ) -> R {
        let decided = decide(&self.inner.core, self.now, &mut self.inner.events);
        if !self.inner.events.is_empty() {
            self.record();
            let inner = &mut *self.inner;
            for event in inner.events.drain(..) {
                inner.core.evolve(&event, &mut inner.free);
            }
            for blob in inner.free.drain(..) {
                inner.bodies.free(blob);
            }
            inner.events.shrink_to(KEPT_EVENTS);
            inner.free.shrink_to(KEPT_EVENTS);
        }
        decided
    }

    /// Appends the events to the log, and leaves bodies to it alone if memory has no room for them.
    fn record(&mut self) {
        let (queue, now) = (self.queue, self.now);
        let store = queue.shared.store();
        if !store.is_durable() {
            return;
        }
        let Inner {
            bodies,
            events,
            settings,
            rest,
            ..
        } = &mut *self.inner;
        let spills = store.is_over_budget();
        let mut placed = Vec::new();
        let recorded = store.append(|record| {
            let here = |blob| match bodies.get(blob) {
                Stored::Here(bytes) => bytes,
                Stored::Logged(_) => unreachable!("an event brings its bytes in memory"),
            };
            let mut source = Source {
                bytes: &here,
                placed: &mut |blob, at| {
                    if spills {
                        placed.push((blob, at));
                    }
                },
            };
            encode::events(
                record,
                queue.incarnation,
                now,
                settings,
                events,
                &mut source,
            );
        });
        for (blob, at) in placed {
            bodies.move_to_log(blob, at);
        }
        let (_, end) = recorded.unwrap_or_default();
        rest.written = end;
        if !events.iter().all(may_trail) {
            rest.durable = end;
        }
    }

    /// Tells the engine what the queue holds, and the store how much memory its bodies take.
    fn report(&mut self) {
        let shared = &self.queue.shared;
        let now = self.inner.bodies.held();
        let before = std::mem::replace(&mut self.inner.in_memory, now);
        if before != now {
            shared.store().holds(before, now);
        }
        let now = self.inner.core.held();
        let before = std::mem::replace(&mut self.inner.held, now);
        shared.held.change(before, now);
    }

    /// A random number.
    pub(super) fn draw(&mut self) -> u64 {
        self.inner.entropy.draw()
    }

    /// Why a call that is given nothing is given nothing.
    pub(super) fn state(&self) -> QueueState {
        let core = &self.inner.core;
        if core.is_drained() {
            QueueState::Drained
        } else if core.is_empty(self.now) {
            QueueState::Empty
        } else if core.is_paused() {
            QueueState::Paused
        } else {
            QueueState::Waiting
        }
    }

    /// Lends what there is.
    pub(super) fn lend(&mut self, ask: &Ask) -> Granted {
        let entropy = self.inner.entropy.draw();
        let own = Duration::from_millis(self.inner.settings.lease_ms);
        let length = ask.length.unwrap_or(own);
        let mut lent: Vec<(Seq, Fence, Time)> = Vec::new();
        let max = match ask.max {
            0 | 1 => ask.max,
            max => self.inner.core.ready_within(max, MAX_LEASE_BYTES),
        };
        self.apply(|core, now, events| {
            core.lease(now, max, length, ask.worker.as_ref(), entropy, events);
            lent.extend(events.iter().filter_map(|event| match *event {
                Event::Leased {
                    seq,
                    fence,
                    deadline,
                    ..
                } => Some((seq, fence, deadline)),
                _ => None,
            }));
        });
        let Inner { core, bodies, .. } = &*self.inner;
        let grant = |(seq, fence, deadline)| {
            let item = core
                .item(seq)
                .expect("an item that was just leased is in the queue");
            Grant {
                seq,
                fence,
                deadline,
                attempt: item.attempts(),
                enqueued: item.enqueued(),
                body: Bytes::of(bodies.get(item.body())),
            }
        };
        let items: Vec<Grant> = lent.into_iter().map(grant).collect();
        let state = if items.is_empty() {
            self.state()
        } else {
            QueueState::Open
        };
        self.granted(items, state)
    }

    /// An answer to a lease call, with what it rests on.
    pub(super) fn granted(&self, items: Vec<Grant>, state: QueueState) -> Granted {
        let mut rest = self.inner.rest;
        if items.is_empty() {
            rest.written = Lsn::default();
        }
        Granted {
            now: self.now,
            items,
            state,
            rest,
        }
    }

    /// Gives back, unspent, what reached nobody.
    pub(super) fn take_back(&mut self, granted: &Granted) {
        let unspent = Settlement {
            how: How::Released,
            delay: None,
            note: None,
            exit_code: None,
        };
        for item in &granted.items {
            // One that ran out meanwhile is back already.
            let _lost = self.apply(|core, now, events| {
                core.settle(now, item.seq, item.fence, unspent, 0, events)
            });
        }
    }

    fn serve_waiters(&mut self) {
        while self.inner.waiters.len() > 0
            && !self.inner.core.is_paused()
            && self.inner.core.oldest_ready().is_some()
        {
            let Some(Waiter { ask, reply }) = self.inner.waiters.pop() else {
                break;
            };
            let granted = self.lend(&ask);
            if let Err(granted) = reply.send(granted) {
                self.take_back(&granted);
            }
        }
        if self.inner.waiters.len() == 0 {
            return;
        }
        let state = self.state();
        let done: Vec<Waiter> = match state {
            QueueState::Drained => std::iter::from_fn(|| self.inner.waiters.pop()).collect(),
            QueueState::Empty => self.inner.waiters.pop_until_empty(),
            QueueState::Open | QueueState::Paused | QueueState::Waiting => return,
        };
        for waiter in done {
            // A caller that is gone needs no answer.
            let _gone = waiter.reply.send(self.granted(Vec::new(), state));
        }
    }

    /// When the timer must come round, if it does not know yet.
    fn wake_up_at(&mut self) -> Option<Time> {
        let next = self.inner.core.next_deadline(self.now)?;
        let sooner = self.inner.armed.is_none_or(|armed| next < armed);
        sooner.then(|| {
            self.inner.armed = Some(next);
            next
        })
    }

    fn has_moved(&mut self) -> bool {
        let progress = Progress::of(&self.inner.core, self.now);
        let finished = progress.last_outcome - self.inner.told.last_outcome;
        self.inner.rate.add(self.now, finished);
        std::mem::replace(&mut self.inner.told, progress) != progress
    }

    /// Whether a call that waits for `until` has what it waits for, besides an item.
    pub(super) fn has_reached(&self, until: Option<Until>) -> bool {
        match self.state() {
            QueueState::Drained => true,
            QueueState::Empty => until == Some(Until::Empty),
            QueueState::Open | QueueState::Paused | QueueState::Waiting => false,
        }
    }
}

/// Whether an answer may be given before this is on disk: a lease, whose loss costs a redelivery, and
/// what time makes true again by itself.
fn may_trail(event: &Event) -> bool {
    matches!(
        event,
        Event::Leased { .. }
            | Event::Extended { .. }
            | Event::FellDue { .. }
            | Event::Forgotten { .. }
            | Event::Settled {
                how: How::Expired,
                next: Next::Ready | Next::Delayed(_),
                ..
            }
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Engine;
    use super::super::tests::engine;
    use super::*;

    fn queue() -> (Arc<Engine>, Arc<LiveQueue>) {
        let engine = engine();
        let name = "q".parse().expect("a name");
        let (queue, _) = engine
            .ensure(&name, &queue_api::SettingsPatch::default())
            .expect("room for a queue");
        (engine, queue)
    }

    #[tokio::test]
    async fn a_large_enqueue_leaves_no_room_for_as_many_events_behind() {
        let (_engine, queue) = queue();
        queue
            .enqueue(&vec![b"item".as_slice(); 100_000], false)
            .await
            .expect("an open queue");
        let kept = queue.lock().events.capacity();
        assert!(kept <= KEPT_EVENTS, "{kept}");
    }

    #[tokio::test]
    async fn a_queue_that_is_deleted_leaves_no_wake_up_behind() {
        let (engine, queue) = queue();
        let enqueued = queue.enqueue(&[b"item"], false).await;
        enqueued.expect("an open queue");
        let taken = queue.take().await.expect("a queue");
        taken.expect("not paused");
        assert!(
            engine.shared.timer.next().is_some(),
            "its outcome will pass"
        );
        engine.delete(queue.name(), false).await.expect("a queue");
        assert_eq!(engine.shared.timer.next(), None);
    }
}
