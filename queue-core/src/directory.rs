//! Chunks by their number: a sorted ring in which a number is found at once where the numbers lie
//! close together, and by bisection where they do not.
//!
//! A chunk stands for thousands of neighbours, so the ring is short, and what an insertion moves is
//! little. Chunks come and go at the ends mostly, where nothing is moved at all.

use alloc::collections::VecDeque;

/// Room that is not worth giving back.
const SMALL: usize = 64;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Directory<T> {
    /// Ascending, each number once.
    chunks: VecDeque<(u64, T)>,
}

impl<T> Default for Directory<T> {
    fn default() -> Self {
        Self {
            chunks: VecDeque::new(),
        }
    }
}

impl<T> Directory<T> {
    pub(crate) fn get(&self, number: u64) -> Option<&T> {
        let at = self.position(number).ok()?;
        self.chunks.get(at).map(|chunk| &chunk.1)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let at = self.position(number).ok()?;
        self.chunks.get_mut(at).map(|chunk| &mut chunk.1)
    }

    pub(crate) fn get_or_insert_with(&mut self, number: u64, make: impl FnOnce() -> T) -> &mut T {
        let at = self.position(number).unwrap_or_else(|at| {
            self.chunks.insert(at, (number, make()));
            at
        });
        &mut self.chunks[at].1
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        let at = self.position(number).ok()?;
        let (_, chunk) = self.chunks.remove(at)?;
        if self.chunks.capacity() > SMALL && self.chunks.len() < self.chunks.capacity() / 4 {
            self.chunks.shrink_to(self.chunks.capacity() / 2);
        }
        Some(chunk)
    }

    /// The first chunk with this number or a higher one.
    pub(crate) fn at_or_after(&self, number: u64) -> Option<(u64, &T)> {
        let at = self.position(number).unwrap_or_else(|at| at);
        self.chunks.get(at).map(|(number, chunk)| (*number, chunk))
    }

    /// Where a number is, or where it would have to be: at once, where no number is missing before it.
    #[inline]
    fn position(&self, number: u64) -> Result<usize, usize> {
        let first = self.chunks.front().map_or(0, |chunk| chunk.0);
        let at = usize::try_from(number.wrapping_sub(first)).unwrap_or(usize::MAX);
        match self.chunks.get(at) {
            Some(chunk) if chunk.0 == number => Ok(at),
            _ => self.search(number),
        }
    }

    fn search(&self, number: u64) -> Result<usize, usize> {
        let (Some((first, _)), Some((last, _))) = (self.chunks.front(), self.chunks.back()) else {
            return Err(0);
        };
        if number < *first {
            return Err(0);
        }
        if number > *last {
            return Err(self.chunks.len());
        }
        self.chunks.binary_search_by_key(&number, |chunk| chunk.0)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.chunks.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_map_in_order(toggles in proptest::collection::vec(0_u64..200, 0..600)) {
            let mut directory = Directory::default();
            let mut model = BTreeMap::new();
            for (value, number) in toggles.into_iter().enumerate() {
                if let Some(value) = model.remove(&number) {
                    prop_assert_eq!(directory.remove(number), Some(value));
                } else {
                    model.insert(number, value);
                    prop_assert_eq!(*directory.get_or_insert_with(number, || value), value);
                }
                prop_assert_eq!(directory.get(number), model.get(&number));
                prop_assert_eq!(directory.len(), model.len());
                for from in [0, number, number + 1] {
                    let next = model.range(from..).next().map(|(number, value)| (*number, value));
                    prop_assert_eq!(directory.at_or_after(from), next);
                }
            }
        }
    }

    #[test]
    fn room_goes_back_after_a_peak() {
        let mut directory = Directory::default();
        for number in 0..10_000 {
            directory.get_or_insert_with(number, || ());
        }
        for number in 0..9_990 {
            directory.remove(number);
        }
        assert!(directory.chunks.capacity() <= 4 * SMALL);
    }
}
