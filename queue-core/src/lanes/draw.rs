//! Which items go out next, in a row: what lending one after the other would give, without lending any.
//!
//! A level is a priority. The groups whose next item is of the highest level are served in rounds, in
//! the order of their ids from the one behind `last` on, until none has a further item of it; then
//! comes the next level. Only the groups that were served are noted, so that a draw of n items costs
//! n searches however many groups there are, and groups at their cap, having no turn, are not even met.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque, btree_set};
use core::cmp::Reverse;
use core::iter::{Chain, Peekable};
use core::ops::Bound::{Excluded, Included, Unbounded};

use super::{GroupId, Lanes, Rank};
use crate::Seq;

impl Lanes {
    /// The items in the order in which they would be lent, each as if those before it had been.
    pub(crate) fn draw(&self) -> Draw<'_> {
        Draw {
            lanes: self,
            level: None,
            last: self.last,
            served: BTreeMap::new(),
            later: BTreeSet::new(),
            round: None,
            next_rounds: VecDeque::new(),
        }
    }

    /// The item that would be lent next.
    pub(crate) fn first(&self) -> Option<Seq> {
        self.draw().next()
    }
}

/// See [`Lanes::draw`].
pub(crate) struct Draw<'a> {
    lanes: &'a Lanes,
    /// The priority that is being served, once any is.
    level: Option<Reverse<i16>>,
    last: GroupId,
    /// How many items of a group were drawn, and the last of them.
    served: BTreeMap<GroupId, (u64, Rank)>,
    /// The turns of the groups that were served at a higher level and have more at a lower one.
    later: BTreeSet<(Reverse<i16>, GroupId)>,
    round: Option<FirstRound<'a>>,
    /// The groups of the level that were served at it and have more, in the order of their turns.
    next_rounds: VecDeque<GroupId>,
}

/// The groups of a level that were not served at it yet, each kind in the order of their turns.
struct FirstRound<'a> {
    /// The group served last when the level began: the round ends with it.
    start: GroupId,
    untouched: Peekable<Chain<Turns<'a>, Turns<'a>>>,
    /// Those that were served at a higher level.
    joined: VecDeque<GroupId>,
}

type Turns<'a> = btree_set::Range<'a, (Reverse<i16>, GroupId)>;

impl Iterator for Draw<'_> {
    type Item = Seq;

    fn next(&mut self) -> Option<Seq> {
        let group = loop {
            let next = self.round.as_mut().and_then(FirstRound::next);
            match next.or_else(|| self.next_rounds.pop_front()) {
                Some(group) => break group,
                None => self.begin_level()?,
            }
        };
        Some(self.serve(group))
    }
}

impl Draw<'_> {
    fn serve(&mut self, group: GroupId) -> Seq {
        let served = self.served.get(&group).copied();
        let drawn = served.map_or(1, |(drawn, _)| drawn + 1);
        let Some(rank) = self.lanes.first_of(group, served.map(|(_, last)| last)) else {
            panic!("{group:?} has a turn and no item");
        };
        self.last = group;
        self.served.insert(group, (drawn, rank));
        if self.lanes.room(group) > drawn
            && let Some((priority, _)) = self.lanes.first_of(group, Some(rank))
        {
            if Some(priority) == self.level {
                self.next_rounds.push_back(group);
            } else {
                self.later.insert((priority, group));
            }
        }
        rank.1
    }

    /// Goes on to the next level that has a group. `None` if there is none.
    fn begin_level(&mut self) -> Option<()> {
        let turns = &self.lanes.turns;
        let above = self.level.map(|level| (level, GroupId(u32::MAX)));
        let untouched = turns.range((above.map_or(Unbounded, Excluded), Unbounded));
        let levels = [untouched.min(), self.later.first()];
        let (level, _) = *levels.into_iter().flatten().min()?;
        let start = (level, self.last);
        let behind = turns.range((Excluded(start), Included((level, GroupId(u32::MAX)))));
        let before = turns.range((level, GroupId::NONE)..=start);
        self.level = Some(level);
        self.round = Some(FirstRound {
            start: self.last,
            untouched: behind.chain(before).peekable(),
            joined: self.join(level),
        });
        Some(())
    }

    /// Takes those out of `later` that are of this level.
    fn join(&mut self, level: Reverse<i16>) -> VecDeque<GroupId> {
        let mut joined = VecDeque::new();
        while let Some(&(_, group)) = self.later.first().filter(|(of, _)| *of == level) {
            self.later.pop_first();
            joined.push_back(group);
        }
        let passed = joined.partition_point(|group| *group <= self.last);
        joined.rotate_left(passed);
        joined
    }
}

impl FirstRound<'_> {
    fn next(&mut self) -> Option<GroupId> {
        let turn = |group: GroupId| group.0.wrapping_sub(self.start.0).wrapping_sub(1);
        let untouched = self.untouched.peek().map(|(_, group)| *group);
        match (untouched, self.joined.front()) {
            (Some(group), joined) if joined.is_none_or(|it| turn(group) < turn(*it)) => {
                self.untouched.next();
                Some(group)
            }
            _ => self.joined.pop_front(),
        }
    }
}
