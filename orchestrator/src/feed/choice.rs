//! Which items of a run are still to be done.

use std::collections::{HashMap, HashSet};

use sha2::{Digest as _, Sha256};

use super::source::{FeedError, Source, Visit};

/// Most unique keys that a run on one machine looks through: each takes 16 bytes and some.
const MAX_KEYS: usize = 10_000_000;

/// The items of a source that are left when what is done is taken off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// All items of the source.
    pub total: u64,
    /// How many of them are done.
    pub already: u64,
    /// Items besides, left out because one before them has the same unique key.
    pub duplicates: u64,
    /// Items that are not done and are not to be tried now.
    pub aside: u64,
    /// Bytes of the longest body that is left.
    pub longest: usize,
    /// A bit an item: done, or left out.
    skipped: Vec<u64>,
}

impl Choice {
    /// Goes through the source once. A body that was done n times takes off its first n items; `only` names
    /// those, by how often, that are to be tried of what is left.
    pub fn make(
        source: &Source,
        mut done: HashMap<Vec<u8>, u64>,
        mut only: Option<HashMap<Vec<u8>, u64>>,
    ) -> Result<Self, FeedError> {
        let mut choice = Self::default();
        let (mut keys, mut too_many) = (HashSet::new(), false);
        source.visit(|item| {
            let (index, body) = (choice.total + choice.duplicates, item.body);
            // Whether the queue still knows the key when the second comes is a matter of speed.
            if let Some(key) = &item.options.key {
                if keys.len() == MAX_KEYS {
                    too_many = true;
                    return Visit::Stop;
                }
                if !keys.insert(digest(key)) {
                    choice.duplicates += 1;
                    choice.skip(index);
                    return Visit::Go;
                }
            }
            choice.total += 1;
            match done.get_mut(body) {
                Some(left) if *left > 0 => {
                    *left -= 1;
                    choice.already += 1;
                    choice.skip(index);
                }
                _ => {
                    let wanted = only.as_mut().map(|only| only.get_mut(body));
                    match wanted {
                        Some(Some(left)) if *left > 0 => *left -= 1,
                        Some(_) => {
                            choice.aside += 1;
                            choice.skip(index);
                            return Visit::Go;
                        }
                        None => {}
                    }
                    choice.longest = choice.longest.max(body.len());
                }
            }
            Visit::Go
        })?;
        match too_many {
            true => Err(FeedError::TooManyKeys(MAX_KEYS)),
            false => Ok(choice),
        }
    }

    /// How many items are left.
    #[must_use]
    pub fn to_do(&self) -> u64 {
        self.total - self.already - self.aside
    }

    /// Whether the item at this place of the source is done, or left out.
    #[must_use]
    pub fn is_skipped(&self, index: u64) -> bool {
        let (word, bit) = place(index);
        self.skipped.get(word).is_some_and(|bits| bits & bit != 0)
    }

    fn skip(&mut self, index: u64) {
        let (word, bit) = place(index);
        if self.skipped.len() <= word {
            self.skipped.resize(word + 1, 0);
        }
        self.skipped[word] |= bit;
    }
}

/// A key in 128 bits: no two that anybody will ever meet have the same.
fn digest(key: &str) -> u128 {
    let digest = Sha256::digest(key);
    u128::from_be_bytes(std::array::from_fn(|at| digest[at]))
}

fn place(index: u64) -> (usize, u64) {
    (
        usize::try_from(index / 64).unwrap_or(usize::MAX),
        1 << (index % 64),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Items, Marks};

    fn choose(items: &[&str], done: &[(&str, u64)]) -> (Choice, Vec<String>) {
        choose_by(Marks::default(), items, done)
    }

    fn choose_by(marks: Marks, items: &[&str], done: &[(&str, u64)]) -> (Choice, Vec<String>) {
        let list = items.iter().map(|&item| item.into()).collect();
        let source = Source::open(Items::List(list), marks).expect("a list opens");
        let done = done
            .iter()
            .map(|(body, n)| (body.as_bytes().to_vec(), *n))
            .collect();
        let choice = Choice::make(&source, done, None).expect("a list is read");
        let (mut left, mut index) = (Vec::new(), 0);
        source
            .visit(|item| {
                if !choice.is_skipped(index) {
                    left.push(String::from_utf8_lossy(item.body).into_owned());
                }
                index += 1;
                Visit::Go
            })
            .expect("a list is read");
        (choice, left)
    }

    #[test]
    fn a_body_done_n_times_takes_off_n_of_its_items() {
        let (choice, left) = choose(&["a", "b", "a", "c", "a"], &[("a", 2), ("c", 1), ("x", 9)]);
        assert_eq!(left, ["b", "a"]);
        assert_eq!((choice.total, choice.already, choice.to_do()), (5, 3, 2));
    }

    #[test]
    fn of_items_with_one_key_the_first_stands_for_all() {
        let marks = || Marks {
            key: Some(".".parse().expect("a place")),
            ..Marks::default()
        };
        let (choice, left) = choose_by(marks(), &["a", "b", "a", "c", "a"], &[]);
        assert_eq!(left, ["a", "b", "c"]);
        assert_eq!((choice.total, choice.duplicates), (3, 2));
        // The first is done: neither it nor those that it stands for come again.
        let (choice, left) = choose_by(marks(), &["a", "b", "a", "c", "a"], &[("a", 1)]);
        assert_eq!(left, ["b", "c"]);
        assert_eq!((choice.total, choice.already, choice.to_do()), (3, 1, 2));
    }

    #[test]
    fn of_what_is_not_done_only_the_named_ones_are_tried() {
        let list = ["a", "b", "a", "c"].map(str::to_owned).to_vec();
        let source = Source::open(Items::List(list), Marks::default()).expect("a list opens");
        let of = |body: &str, times| HashMap::from([(body.as_bytes().to_vec(), times)]);
        let choice = Choice::make(&source, of("c", 1), Some(of("a", 1))).expect("a list is read");
        let skipped: Vec<_> = (0..4).map(|index| choice.is_skipped(index)).collect();
        assert_eq!(skipped, [false, true, true, true]);
        assert_eq!((choice.already, choice.aside, choice.to_do()), (1, 2, 1));
    }

    #[test]
    fn nothing_done_leaves_all_and_all_done_leaves_nothing() {
        assert_eq!(choose(&["a", "bcd"], &[]).0.longest, 3);
        let (choice, left) = choose(&["a", "a"], &[("a", 5)]);
        assert_eq!((left.len(), choice.to_do(), choice.longest), (0, 0, 0));
    }

    #[test]
    fn places_past_the_first_word_are_told_apart() {
        let items: Vec<String> = (0..200).map(|n| n.to_string()).collect();
        let items: Vec<&str> = items.iter().map(String::as_str).collect();
        let (_, left) = choose(&items, &[("0", 1), ("64", 1), ("199", 1)]);
        assert_eq!(left.len(), 197);
        assert!(
            !left
                .iter()
                .any(|item| ["0", "64", "199"].contains(&item.as_str()))
        );
    }
}
