//! The run spec: one file that says what to work on, what runs for each item, and under which rules.
//!
//! Owns the reading of the file into [`RunSpec`], with every mistake named by line, column and field.
//! It does not know how a run is carried out.

mod cursor;
mod document;
mod each;
mod env;
mod fault;
mod handler;
mod items;
mod marks;
mod node;
mod order;
mod params;
mod pod;
mod pool;
mod room;
pub mod schema;
mod step;
mod substitute;
mod trouble;

use std::path::{Path, PathBuf};
use std::time::Duration;

use queue_api::QueueName;

pub(crate) use cursor::{DURATION, duration};
pub use document::{Document, from_object};
pub use each::{Element, ForEach};
pub use env::EnvValue;
pub(crate) use fault::Fault;
pub use fault::{Invalid, Place, SpecError};
pub use handler::Handler;
pub use items::{Glob, GlobError, Input, Items, NumberFormat};
pub use marks::{Mark, Marks, Pick};
pub(crate) use node::{Node, Value as NodeValue, documents};
pub use params::Param;
pub use pod::{PodRules, Volume};
pub(crate) use pool::{BACKOFF, backoff_range};
pub use pool::{ItemRules, Pool, Tolerate, Workers};
pub use step::{Step, When, Work};
pub use trouble::{Machine, Trouble, cluster_trouble, local_trouble};

/// The only version of the spec there is.
pub const API_VERSION: &str = "memq.dev/v1alpha1";
/// The file looked for where a folder is given.
pub const FILE_NAME: &str = "run.yaml";

/// A run as its file and its parameters describe it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSpec {
    /// Its name, and the name of its queue.
    pub name: QueueName,
    /// Whether the name was made up from `generateName`.
    pub generated: bool,
    /// The name of the spec, the same for every run of it: the run's name without what `generateName` adds.
    pub base_name: String,
    /// Its steps, in the order of the file; at least one.
    pub steps: Vec<Step>,
    /// The file it was read from.
    pub file: PathBuf,
    /// The folder of that file: relative names start here, and handlers run here.
    pub dir: PathBuf,
    /// How long after its end what it left in a cluster is kept; absent: until somebody removes it.
    pub ttl: Option<Duration>,
}

/// What the command line adds to a file.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// Parameters as name and text.
    pub params: &'a [(String, String)],
    /// Ends a generated name; must be a few letters and digits nobody else has.
    pub suffix: &'a str,
}

/// Reads the spec in a file, or in the `run.yaml` of a folder.
pub fn load(path: &Path, given: Given<'_>) -> Result<RunSpec, SpecError> {
    Document::open(path)?.read(given)
}

/// Reads a spec from its text. `file` is what errors call it, `dir` where relative names start.
pub fn parse(text: &str, file: &Path, dir: &Path, given: Given<'_>) -> Result<RunSpec, SpecError> {
    Document::parse(text, file, dir)?.read(given)
}

/// Longest name of a run: as Kubernetes has it for what must fit a label.
const MAX_RUN_NAME: usize = 63;
/// Most steps of a run: past it, what repeats should be items or elements.
const MAX_STEPS: usize = 100;

#[cfg(test)]
mod tests;
