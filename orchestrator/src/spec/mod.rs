//! The run spec: one file that says what to work on, what runs for each item, and under which rules.
//!
//! Owns the reading of the file into [`RunSpec`], with every mistake named by line, column and field.
//! It does not know how a run is carried out.

mod cursor;
mod each;
mod env;
mod fault;
mod handler;
mod items;
mod node;
mod params;
mod pod;
mod pool;
mod step;
mod substitute;

use std::path::{Path, PathBuf};
use std::time::Duration;

use queue_api::QueueName;

use cursor::At;
use fault::Fault;

pub(crate) use cursor::{DURATION, duration};
pub use each::{Element, ForEach};
pub use env::EnvValue;
pub use fault::{Invalid, Place, SpecError};
pub use handler::Handler;
pub use items::{Items, NumberFormat};
pub use params::Param;
pub use pod::{PodRules, Volume};
pub(crate) use pool::{BACKOFF, backoff_range};
pub use pool::{ItemRules, Pool, Tolerate, Workers};
pub use step::{Step, When, Work};

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
    let file = if path.is_dir() {
        path.join(FILE_NAME)
    } else {
        path.to_owned()
    };
    let read = |source| SpecError::Read {
        path: file.clone(),
        source,
    };
    let bytes = std::fs::read(&file).map_err(read)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        read(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            "it is not UTF-8 text",
        ))
    })?;
    let dir = match file.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        _ => PathBuf::from("."),
    };
    parse(&text, &file, &dir, given)
}

/// Reads a spec from its text. `file` is what errors call it, `dir` where relative names start.
pub fn parse(text: &str, file: &Path, dir: &Path, given: Given<'_>) -> Result<RunSpec, SpecError> {
    let located = |fault| SpecError::Invalid(Box::new(Invalid::new(file.to_owned(), text, fault)));
    let document = node::parse(text).map_err(located)?;
    let root = At::root(&document);
    let head = head(&root, given.suffix).map_err(located)?;
    let values = params::resolve(head.params.as_ref(), given.params)?.map_err(located)?;
    let known = substitute::Known {
        params: &values,
        run: head.name.as_str(),
    };
    let steps = substitute::substitute(&head.steps, &known).map_err(located)?;
    let step = only_step(&At::part(&steps, head.steps.path()), dir).map_err(located)?;
    Ok(RunSpec {
        name: head.name,
        generated: head.generated,
        steps: vec![step],
        file: file.to_owned(),
        dir: dir.to_owned(),
        ttl: None,
    })
}

/// What must be known before values are put in.
struct Head<'a> {
    name: QueueName,
    generated: bool,
    params: Option<At<'a>>,
    steps: At<'a>,
}

fn head<'a>(root: &At<'a>, suffix: &str) -> Result<Head<'a>, Fault> {
    if root.node().value == node::Value::Null {
        let help = "begin with `apiVersion: memq.dev/v1alpha1` and `kind: Run`";
        return Err(root.fault("the file holds no run spec", help));
    }
    let fields = root.fields(&["apiVersion", "kind", "metadata", "spec"])?;
    for (name, value) in [("apiVersion", API_VERSION), ("kind", "Run")] {
        let at = fields.need(name, &format!("`{name}: {value}`"))?;
        if at.text(value)? != value {
            return Err(at.wrong(value));
        }
    }
    let metadata = fields.need("metadata", "`metadata: {name: …}` or `{generateName: …}`")?;
    let spec = fields.need("spec", "`spec: {steps: […]}`")?;
    let (name, generated) = run_name(metadata, suffix)?;
    let spec = spec.fields(&["params", "steps"])?;
    Ok(Head {
        name,
        generated,
        params: spec.get("params").cloned(),
        steps: spec
            .need("steps", "`steps:` and under it one step: `- name: …`")?
            .clone(),
    })
}

/// Longest name of a run: as Kubernetes has it for what must fit a label.
const MAX_RUN_NAME: usize = 63;

fn run_name(metadata: &At<'_>, suffix: &str) -> Result<(QueueName, bool), Fault> {
    let fields = metadata.fields(&["name", "generateName"])?;
    let wanted = "give name: NAME, or generateName: PREFIX- for a new name each time";
    let (field, at) = fields.one_of(&["name", "generateName"], wanted)?;
    let generated = field == "generateName";
    let text = at.text("a text")?;
    let name = if generated {
        format!("{text}{suffix}")
    } else {
        text.to_owned()
    };
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    let fits = name.len() <= MAX_RUN_NAME
        && !text.is_empty()
        && name.bytes().all(legal)
        && !name.starts_with(['-', '.'])
        && !name.ends_with(['-', '.']);
    let rule = "use a-z 0-9 - . and begin with a letter or digit; at most 63 characters in all";
    name.parse()
        .ok()
        .filter(|_| fits)
        .map(|name| (name, generated))
        .ok_or_else(|| at.fault(format!("`{text}` is no name for a run"), rule))
}

fn only_step(steps: &At<'_>, dir: &Path) -> Result<Step, Fault> {
    let list = steps.list("a list with one step: `- name: …`")?;
    match list.as_slice() {
        [] => Err(steps.fault("there is no step", "give one: `- name: …`")),
        [step] => Step::read(step, dir),
        [_, second, ..] => Err(second.fault(
            "unknown or unsupported second step",
            "a run has exactly one step; make another file of this one",
        )),
    }
}

#[cfg(test)]
mod tests;
