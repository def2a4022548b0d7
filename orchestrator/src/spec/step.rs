//! A step: what it waits for, what it works on, what it runs, and where.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::cursor::{At, DURATION, Fields};
use super::each::ForEach;
use super::env::{self, EnvValue};
use super::fault::Fault;
use super::handler::Handler;
use super::items::Items;
use super::pod::PodRules;
use super::pool::{ItemRules, Pool, Tolerate, Workers};

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
    Items(Pool),
    /// A process or Job for each element.
    Each(ForEach),
    /// One process or Job.
    Once,
}

/// Longest step name: it must fit a label beside the run's.
const MAX_STEP_NAME: usize = 63;
const FIELDS: [&str; 10] = [
    "name", "items", "command", "script", "builtin", "workers", "item", "tolerate", "env",
    "timeout",
];

impl Step {
    pub(crate) fn read(at: &At<'_>, dir: &Path) -> Result<Self, Fault> {
        let fields = at.fields(&FIELDS)?;
        let name = fields.need("name", "a name: small letters, digits and -")?;
        let items = fields.need("items", "what to work on, as {lines: FILE}")?;
        Ok(Self {
            name: step_name(name)?,
            after: Vec::new(),
            when: When::default(),
            work: Work::Items(Pool {
                items: Items::read(items, dir)?,
                workers: fields
                    .get("workers")
                    .map_or(Ok(Workers::default()), Workers::read)?,
                item: fields
                    .get("item")
                    .map_or(Ok(ItemRules::default()), ItemRules::read)?,
                tolerate: fields
                    .get("tolerate")
                    .map_or(Ok(Tolerate::Items(0)), Tolerate::read)?,
            }),
            handler: Handler::read(&fields)?,
            env: fields.get("env").map_or(Ok(BTreeMap::new()), env::read)?,
            timeout: optional_duration(&fields, "timeout")?,
            retries: 0,
            pod: PodRules::default(),
        })
    }
}

fn step_name(at: &At<'_>) -> Result<String, Fault> {
    let wanted = "a name of at most 63 of a-z 0-9 -, beginning and ending with a letter or digit";
    let name = at.text(wanted)?;
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
