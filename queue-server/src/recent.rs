//! Names of things in the order of their latest change, for those who watch them all.
//!
//! Each name stands in the list once, the latest change last. Whoever watches keeps a number and asks for
//! what came after it. It knows neither what has a name nor what changed, and wakes nobody.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

/// Names of things that are gone which are kept for those who have not looked since.
const KEPT_GONE: usize = 10_000;

/// The names, and who is gone.
#[derive(Debug)]
pub(crate) struct Recent<N> {
    /// Number of the latest change.
    last: u64,
    by_number: BTreeMap<u64, N>,
    of: HashMap<N, u64>,
    /// Those of `by_number` that are of things which are not there any more.
    gone: BTreeSet<u64>,
    /// What was listed up to here and is gone may be forgotten.
    forgotten: u64,
}

/// What has changed since a look before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Changed<N> {
    /// Things of these names: changed, made, or gone.
    These(Vec<N>),
    /// It is not known any more: look at all of them.
    Unknown,
}

impl<N> Default for Recent<N> {
    fn default() -> Self {
        Self {
            last: 0,
            by_number: BTreeMap::new(),
            of: HashMap::new(),
            gone: BTreeSet::new(),
            forgotten: 0,
        }
    }
}

impl<N: Clone + Eq + Hash> Recent<N> {
    /// Something was made or has changed.
    pub(crate) fn put(&mut self, name: &N) {
        self.last += 1;
        if let Some(before) = self.of.insert(name.clone(), self.last) {
            self.by_number.remove(&before);
            self.gone.remove(&before);
        }
        self.by_number.insert(self.last, name.clone());
    }

    /// Something is gone.
    pub(crate) fn put_gone(&mut self, name: &N) {
        self.put(name);
        self.gone.insert(self.last);
        if self.gone.len() > KEPT_GONE {
            self.forget_oldest();
        }
    }

    /// Number of the latest change.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// What came after a change, the earliest first.
    pub(crate) fn since(&self, seen: u64) -> Changed<N> {
        if seen < self.forgotten {
            return Changed::Unknown;
        }
        let since = self.by_number.range(seen + 1..);
        Changed::These(since.map(|(_, name)| name.clone()).collect())
    }

    fn forget_oldest(&mut self) {
        let Some(number) = self.gone.pop_first() else {
            return;
        };
        self.forgotten = number;
        if let Some(name) = self.by_number.remove(&number) {
            self.of.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_things_that_are_gone_take_no_more_room_than_some() {
        let mut recent = Recent::default();
        for n in 0..3 * KEPT_GONE {
            recent.put(&n);
            recent.put_gone(&n);
        }
        assert_eq!(recent.by_number.len(), KEPT_GONE);
        assert_eq!((recent.of.len(), recent.gone.len()), (KEPT_GONE, KEPT_GONE));
    }

    #[test]
    fn one_who_looks_too_seldom_is_told_to_look_at_all() {
        let mut recent = Recent::default();
        let seen = recent.last();
        for n in 0..=KEPT_GONE {
            recent.put_gone(&n);
        }
        assert_eq!(recent.since(seen), Changed::Unknown);
        assert_eq!(recent.since(recent.last()), Changed::These(vec![]));
    }

    #[test]
    fn what_changes_again_is_listed_once_and_last() {
        let mut recent = Recent::default();
        for name in ["a", "b", "a"] {
            recent.put(&name);
        }
        assert_eq!(recent.since(0), Changed::These(vec!["b", "a"]));
    }
}
