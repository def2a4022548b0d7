//! What was answered to enqueues that carried an idempotency key, so that a repeat gets the same
//! answer.
//!
//! It is kept in the order of last use and bounded: by time, by number, and by the duplicates it
//! names. What is too much leaves when something new comes, so that it needs no timer and follows from
//! the events alone. So the bounds are part of what a log means.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::time::Duration;

use crate::Seq;
use crate::time::Time;

/// How long after its last use an answer is remembered.
pub const IDEMPOTENCY_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Most answers a queue remembers; the one that was not used for the longest time leaves first.
pub const MAX_IDEMPOTENCY_KEYS: usize = 100_000;

/// Most duplicates that all answers of a queue name together, 16 bytes each.
pub const MAX_IDEMPOTENCY_DUPLICATES: u64 = 1_000_000;

/// The answer to an enqueue, and what tells its request from another one with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recalled {
    /// A digest of the request.
    pub digest: u64,
    /// The place of the first item that came in.
    pub first: Seq,
    /// How many came in.
    pub count: u64,
    /// Those of the request that did not, by their position in it, and the items that had their keys.
    pub duplicates: Arc<[(u32, Seq)]>,
}

/// An answer, and when it was last used.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Remembered {
    pub(crate) at: Time,
    pub(crate) key: Arc<str>,
    pub(crate) answer: Recalled,
}

/// Invariants, recounted by [`Idempotency::check`]:
/// 1. `numbers` leads from the key of each answer to its number, and `next` is higher than all.
/// 2. `duplicates` is how many the answers name together.
/// 3. What a new answer would push out for the sake of a bound is gone.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Idempotency {
    /// By the number of the last use, which grows with time.
    answers: BTreeMap<u64, Remembered>,
    numbers: BTreeMap<Arc<str>, u64>,
    next: u64,
    duplicates: u64,
}

impl Idempotency {
    /// Nothing is remembered, and the next use gets this number.
    pub(crate) fn begin(next: u64) -> Self {
        Self {
            next,
            ..Self::default()
        }
    }

    /// The answer that was given to an enqueue with this key, unless its time is over.
    pub(crate) fn recall(&self, now: Time, key: &str) -> Option<&Recalled> {
        let remembered = self.answers.get(self.numbers.get(key)?)?;
        (remembered.at + IDEMPOTENCY_KEPT > now).then_some(&remembered.answer)
    }

    /// Remembers an answer, instead of an earlier one with the same key if there is one.
    pub(crate) fn remember(&mut self, remembered: Remembered) {
        let now = remembered.at;
        let number = self.next;
        self.next += 1;
        self.insert(number, remembered);
        while let Some((_, oldest)) = self.answers.first_key_value()
            && (self.is_too_much() || oldest.at + IDEMPOTENCY_KEPT <= now)
        {
            self.remove_first();
        }
    }

    /// An answer was given again: its time begins anew. False if it is not here, as it may be while a
    /// snapshot is put together.
    pub(crate) fn use_again(&mut self, at: Time, key: &str) -> bool {
        let number = self.next;
        self.next += 1;
        let Some(remembered) = self.remove(key) else {
            return false;
        };
        self.insert(number, Remembered { at, ..remembered });
        true
    }

    /// The number that the next use gets.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// The lowest number there is; the next one if there is none.
    pub(crate) fn first(&self) -> u64 {
        self.answers.keys().next().copied().unwrap_or(self.next)
    }

    /// Answers from a number on, with their numbers, oldest use first.
    pub(crate) fn range(&self, from: u64) -> impl Iterator<Item = (u64, &Remembered)> {
        self.answers
            .range(from..)
            .map(|(number, remembered)| (*number, remembered))
    }

    /// Bytes that the answers take with their keys when they are written down, about.
    pub(crate) fn bytes(&self) -> u64 {
        const KEY_BYTES: u64 = 64;
        const DUPLICATE_BYTES: u64 = 8;
        self.len() as u64 * KEY_BYTES + self.duplicates * DUPLICATE_BYTES
    }

    /// How many answers are remembered.
    pub(crate) fn len(&self) -> usize {
        self.answers.len()
    }

    /// Puts an answer back under its number. It may be there already.
    pub(crate) fn restore(&mut self, number: u64, remembered: Remembered) {
        assert!(number < self.next, "use {number} is yet to come");
        if self.answers.contains_key(&number) {
            return;
        }
        self.insert(number, remembered);
    }

    /// Forgets what lies before a number: what the queue that a snapshot was made of had forgotten by
    /// its end, and parts had told before.
    pub(crate) fn forget_before(&mut self, number: u64) {
        while self.first() < number {
            self.remove_first();
        }
    }

    /// Recounts everything.
    ///
    /// # Panics
    /// If an invariant does not hold.
    pub(crate) fn check(&self) {
        let mut duplicates = 0;
        for (number, remembered) in &self.answers {
            assert_eq!(self.numbers.get(&remembered.key), Some(number), "a number");
            assert!(*number < self.next, "use {number} is yet to come");
            duplicates += remembered.answer.duplicates.len() as u64;
        }
        assert_eq!(self.numbers.len(), self.answers.len(), "numbers");
        assert_eq!(self.duplicates, duplicates, "duplicates");
        assert!(!self.is_too_much(), "more is remembered than may be");
    }

    fn is_too_much(&self) -> bool {
        self.answers.len() > MAX_IDEMPOTENCY_KEYS || self.duplicates > MAX_IDEMPOTENCY_DUPLICATES
    }

    /// Puts an answer in, instead of an earlier one with the same key if there is one.
    fn insert(&mut self, number: u64, remembered: Remembered) {
        self.remove(&remembered.key);
        self.duplicates += remembered.answer.duplicates.len() as u64;
        self.numbers.insert(remembered.key.clone(), number);
        self.answers.insert(number, remembered);
    }

    fn remove(&mut self, key: &str) -> Option<Remembered> {
        let number = self.numbers.remove(key)?;
        let remembered = self.answers.remove(&number)?;
        self.duplicates -= remembered.answer.duplicates.len() as u64;
        Some(remembered)
    }

    fn remove_first(&mut self) {
        if let Some((_, oldest)) = self.answers.pop_first() {
            self.numbers.remove(&oldest.key);
            self.duplicates -= oldest.answer.duplicates.len() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const HOUR: u64 = 60 * 60 * 1_000;

    fn answer(at: u64, key: impl core::fmt::Display, duplicates: usize) -> Remembered {
        Remembered {
            at: Time(at),
            key: format!("{key}").into(),
            answer: Recalled {
                digest: at,
                first: Seq(at),
                count: 1,
                duplicates: vec![(0, Seq(0)); duplicates].into(),
            },
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Remember(u8),
        UseAgain(u8),
        Pass(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0_u8..8).prop_map(Step::Remember),
            (0_u8..8).prop_map(Step::UseAgain),
            (0_u64..20).prop_map(|hours| Step::Pass(hours * HOUR)),
        ]
    }

    proptest! {
        #[test]
        fn it_remembers_what_was_used_within_a_day(steps in proptest::collection::vec(step(), 0..80)) {
            let mut idempotency = Idempotency::default();
            // A key, when its answer was given, and when it was last used.
            let mut list: Vec<(u8, u64, u64)> = Vec::new();
            let mut now = 1;
            for step in steps {
                let key = match step {
                    Step::Remember(key) | Step::UseAgain(key) => key,
                    Step::Pass(time) => {
                        now += time;
                        continue;
                    }
                };
                let recalled = idempotency.recall(Time(now), &format!("{key}")).cloned();
                let known = list.iter().position(|it| it.0 == key && it.2 + 24 * HOUR > now);
                let expected = known.map(|at| answer(list[at].1, key, 0).answer);
                prop_assert_eq!(recalled, expected);
                if let (Step::UseAgain(_), Some(at)) = (&step, known) {
                    let (_, given, _) = list.remove(at);
                    let key_text = format!("{key}");
                    prop_assert!(idempotency.use_again(Time(now), &key_text));
                    list.push((key, given, now));
                } else if let Step::Remember(_) = step {
                    list.retain(|it| it.0 != key && it.2 + 24 * HOUR > now);
                    list.push((key, now, now));
                    idempotency.remember(answer(now, key, 0));
                }
                idempotency.check();
                let kept: Vec<_> = idempotency.range(0).map(|(_, it)| (it.at.0, it.answer.digest)).collect();
                prop_assert_eq!(kept, list.iter().map(|it| (it.2, it.1)).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn the_answer_that_was_not_used_for_the_longest_time_leaves_first() {
        let mut idempotency = Idempotency::default();
        for number in 0..MAX_IDEMPOTENCY_KEYS {
            idempotency.remember(answer(0, number, 0));
        }
        assert!(idempotency.use_again(Time(1), "0"));
        idempotency.remember(answer(2, "new", 0));
        idempotency.check();
        assert!(idempotency.recall(Time(3), "0").is_some());
        assert!(idempotency.recall(Time(3), "1").is_none());
        assert!(idempotency.recall(Time(3), "2").is_some());
        assert_eq!(idempotency.len(), MAX_IDEMPOTENCY_KEYS);
    }

    #[test]
    fn the_duplicates_that_answers_name_are_bounded_together() {
        let mut idempotency = Idempotency::default();
        let half = MAX_IDEMPOTENCY_DUPLICATES as usize / 2;
        idempotency.remember(answer(0, "a", half));
        idempotency.remember(answer(1, "b", half));
        assert_eq!(idempotency.len(), 2);
        idempotency.remember(answer(2, "c", 1));
        idempotency.check();
        assert!(idempotency.recall(Time(3), "a").is_none());
        assert_eq!(idempotency.len(), 2);
    }

    #[test]
    fn what_a_snapshot_tells_while_answers_come_go_and_are_used_again_gives_the_same() {
        let mut live = Idempotency::default();
        for key in 0..4 {
            live.remember(answer(key, key, 0));
        }
        let mut anew = Idempotency::begin(live.next());
        let both = |live: &mut Idempotency, anew: &mut Idempotency, at, key| {
            assert!(live.use_again(Time(at), key));
            anew.use_again(Time(at), key);
        };
        let part = |live: &Idempotency, from| {
            let (number, remembered) = live.range(from).next().expect("an answer");
            (number, remembered.clone())
        };
        let first = part(&live, 0);
        anew.restore(first.0, first.1);
        // Used before its part came, and after it.
        both(&mut live, &mut anew, 10, "2");
        both(&mut live, &mut anew, 11, "0");
        let second = part(&live, 1);
        anew.restore(second.0, second.1);
        // The oldest ones leave, of which one was told by a part and one was not.
        for idempotency in [&mut live, &mut anew] {
            idempotency.remember(answer(10 + 24 * HOUR, "late", 0));
        }
        assert_eq!(live.range(0).count(), 2);
        live.range(2)
            .for_each(|(number, it)| anew.restore(number, it.clone()));
        anew.forget_before(live.first());
        assert_eq!(anew, live);
        anew.check();
    }
}
