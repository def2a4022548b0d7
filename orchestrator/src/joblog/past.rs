//! What earlier runs left in a joblog.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _};
use std::path::Path;

use super::JoblogError;
use super::line::{ANEW, DONE, Entry};

/// What earlier runs have done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Past {
    /// By step.
    pub steps: HashMap<String, Done>,
    /// Items of lines that name no step: of a run whose only step has items.
    pub unnamed: HashMap<Vec<u8>, u64>,
    /// How the file ended.
    pub tail: Tail,
}

/// What earlier runs have done of a step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Done {
    /// How often each body was done. Two items with the same body are two items.
    pub items: HashMap<Vec<u8>, u64>,
    /// The keys of elements that are done.
    pub elements: HashSet<String>,
    /// Whether the step itself is done, if it has neither.
    pub whole: bool,
}

impl Past {
    /// All items done, with repetitions.
    #[must_use]
    pub fn done_items(&self) -> u64 {
        let of_steps = self.steps.values().flat_map(|done| done.items.values());
        of_steps.chain(self.unnamed.values()).sum()
    }

    /// What is done of this step; taken out, as it is wanted once. The only step that has items is
    /// given those of lines without a step, too.
    #[must_use]
    pub fn take(&mut self, step: &str, only_with_items: bool) -> Done {
        let mut done = self.steps.remove(step).unwrap_or_default();
        if only_with_items {
            for (body, times) in self.unnamed.drain() {
                *done.items.entry(body).or_default() += times;
            }
        }
        done
    }

    fn note(&mut self, entry: Entry) {
        match entry {
            Entry::Item { body, state, step } if state == DONE => {
                let items = match step {
                    Some(step) => &mut self.steps.entry(step).or_default().items,
                    None => &mut self.unnamed,
                };
                *items.entry(body.0).or_default() += 1;
            }
            Entry::Step {
                step,
                element,
                state,
            } if state == DONE => {
                let done = self.steps.entry(step).or_default();
                match element {
                    Some(key) => drop(done.elements.insert(key)),
                    None => done.whole = true,
                }
            }
            Entry::Step { step, state, .. } if state == ANEW => drop(self.steps.remove(&step)),
            Entry::Item { .. } | Entry::Step { .. } => {}
        }
    }
}

/// How a joblog ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tail {
    /// With a whole line, or it is empty.
    #[default]
    Whole,
    /// With a line that lacks only its end.
    Unended,
    /// With a part of a line; the bytes before it are whole lines.
    Torn {
        /// How many bytes.
        whole: u64,
    },
}

pub(super) fn read(file: &File, path: &Path) -> Result<Past, JoblogError> {
    let io = |source| JoblogError::Io {
        what: "read",
        path: path.to_owned(),
        source,
    };
    let mut reader = BufReader::with_capacity(256 * 1024, file);
    reader.rewind().map_err(io)?;
    let mut past = Past::default();
    let (mut number, mut whole, mut line) = (0, 0, Vec::new());
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line).map_err(io)?;
        if length == 0 {
            return Ok(past);
        }
        number += 1;
        let ended = line.last() == Some(&b'\n');
        match serde_json::from_slice::<Entry>(&line) {
            Ok(entry) => {
                past.note(entry);
                if !ended {
                    past.tail = Tail::Unended;
                }
            }
            Err(_) if line.trim_ascii().is_empty() => {}
            // A line is written from its beginning on: what begins otherwise was never ours.
            Err(_) if !ended && line.starts_with(b"{") => {
                past.tail = Tail::Torn { whole };
            }
            Err(error) => {
                let problem = match error.is_data() {
                    true => "no state, or neither an item nor a step,".to_owned(),
                    false => {
                        let problem = error.to_string();
                        let problem = problem.split(" at line ").next();
                        problem.unwrap_or_default().to_owned()
                    }
                };
                return Err(JoblogError::Foreign {
                    path: path.to_owned(),
                    line: number,
                    problem,
                });
            }
        }
        whole += length as u64;
    }
}
