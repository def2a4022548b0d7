//! What was reported of runs, and for how long it holds: pure, time is passed in.
//!
//! 1. A run has one report, the last that came.
//! 2. At most so many reports and so many bytes of them, as they are kept, are there. Where one more comes, those go of which the
//!    end was told first; where none has ended, those of which nobody has told for longest.
//! 3. A run that has not ended is stale from [`RUN_STALE_AFTER`] after its last report until the next. That is
//!    a change like any other: who watches is told of it.
//!
//! It does not know who reports, nor whether it is true.

use std::collections::{BTreeSet, HashMap};

use axum::body::Bytes;
use queue_api::RunName;
use queue_api::limits::{MAX_PAGE_BYTES, MAX_RUNS, MAX_RUNS_BYTES, RUN_STALE_AFTER};
use queue_core::Time;

use super::told::{Place, Told};
use crate::recent::{Changed, Recent};

/// All that is kept of runs.
#[derive(Debug)]
pub(super) struct Store {
    limits: Limits,
    kept: HashMap<RunName, Kept>,
    /// Bytes of all reports, as they are kept.
    bytes: usize,
    /// Reports that ever came.
    reports: u64,
    /// When a run that has not ended is stale, unless it is told of before.
    due: BTreeSet<(Time, RunName)>,
    recent: Recent<RunName>,
}

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    runs: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    told: Told,
    /// Which report it is of all that ever came.
    number: u64,
    /// When it is stale; none of a run that has ended, or is stale.
    due: Option<Time>,
}

/// Some of the runs that are listed.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Their reports, each as JSON.
    pub(crate) reports: Vec<Bytes>,
    /// The place of the last of them, if more come after it.
    pub(crate) next: Option<Place>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            runs: MAX_RUNS,
            bytes: MAX_RUNS_BYTES,
        }
    }
}

impl Store {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            kept: HashMap::new(),
            bytes: 0,
            reports: 0,
            due: BTreeSet::new(),
            recent: Recent::default(),
        }
    }

    /// Takes a report in place of the run's last one; true if there was none.
    pub(super) fn put(&mut self, told: Told, now: Time) -> bool {
        self.pass(now);
        let name = told.run().clone();
        let before = self.kept.remove(&name);
        if let Some(before) = &before {
            self.let_go(&name, before);
        }
        let due = (!told.has_ended()).then(|| now + RUN_STALE_AFTER);
        if let Some(due) = due {
            self.due.insert((due, name.clone()));
        }
        self.reports += 1;
        self.bytes += told.text().len();
        let kept = Kept {
            told,
            number: self.reports,
            due,
        };
        self.kept.insert(name.clone(), kept);
        self.recent.put(&name);
        while self.kept.len() > self.limits.runs || self.bytes > self.limits.bytes {
            let Some(first) = self.first_to_go(&name) else {
                break;
            };
            self.take(&first);
        }
        before.is_none()
    }

    /// Forgets a run; false if it was not known.
    pub(super) fn delete(&mut self, name: &RunName, now: Time) -> bool {
        self.pass(now);
        self.take(name)
    }

    /// The last report of a run.
    pub(super) fn get(&mut self, name: &RunName, now: Time) -> Option<Bytes> {
        self.pass(now);
        self.kept.get(name).map(|kept| kept.told.text().clone())
    }

    /// So many reports of the runs after this place, of the one that began last first; fewer where they are
    /// long, and one at least.
    pub(super) fn page(&mut self, after: Option<&Place>, limit: usize, now: Time) -> Page {
        self.pass(now);
        let mut page = Page::default();
        let (mut bytes, mut last) = (0, None::<&Place>);
        for told in self.listed() {
            if after.is_some_and(|after| told.place() <= after) {
                continue;
            }
            if page.reports.len() >= limit || bytes >= MAX_PAGE_BYTES {
                page.next = last.cloned();
                break;
            }
            bytes += told.text().len();
            page.reports.push(told.text().clone());
            last = Some(told.place());
        }
        page
    }

    /// All runs, the one that began last first.
    pub(super) fn names(&mut self, now: Time) -> Vec<RunName> {
        self.pass(now);
        let listed = self.listed().into_iter();
        listed.map(|told| told.run().clone()).collect()
    }

    fn listed(&self) -> Vec<&Told> {
        let mut listed: Vec<_> = self.kept.values().map(|kept| &kept.told).collect();
        listed.sort_unstable_by_key(|told| told.place());
        listed
    }

    /// Number of the latest change.
    pub(super) fn last(&mut self, now: Time) -> u64 {
        self.pass(now);
        self.recent.last()
    }

    /// The runs that were reported, became stale or went after this change.
    pub(super) fn since(&mut self, seen: u64, now: Time) -> Changed<RunName> {
        self.pass(now);
        self.recent.since(seen)
    }

    /// When time alone changes something next.
    pub(super) fn next(&self) -> Option<Time> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Lets time pass until `now`.
    fn pass(&mut self, now: Time) {
        while self.due.first().is_some_and(|(due, _)| *due <= now) {
            let Some((_, name)) = self.due.pop_first() else {
                return;
            };
            if let Some(kept) = self.kept.get_mut(&name) {
                self.bytes -= kept.told.text().len();
                kept.told.go_stale();
                self.bytes += kept.told.text().len();
                kept.due = None;
                self.recent.put(&name);
            }
        }
    }

    /// Who goes first, but for this one.
    fn first_to_go(&self, but: &RunName) -> Option<RunName> {
        let others = self.kept.iter().filter(|(name, _)| *name != but);
        let first = others.min_by_key(|(_, kept)| (!kept.told.has_ended(), kept.number));
        first.map(|(name, _)| name.clone())
    }

    fn take(&mut self, name: &RunName) -> bool {
        let Some(kept) = self.kept.remove(name) else {
            return false;
        };
        self.let_go(name, &kept);
        self.recent.put_gone(name);
        true
    }

    /// Counts a report no more.
    fn let_go(&mut self, name: &RunName, kept: &Kept) {
        self.bytes -= kept.told.text().len();
        if let Some(due) = kept.due {
            self.due.remove(&(due, name.clone()));
        }
    }
}

#[cfg(test)]
mod tests;
