//! Runs, as those tell of them who carry them out: kept in memory for those who watch.
//!
//! A report is repeated while its run goes on, so a server that was started anew knows all of them again
//! before long, and nothing is written down. Nothing the server does depends on a report.

mod store;
mod told;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use queue_api::RunName;
use queue_core::Time;
use tokio::sync::Notify;

use crate::recent::Changed;
pub(crate) use store::Page;
use store::{Limits, Store};
pub(crate) use told::{Place, Told};

/// All runs that the server was told of.
#[derive(Debug, Clone)]
pub(crate) struct Runs(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Mutex<Store>,
    more: Notify,
}

/// One who watches the runs.
#[derive(Debug)]
pub(crate) struct Watch {
    shared: Arc<Shared>,
    seen: u64,
}

impl Default for Runs {
    fn default() -> Self {
        Self(Arc::new(Shared {
            store: Mutex::new(Store::new(Limits::default())),
            more: Notify::new(),
        }))
    }
}

impl Runs {
    /// Takes a report; true if the run was not known.
    pub(crate) fn put(&self, told: Told, now: Time) -> bool {
        let new = self.0.lock().put(told, now);
        self.0.more.notify_waiters();
        new
    }

    /// Forgets a run; false if it was not known.
    pub(crate) fn delete(&self, name: &RunName, now: Time) -> bool {
        let known = self.0.lock().delete(name, now);
        self.0.more.notify_waiters();
        known
    }

    /// The last report of a run, as JSON in one line.
    pub(crate) fn get(&self, name: &RunName, now: Time) -> Option<Bytes> {
        self.0.lock().get(name, now)
    }

    /// The last reports of so many runs after this place, of the one that began last first.
    pub(crate) fn page(&self, after: Option<&Place>, limit: usize, now: Time) -> Page {
        self.0.lock().page(after, limit, now)
    }

    /// All runs, the one that began last first.
    pub(crate) fn names(&self, now: Time) -> Vec<RunName> {
        self.0.lock().names(now)
    }

    /// Watches all runs from now on: what changes after this is told.
    pub(crate) fn watch(&self, now: Time) -> Watch {
        Watch {
            shared: Arc::clone(&self.0),
            seen: self.0.lock().last(now),
        }
    }
}

impl Watch {
    /// Resolves when [`Watch::look`] has something to tell; at once, if it has now.
    pub(crate) async fn changed(&self, clock: impl Fn() -> Time) {
        loop {
            // Registered before looking, so that nothing falls in between.
            let mut more = std::pin::pin!(self.shared.more.notified());
            more.as_mut().enable();
            let now = clock();
            let next = {
                let mut store = self.shared.lock();
                if store.last(now) > self.seen {
                    return;
                }
                store.next()
            };
            let passes = async {
                match next {
                    Some(at) => tokio::time::sleep(at.since(now)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = more => {}
                () = passes => {}
            }
        }
    }

    /// The runs that have changed since the look before. Look at them afterwards, under their names: one that
    /// is not there is gone.
    pub(crate) fn look(&mut self, now: Time) -> Changed<RunName> {
        let mut store = self.shared.lock();
        let last = store.last(now);
        let seen = std::mem::replace(&mut self.seen, last);
        store.since(seen, now)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Store> {
        // Nothing that is done under the lock can panic half way.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Time = Time(1_700_000_000_000);

    fn ended(run: &str) -> Told {
        let report = format!(
            r#"{{"run": "{run}", "spec": "s", "phase": "Succeeded", "started": "2026-01-01T00:00:00Z", "steps": []}}"#
        );
        let report = serde_json::from_str(&report).expect("a report");
        Told::of(report, NOW).expect("JSON")
    }

    /// What a watch that waits already tells after this.
    async fn told_after(runs: &Runs, change: impl FnOnce()) -> Changed<RunName> {
        let mut watch = runs.watch(NOW);
        let waits = tokio::spawn(async move {
            watch.changed(|| NOW).await;
            watch.look(NOW)
        });
        tokio::task::yield_now().await;
        change();
        let told = tokio::time::timeout(Duration::from_secs(1), waits).await;
        told.expect("it is woken").expect("it does not panic")
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_woken_by_what_comes_and_by_what_goes() {
        let runs = Runs::default();
        let name: RunName = "r".parse().expect("a name");
        let these = || Changed::These(vec![name.clone()]);
        let came = told_after(&runs, || assert!(runs.put(ended("r"), NOW))).await;
        assert_eq!(came, these());
        let gone = told_after(&runs, || assert!(runs.delete(&name, NOW))).await;
        assert_eq!(gone, these());
    }
}
