//! What earlier runs left in a joblog.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _};
use std::path::Path;

use super::JoblogError;
use super::line::{DONE, Entry};

/// What earlier runs have done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Past {
    /// How often each body was done. Two items with the same body are two items.
    pub done: HashMap<Vec<u8>, u64>,
    /// How the file ended.
    pub tail: Tail,
}

impl Past {
    /// All items done, with repetitions.
    #[must_use]
    pub fn done_items(&self) -> u64 {
        self.done.values().sum()
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
                if entry.state == DONE {
                    *past.done.entry(entry.body.0).or_default() += 1;
                }
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
                let problem = error.to_string();
                let problem = problem
                    .split(" at line ")
                    .next()
                    .unwrap_or_default()
                    .to_owned();
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
