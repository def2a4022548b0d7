//! An ordered set of sequence numbers that costs next to nothing where they lie close together, as
//! the ready items of a queue do: a bitmap of 64 a map entry.

use alloc::collections::BTreeMap;

use crate::Seq;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SeqSet {
    /// Never holds an empty bitmap, so the first entry has the first member.
    bitmaps: BTreeMap<u64, u64>,
    len: u64,
}

impl SeqSet {
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn insert(&mut self, seq: Seq) {
        let (page, bit) = split(seq);
        let bitmap = self.bitmaps.entry(page).or_default();
        debug_assert!(*bitmap & bit == 0, "{seq:?} is in the set already");
        *bitmap |= bit;
        self.len += 1;
    }

    pub(crate) fn remove(&mut self, seq: Seq) {
        let (page, bit) = split(seq);
        let bitmap = self
            .bitmaps
            .get_mut(&page)
            .filter(|bitmap| **bitmap & bit != 0)
            .unwrap_or_else(|| panic!("{seq:?} is not in the set"));
        *bitmap &= !bit;
        if *bitmap == 0 {
            self.bitmaps.remove(&page);
        }
        self.len -= 1;
    }

    pub(crate) fn contains(&self, seq: Seq) -> bool {
        let (page, bit) = split(seq);
        self.bitmaps
            .get(&page)
            .is_some_and(|bitmap| bitmap & bit != 0)
    }

    pub(crate) fn first(&self) -> Option<Seq> {
        self.iter().next()
    }

    /// The members in ascending order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Seq> {
        self.bitmaps.iter().flat_map(|(&page, &bitmap)| {
            let mut rest = bitmap;
            core::iter::from_fn(move || {
                let bit = rest.trailing_zeros();
                rest &= rest.checked_sub(1)?;
                Some(Seq(page << 6 | u64::from(bit)))
            })
        })
    }
}

fn split(seq: Seq) -> (u64, u64) {
    (seq.0 >> 6, 1 << (seq.0 & 63))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_set_of_numbers_in_order(toggles in proptest::collection::vec(0_u64..400, 0..300)) {
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
        set.insert(Seq(63));
        set.insert(Seq(64));
        set.remove(Seq(63));
        set.remove(Seq(64));
        assert_eq!(set, SeqSet::default());
    }
}
