//! From a text to the item that has it as its key, in a hash table that grows in small steps.
//!
//! One large table would stop its queue for as long as it takes to move millions of entries when it
//! grows. Here the entries lie in buckets, small tables each, and one bucket after another is split in
//! two as entries come in (linear hashing), so that no insertion moves more than one bucket.
//!
//! An entry is a place and nothing else: texts are looked up where they lie.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::BuildHasher;

use foldhash::quality::RandomState;
use hashbrown::HashTable;

use crate::Seq;
use crate::paged::Paged;

/// Where texts lie.
type Texts = Paged<Box<str>, 16>;

/// Entries of a bucket on average, at most. A bucket that waits for its split has up to twice as many:
/// with those it fills, just, a table of 512 slots.
const BUCKET: usize = 220;

/// The hash has a seed that differs between programs, not one that withstands whoever sets out to find
/// it: a caller that does can make its own queue slow, and no other. It shows in no answer.
#[derive(Debug, Clone)]
pub(super) struct Index {
    hasher: RandomState,
    /// Never empty. With n of them, and 2^k the highest power of two up to n: the first n - 2^k were
    /// split in this round, and what came of them lies at the end.
    buckets: Vec<HashTable<Seq>>,
    len: usize,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            hasher: RandomState::default(),
            buckets: alloc::vec![HashTable::new()],
            len: 0,
        }
    }
}

impl Index {
    /// How many texts are taken.
    pub(super) fn len(&self) -> u64 {
        self.len as u64
    }

    pub(super) fn find(&self, texts: &Texts, text: &str) -> Option<Seq> {
        let hash = self.hasher.hash_one(text);
        let is_it = |seq: &Seq| text_of(texts, *seq) == text;
        let bucket = &self.buckets[self.bucket_of(hash)];
        bucket.find(hash, is_it).copied()
    }

    /// Adds the text of an item, unless another item has it: then it says which.
    pub(super) fn insert(&mut self, texts: &Texts, seq: Seq) -> Result<(), Seq> {
        let text = text_of(texts, seq);
        if let Some(taken) = self.find(texts, text) {
            return Err(taken);
        }
        let hash = self.hasher.hash_one(text);
        let at = self.bucket_of(hash);
        self.buckets[at].insert_unique(hash, seq, |seq| hash_of(&self.hasher, texts, *seq));
        self.len += 1;
        if self.len > self.buckets.len() * BUCKET {
            self.split(texts);
        }
        Ok(())
    }

    /// Takes the text of an item out.
    pub(super) fn remove(&mut self, texts: &Texts, seq: Seq) {
        let hash = hash_of(&self.hasher, texts, seq);
        let at = self.bucket_of(hash);
        let Ok(entry) = self.buckets[at].find_entry(hash, |other| *other == seq) else {
            panic!("{seq:?} has no key");
        };
        entry.remove();
        self.len -= 1;
        if self.buckets.len() > 1 && self.len < self.buckets.len() * BUCKET / 4 {
            self.merge(texts);
        }
    }

    #[cfg(test)]
    pub(super) fn buckets(&self) -> usize {
        self.buckets.len()
    }

    /// Splits the next bucket in two, into tables of their size.
    fn split(&mut self, texts: &Texts) {
        let last = self.buckets.len();
        let first = last - power_of_two_up_to(last);
        let old = core::mem::take(&mut self.buckets[first]);
        self.buckets.push(HashTable::new());
        let hashes: Vec<(u64, Seq)> = old
            .into_iter()
            .map(|seq| (hash_of(&self.hasher, texts, seq), seq))
            .collect();
        for at in [first, last] {
            let here = |(hash, _): &&(u64, Seq)| self.bucket_of(*hash) == at;
            let mut table = HashTable::with_capacity(hashes.iter().filter(here).count());
            for &(hash, seq) in hashes.iter().filter(here) {
                table.insert_unique(hash, seq, |seq| hash_of(&self.hasher, texts, *seq));
            }
            self.buckets[at] = table;
        }
    }

    /// Undoes the last split.
    fn merge(&mut self, texts: &Texts) {
        let hash = |seq: &Seq| hash_of(&self.hasher, texts, *seq);
        let last = self.buckets.pop().unwrap_or_default();
        let count = self.buckets.len();
        let first = &mut self.buckets[count - power_of_two_up_to(count)];
        first.reserve(last.len(), hash);
        for seq in last {
            first.insert_unique(hash(&seq), seq, hash);
        }
        first.shrink_to(first.len() * 2, hash);
        if self.buckets.len() < self.buckets.capacity() / 4 {
            self.buckets.shrink_to(self.buckets.capacity() / 2);
        }
    }

    /// By bits of the hash that no table looks at.
    fn bucket_of(&self, hash: u64) -> usize {
        let round = power_of_two_up_to(self.buckets.len());
        let bits = (hash >> 20) as usize;
        let wide = bits & (2 * round - 1);
        if wide < self.buckets.len() {
            wide
        } else {
            bits & (round - 1)
        }
    }
}

fn power_of_two_up_to(count: usize) -> usize {
    1 << count.ilog2()
}

fn hash_of(hasher: &RandomState, texts: &Texts, seq: Seq) -> u64 {
    hasher.hash_one(text_of(texts, seq))
}

fn text_of(texts: &Texts, seq: Seq) -> &str {
    let Some(text) = texts.get(seq.0) else {
        panic!("{seq:?} has no text");
    };
    text
}
