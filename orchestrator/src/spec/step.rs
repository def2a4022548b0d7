//! A step: which items, what runs for each, by how many workers, under which rules.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::cursor::{At, DURATION, Fields, duration};
use super::fault::Fault;
use super::handler::Handler;
use super::items::Items;
use super::node::Value;

/// One step of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Its items.
    pub items: Items,
    /// What runs for each of them.
    pub handler: Handler,
    /// How many workers run it.
    pub workers: Workers,
    /// The rules an item is under.
    pub item: ItemRules,
    /// How many dead items still make a success.
    pub tolerate: Tolerate,
    /// Variables the handler finds in its environment.
    pub env: BTreeMap<String, String>,
    /// The time the whole step may take.
    pub timeout: Option<Duration>,
}

/// How many workers, and how many items each works on at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workers {
    /// Fewest workers.
    pub min: u32,
    /// Most workers: what a run on one machine starts.
    pub max: u32,
    /// When the step should be through; a wish that sizing may use, not a limit.
    pub deadline: Option<Duration>,
    /// Items each worker works on at once.
    pub concurrency: u32,
}

/// The rules an item is under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRules {
    /// The time one attempt may take.
    pub timeout: Option<Duration>,
    /// Attempts before the item is dead; absent: the server's default.
    pub attempts: Option<u32>,
    /// Shortest and longest wait before a retry; absent: the server's default.
    pub backoff: Option<(Duration, Duration)>,
    /// Exit codes that say an item can never work.
    pub dead_on: Vec<u8>,
}

/// How many dead items still make a success.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tolerate {
    /// This many.
    Items(u64),
    /// This share of all items, in per cent.
    Percent(f64),
}

impl Tolerate {
    /// Whether so many dead of so many are still a success.
    #[must_use]
    pub fn allows(self, dead: u64, of: u64) -> bool {
        match self {
            Self::Items(most) => dead <= most,
            Self::Percent(share) => dead as f64 * 100.0 <= share * of as f64,
        }
    }
}

/// Most workers on one machine, and most items at once in one: past it, it is a slip of the pen.
const MAX_WORKERS: i64 = 1_000;
/// Longest step name: it must fit a label beside the run's.
const MAX_STEP_NAME: usize = 63;
/// What a command exits with to say that an item can never work (`EX_DATAERR`).
const DEAD_ON: [u8; 1] = [65];

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
            items: Items::read(items, dir)?,
            handler: Handler::read(&fields)?,
            workers: fields
                .get("workers")
                .map_or(Ok(Workers::default()), Workers::read)?,
            item: fields
                .get("item")
                .map_or(Ok(ItemRules::default()), ItemRules::read)?,
            tolerate: fields
                .get("tolerate")
                .map_or(Ok(Tolerate::Items(0)), Tolerate::read)?,
            env: fields.get("env").map_or(Ok(BTreeMap::new()), env)?,
            timeout: optional_duration(&fields, "timeout")?,
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

impl Default for Workers {
    fn default() -> Self {
        Self {
            min: 1,
            max: 1,
            deadline: None,
            concurrency: 1,
        }
    }
}

impl Workers {
    fn read(at: &At<'_>) -> Result<Self, Fault> {
        if !matches!(at.node().value, Value::Map(_)) {
            return match at.node().value {
                Value::Int(number @ 1..=MAX_WORKERS) => {
                    let number = u32::try_from(number).unwrap_or(1);
                    Ok(Self {
                        min: number,
                        max: number,
                        ..Self::default()
                    })
                }
                _ => Err(at.wrong(
                    "a number from 1 to 1000, or {min: 1, max: 5, deadline: 10m, concurrency: 1}",
                )),
            };
        }
        let fields = at.fields(&["min", "max", "deadline", "concurrency"])?;
        let number = |name| {
            let read = fields
                .get(name)
                .map(|at| at.integer(1..=MAX_WORKERS))
                .transpose();
            read.map(|number| number.and_then(|n| u32::try_from(n).ok()))
        };
        let (min, max) = (number("min")?, number("max")?);
        let workers = Self {
            min: min.unwrap_or(1),
            max: max.or(min).unwrap_or(1),
            deadline: optional_duration(&fields, "deadline")?,
            concurrency: number("concurrency")?.unwrap_or(1),
        };
        match fields.get("max") {
            Some(at) if workers.max < workers.min => Err(at.fault(
                "`max` is below `min`",
                format!("give at least {}", workers.min),
            )),
            _ => Ok(workers),
        }
    }
}

impl Default for ItemRules {
    fn default() -> Self {
        Self {
            timeout: None,
            attempts: None,
            backoff: None,
            dead_on: DEAD_ON.to_vec(),
        }
    }
}

const CODES: &str = "a list of exit codes, as [65, 66]; without the field it is [65]";

impl ItemRules {
    fn read(at: &At<'_>) -> Result<Self, Fault> {
        let fields = at.fields(&["timeout", "attempts", "backoff", "deadOn"])?;
        let most = i64::from(queue_api::limits::MAX_ATTEMPTS);
        let attempts = fields
            .get("attempts")
            .map(|at| at.integer(1..=most))
            .transpose()?;
        let dead_on = match fields.get("deadOn") {
            None => DEAD_ON.to_vec(),
            Some(at) if at.list(CODES)?.is_empty() => {
                return Err(at.fault("the list is empty", format!("give {CODES}")));
            }
            Some(at) => at
                .list(CODES)?
                .iter()
                .map(|code| {
                    code.integer(1..=255)
                        .map(|c| u8::try_from(c).unwrap_or(u8::MAX))
                })
                .collect::<Result<_, _>>()?,
        };
        Ok(Self {
            timeout: optional_duration(&fields, "timeout")?,
            attempts: attempts.and_then(|n| u32::try_from(n).ok()),
            backoff: fields.get("backoff").map(backoff).transpose()?,
            dead_on,
        })
    }
}

fn backoff(at: &At<'_>) -> Result<(Duration, Duration), Fault> {
    backoff_range(at.text(BACKOFF)?).ok_or_else(|| at.wrong(BACKOFF))
}

/// What a back-off looks like.
pub(crate) const BACKOFF: &str =
    "the shortest and the longest wait before a retry: 1s..30s, or one: 5s";

/// Reads a shortest and a longest wait.
pub(crate) fn backoff_range(text: &str) -> Option<(Duration, Duration)> {
    let (least, most) = text.split_once("..").unwrap_or((text, text));
    let (least, most) = (duration(least.trim())?, duration(most.trim())?);
    (least <= most).then_some((least, most))
}

impl Tolerate {
    fn read(at: &At<'_>) -> Result<Self, Fault> {
        let fields = at.fields(&["dead"])?;
        let wanted = "how many items may die: a number, or a share of all as \"1%\"";
        let dead = fields.need("dead", wanted)?;
        match &dead.node().value {
            Value::Int(number) if *number >= 0 => Ok(Self::Items(number.unsigned_abs())),
            Value::Text(text) => text
                .strip_suffix('%')
                .and_then(|share| share.trim().parse::<f64>().ok())
                .filter(|share| (0.0..=100.0).contains(share))
                .map(Self::Percent)
                .ok_or_else(|| dead.wrong(wanted)),
            _ => Err(dead.wrong(wanted)),
        }
    }
}

fn env(at: &At<'_>) -> Result<BTreeMap<String, String>, Fault> {
    let mut env = BTreeMap::new();
    for (_, name, value) in at.entries("a map of variables: NAME: value")? {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if name.is_empty() || !name.bytes().all(legal) || name.as_bytes()[0].is_ascii_digit() {
            return Err(value.fault(
                format!("`{name}` is no name of a variable"),
                "use letters, digits and _, not a digit first",
            ));
        }
        if name.starts_with("MEMQ_") {
            return Err(value.fault(
                format!("`{name}` would change how the worker itself runs"),
                "names that begin with MEMQ_ are kept for memq; choose another",
            ));
        }
        let text = value.text("a plain value: a text, a number or a boolean")?;
        if text.contains('\0') {
            return Err(value.fault("a variable cannot hold a NUL byte", ""));
        }
        env.insert(name.to_owned(), text.to_owned());
    }
    Ok(env)
}

fn optional_duration(fields: &Fields<'_>, name: &str) -> Result<Option<Duration>, Fault> {
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
