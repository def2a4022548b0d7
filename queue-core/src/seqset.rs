//! An ordered set of sequence numbers that costs next to nothing where they lie close together, as
//! the ready items of a queue do: a bit each, in chunks of 4,096.

use alloc::boxed::Box;

use crate::Seq;
use crate::directory::Directory;
use crate::paged::first_from;

const WORDS: usize = 64;

#[derive(Debug, Clone, PartialEq)]
struct Chunk {
    /// A bit for each word that is not 0. Never 0.
    live: u64,
    words: Box<[u64; WORDS]>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct SeqSet {
    chunks: Directory<Chunk>,
    len: u64,
    /// Empty words kept for the next chunk: a set that has one member now and none then would make and
    /// drop them each time.
    spare: Option<Box<[u64; WORDS]>>,
}

impl PartialEq for SeqSet {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.chunks == other.chunks
    }
}

impl SeqSet {
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn insert(&mut self, seq: Seq) {
        let (number, word, bit) = split(seq);
        let chunk = self.chunks.get_or_insert_with(number, || Chunk {
            live: 0,
            words: (self.spare.take()).unwrap_or_else(|| Box::new([0; WORDS])),
        });
        debug_assert!(
            chunk.words[word] & 1 << bit == 0,
            "{seq:?} is in the set already"
        );
        chunk.words[word] |= 1 << bit;
        chunk.live |= 1 << word;
        self.len += 1;
    }

    pub(crate) fn remove(&mut self, seq: Seq) {
        let (number, word, bit) = split(seq);
        let chunk = self
            .chunks
            .get_mut(number)
            .filter(|chunk| chunk.words[word] & 1 << bit != 0)
            .unwrap_or_else(|| panic!("{seq:?} is not in the set"));
        chunk.words[word] &= !(1 << bit);
        self.len -= 1;
        if chunk.words[word] == 0 {
            chunk.live &= !(1 << word);
            if chunk.live == 0 {
                self.spare = self.chunks.remove(number).map(|chunk| chunk.words);
            }
        }
    }

    pub(crate) fn contains(&self, seq: Seq) -> bool {
        let (number, word, bit) = split(seq);
        self.chunks
            .get(number)
            .is_some_and(|chunk| chunk.words[word] & 1 << bit != 0)
    }

    pub(crate) fn first(&self) -> Option<Seq> {
        self.at_or_after(Seq(0))
    }

    /// The members in ascending order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Seq> {
        self.range(Seq(0))
    }

    /// The members from this one on, in ascending order.
    pub(crate) fn range(&self, from: Seq) -> impl Iterator<Item = Seq> {
        let mut next = Some(from);
        core::iter::from_fn(move || {
            let found = self.at_or_after(next?)?;
            next = found.0.checked_add(1).map(Seq);
            Some(found)
        })
    }

    /// The first member from this one on.
    pub(crate) fn at_or_after(&self, seq: Seq) -> Option<Seq> {
        let (from, word, bit) = split(seq);
        let (mut number, mut chunk) = self.chunks.at_or_after(from)?;
        if number == from {
            if let Some(bit) = first_from(chunk.words[word], bit) {
                return Some(join(number, word, bit));
            }
            if let Some(word) = first_from(chunk.live, word + 1) {
                let bit = chunk.words[word].trailing_zeros() as usize;
                return Some(join(number, word, bit));
            }
            (number, chunk) = self.chunks.at_or_after(from.checked_add(1)?)?;
        }
        let word = chunk.live.trailing_zeros() as usize;
        let bit = chunk.words[word].trailing_zeros() as usize;
        Some(join(number, word, bit))
    }
}

fn split(seq: Seq) -> (u64, usize, usize) {
    (
        seq.0 >> 12,
        (seq.0 >> 6 & 63) as usize,
        (seq.0 & 63) as usize,
    )
}

fn join(chunk: u64, word: usize, bit: usize) -> Seq {
    Seq(chunk << 12 | (word << 6 | bit) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// Numbers close together, a word apart, and chunks apart.
    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![
            0_u64..400,
            (0_u64..200).prop_map(|n| n * 64),
            (0_u64..20).prop_map(|n| n * 5_000),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_numbers_in_order(toggles in proptest::collection::vec(number(), 0..300)) {
            let mut set = SeqSet::default();
            let mut model = BTreeSet::new();
            for n in toggles {
                if model.insert(n) {
                    set.insert(Seq(n));
                } else {
                    model.remove(&n);
                    set.remove(Seq(n));
                }
                prop_assert_eq!(set.contains(Seq(n)), model.contains(&n));
                prop_assert_eq!(set.first(), model.first().copied().map(Seq));
            }
            prop_assert_eq!(set.len() as usize, model.len());
            let members: Vec<u64> = set.iter().map(|seq| seq.0).collect();
            prop_assert_eq!(members, model.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_set_that_is_emptied_holds_nothing() {
        let mut set = SeqSet::default();
        for n in [63, 64, 4_096] {
            set.insert(Seq(n));
        }
        for n in [63, 64, 4_096] {
            set.remove(Seq(n));
        }
        assert_eq!(set, SeqSet::default());
    }
}
