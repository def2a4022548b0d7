//! When which item's time comes: ordered by time, then place.
//!
//! Leases given in one instant to neighbours, as a batch or a busy millisecond gives them, share an
//! entry: a bit each.

use alloc::collections::BTreeMap;

use crate::Seq;
use crate::time::Time;

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Timers {
    /// By instant and 64 neighbours. Never holds an empty bitmap.
    bitmaps: BTreeMap<(Time, u64), u64>,
}

impl Timers {
    pub(crate) fn insert(&mut self, at: Time, seq: Seq) {
        let (neighbours, bit) = split(seq);
        *self.bitmaps.entry((at, neighbours)).or_default() |= bit;
    }

    pub(crate) fn remove(&mut self, at: Time, seq: Seq) {
        let (neighbours, bit) = split(seq);
        let Some(bitmap) = self.bitmaps.get_mut(&(at, neighbours)) else {
            panic!("{seq:?} has no timer at {at:?}");
        };
        *bitmap &= !bit;
        if *bitmap == 0 {
            self.bitmaps.remove(&(at, neighbours));
        }
    }

    /// The earliest instant.
    pub(crate) fn first(&self) -> Option<Time> {
        self.bitmaps.first_key_value().map(|((at, _), _)| *at)
    }

    /// All, by time and then by place.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Time, Seq)> {
        self.bitmaps
            .iter()
            .flat_map(|(&(at, neighbours), &bitmap)| {
                let mut rest = bitmap;
                core::iter::from_fn(move || {
                    let bit = rest.trailing_zeros();
                    rest &= rest.checked_sub(1)?;
                    Some((at, Seq(neighbours << 6 | u64::from(bit))))
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
        fn they_are_a_set_in_order(toggles in proptest::collection::vec((0_u64..5, 0_u64..200), 0..300)) {
            let mut timers = Timers::default();
            let mut model = BTreeSet::new();
            for (at, seq) in toggles {
                let timer = (Time(at), Seq(seq));
                if model.insert(timer) {
                    timers.insert(timer.0, timer.1);
                } else {
                    model.remove(&timer);
                    timers.remove(timer.0, timer.1);
                }
                prop_assert_eq!(timers.first(), model.first().map(|timer| timer.0));
            }
            prop_assert_eq!(timers.iter().collect::<Vec<_>>(), Vec::from_iter(model));
        }
    }
}
