//! Sets of small numbers, written as ranges: `0-57,60`.

use std::collections::BTreeSet;
use std::fmt;

/// A set of numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ranges(BTreeSet<u32>);

impl Ranges {
    /// Reads what was written, of the numbers below `count`; what is no range is left out.
    pub(super) fn read(text: &str, count: u32) -> Self {
        let mut set = BTreeSet::new();
        let Some(highest) = count.checked_sub(1) else {
            return Self(set);
        };
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) {
                set.extend(first..=last.min(highest));
            }
        }
        Self(set)
    }

    pub(super) fn insert(&mut self, number: u32) {
        self.0.insert(number);
    }

    pub(super) fn holds(&self, number: u32) -> bool {
        self.0.contains(&number)
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut numbers = self.iter().peekable();
        let mut comma = "";
        while let Some(first) = numbers.next() {
            let mut last = first;
            while let Some(next) = numbers.next_if(|next| next.checked_sub(1) == Some(last)) {
                last = next;
            }
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
            comma = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn neighbours_are_written_as_a_range() {
        let mut set = Ranges::read("0-57,60", 1000);
        assert_eq!(set.to_string(), "0-57,60");
        set.insert(59);
        set.insert(2);
        assert_eq!(set.to_string(), "0-57,59-60");
        assert_eq!(set.len(), 60);
        assert_eq!(Ranges::read("", 1000).to_string(), "");
    }

    #[test]
    fn what_somebody_else_wrote_is_believed_only_of_the_elements_there_are() {
        let wild = "0-4294967295,4294967295,7-3,-,x,1-";
        assert_eq!(Ranges::read(wild, 1000).to_string(), "0-999");
        assert_eq!(Ranges::read(wild, 0).len(), 0);
        let all = Ranges([u32::MAX - 1, u32::MAX].into());
        assert_eq!(all.to_string(), "4294967294-4294967295");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(numbers in prop::collection::btree_set(0_u32..1000, 0..200)) {
            let set = Ranges(numbers);
            prop_assert_eq!(Ranges::read(&set.to_string(), 1000), set);
        }
    }
}
