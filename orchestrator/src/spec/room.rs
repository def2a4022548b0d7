//! How much text a run may have beyond what is written in it: values put in again and again, and what each
//! element of a `forEach` runs. It counts; whoever copies asks first.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::env::EnvValue;
use super::node::{Node, Value};

/// Most text that parameters, defaults and elements may add to a run, all its steps together, in bytes. A
/// file of a megabyte can ask for a terabyte of copies, and one controller of 256 MiB reads the runs of everybody.
pub(super) const MAX_ADDED: usize = 2 * 1024 * 1024;
/// What each entry of a list or a map counts besides its text: about what it takes to keep.
pub(super) const PER_ENTRY: usize = 32;

/// What of [`MAX_ADDED`] is left.
#[derive(Debug)]
pub(crate) struct Room(Cell<usize>);

impl Default for Room {
    fn default() -> Self {
        Self(Cell::new(MAX_ADDED))
    }
}

impl Room {
    /// Takes so many bytes; where they do not fit, takes none and gives what all would come to.
    pub(crate) fn take(&self, bytes: usize) -> Result<(), usize> {
        match self.0.get().checked_sub(bytes) {
            Some(left) => {
                self.0.set(left);
                Ok(())
            }
            None => Err(bytes.saturating_add(MAX_ADDED - self.0.get())),
        }
    }
}

/// What a tree counts, its texts as `text` counts them.
pub(crate) fn weigh(node: &Node, text: &mut impl FnMut(&str) -> usize) -> usize {
    match &node.value {
        Value::Text(value) => text(value),
        Value::List(list) => list.iter().map(|node| PER_ENTRY + weigh(node, text)).sum(),
        Value::Map(map) => map
            .iter()
            .map(|(key, value)| PER_ENTRY + key.text().map_or(0, str::len) + weigh(value, text))
            .sum(),
        _ => node.written.len(),
    }
}

/// What variables count.
pub(crate) fn weigh_env(env: &BTreeMap<String, EnvValue>) -> usize {
    let value = |value: &EnvValue| match value {
        EnvValue::Text(text) => text.len(),
        EnvValue::Secret { name, key } | EnvValue::ConfigMap { name, key } => {
            name.len() + key.len()
        }
    };
    env.iter()
        .map(|(name, of)| PER_ENTRY + name.len() + value(of))
        .sum()
}
