//! The pool of workers of a step with items: its size, and the rules an item is under.
//!
//! It does not know how many workers are right at a moment: the planner and the sizing do.

use std::time::Duration;

use super::cursor::{At, Fields, duration};
use super::fault::Fault;
use super::items::{Files, Items};
use super::marks::Marks;
use super::node::Value;
use super::schema::{ITEM, TOLERATE, WORKERS};
use super::step::optional_duration;

/// Items, and the workers that go through them.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// The items.
    pub items: Items,
    /// What they are given besides their bodies.
    pub marks: Marks,
    /// How many workers run over them.
    pub workers: Workers,
    /// The rules an item is under.
    pub item: ItemRules,
    /// How many dead items still make a success.
    pub tolerate: Tolerate,
}

impl Pool {
    /// Whether its items may have unique keys: taken out of them, or said by themselves.
    #[must_use]
    pub fn may_be_keyed(&self) -> bool {
        self.marks.key.is_some() || matches!(self.items, Items::Ndjson(_))
    }

    /// Reads the fields of a step that has `items`.
    pub(crate) fn read(items: &At<'_>, step: &Fields<'_>, files: Files<'_>) -> Result<Self, Fault> {
        let (items, marks) = Items::read(items, files)?;
        Ok(Self {
            items,
            marks,
            workers: step
                .get("workers")
                .map_or(Ok(Workers::default()), Workers::read)?,
            item: step
                .get("item")
                .map_or(Ok(ItemRules::default()), ItemRules::read)?,
            tolerate: step
                .get("tolerate")
                .map_or(Ok(Tolerate::Items(0)), Tolerate::read)?,
        })
    }
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

/// Most workers of a step, and most items at once in one: past it, it is a slip of the pen.
pub(super) const MAX_WORKERS: i64 = 1_000;
/// What a command exits with to say that an item can never work (`EX_DATAERR`).
const DEAD_ON: [u8; 1] = [65];

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
    pub(crate) fn read(at: &At<'_>) -> Result<Self, Fault> {
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
        let fields = at.fields(&WORKERS)?;
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
    pub(crate) fn read(at: &At<'_>) -> Result<Self, Fault> {
        let fields = at.fields(&ITEM)?;
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
    pub(crate) fn read(at: &At<'_>) -> Result<Self, Fault> {
        let fields = at.fields(&TOLERATE)?;
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
