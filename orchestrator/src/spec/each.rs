//! A step that runs once for each element of a list or a map, each a process or a Job of its own.

use std::collections::BTreeMap;

use super::env::EnvValue;
use super::handler::Handler;

/// What a step runs once each for.
#[derive(Debug, Clone, PartialEq)]
pub struct ForEach {
    /// The elements, at least one, in the order of the file.
    pub elements: Vec<Element>,
    /// Most that run at the same time; absent: all.
    pub max_parallel: Option<u32>,
    /// Whether no more are begun once one has failed.
    pub fail_fast: bool,
}

/// One element, and what runs for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    /// Of a map its key, of a list its text.
    pub key: String,
    /// The value; of a list its text again.
    pub value: String,
    /// The step's handler with this element put in.
    pub handler: Handler,
    /// The step's variables with this element put in.
    pub env: BTreeMap<String, EnvValue>,
}
