//! A map from ascending numbers to values, in pages of 64: grows and shrinks a page at a time, so
//! that no insertion copies the whole and memory goes back after a peak.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

const PAGE: usize = 64;

#[derive(Debug, Clone, PartialEq)]
struct Page<T> {
    live: usize,
    /// Alone in its allocation: 64 items are then just 2,560 bytes, which allocators have a class for.
    slots: Box<[Option<T>; PAGE]>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Paged<T> {
    /// Never holds a page without a live slot.
    pages: BTreeMap<u64, Page<T>>,
    len: u64,
}

impl<T> Default for Paged<T> {
    fn default() -> Self {
        Self {
            pages: BTreeMap::new(),
            len: 0,
        }
    }
}

impl<T> Paged<T> {
    /// How many values there are.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn get(&self, key: u64) -> Option<&T> {
        let (page, slot) = split(key);
        self.pages.get(&page)?.slots[slot].as_ref()
    }

    pub(crate) fn get_mut(&mut self, key: u64) -> Option<&mut T> {
        let (page, slot) = split(key);
        self.pages.get_mut(&page)?.slots[slot].as_mut()
    }

    pub(crate) fn insert(&mut self, key: u64, value: T) {
        let (page, slot) = split(key);
        let page = self.pages.entry(page).or_insert_with(|| Page {
            live: 0,
            slots: Box::new([const { None }; PAGE]),
        });
        let old = page.slots[slot].replace(value);
        assert!(old.is_none(), "slot {key} is taken");
        page.live += 1;
        self.len += 1;
    }

    pub(crate) fn remove(&mut self, key: u64) -> Option<T> {
        let (at, slot) = split(key);
        let page = self.pages.get_mut(&at)?;
        let value = page.slots[slot].take()?;
        page.live -= 1;
        self.len -= 1;
        if page.live == 0 {
            self.pages.remove(&at);
        }
        Some(value)
    }

    /// Entries from `key` on, ascending.
    pub(crate) fn range(&self, key: u64) -> impl Iterator<Item = (u64, &T)> {
        let (first, _) = split(key);
        self.pages
            .range(first..)
            .flat_map(|(&page, slots)| {
                slots
                    .slots
                    .iter()
                    .enumerate()
                    .filter_map(move |(slot, value)| {
                        Some((page * PAGE as u64 + slot as u64, value.as_ref()?))
                    })
            })
            .filter(move |(at, _)| *at >= key)
    }
}

fn split(key: u64) -> (u64, usize) {
    (key / PAGE as u64, (key % PAGE as u64) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_map(toggles in proptest::collection::vec(0_u64..300, 0..300), from in 0_u64..300) {
            let mut paged = Paged::default();
            let mut model = BTreeMap::new();
            for (value, key) in toggles.into_iter().enumerate() {
                if model.remove(&key).is_some() {
                    prop_assert!(paged.remove(key).is_some());
                    prop_assert!(paged.remove(key).is_none());
                } else {
                    model.insert(key, value);
                    paged.insert(key, value);
                }
                prop_assert_eq!(paged.get(key), model.get(&key));
                prop_assert_eq!(paged.len() as usize, model.len());
            }
            let entries: Vec<_> = paged.range(from).map(|(k, v)| (k, *v)).collect();
            let expected: Vec<_> = model.range(from..).map(|(k, v)| (*k, *v)).collect();
            prop_assert_eq!(entries, expected);
        }
    }

    #[test]
    fn a_page_without_values_is_given_back() {
        let mut paged = Paged::default();
        paged.insert(1, 'a');
        paged.insert(1_000_000, 'b');
        paged.remove(1);
        assert_eq!(paged.pages.len(), 1);
    }
}
