//! Who keeps which run: one keeper for each, and queues that go with their run.
//!
//! It hears what the watch of runs tells and never waits: what takes time goes on in tasks of its own, in
//! this order for each name of a run.
//!
//! 1. One keeper a run. A new one of the same name begins once the last has ended and its queues are gone.
//! 2. A run that is gone takes its queues with it, and what was reported of it, seen or unseen: what a list
//!    does not show is gone.
//! 3. A sweep takes no queue of a run that is there, and no run that has queues begins while it goes on.

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{FutureExt as _, join_all};
use kube::ResourceExt as _;
use kube::runtime::watcher::Event;
use queue_api::{Code, RunName};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use super::cluster::{Bells, RunKey, Scope};
use super::home::Home;
use super::keeper::{self, Shared};
use super::object::{CANCEL, Run};
use super::plan::names;
use super::report;
use super::watches::Heard;

/// How long after a keeper panicked the next one takes its run up.
const AFTER_PANIC: Duration = Duration::from_secs(60);
/// How often it is tried to remove a queue, whose server may be about to restart.
const TRIES: u32 = 3;
/// The wait between two tries.
const TRY_AGAIN: Duration = Duration::from_secs(5);
/// How long a sweep may take; what it leaves is swept by the next.
const SWEEP: Duration = Duration::from_secs(10);

/// Who keeps what.
pub(super) struct Office {
    shared: Arc<Shared>,
    scope: Scope,
    bells: Arc<Bells>,
    tasks: TaskTracker,
    /// Ends all keepers.
    ended: CancellationToken,
    desks: HashMap<RunKey, Desk>,
    /// All runs there are.
    there: HashMap<RunKey, There>,
    /// While a list comes in, what it has shown so far.
    listed: Option<HashSet<RunKey>>,
    /// What is being cleared away, by the name of its run; cancelled when it is.
    leaving: HashMap<RunKey, CancellationToken>,
    /// Cancelled when no sweep goes on.
    swept: CancellationToken,
}

/// A run that is there.
struct There {
    uid: String,
    /// Its own queues.
    queues: HashSet<String>,
    /// What the queue server calls it.
    reported_as: Option<RunName>,
}

/// A keeper at work.
struct Desk {
    asked: Asked,
    stop: CancellationToken,
    keeper: JoinHandle<()>,
    /// The keeper and what it loads.
    work: TaskTracker,
}

impl Office {
    pub(super) fn new(
        shared: Arc<Shared>,
        scope: Scope,
        bells: Arc<Bells>,
        tasks: TaskTracker,
        ended: CancellationToken,
    ) -> Self {
        let swept = CancellationToken::new();
        swept.cancel();
        Self {
            shared,
            scope,
            bells,
            tasks,
            ended,
            desks: HashMap::new(),
            there: HashMap::new(),
            listed: None,
            leaving: HashMap::new(),
            swept,
        }
    }

    pub(super) fn hear(&mut self, heard: Heard<Run>) {
        match heard {
            Heard::Lost => self.shared.metrics.failed("watch"),
            Heard::Event(Event::Init) => self.listed = Some(HashSet::new()),
            Heard::Event(Event::InitApply(run)) => {
                if let (Some(listed), Some(key)) = (&mut self.listed, key(&run)) {
                    listed.insert(key);
                }
                self.there(&run);
            }
            Heard::Event(Event::InitDone) => self.compare(),
            Heard::Event(Event::Apply(run)) => self.there(&run),
            Heard::Event(Event::Delete(run)) => {
                if let Some(key) = key(&run) {
                    self.gone(&key);
                }
            }
        }
        self.desks.retain(|_, desk| !desk.keeper.is_finished());
        self.leaving.retain(|_, cleared| !cleared.is_cancelled());
    }

    /// Takes leave of all that a whole list did not show, and looks for what others left.
    fn compare(&mut self) {
        let listed = self.listed.take().unwrap_or_default();
        let gone = self.there.keys().filter(|key| !listed.contains(key));
        for key in gone.cloned().collect::<Vec<_>>() {
            self.gone(&key);
        }
        self.sweep();
    }

    fn there(&mut self, run: &Run) {
        let Some(key) = key(run) else {
            return;
        };
        let uid = run.uid().unwrap_or_default();
        if self.there.get(&key).is_some_and(|there| there.uid != uid) {
            self.gone(&key);
        }
        let there = There {
            uid,
            queues: queues_of(run, &key),
            reported_as: report::name(&key, run.metadata.generate_name.as_deref()),
        };
        self.there.insert(key.clone(), there);
        let asked = asked(run);
        if let Some(desk) = self.desks.get_mut(&key)
            && !desk.keeper.is_finished()
        {
            // What the keeper itself wrote is no news to it.
            if desk.asked != asked {
                desk.asked = asked;
                self.bells.ring(&key);
            }
            return;
        }
        // An ended run is taken up for its time to live alone.
        let over = run.status().is_ok_and(|status| status.is_settled());
        if !over || run.spec.get("ttl").is_some_and(|ttl| !ttl.is_null()) {
            self.begin(key, asked);
        }
    }

    fn begin(&mut self, key: RunKey, asked: Asked) {
        let stop = self.ended.child_token();
        let work = TaskTracker::new();
        let there = self.there.get(&key);
        let has_queues = there.is_some_and(|there| !there.queues.is_empty());
        let sweep = has_queues.then(|| self.swept.clone());
        let waits = [sweep, self.leaving.get(&key).cloned()];
        let kept = Box::pin(keep(
            Arc::clone(&self.shared),
            key.clone(),
            Arc::clone(&self.bells),
            work.clone(),
        ));
        let until = stop.clone();
        let keeper = async move {
            let all = async {
                for wait in waits.into_iter().flatten() {
                    wait.cancelled().await;
                }
                kept.await;
            };
            // It may be dropped anywhere: what is meant was written down before.
            let _stopped = until.run_until_cancelled(all).await;
        };
        let keeper = self.tasks.spawn(work.track_future(keeper));
        let desk = Desk {
            asked,
            stop,
            keeper,
            work,
        };
        self.desks.insert(key, desk);
    }

    /// Ends the keeper of a run that is gone, and removes its queues after that.
    fn gone(&mut self, key: &RunKey) {
        let there = self.there.remove(key);
        let desk = self.desks.remove(key);
        self.bells.remove(key);
        let (queues, reported_as) = match there {
            Some(there) => (there.queues, there.reported_as),
            None => Default::default(),
        };
        let before = self.leaving.remove(key);
        let cleared = CancellationToken::new();
        self.leaving.insert(key.clone(), cleared.clone());
        let (shared, ended) = (Arc::clone(&self.shared), self.ended.clone());
        if let Some(desk) = &desk {
            desk.stop.cancel();
        }
        self.tasks.spawn(async move {
            let _cleared = cleared.drop_guard();
            let clear = async {
                if let Some(before) = before {
                    before.cancelled().await;
                }
                if let Some(desk) = desk {
                    desk.work.close();
                    desk.work.wait().await;
                }
                join_all(
                    queues
                        .iter()
                        .map(|queue| remove_queue(&shared, queue, true)),
                )
                .await;
                if let Some(run) = reported_as {
                    // It is shown for a while longer, and no more than that.
                    let _unreached = shared.queues.forget_run(&run).await;
                }
            };
            let _stopped = ended.run_until_cancelled(clear).await;
        });
    }

    /// Removes finished queues of runs that went while no controller looked.
    fn sweep(&mut self) {
        let prefix = match &self.scope {
            Scope::Namespace(namespace) => names::queue_prefix(namespace),
            Scope::All => names::QUEUE_PREFIX.to_owned(),
        };
        let there = self.there.values().flat_map(|there| &there.queues);
        let there: HashSet<String> = there.cloned().collect();
        let (shared, ended) = (Arc::clone(&self.shared), self.ended.clone());
        let (before, swept) = (self.swept.clone(), CancellationToken::new());
        self.swept = swept.clone();
        self.tasks.spawn(async move {
            let _swept = swept.drop_guard();
            let sweep = async {
                before.cancelled().await;
                let found = match shared.queues.queues().await {
                    Ok(found) => found,
                    Err(error) => {
                        warn!(error.message = %super::say(&error), "cannot look for queues of runs that are gone");
                        return;
                    }
                };
                let orphans = found.iter().filter(|queue| {
                    let name = queue.name.as_str();
                    name.starts_with(&prefix) && !there.contains(name)
                });
                for orphan in orphans {
                    let (queue, items) = (orphan.name.as_str(), orphan.unfinished);
                    // Nothing but a name says whose it is: what is not finished is for a person to remove.
                    if items > 0 {
                        info!(queue.name = queue, item.count = items, "a queue of a run that is gone is not finished; `memq queue rm` removes it");
                        continue;
                    }
                    remove_queue(&shared, queue, false).await;
                }
            };
            let bounded = tokio::time::timeout(SWEEP, sweep);
            let _done = ended.run_until_cancelled(bounded).await;
        });
    }
}

/// Keeps a run, and goes on after a panic: one run takes no others down, and is not forgotten either.
async fn keep(shared: Arc<Shared>, key: RunKey, bells: Arc<Bells>, loads: TaskTracker) {
    let _keeping = shared.metrics.keeping();
    loop {
        let home = Home::object(shared.kube.clone(), &key);
        let bell = bells.of(&key);
        let kept = keeper::keep(Arc::clone(&shared), key.clone(), home, bell, loads.clone());
        if AssertUnwindSafe(Box::pin(kept))
            .catch_unwind()
            .await
            .is_ok()
        {
            return;
        }
        shared.metrics.failed("panic");
        error!(run.name = %key, "the keeper of a run panicked; taking it up again later");
        tokio::time::sleep(AFTER_PANIC).await;
    }
}

async fn remove_queue(shared: &Shared, name: &str, force: bool) {
    let Ok(name) = name.parse() else {
        return;
    };
    let queue = shared.queues.queue(name);
    for again in (0..TRIES).rev() {
        match queue.delete(force).await {
            Ok(()) => return,
            Err(error) if error.code() == Some(Code::NoSuchQueue) => return,
            Err(error) if again == 0 || !error.is_transient() => {
                warn!(error.message = %super::say(&error), "cannot remove the queue of a run that is gone");
                return;
            }
            Err(_) => tokio::time::sleep(TRY_AGAIN).await,
        }
    }
}

/// What people ask of a run that goes on: to cancel it, or to let it be deleted.
type Asked = (bool, bool);

fn asked(run: &Run) -> Asked {
    let cancelled = run.annotations().contains_key(CANCEL);
    (cancelled, run.metadata.deletion_timestamp.is_some())
}

/// The queues of a run that are its own.
fn queues_of(run: &Run, key: &RunKey) -> HashSet<String> {
    let steps = run.spec.get("steps").and_then(Value::as_array);
    let pools = steps
        .into_iter()
        .flatten()
        .filter(|step| step.get("items").is_some());
    let names = pools.filter_map(|step| step.get("name")?.as_str());
    names
        .map(|step| names::own_queue(&key.namespace, &key.name, step))
        .collect()
}

fn key(run: &Run) -> Option<RunKey> {
    Some(RunKey {
        namespace: run.namespace()?,
        name: run.name_any(),
    })
}
