//! Keys against a list that is searched from end to end.

use super::*;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use proptest::prelude::*;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Has {
    Live,
    Until(Time),
    Freed,
}

#[derive(Debug, Clone)]
struct Entry {
    text: String,
    has: Has,
    there: bool,
}

#[derive(Default)]
struct Naive(Vec<Entry>);

impl Naive {
    fn find(&self, text: &str) -> Option<(Seq, Option<Time>)> {
        let mut taken = self.0.iter().enumerate();
        let (seq, entry) = taken.find(|(_, it)| it.text == text && it.has != Has::Freed)?;
        let until = match entry.has {
            Has::Until(until) => Some(until),
            _ => None,
        };
        Some((Seq(seq as u64), until))
    }

    /// The holds, in the order of their ends.
    fn holds(&self) -> Vec<(Time, Seq)> {
        let mut holds: Vec<_> = self.0.iter().enumerate().collect::<Vec<_>>();
        holds.retain(|(_, entry)| matches!(entry.has, Has::Until(_)));
        let mut holds: Vec<_> = holds
            .into_iter()
            .filter_map(|(seq, entry)| match entry.has {
                Has::Until(until) => Some((until, Seq(seq as u64))),
                _ => None,
            })
            .collect();
        holds.sort_unstable();
        holds
    }

    /// What is still known: the items, and the holds that outlive theirs.
    fn known(&self, seq: usize) -> Option<&Entry> {
        let known = |entry: &&Entry| entry.there || matches!(entry.has, Has::Until(_));
        self.0.get(seq).filter(known)
    }
}

#[derive(Debug, Clone)]
enum Step {
    Enter(u8),
    Hold(usize, u64),
    Free(usize),
    Reclaim(usize),
    Forget(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..12).prop_map(Step::Enter),
        3 => (0_usize..30, 0_u64..9).prop_map(|(seq, until)| Step::Hold(seq, until)),
        3 => (0_usize..30).prop_map(Step::Free),
        2 => (0_usize..30).prop_map(Step::Reclaim),
        3 => (0_usize..30).prop_map(Step::Forget),
    ]
}

/// Does a step that makes sense where it comes; nothing else is ever asked.
fn apply(keys: &mut Keys, naive: &mut Naive, step: Step) {
    let has = |seq: usize| naive.known(seq).map(|entry| entry.has);
    match step {
        Step::Enter(text) => {
            let (seq, text) = (Seq(naive.0.len() as u64), format!("key {text}"));
            let has = match naive.find(&text) {
                None => Has::Live,
                Some(_) => Has::Freed,
            };
            match has {
                Has::Live => keys.claim(seq, &text),
                _ => keys.mention(seq, &text),
            }
            let there = true;
            naive.0.push(Entry { text, has, there });
        }
        Step::Hold(seq, until) if has(seq) == Some(Has::Live) => {
            keys.hold(Seq(seq as u64), Time(until));
            naive.0[seq].has = Has::Until(Time(until));
        }
        Step::Free(seq) if has(seq).is_some() => {
            keys.free(Seq(seq as u64));
            naive.0[seq].has = Has::Freed;
        }
        Step::Reclaim(seq) if naive.known(seq).is_some_and(|entry| entry.there) => {
            let taken = naive.find(&naive.0[seq].text);
            if taken.is_none_or(|(other, _)| other.0 == seq as u64) && has(seq) != Some(Has::Live) {
                keys.reclaim(Seq(seq as u64));
                naive.0[seq].has = Has::Live;
            }
        }
        Step::Forget(seq)
            if naive.known(seq).is_some_and(|entry| entry.there) && has(seq) != Some(Has::Live) =>
        {
            keys.forget(Seq(seq as u64));
            naive.0[seq].there = false;
        }
        _ => {}
    }
}

fn compare(keys: &Keys, naive: &Naive) {
    for text in 0..12 {
        let text = format!("key {text}");
        assert_eq!(keys.find(&text), naive.find(&text));
    }
    for seq in 0..naive.0.len() {
        let text = naive.known(seq).map(|entry| entry.text.as_str());
        assert_eq!(keys.text(Seq(seq as u64)), text);
    }
    let holds = naive.holds();
    for most in [2, 200] {
        let surplus = holds.len().saturating_sub(most);
        let due = (0..)
            .zip(&holds)
            .filter(|(nth, (at, _))| *nth < surplus || *at <= Time(4));
        let due: Vec<_> = due.map(|(_, (_, seq))| *seq).collect();
        assert_eq!(keys.due(Time(4), most as u64).collect::<Vec<_>>(), due);
        let next = keys.next_due(most as u64);
        match surplus {
            0 => assert_eq!(next, holds.first().map(|(at, _)| *at)),
            _ => assert_eq!(next, Some(Time(0))),
        }
    }
    let gone = keys.gone(Seq(0)).map(|(seq, ..)| seq);
    let expected = naive
        .0
        .iter()
        .enumerate()
        .filter(|(_, it)| !it.there && matches!(it.has, Has::Until(_)));
    let expected: Vec<_> = expected.map(|(seq, _)| Seq(seq as u64)).collect();
    assert_eq!(gone.collect::<Vec<_>>(), expected);
    assert_eq!(keys.holds(), holds.len() as u64);
    let known = (0..naive.0.len()).any(|seq| naive.known(seq).is_some());
    assert_eq!(keys.is_empty(), !known);
    let entry = |seq: Seq| &naive.0[seq.0 as usize];
    keys.check(|seq| entry(seq).there, |seq| entry(seq).has == Has::Live);
}

proptest! {
    #[test]
    fn they_know_what_a_search_of_all_items_finds(steps in proptest::collection::vec(step(), 0..200)) {
        let (mut keys, mut naive) = (Keys::default(), Naive::default());
        for step in steps {
            apply(&mut keys, &mut naive, step);
            compare(&keys, &naive);
        }
        // What a snapshot tells gives the same again: items first, then holds.
        let mut anew = Keys::default();
        for (seq, entry) in naive.0.iter().enumerate().filter(|(_, entry)| entry.there) {
            match entry.has {
                Has::Live => anew.claim(Seq(seq as u64), &entry.text),
                _ => anew.mention(Seq(seq as u64), &entry.text),
            }
        }
        for (until, seq) in naive.holds() {
            let text = &naive.0[seq.0 as usize].text;
            anew.restore_hold(seq, text, until);
            anew.restore_hold(seq, text, until);
        }
        prop_assert_eq!(&anew, &keys);
        compare(&anew, &naive);
    }
}

#[test]
fn an_index_that_grew_and_shrank_finds_each_text_and_holds_no_more_buckets_than_it_needs() {
    let mut keys = Keys::default();
    let text = |seq: u64| format!("key {seq}");
    for seq in 0..20_000 {
        keys.claim(Seq(seq), &text(seq));
    }
    assert!((0..20_000).all(|seq| keys.find(&text(seq)) == Some((Seq(seq), None))));
    assert_eq!(keys.find("key 20000"), None);
    for seq in 0..19_990 {
        keys.free(Seq(seq));
        keys.forget(Seq(seq));
    }
    assert!((0..19_990).all(|seq| keys.find(&text(seq)).is_none()));
    assert!((19_990..20_000).all(|seq| keys.find(&text(seq)) == Some((Seq(seq), None))));
    assert_eq!(keys.index.buckets(), 1);
}

/// As it may be where a log was written while keys were held for a shorter time than today.
#[test]
fn who_claims_a_key_takes_it_over_from_one_that_ended() {
    let mut keys = Keys::default();
    keys.claim(Seq(0), "night");
    keys.hold(Seq(0), Time(9));
    keys.claim(Seq(1), "night");
    assert_eq!(keys.find("night"), Some((Seq(1), None)));
    assert_eq!(keys.holds(), 0);
    keys.free(Seq(0));
    keys.check(|_| true, |seq| seq == Seq(1));
}

#[test]
#[should_panic(expected = "Seq(1) wants the key that Seq(0) has")]
fn a_key_that_is_taken_cannot_be_claimed() {
    let mut keys = Keys::default();
    keys.claim(Seq(0), "night");
    keys.claim(Seq(1), "night");
}

/// `cargo test --release -p queue-core --lib -- --ignored no_insertion`
#[test]
#[ignore = "takes a GiB of memory and, optimised, half a minute"]
fn no_insertion_among_ten_million_takes_long() {
    let mut keys = Keys::default();
    let mut longest = 0;
    for seq in 0..10_000_000 {
        let text = format!("https://example.org/{seq}");
        let began = processor_time();
        keys.claim(Seq(seq), &text);
        longest = longest.max(processor_time() - began);
    }
    assert!(longest < 5_000_000, "one took {longest} ns");
}

/// What this thread has spent, in nanoseconds: other programs on the machine do not count.
fn processor_time() -> i64 {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    spent.tv_sec * 1_000_000_000 + spent.tv_nsec
}
