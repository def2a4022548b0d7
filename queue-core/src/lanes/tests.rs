//! Lanes against a list that is searched from end to end for each item.

use super::*;
use alloc::format;
use alloc::vec::Vec;
use proptest::prelude::*;

#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    Ready,
    Leased,
    /// Delayed, dead or done.
    Aside,
    Gone,
}

struct Naive {
    items: Vec<(At, Lane)>,
    last: GroupId,
    cap: Option<u64>,
}

impl Naive {
    /// The highest priority that a group below its cap has, and of those groups the one behind `last`.
    fn first(&self) -> Option<usize> {
        let free = |lane: Lane| {
            let leased = |(at, other): &&(At, Lane)| *at == At::Leased && other.group == lane.group;
            let leased = self.items.iter().filter(leased).count() as u64;
            lane.group == GroupId::NONE || self.cap.is_none_or(|cap| leased < cap)
        };
        let ready = self.items.iter().enumerate();
        ready
            .filter(|(_, (at, lane))| *at == At::Ready && free(*lane))
            .min_by_key(|(seq, (_, lane))| {
                let turn = lane.group.0.wrapping_sub(self.last.0).wrapping_sub(1);
                (Reverse(lane.priority), turn, *seq)
            })
            .map(|(seq, _)| seq)
    }

    fn draw(&self) -> Vec<usize> {
        let items = self.items.clone();
        let mut rest = Self { items, ..*self };
        core::iter::from_fn(|| {
            let next = rest.first()?;
            rest.items[next].0 = At::Leased;
            rest.last = rest.items[next].1.group;
            Some(next)
        })
        .collect()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Enter(Vec<Lane>),
    /// Lends that many in a row.
    Lend(usize),
    /// What is in hand at this position comes back.
    Return(usize),
    /// A ready item leaves by another way.
    Unready(usize),
    /// What is aside becomes ready.
    Ready(usize),
    Forget(usize),
    Cap(Option<u64>),
}

fn lane() -> impl Strategy<Value = Lane> {
    let group = prop_oneof![3 => Just(0), 6 => 1_u32..5, 1 => Just(u32::MAX)];
    let priority =
        prop_oneof![4 => Just(0_i16), 4 => -1_i16..3, 1 => Just(i16::MIN), 1 => Just(i16::MAX)];
    (group, priority).prop_map(|(group, priority)| Lane {
        group: GroupId(group),
        priority,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => proptest::collection::vec(lane(), 1..8).prop_map(Step::Enter),
        6 => (0_usize..6).prop_map(Step::Lend),
        5 => (0_usize..20).prop_map(Step::Return),
        3 => (0_usize..20).prop_map(Step::Unready),
        3 => (0_usize..20).prop_map(Step::Ready),
        3 => (0_usize..20).prop_map(Step::Forget),
        1 => proptest::option::of(1_u64..4).prop_map(Step::Cap),
    ]
}

/// A queue, as far as lanes need one.
struct Pair {
    ready: SeqSet,
    lanes: Option<Lanes>,
    naive: Naive,
}

impl Pair {
    fn step(&mut self, step: Step) {
        match step {
            Step::Enter(lanes) => lanes.into_iter().for_each(|lane| self.enter(lane)),
            Step::Lend(max) => {
                for seq in self.naive.draw().into_iter().take(max) {
                    self.unready(seq, At::Leased);
                    self.naive.last = self.naive.items[seq].1.group;
                    if let Some(lanes) = &mut self.lanes {
                        lanes.lent(Seq(seq as u64));
                        lanes.set_last(self.naive.last);
                    }
                }
            }
            Step::Return(nth) => {
                if let Some(seq) = self.nth(At::Leased, nth) {
                    self.naive.items[seq].0 = At::Aside;
                    if let Some(lanes) = &mut self.lanes {
                        lanes.returned(Seq(seq as u64));
                    }
                }
            }
            Step::Unready(nth) => {
                if let Some(seq) = self.nth(At::Ready, nth) {
                    self.unready(seq, At::Aside);
                }
            }
            Step::Ready(nth) => {
                if let Some(seq) = self.nth(At::Aside, nth) {
                    self.make_ready(seq);
                }
            }
            Step::Forget(nth) => {
                if let Some(seq) = self.nth(At::Aside, nth) {
                    self.naive.items[seq].0 = At::Gone;
                    if let Some(lanes) = &mut self.lanes {
                        lanes.forget(Seq(seq as u64));
                    }
                    self.lanes.take_if(|lanes| lanes.is_empty());
                }
            }
            Step::Cap(cap) => {
                self.naive.cap = cap;
                if let Some(lanes) = &mut self.lanes {
                    lanes.set_cap(cap);
                }
            }
        }
    }

    fn enter(&mut self, lane: Lane) {
        let seq = self.naive.items.len();
        self.naive.items.push((At::Aside, lane));
        if lane != Lane::PLAIN {
            let lanes = self
                .lanes
                .get_or_insert_with(|| Lanes::begin(self.ready.clone(), self.naive.cap));
            let name = Arc::from(format!("g{}", lane.group.0));
            let name = (lane.group != GroupId::NONE).then_some(name);
            lanes.add(Seq(seq as u64), lane, name.as_ref());
        }
        self.make_ready(seq);
    }

    fn make_ready(&mut self, seq: usize) {
        self.naive.items[seq].0 = At::Ready;
        self.ready.insert(Seq(seq as u64));
        if let Some(lanes) = &mut self.lanes {
            lanes.ready(Seq(seq as u64));
        }
    }

    fn unready(&mut self, seq: usize, to: At) {
        self.naive.items[seq].0 = to;
        self.ready.remove(Seq(seq as u64));
        if let Some(lanes) = &mut self.lanes {
            lanes.unready(Seq(seq as u64));
        }
    }

    fn nth(&self, at: At, nth: usize) -> Option<usize> {
        let items = self.naive.items.iter().enumerate();
        items
            .filter(|(_, item)| item.0 == at)
            .map(|(seq, _)| seq)
            .nth(nth)
    }

    fn compare(&mut self) {
        let Some(lanes) = &self.lanes else {
            // It orders nothing, so a group that is first again begins a new row of turns.
            self.naive.last = GroupId::NONE;
            let kept = |(at, lane): &(At, Lane)| *at != At::Gone && *lane != Lane::PLAIN;
            assert!(!self.naive.items.iter().any(kept));
            return;
        };
        let drawn: Vec<_> = lanes.draw().map(|seq| seq.0 as usize).collect();
        assert_eq!(drawn, self.naive.draw());
        assert_eq!(
            lanes.first().map(|seq| seq.0 as usize),
            drawn.first().copied()
        );
        let items = &self.naive.items;
        lanes.check(&self.ready, |seq| items[seq.0 as usize].0 == At::Leased);
        for group in 1..5 {
            let named = |(at, lane): &(At, Lane)| *at != At::Gone && lane.group.0 == group;
            let known = items.iter().any(named).then_some(GroupId(group));
            assert_eq!(lanes.group_id(&format!("g{group}")), known);
            assert_eq!(lanes.group_name(GroupId(group)).is_some(), known.is_some());
        }
    }
}

proptest! {
    #[test]
    fn they_give_what_a_search_of_all_items_would(
        cap in proptest::option::of(1_u64..4),
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let naive = Naive { items: Vec::new(), last: GroupId::NONE, cap };
        let mut pair = Pair { ready: SeqSet::default(), lanes: None, naive };
        for step in steps {
            pair.step(step);
            pair.compare();
        }
    }
}

/// An item of group `id` becomes ready.
fn enter(lanes: &mut Lanes, seq: u64, id: u32, priority: i16) {
    let lane = Lane {
        group: GroupId(id),
        priority,
    };
    lanes.add(Seq(seq), lane, Some(&format!("g{id}").into()));
    lanes.ready(Seq(seq));
}

#[test]
fn groups_at_their_cap_are_not_even_met() {
    let mut lanes = Lanes::begin(SeqSet::default(), Some(1));
    for group in 1..=1_000_u32 {
        let seq = u64::from(group) * 2;
        enter(&mut lanes, seq, group, 0);
        enter(&mut lanes, seq + 1, group, 0);
        lanes.unready(Seq(seq));
        lanes.lent(Seq(seq));
    }
    assert!(lanes.turns.is_empty());
    assert_eq!(lanes.first(), None);
    lanes.returned(Seq(1_000));
    assert_eq!(lanes.draw().collect::<Vec<_>>(), [Seq(1_001)]);
}

#[test]
fn a_lane_and_a_rank_stay_small() {
    assert!(size_of::<Lane>() <= 8);
    assert!(size_of::<(GroupId, Reverse<i16>, Seq)>() <= 16);
}
