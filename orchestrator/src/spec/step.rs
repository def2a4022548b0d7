//! A step: what it waits for, what it works on, what it runs, and where.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::MAX_STEPS;
use super::cursor::{At, DURATION, Fields};
use super::each::ForEach;
use super::env::{self, EnvValue};
use super::fault::Fault;
use super::handler::Handler;
use super::items::Files;
use super::node::{Node, Value};
use super::pod::{self, PodRules};
use super::pool::Pool;
use super::room::{MAX_ADDED, weigh};
use super::schema::{DEFAULTS, STEP};
use super::substitute::{Each, Known, substitute};

/// One step of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its name, the only one of the run.
    pub name: String,
    /// The names of the steps that must have ended before it begins.
    pub after: Vec<String>,
    /// How those must have ended; with none of them it holds at once.
    pub when: When,
    /// What it works on.
    pub work: Work,
    /// What it runs. With `forEach` as it is written; what runs for an element stands in the element.
    pub handler: Handler,
    /// Variables for what it runs. With `forEach` as written, like the handler.
    pub env: BTreeMap<String, EnvValue>,
    /// The time the whole step may take, all tries together.
    pub timeout: Option<Duration>,
    /// Further tries of a process or Job that failed; 0 with items, which have attempts of their own.
    pub retries: u32,
    /// What it asks of its pods.
    pub pod: PodRules,
}

/// How the steps before one must have ended for it to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum When {
    /// Every one of them succeeded.
    #[default]
    Succeeded,
    /// At least one of them failed.
    Failed,
    /// All of them have ended, however they did.
    Always,
}

/// What a step works on.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// Items of a queue, gone through by a pool of workers.
    Items(Box<Pool>),
    /// A process or Job for each element.
    Each(ForEach),
    /// One process or Job.
    Once,
}

/// Longest step name: it must fit a label beside the run's.
pub(super) const MAX_STEP_NAME: usize = 63;
/// Most further tries of a process or Job: past it, it is a slip of the pen.
pub(super) const MAX_RETRIES: i64 = 100;
/// The fields in which an element of a `forEach` stands.
const OF_ELEMENTS: [&str; 4] = ["command", "script", "builtin", "env"];

/// What a step is read with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    /// What is put in.
    pub(crate) known: Known<'a>,
    /// The files it may name.
    pub(crate) files: Files<'a>,
    /// What every step inherits.
    pub(crate) inherited: &'a Inherited,
}

/// What every step inherits, unless it says otherwise.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    env: BTreeMap<String, EnvValue>,
    timeout: Option<Duration>,
    retries: Option<u32>,
    pod: PodRules,
    /// What all of it counts, for each step that takes it over.
    weight: usize,
}

impl Inherited {
    /// Reads `spec.defaults`.
    pub(crate) fn read(at: &At<'_>, known: &Known<'_>, dir: &Path) -> Result<Self, Fault> {
        let node = substitute(at, known)?;
        let weight = weigh(&node, &mut str::len);
        let fields = At::part(&node, &at.path()).fields(&DEFAULTS)?;
        Ok(Self {
            env: fields
                .get("env")
                .map_or(Ok(BTreeMap::new()), |at| env::read(at, false))?,
            timeout: optional_duration(&fields, "timeout")?,
            retries: retries(&fields)?,
            pod: PodRules::read(&fields, dir)?,
            weight,
        })
    }
}

impl Step {
    /// Reads a step into which nothing has been put yet.
    pub(crate) fn read(at: &At<'_>, context: &Context<'_>) -> Result<Self, Fault> {
        let Context {
            known,
            files,
            inherited,
        } = context;
        known.room.take(inherited.weight).map_err(|all| {
            at.fault(
                format!(
                    "`defaults` are {} bytes for each step; with what else is put in these are {all}, of \
                     {MAX_ADDED} (2 MiB) that values and elements may add to a run",
                    inherited.weight
                ),
                "make `defaults` smaller",
            )
        })?;
        let raw = at.fields(&STEP)?;
        let node = put_in(at, known, raw.get("forEach").is_some())?;
        let fields = At::part(&node, &at.path()).fields(&STEP)?;

        let name = fields.need("name", "a name: small letters, digits and -")?;
        let name = step_name(name)?;
        let (after, when) = order(&fields)?;
        let retries = retries(&fields)?;
        let mut pod = PodRules::read(&fields, files.dir)?.over(&inherited.pod);
        pod.overlay = fields.get("pod").map(pod::overlay).transpose()?;
        let mut env = inherited.env.clone();
        env.extend(fields.get("env").map_or(Ok(BTreeMap::new()), |at| {
            env::read(at, fields.get("forEach").is_some())
        })?);

        fields.only_with(&["workers", "item", "tolerate"], "items")?;
        fields.only_with(&["maxParallel", "failFast"], "forEach")?;
        let has_items = fields.get("items").is_some();
        let handler = Handler::read(&fields, has_items, pod.image.is_some())?;
        let work = match fields.at_most_one(&["items", "forEach"])? {
            None => Work::Once,
            Some(("items", items)) => {
                if let Some(at) = fields.get("retries") {
                    let help = "say how often an item is tried in `item: {attempts: …}`";
                    return Err(at.fault("`retries` does not go with `items`", help));
                }
                // A file may be what a step before this one writes.
                let files = Files {
                    here: files.here && after.is_empty(),
                    ..*files
                };
                Work::Items(Box::new(Pool::read(items, &fields, files)?))
            }
            Some(_) => Work::Each(ForEach::read(&raw, &fields, known, &name, &inherited.env)?),
        };
        Ok(Self {
            name,
            after,
            when,
            work,
            handler,
            env,
            timeout: optional_duration(&fields, "timeout")?.or(inherited.timeout),
            retries: match has_items {
                true => 0,
                false => retries.or(inherited.retries).unwrap_or(0),
            },
            pod,
        })
    }
}

/// The step with everything put in; what stands for an element is kept where an element may stand.
fn put_in(at: &At<'_>, known: &Known<'_>, for_each: bool) -> Result<Node, Fault> {
    let kept = Known {
        each: Each::Kept,
        ..*known
    };
    let entries = at.entries("a step")?.into_iter().map(|(key, name, at)| {
        let of_element = for_each && OF_ELEMENTS.contains(&name);
        let known = if of_element { &kept } else { known };
        Ok((key.clone(), substitute(&at, known)?))
    });
    let node = at.node();
    Ok(Node {
        value: Value::Map(entries.collect::<Result<_, Fault>>()?),
        place: node.place,
        written: node.written.clone(),
        put: node.put,
    })
}

fn order(fields: &Fields<'_>) -> Result<(Vec<String>, When), Fault> {
    let mut after: Vec<String> = Vec::new();
    if let Some(at) = fields.get("after") {
        let names = at.list("a list of names of steps: [fetch, check]")?;
        if names.len() > MAX_STEPS {
            let message = format!("these are {} names, more than a run has steps", names.len());
            return Err(at.fault(message, "name each step once"));
        }
        for at in names {
            let name = at.name("the name of a step")?;
            if after.iter().any(|known| known == name) {
                return Err(at.fault(format!("`{name}` stands here twice"), "remove one"));
            }
            after.push(name.to_owned());
        }
    }
    let Some(at) = fields.get("when") else {
        return Ok((after, When::default()));
    };
    let wanted = "succeeded, failed or always";
    let when = match at.name(wanted)? {
        "succeeded" => When::Succeeded,
        "failed" => When::Failed,
        "always" => When::Always,
        _ => return Err(at.wrong(wanted)),
    };
    if after.is_empty() {
        let help = "give `after: [STEP…]` or remove `when`";
        return Err(at.fault("there are no steps before this one to go by", help));
    }
    Ok((after, when))
}

fn retries(fields: &Fields<'_>) -> Result<Option<u32>, Fault> {
    let read = fields.get("retries").map(|at| at.integer(0..=MAX_RETRIES));
    Ok(read.transpose()?.and_then(|n| u32::try_from(n).ok()))
}

fn step_name(at: &At<'_>) -> Result<String, Fault> {
    let wanted = "a name of at most 63 of a-z 0-9 -, beginning and ending with a letter or digit";
    let name = at.name(wanted)?;
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let ok = (1..=MAX_STEP_NAME).contains(&name.len())
        && name.bytes().all(legal)
        && !name.starts_with('-')
        && !name.ends_with('-');
    ok.then(|| name.to_owned()).ok_or_else(|| at.wrong(wanted))
}

/// A duration that may be absent, and is long enough to do something in.
pub(crate) fn optional_duration(
    fields: &Fields<'_>,
    name: &str,
) -> Result<Option<Duration>, Fault> {
    let Some(at) = fields.get(name) else {
        return Ok(None);
    };
    let value = at.duration()?;
    if value < queue_api::limits::MIN_LEASE {
        return Err(at.fault(
            "this is too short to do anything in",
            format!("give {DURATION}"),
        ));
    }
    Ok(Some(value))
}
