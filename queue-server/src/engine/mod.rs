//! The queues of a server: everything between HTTP and the pure core.
//!
//! HTTP hands in bytes that were checked for form and gets answers or [`Fault`]s back; it never sees
//! a lock. The engine never sees a request.

mod backup;
mod bodies;
mod changes;
mod clock;
mod commands;
mod compact;
mod entropy;
mod fault;
mod fetch;
mod figures;
mod grant;
mod handling;
mod held;
mod incoming;
mod live;
mod look;
mod names;
mod park;
mod rate;
mod recover;
mod redrive;
mod registry;
mod room;
mod seen;
mod settings;
mod settle;
mod store;
mod timed_disk;
mod timer;
mod token;
mod turn;
mod view;
mod waiters;
#[cfg(test)]
mod whole_life;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use dashmap::DashMap;
use queue_api::{LeaseToken, QueueName};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use queue_log::Lsn;

use crate::metrics::Meters;

use changes::Changes;
use clock::Clock;
use held::Held;
use store::Store;
use timer::Timer;

pub(crate) use backup::Chunks;
pub(crate) use changes::Watch;
pub(crate) use clock::{timestamp, wall_time};
pub(crate) use commands::{MassPurge, Page};
pub(crate) use fault::Fault;
pub(crate) use figures::{EngineFigures, LogFigures, QueueFigures};
pub(crate) use grant::{Grant, Granted, Shown};
pub(crate) use incoming::{Entered, Entry, Idempotent, Incoming, check_sizes};
pub(crate) use live::LiveQueue;
pub(crate) use look::Wanted;
pub(crate) use recover::{RecoverError, Storage};
pub(crate) use settle::{Report, Verdict};
pub(crate) use store::{Recovered, Replay};
pub(crate) use token::Token;
pub(crate) use waiters::Ask;

/// Bounds of an engine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineLimits {
    /// Most queues.
    pub(crate) max_queues: usize,
    /// Most parked calls over all queues.
    pub(crate) max_waiters: usize,
    /// Most items over all queues: ready, leased, delayed and dead.
    pub(crate) max_items: u64,
    /// Most bytes of their bodies, and of the errors and logs of their attempts.
    pub(crate) max_bytes: u64,
}

/// All queues of a server.
#[derive(Debug)]
pub(crate) struct Engine {
    limits: EngineLimits,
    by_name: DashMap<QueueName, Arc<LiveQueue>>,
    by_incarnation: DashMap<u64, Arc<LiveQueue>>,
    /// Held from the record of a queue that is made until the queue is listed: whoever lists all queues
    /// to let go of what lies before them must not miss one whose record is there.
    making: RwLock<()>,
    backups: Arc<Semaphore>,
    /// Where a restore puts things aside: no compaction lets go of what lies behind.
    pin: Mutex<Option<Lsn>>,
    shared: Arc<Shared>,
}

/// What every queue needs of its engine.
#[derive(Debug)]
pub(crate) struct Shared {
    clock: Clock,
    /// Opened once the log was read.
    store: OnceLock<Store>,
    /// The queues are as the log tells of them: commands may come.
    ready: AtomicBool,
    timer: Timer,
    stop: CancellationToken,
    parked: AtomicUsize,
    held: Held,
    changes: Changes,
    limits: EngineLimits,
    meters: Meters,
}

impl Engine {
    /// An engine that serves nobody until it is [opened](Engine::open), and whose clock shows `wall`,
    /// the time since 1970.
    pub(crate) fn new(limits: EngineLimits, wall: Duration) -> Arc<Self> {
        let shared = Shared {
            clock: Clock::start(wall),
            store: OnceLock::new(),
            ready: AtomicBool::new(false),
            timer: Timer::default(),
            stop: CancellationToken::new(),
            parked: AtomicUsize::new(0),
            held: Held::default(),
            changes: Changes::default(),
            limits,
            meters: Meters::default(),
        };
        Arc::new(Self {
            limits,
            by_name: DashMap::new(),
            by_incarnation: DashMap::new(),
            making: RwLock::new(()),
            backups: Arc::new(Semaphore::new(backup::MAX_BACKUPS)),
            pin: Mutex::new(None),
            shared: Arc::new(shared),
        })
    }

    /// Answers every parked call with what it has, and parks no more.
    pub(crate) fn stop(&self) {
        self.shared.stop.cancel();
    }

    /// Resolves when the engine stops.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.shared.stop.clone()
    }

    /// Whether commands may come, or why not.
    pub(crate) fn check_ready(&self) -> Result<(), Fault> {
        self.shared.check_ready()?;
        match self.shared.store().failure() {
            Some(failed) => Err(failed.clone().into()),
            None => Ok(()),
        }
    }

    /// Parked calls over all queues.
    pub(crate) fn parked(&self) -> usize {
        self.shared.parked.load(Ordering::Relaxed)
    }

    /// Wakes queues when time alone changes them, until the engine stops.
    pub(crate) async fn run_timer(self: Arc<Self>) {
        let shared = &self.shared;
        loop {
            let sleep = async {
                match shared.timer.next() {
                    Some(at) => tokio::time::sleep(at.since(shared.clock.now())).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = sleep => {}
                () = shared.timer.earlier() => continue,
                () = shared.stop.cancelled() => return,
            }
            // A slice of each in turn, so that a queue with a million leases to expire does not keep
            // the others waiting.
            for incarnation in shared.timer.pop_due(shared.clock.now()) {
                let queue = self
                    .by_incarnation
                    .get(&incarnation)
                    .map(|queue| Arc::clone(&queue));
                if let Some(queue) = queue {
                    queue.tick();
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// The queue of this name.
    pub(crate) fn queue(&self, name: &QueueName) -> Result<Arc<LiveQueue>, Fault> {
        self.shared.check_ready()?;
        let queue = self.by_name.get(name).map(|queue| Arc::clone(&queue));
        queue.ok_or_else(|| Fault::NoSuchQueue(name.clone()))
    }

    /// The queue that gave out a token, and what the token names in it.
    pub(crate) fn lease_owner(&self, token: &LeaseToken) -> Result<(Arc<LiveQueue>, Token), Fault> {
        self.shared.check_ready()?;
        let token = Token::decode(token).ok_or(Fault::LeaseLost)?;
        let queue = self
            .by_incarnation
            .get(&token.incarnation)
            .map(|queue| Arc::clone(&queue));
        queue.map(|queue| (queue, token)).ok_or(Fault::LeaseLost)
    }

    /// All queues by name.
    pub(crate) fn queues(&self) -> Result<Vec<Arc<LiveQueue>>, Fault> {
        self.shared.check_ready()?;
        let mut queues: Vec<_> = self
            .by_name
            .iter()
            .map(|queue| Arc::clone(&queue))
            .collect();
        queues.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(queues)
    }

    fn pin(&self, at: Option<Lsn>) {
        *self.pin.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    fn pinned(&self) -> Option<Lsn> {
        *self.pin.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Where commands are kept.
    fn store(&self) -> &Store {
        self.store
            .get()
            .expect("no queue is there before the store is")
    }

    fn check_ready(&self) -> Result<(), Fault> {
        match self.ready.load(Ordering::Acquire) {
            true => Ok(()),
            false => Err(Fault::Recovering),
        }
    }
}

/// A place among the parked calls, given back when dropped.
#[derive(Debug)]
struct ParkingPlace(Arc<Shared>);

impl ParkingPlace {
    fn take(shared: &Arc<Shared>, wait: Duration) -> Result<Option<Self>, Fault> {
        if wait.is_zero() {
            return Ok(None);
        }
        let place = Self(Arc::clone(shared));
        let most = shared.limits.max_waiters;
        if shared.parked.fetch_add(1, Ordering::Relaxed) >= most {
            return Err(Fault::TooManyWaiters(most));
        }
        Ok(Some(place))
    }
}

impl Drop for ParkingPlace {
    fn drop(&mut self) {
        self.0.parked.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An engine in memory that is open.
    pub(crate) fn engine() -> Arc<Engine> {
        engine_in(Storage::Memory)
    }

    /// An engine that is open.
    pub(crate) fn engine_in(storage: Storage) -> Arc<Engine> {
        let limits = EngineLimits {
            max_queues: 10,
            max_waiters: 10,
            max_items: 1_000_000,
            max_bytes: 1_000_000_000,
        };
        let engine = Engine::new(limits, wall_time());
        engine.open(storage).expect("nothing can be wrong");
        engine
    }
}
