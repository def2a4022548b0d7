//! A map from ascending numbers to values, in pages: grows and shrinks a page at a time, so that no
//! insertion copies the whole and memory goes back after a peak.

use alloc::boxed::Box;

use crate::directory::Directory;

/// Pages of a chunk.
const PAGES: usize = 64;

/// A value that a slot holds while it holds none, so that a slot is no larger than its value.
pub(crate) trait Vacant {
    fn vacant() -> Self;
}

#[derive(Debug, Clone, PartialEq)]
struct Page<T, const SLOTS: usize> {
    /// A bit for each slot that holds a value. Never 0.
    live: u64,
    /// Alone in its allocation: 64 items are then just 2,560 bytes, which allocators have a class for.
    slots: Box<[T; SLOTS]>,
}

type Pages<T, const SLOTS: usize> = [Option<Page<T, SLOTS>>; PAGES];

#[derive(Debug, Clone, PartialEq)]
struct Chunk<T, const SLOTS: usize> {
    /// A bit for each page that there is. Never 0.
    live: u64,
    pages: Box<Pages<T, SLOTS>>,
}

/// The map, in pages of `SLOTS` values, at most 64. Small pages suit what is spread thin.
#[derive(Debug, Clone)]
pub(crate) struct Paged<T, const SLOTS: usize = 64> {
    chunks: Directory<Chunk<T, SLOTS>>,
    len: u64,
    /// An empty page and an empty chunk kept for the next one: a map that has one value now and none
    /// then, as the leases of a lone worker, would make and drop them each time.
    spare_slots: Option<Box<[T; SLOTS]>>,
    spare_pages: Option<Box<Pages<T, SLOTS>>>,
}

impl<T: PartialEq, const SLOTS: usize> PartialEq for Paged<T, SLOTS> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.chunks == other.chunks
    }
}

impl<T, const SLOTS: usize> Default for Paged<T, SLOTS> {
    fn default() -> Self {
        Self {
            chunks: Directory::default(),
            len: 0,
            spare_slots: None,
            spare_pages: None,
        }
    }
}

impl<T: Vacant, const SLOTS: usize> Paged<T, SLOTS> {
    /// How many values there are.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn contains(&self, key: u64) -> bool {
        self.get(key).is_some()
    }

    pub(crate) fn get(&self, key: u64) -> Option<&T> {
        let (chunk, page, slot) = split::<SLOTS>(key);
        let page = self.chunks.get(chunk)?.pages[page].as_ref()?;
        (page.live & 1 << slot != 0).then(|| &page.slots[slot])
    }

    pub(crate) fn get_mut(&mut self, key: u64) -> Option<&mut T> {
        let (chunk, page, slot) = split::<SLOTS>(key);
        let page = self.chunks.get_mut(chunk)?.pages[page].as_mut()?;
        (page.live & 1 << slot != 0).then(|| &mut page.slots[slot])
    }

    pub(crate) fn insert(&mut self, key: u64, value: T) {
        let (number, at, slot) = split::<SLOTS>(key);
        let chunk = self.chunks.get_or_insert_with(number, || Chunk {
            live: 0,
            pages: (self.spare_pages.take()).unwrap_or_else(|| Box::new([const { None }; PAGES])),
        });
        chunk.live |= 1 << at;
        let page = chunk.pages[at].get_or_insert_with(|| Page {
            live: 0,
            slots: (self.spare_slots.take())
                .unwrap_or_else(|| Box::new(core::array::from_fn(|_| T::vacant()))),
        });
        assert!(page.live & 1 << slot == 0, "slot {key} is taken");
        page.live |= 1 << slot;
        page.slots[slot] = value;
        self.len += 1;
    }

    pub(crate) fn remove(&mut self, key: u64) -> Option<T> {
        let (number, at, slot) = split::<SLOTS>(key);
        let chunk = self.chunks.get_mut(number)?;
        let page = chunk.pages[at].as_mut()?;
        if page.live & 1 << slot == 0 {
            return None;
        }
        let value = core::mem::replace(&mut page.slots[slot], T::vacant());
        page.live &= !(1 << slot);
        self.len -= 1;
        if page.live == 0 {
            self.spare_slots = chunk.pages[at].take().map(|page| page.slots);
            chunk.live &= !(1 << at);
            if chunk.live == 0 {
                self.spare_pages = self.chunks.remove(number).map(|chunk| chunk.pages);
            }
        }
        Some(value)
    }

    /// Entries from `key` on, ascending.
    pub(crate) fn range(&self, key: u64) -> impl Iterator<Item = (u64, &T)> {
        let mut next = Some(key);
        core::iter::from_fn(move || {
            let found = self.at_or_after(next?)?;
            next = found.0.checked_add(1);
            Some(found)
        })
    }

    fn at_or_after(&self, key: u64) -> Option<(u64, &T)> {
        let (number, mut page_from, mut slot_from) = split::<SLOTS>(key);
        let mut from = number;
        loop {
            let (number, chunk) = self.chunks.at_or_after(from)?;
            if number != from {
                (page_from, slot_from) = (0, 0);
            }
            if let Some(page) = &chunk.pages[page_from]
                && let Some(slot) = first_from(page.live, slot_from)
            {
                return Some((join::<SLOTS>(number, page_from, slot), &page.slots[slot]));
            }
            let later = first_from(chunk.live, page_from + 1);
            if let Some((at, page)) = later.and_then(|at| Some((at, chunk.pages[at].as_ref()?))) {
                let slot = page.live.trailing_zeros() as usize;
                return Some((join::<SLOTS>(number, at, slot), &page.slots[slot]));
            }
            from = number.checked_add(1)?;
            (page_from, slot_from) = (0, 0);
        }
    }
}

/// The first bit that is set, from this one on.
pub(crate) fn first_from(bits: u64, from: usize) -> Option<usize> {
    let rest = bits & u64::MAX.checked_shl(from as u32)?;
    (rest != 0).then(|| rest.trailing_zeros() as usize)
}

fn split<const SLOTS: usize>(key: u64) -> (u64, usize, usize) {
    const { assert!(SLOTS <= 64 && SLOTS.is_power_of_two()) };
    let (slots, pages) = (SLOTS as u64, PAGES as u64);
    let page = key / slots;
    (
        page / pages,
        (page % pages) as usize,
        (key % slots) as usize,
    )
}

fn join<const SLOTS: usize>(chunk: u64, page: usize, slot: usize) -> u64 {
    (chunk * PAGES as u64 + page as u64) * SLOTS as u64 + slot as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    impl Vacant for usize {
        fn vacant() -> Self {
            0
        }
    }

    /// Numbers close together, a page apart, and chunks apart.
    fn key() -> impl Strategy<Value = u64> {
        prop_oneof![
            0_u64..100,
            (0_u64..100).prop_map(|n| n * 16),
            (0_u64..20).prop_map(|n| n * 5_000),
        ]
    }

    fn compare<const SLOTS: usize>(toggles: Vec<u64>, from: u64) {
        let mut paged: Paged<usize, SLOTS> = Paged::default();
        let mut model = BTreeMap::new();
        for (value, key) in toggles.into_iter().enumerate() {
            if model.remove(&key).is_some() {
                assert!(paged.remove(key).is_some());
                assert!(paged.remove(key).is_none());
            } else {
                model.insert(key, value);
                paged.insert(key, value);
            }
            assert_eq!(paged.get(key), model.get(&key));
            assert_eq!(paged.get_mut(key), model.get_mut(&key));
            assert_eq!(paged.len() as usize, model.len());
        }
        let entries: Vec<_> = paged.range(from).map(|(k, v)| (k, *v)).collect();
        let expected: Vec<_> = model.range(from..).map(|(k, v)| (*k, *v)).collect();
        assert_eq!(entries, expected);
        // What it went through does not show.
        let mut anew = Paged::default();
        model.into_iter().for_each(|(k, v)| anew.insert(k, v));
        assert_eq!(paged, anew);
    }

    proptest! {
        #[test]
        fn it_is_a_map(toggles in proptest::collection::vec(key(), 0..300), from in key()) {
            compare::<64>(toggles.clone(), from);
            compare::<16>(toggles, from);
        }
    }

    #[test]
    fn what_holds_no_value_is_given_back() {
        let mut paged: Paged<usize> = Paged::default();
        paged.insert(1, 1);
        paged.insert(70, 2);
        paged.insert(1_000_000, 3);
        paged.remove(70);
        let first = paged.chunks.get(0).expect("a chunk with a value");
        assert_eq!(first.pages.iter().flatten().count(), 1);
        paged.remove(1);
        assert_eq!(paged.chunks.len(), 1);
    }
}
