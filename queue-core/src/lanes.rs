//! In which order items go out where some have a priority or a group: higher priority first, groups in
//! turns, oldest first within a group.
//!
//! There is a [`Lanes`] exactly while the queue holds an item that has either, in whatever state: what
//! it knows is a function of the items, of the cap, and of one cursor, the group that was served last.
//! A queue of plain items has none and pays nothing.
//!
//! It does not know states, leases or time, and decides nothing: it says which items would be next.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use core::cmp::Reverse;

use crate::Seq;
use crate::paged::{Paged, Vacant};
use crate::seqset::SeqSet;

mod draw;
#[cfg(test)]
mod tests;

/// Tells the groups of a queue apart while they have items in it, and orders their turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct GroupId(pub u32);

impl GroupId {
    /// The group of the items that have none.
    pub const NONE: Self = Self(0);
}

/// What an item that is not plain is ordered by, beside its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lane {
    pub(crate) group: GroupId,
    pub(crate) priority: i16,
}

impl Lane {
    /// That of an item with neither group nor priority, which is never kept.
    pub(crate) const PLAIN: Self = Self {
        group: GroupId::NONE,
        priority: 0,
    };
}

impl Vacant for Lane {
    fn vacant() -> Self {
        Self::PLAIN
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Group {
    name: Arc<str>,
    /// Items of the queue that belong to it, in whatever state. Never 0.
    items: u64,
    /// Those in workers' hands.
    leased: u64,
    turn: Turn,
}

/// The priority of a group's next item, if it may have one: it has a ready item and is below the cap.
type Turn = Option<i16>;

/// A place in a group's order: higher priority first, then oldest first.
type Rank = (Reverse<i16>, Seq);

/// Invariants, recounted by [`Lanes::check`]:
/// 1. `lane` has the items that are not plain; `groups` and `ids` have the groups that those name.
/// 2. A ready item is in `plain` if it is, and else in `ready`.
/// 3. `turns` holds each [`Turn`], once.
/// 4. `lent` has the groups that count leased items.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lanes {
    lane: Paged<Lane, 16>,
    plain: SeqSet,
    ready: BTreeSet<(GroupId, Reverse<i16>, Seq)>,
    turns: BTreeSet<(Reverse<i16>, GroupId)>,
    groups: BTreeMap<GroupId, Group>,
    ids: BTreeMap<Arc<str>, GroupId>,
    /// The groups of which any item is in a worker's hands.
    lent: BTreeSet<GroupId>,
    /// The turn of the items without group, which have no entry in `groups` and no cap.
    ungrouped: Turn,
    last: GroupId,
    /// Bytes of the name of each item's group.
    bytes: u64,
    /// Most items of one group in workers' hands, at least 1.
    cap: u64,
}

impl Lanes {
    /// The lanes of a queue that holds nothing but plain items, these of which are ready, and that
    /// lends at most `cap` items of one group at a time.
    pub(crate) fn begin(plain: SeqSet, cap: Option<u64>) -> Self {
        let mut lanes = Self {
            lane: Paged::default(),
            plain,
            ready: BTreeSet::new(),
            turns: BTreeSet::new(),
            groups: BTreeMap::new(),
            ids: BTreeMap::new(),
            lent: BTreeSet::new(),
            ungrouped: None,
            last: GroupId::NONE,
            bytes: 0,
            cap: cap.unwrap_or(u64::MAX),
        };
        lanes.update(GroupId::NONE);
        lanes
    }

    /// An item that is not plain comes into the queue. `name` is that of its group, if it has one.
    pub(crate) fn add(&mut self, seq: Seq, lane: Lane, name: Option<&Arc<str>>) {
        debug_assert_ne!(lane, Lane::PLAIN, "{seq:?} is plain");
        assert_eq!(
            lane.group == GroupId::NONE,
            name.is_none(),
            "{seq:?} has a group and its name, or neither"
        );
        self.lane.insert(seq.0, lane);
        let Some(name) = name else { return };
        let group = self.groups.entry(lane.group).or_insert_with(|| {
            self.ids.insert(name.clone(), lane.group);
            Group {
                name: name.clone(),
                items: 0,
                leased: 0,
                turn: None,
            }
        });
        assert_eq!(group.name, *name, "{:?} has one name", lane.group);
        group.items += 1;
        self.bytes += name.len() as u64;
    }

    /// An item that is neither ready nor lent leaves the queue. A plain one need not be told.
    pub(crate) fn forget(&mut self, seq: Seq) {
        let Some(Lane { group: id, .. }) = self.lane.remove(seq.0) else {
            return;
        };
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        group.items -= 1;
        self.bytes -= group.name.len() as u64;
        if group.items == 0 {
            self.ids.remove(&group.name);
            self.groups.remove(&id);
        }
    }

    /// Bytes of the names of groups, that of each item on its own.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether no item is left that is not plain: there is nothing to order any more.
    pub(crate) fn is_empty(&self) -> bool {
        self.lane.len() == 0
    }

    /// An item can be lent from here on.
    pub(crate) fn ready(&mut self, seq: Seq) {
        let Lane { group, priority } = self.lane(seq);
        if self.lane.contains(seq.0) {
            self.ready.insert((group, Reverse(priority), seq));
        } else {
            self.plain.insert(seq);
        }
        self.update(group);
    }

    /// An item that was ready is not any more.
    pub(crate) fn unready(&mut self, seq: Seq) {
        let Lane { group, priority } = self.lane(seq);
        if !self.lane.contains(seq.0) {
            self.plain.remove(seq);
        } else if !self.ready.remove(&(group, Reverse(priority), seq)) {
            panic!("{seq:?} is not ready");
        }
        self.update(group);
    }

    /// An item came into a worker's hands.
    pub(crate) fn lent(&mut self, seq: Seq) {
        self.count_lent(seq, |leased| leased + 1);
    }

    /// An item left a worker's hands.
    pub(crate) fn returned(&mut self, seq: Seq) {
        self.count_lent(seq, |leased| leased - 1);
    }

    fn count_lent(&mut self, seq: Seq, count: impl FnOnce(u64) -> u64) {
        let id = self.lane(seq).group;
        if let Some(group) = self.groups.get_mut(&id) {
            let before = group.leased;
            group.leased = count(before);
            match (before, group.leased) {
                (0, 1) => drop(self.lent.insert(id)),
                (1, 0) => drop(self.lent.remove(&id)),
                _ => {}
            }
            self.update(id);
        }
    }

    /// The group whose item went out last.
    pub(crate) fn last(&self) -> GroupId {
        self.last
    }

    /// An item of this group goes out: the turn passes to the groups behind it.
    pub(crate) fn set_last(&mut self, group: GroupId) {
        self.last = group;
    }

    /// Lends at most that many items of one group at a time from here on, at least 1. Costs a pass over
    /// the groups of which any is lent.
    pub(crate) fn set_cap(&mut self, cap: Option<u64>) {
        let old = core::mem::replace(&mut self.cap, cap.unwrap_or(u64::MAX));
        let crossed = |group: &Group| (group.leased < old) != (group.leased < self.cap);
        let crossing = self.lent.iter().copied();
        let crossing = crossing.filter(|id| self.groups.get(id).is_some_and(crossed));
        let crossing: alloc::vec::Vec<_> = crossing.collect();
        for id in crossing {
            self.update(id);
        }
    }

    /// The lane of an item: [`Lane::PLAIN`] if none is kept of it.
    pub(crate) fn lane(&self, seq: Seq) -> Lane {
        self.lane.get(seq.0).copied().unwrap_or(Lane::PLAIN)
    }

    /// The name of a group that has items in the queue.
    pub(crate) fn group_name(&self, group: GroupId) -> Option<&Arc<str>> {
        self.groups.get(&group).map(|group| &group.name)
    }

    /// The group with this name, if it has items in the queue.
    pub(crate) fn group_id(&self, name: &str) -> Option<GroupId> {
        self.ids.get(name).copied()
    }

    /// Whether a group that has items in the queue has this id.
    pub(crate) fn has_group(&self, id: GroupId) -> bool {
        self.groups.contains_key(&id)
    }
    /// Recounts everything of a queue with these ready items.
    ///
    /// # Panics
    /// If an invariant does not hold.
    pub(crate) fn check(&self, ready: &SeqSet, is_leased: impl Fn(Seq) -> bool) {
        let mut plain = SeqSet::default();
        let ordered = |seq: &Seq| !self.lane.contains(seq.0);
        ready
            .iter()
            .filter(ordered)
            .for_each(|seq| plain.insert(seq));
        let mut anew = Self::begin(plain, Some(self.cap));
        for (seq, lane) in self.lane.range(0) {
            let seq = Seq(seq);
            anew.add(seq, *lane, self.group_name(lane.group));
            if ready.contains(seq) {
                anew.ready(seq);
            }
            if is_leased(seq) {
                anew.lent(seq);
            }
        }
        anew.last = self.last;
        assert!(*self == anew, "the lanes and the items tell another order");
    }

    /// The first ready item of a group, or the first behind a place in its order.
    fn first_of(&self, group: GroupId, behind: Option<Rank>) -> Option<Rank> {
        let from = behind.map_or((Reverse(i16::MAX), Seq(0)), |(priority, seq)| {
            (priority, Seq(seq.0.saturating_add(1)))
        });
        let mut range = self.ready.range((group, from.0, from.1)..);
        let ordered = (range.next())
            .filter(|(of, ..)| *of == group)
            .map(|&(_, priority, seq)| (priority, seq));
        if group != GroupId::NONE {
            return ordered;
        }
        let plain = match from.0.cmp(&Reverse(0)) {
            core::cmp::Ordering::Less => self.plain.first(),
            core::cmp::Ordering::Equal => self.plain.at_or_after(from.1),
            core::cmp::Ordering::Greater => None,
        };
        let plain = plain.map(|seq| (Reverse(0), seq));
        [ordered, plain].into_iter().flatten().min()
    }

    /// How many more items of a group may be lent.
    fn room(&self, group: GroupId) -> u64 {
        let leased = self.groups.get(&group).map_or(0, |group| group.leased);
        match group {
            GroupId::NONE => u64::MAX,
            _ => self.cap.saturating_sub(leased),
        }
    }

    /// Gives a group the turn that its items and the cap leave it.
    fn update(&mut self, id: GroupId) {
        let next = self.first_of(id, None).filter(|_| self.room(id) > 0);
        let turn = next.map(|(Reverse(priority), _)| priority);
        let kept = match self.groups.get_mut(&id) {
            Some(group) => &mut group.turn,
            None => &mut self.ungrouped,
        };
        let old = core::mem::replace(kept, turn);
        if old != turn {
            if let Some(old) = old {
                self.turns.remove(&(Reverse(old), id));
            }
            self.turns.extend(turn.map(|turn| (Reverse(turn), id)));
        }
    }
}
