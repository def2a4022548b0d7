//! A spec as it is written: read into a [`RunSpec`], or made into the object a cluster is given.

use std::path::{Path, PathBuf};
use std::time::Duration;

use queue_api::QueueName;

use super::cursor::At;
use super::fault::{Fault, Invalid, SpecError};
use super::items::Files;
use super::node::{self, Node, Value};
use super::params::{self, Values};
use super::room::Room;
use super::schema::{METADATA, RUN, SPEC, Shape, json};
use super::step::{Context, Inherited, Step, Work, optional_duration};
use super::substitute::{Each, Known};
use super::{API_VERSION, FILE_NAME, Given, MAX_RUN_NAME, MAX_STEPS, RunSpec, order, pod};

/// A spec file that has been read, and is YAML.
#[derive(Debug)]
pub struct Document {
    text: String,
    file: PathBuf,
    dir: PathBuf,
    node: Node,
}

impl Document {
    /// Opens a file, or the `run.yaml` of a folder.
    pub fn open(path: &Path) -> Result<Self, SpecError> {
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
        Self::parse(&text, &file, &dir)
    }

    /// Takes a text. `file` is what errors call it, `dir` where relative names start.
    pub fn parse(text: &str, file: &Path, dir: &Path) -> Result<Self, SpecError> {
        match node::parse(text) {
            Ok(node) => Ok(Self {
                text: text.to_owned(),
                file: file.to_owned(),
                dir: dir.to_owned(),
                node,
            }),
            Err(fault) => Err(invalid(file, text, fault)),
        }
    }

    /// The run it describes, with these parameters.
    pub fn read(&self, given: Given<'_>) -> Result<RunSpec, SpecError> {
        let located = |fault| invalid(&self.file, &self.text, fault);
        let head = head(&At::root(&self.node), Source::File(given.suffix)).map_err(located)?;
        let values = params::resolve(head.params.as_ref(), given.params)?.map_err(located)?;
        let files = Files {
            dir: &self.dir,
            here: true,
        };
        body(head, &values, files, &self.file).map_err(located)
    }

    /// The object that says the same to a cluster: what is given has become the parameters' defaults, and
    /// `$(…)` stands where it stood. What [`Document::read`] refuses is refused here too.
    pub fn object(&self, given: Given<'_>) -> Result<serde_json::Value, SpecError> {
        self.read(given)?;
        let located = |fault| invalid(&self.file, &self.text, fault);
        let head = head(&At::root(&self.node), Source::File(given.suffix)).map_err(located)?;
        let values = params::resolve(head.params.as_ref(), given.params)?.map_err(located)?;
        let mut object = json(&self.node, &Shape::Object(&RUN));
        for (name, value) in values {
            let declared = object
                .pointer_mut("/spec/params")
                .and_then(|p| p.get_mut(&name));
            if let (Some(serde_json::Value::Object(declared)), Some(value)) = (declared, value) {
                declared.remove("required");
                declared.insert("default".to_owned(), value.json());
            }
        }
        Ok(object)
    }
}

/// Reads the run that an object in a cluster describes. Errors name the field in one line, as there are no
/// lines in a file to name.
pub fn from_object(object: &serde_json::Value) -> Result<RunSpec, SpecError> {
    let none = Path::new("");
    let located = |fault| invalid(none, "", fault);
    let node = node::from_json(object);
    let head = head(&At::root(&node), Source::Object).map_err(located)?;
    let values = params::resolve(head.params.as_ref(), &[])?.map_err(located)?;
    let files = Files {
        dir: none,
        here: false,
    };
    body(head, &values, files, none).map_err(located)
}

fn invalid(file: &Path, text: &str, fault: Fault) -> SpecError {
    SpecError::Invalid(Box::new(Invalid::new(file.to_owned(), text, fault)))
}

/// What a document is read from.
#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    /// A file, with what ends a generated name.
    File(&'a str),
    /// An object in a cluster, which has a name, and metadata and a status that are the cluster's.
    Object,
}

/// What must be known before values are put in.
struct Head<'a> {
    name: QueueName,
    generated: bool,
    base_name: String,
    params: Option<At<'a>>,
    defaults: Option<At<'a>>,
    ttl: Option<Duration>,
    steps: At<'a>,
}

fn head<'a>(root: &At<'a>, source: Source<'_>) -> Result<Head<'a>, Fault> {
    if root.node().value == Value::Null {
        let help = "begin with `apiVersion: memq.dev/v1alpha1` and `kind: Run`";
        return Err(root.fault("the file holds no run spec", help));
    }
    let fields = match source {
        Source::File(_) => root.fields(&RUN)?,
        Source::Object => root.fields_besides(&RUN, |name| name == "status")?,
    };
    for (name, value) in [("apiVersion", API_VERSION), ("kind", "Run")] {
        let at = fields.need(name, &format!("`{name}: {value}`"))?;
        if at.text(value)? != value {
            return Err(at.wrong(value));
        }
    }
    let metadata = fields.need("metadata", "`metadata: {name: …}` or `{generateName: …}`")?;
    let spec = fields.need("spec", "`spec: {steps: […]}`")?;
    let (name, generated) = run_name(metadata, source)?;
    let base_name = base_name(metadata, name.as_str());
    let spec = spec.fields(&SPEC)?;
    Ok(Head {
        name,
        generated,
        base_name,
        params: spec.get("params").cloned(),
        defaults: spec.get("defaults").cloned(),
        ttl: optional_duration(&spec, "ttl")?,
        steps: spec
            .need("steps", "`steps:` and under it a step: `- name: …`")?
            .clone(),
    })
}

fn body(head: Head<'_>, values: &Values, files: Files<'_>, file: &Path) -> Result<RunSpec, Fault> {
    let room = Room::default();
    let known = Known {
        params: values,
        run: head.name.as_str(),
        each: Each::None,
        room: &room,
    };
    let inherited = match &head.defaults {
        None => Inherited::default(),
        Some(at) => Inherited::read(at, &known, files.dir)?,
    };
    let context = Context {
        known,
        files,
        inherited: &inherited,
    };
    let list = head.steps.list("a list of steps: `- name: …`")?;
    if list.is_empty() {
        return Err(head
            .steps
            .fault("there is no step", "give one: `- name: …`"));
    }
    if let Some(at) = list.get(MAX_STEPS) {
        let help = "a run has at most 100 steps; use `items` or `forEach` for what repeats";
        return Err(at.fault(format!("these are {} steps", list.len()), help));
    }
    let steps = list
        .iter()
        .map(|step| Step::read(step, &context))
        .collect::<Result<Vec<_>, _>>()?;
    order::check(&steps, &list)?;
    one_pipe(&steps, &list)?;
    Ok(RunSpec {
        name: head.name,
        generated: head.generated,
        base_name: head.base_name,
        steps,
        file: file.to_owned(),
        dir: files.dir.to_owned(),
        ttl: head.ttl,
    })
}

/// Standard input comes but once.
fn one_pipe(steps: &[Step], list: &[At<'_>]) -> Result<(), Fault> {
    let piped = |step: &Step| matches!(&step.work, Work::Items(pool) if pool.items.are_piped());
    let mut piped = steps.iter().zip(list).filter(|(step, _)| piped(step));
    match (piped.next(), piped.next()) {
        (Some((first, _)), Some((_, at))) => Err(at.fault(
            format!("standard input goes to step `{}` already", first.name),
            "give one of them a file",
        )),
        _ => Ok(()),
    }
}

/// A run's name without what was made up for it. An object in a cluster may have both of its names.
fn base_name(metadata: &At<'_>, name: &str) -> String {
    let prefix = match &metadata.node().value {
        Value::Map(fields) => fields
            .iter()
            .find(|(key, _)| key.text() == Some("generateName")),
        _ => None,
    };
    let prefix = prefix.and_then(|(_, prefix)| prefix.text());
    let base = prefix
        .filter(|prefix| name.starts_with(prefix))
        .unwrap_or(name);
    match base.trim_end_matches(['-', '.']) {
        "" => name.to_owned(),
        base => base.to_owned(),
    }
}

fn run_name(metadata: &At<'_>, source: Source<'_>) -> Result<(QueueName, bool), Fault> {
    let (field, at, suffix) = match source {
        Source::Object => {
            let fields = metadata.fields_besides(&METADATA, |_| true)?;
            let at = fields.need("name", "the object's name")?;
            ("name", at.clone(), "")
        }
        Source::File(suffix) => {
            let fields = metadata.fields(&METADATA)?;
            for name in ["labels", "annotations"] {
                fields
                    .get(name)
                    .map(|at| pod::texts(at, "NAME: value"))
                    .transpose()?;
            }
            fields
                .get("namespace")
                .map(|at| at.text("the name of a namespace"))
                .transpose()?;
            let wanted = "give name: NAME, or generateName: PREFIX- for a new name each time";
            let (field, at) = fields.one_of(&["name", "generateName"], wanted)?;
            (field, at.clone(), suffix)
        }
    };
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
