//! One queue that serves callers: the core under a lock, and around it what the core does not know:
//! bytes, parked calls, the clock, and who wants to hear of progress.

use std::sync::{Arc, Mutex, MutexGuard};

use queue_api::{QueueName, Settings};
use queue_core::{Blob, Event, Queue, Seq, Time};
use queue_log::{Lsn, Room};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::Shared;
use super::bodies::Bodies;
use super::changes::Listed;
use super::entropy::Entropy;
use super::fault::Fault;
use super::grant::Granted;
use super::handling::Measured;
use super::names::Names;
use super::rate::Rate;
use super::store::encode::{self, Introduced};
use super::store::{Recovered, Rest};
use super::turn::Turn;
use super::waiters::Waiters;

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
    pub(super) measured: Measured,
    pub(super) entropy: Entropy,
    pub(super) deleted: bool,
    /// What an answer about this queue waits for: the last record that must be durable, the last that
    /// must be written.
    pub(super) rest: Rest,
    /// Where the queue's records begin: what lies before is not needed to recover it.
    pub(super) base: Lsn,
    /// Bytes of bodies in memory that the store was told of.
    pub(super) in_memory: u64,
    /// Items and bytes that the engine was told of.
    pub(super) held: (u64, u64),
    /// Bytes of a snapshot that the store was told of.
    pub(super) live: u64,
    /// When the timer will come round; nothing earlier may be due without telling it.
    pub(super) armed: Option<Time>,
    pub(super) told: Progress,
    /// A turn changed something since it was last told.
    pub(super) changed: bool,
    pub(super) listed: Listed,
    /// Kept between turns so that a turn need not allocate.
    pub(super) events: Vec<Event>,
    pub(super) free: Vec<Blob>,
}

/// What those who follow a queue wait to see change.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) last_outcome: u64,
    /// Items that work has ended, not an operator or time: done or dead, each time that it was.
    pub(super) worked_off: u64,
    pub(super) drained: bool,
    pub(super) empty: bool,
}

impl Progress {
    pub(super) fn of(core: &Queue, now: Time) -> Self {
        let totals = core.totals();
        Self {
            last_outcome: core.last_outcome(),
            worked_off: totals.acked + totals.taken + totals.dead,
            drained: core.is_drained(),
            empty: core.is_empty(now),
        }
    }
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
        let mut turn = Turn::begin(self, &mut inner, now);
        let mut from = Some(Seq(0));
        while let Some(seq) = from {
            from = turn.prolong(|core, now, events| core.recovered(now, seq, events));
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
        let mut turn = Turn::begin(self, &mut inner, now);
        let caught_up = turn.catch_up();
        let result = command(&mut turn);
        turn.serve_waiters();
        let at = match caught_up {
            true => turn.wake_up_at(),
            // Not at once again, and again.
            false => turn.wake_up_later(),
        };
        let moved = turn.has_moved();
        turn.report();
        if std::mem::take(&mut inner.changed) || moved {
            self.shared.changes.list(&self.name, &mut inner.listed);
        }
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

    /// Tells those who watch that there is something new of the queue.
    pub(super) fn has_changed(&self) {
        let mut inner = self.lock();
        // Whoever deleted it has told so, and nobody would take its name off the list again.
        if !inner.deleted {
            self.shared.changes.list(&self.name, &mut inner.listed);
        }
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
        self.shared.room_for(Room::Settle, 1, 0)?;
        // Dropping the waiters closes their channels: parked calls hear that the queue is gone.
        let emptied = Inner {
            deleted: true,
            ..Inner::default()
        };
        let store = self.shared.store();
        let now = self.shared.clock.now();
        let recorded = store.append(|record| encode::deleted(record, self.incarnation, now));
        let mut held = std::mem::replace(&mut *inner, emptied);
        drop(inner);
        held.report_gone(&self.shared);
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

    /// The queue under its lock, unless it was deleted.
    pub(super) fn present(&self) -> Result<MutexGuard<'_, Inner>, Fault> {
        let inner = self.lock();
        match inner.deleted {
            false => Ok(inner),
            true => Err(Fault::NoSuchQueue(self.name.clone())),
        }
    }
}

impl Drop for LiveQueue {
    fn drop(&mut self) {
        // One that was put together and given up was told of too.
        if let Ok(inner) = self.inner.get_mut() {
            inner.report_gone(&self.shared);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::tests::engine;
    use super::super::turn::KEPT_EVENTS;
    use super::super::{Engine, Entry, Incoming};
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
            .enqueue(Incoming::of(&vec![Entry::plain(b"item"); 100_000]))
            .await
            .expect("an open queue");
        let kept = queue.lock().events.capacity();
        assert!(kept <= KEPT_EVENTS, "{kept}");
    }

    #[tokio::test]
    async fn a_queue_that_is_deleted_leaves_no_wake_up_behind() {
        let (engine, queue) = queue();
        let enqueued = queue.enqueue(Incoming::of(&[Entry::plain(b"item")])).await;
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
