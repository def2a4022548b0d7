//! The items that a joblog tells of, for whoever asks for one by its id.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

use jiff::Timestamp;
use queue_api::{Body, Finish, ItemId};
use serde::{Deserialize, Serialize};

/// What became of an item at last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemLine {
    /// Its id.
    pub id: ItemId,
    /// The step, where the line names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The item itself.
    #[serde(skip)]
    pub body: Vec<u8>,
    /// How it ended.
    pub state: Finish,
    /// Attempts it took.
    pub attempts: u32,
    /// Who held it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// When it ended.
    pub ended: Timestamp,
    /// What it gave back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// What its last attempt said, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    id: ItemId,
    step: Option<String>,
    #[serde(flatten)]
    body: Body,
    state: Finish,
    attempts: u32,
    worker: Option<String>,
    ended: Timestamp,
    result: Option<String>,
    error: Option<String>,
}

impl ItemLine {
    /// Whether it is of this step; where no step is named, of any.
    #[must_use]
    pub fn is_of(&self, step: &str) -> bool {
        self.step.as_deref().is_none_or(|own| own == step)
    }
}

/// Shows the items of a joblog in the order in which they ended. What is no line of an item is passed over.
pub fn items(path: &Path, mut each: impl FnMut(ItemLine)) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(256 * 1024, File::open(path)?);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        if let Ok(found) = serde_json::from_slice::<Line>(&line) {
            each(ItemLine {
                id: found.id,
                step: found.step,
                body: found.body.0,
                state: found.state,
                attempts: found.attempts,
                worker: found.worker,
                ended: found.ended,
                result: found.result,
                error: found.error,
            });
        }
        line.clear();
    }
    Ok(())
}
