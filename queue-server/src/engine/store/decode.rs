//! Records from bytes: what `docs/data-format.md` says of them, in the reading direction.

mod event;
mod part;
mod terms;

use std::sync::Arc;

use queue_api::{QueueName, Settings};
use queue_core::{Blob, Head, Seq, Time};

use super::tags::{head_flag, record_tag};
use super::wire::{Malformed, Reader, Stored};
pub(super) use event::event;
pub(super) use part::part;

/// Who takes what a record holds besides plain facts.
pub(super) trait Keeper {
    /// The place that the next item gets.
    fn next_seq(&self) -> Seq;
    /// Keeps the bytes of a body, a result or an error.
    fn keep(&mut self, stored: Stored<'_>) -> Blob;
    /// Keeps a worker's name.
    fn name(&mut self, name: &str) -> Arc<str>;
    /// The queue is set up anew; what the core decides by.
    fn configure(&mut self, settings: Settings) -> queue_core::Settings;
}

/// A record up to its events or parts, which are read one by one.
#[derive(Debug)]
pub(super) struct Opening {
    /// The queue it is about.
    pub(super) incarnation: u64,
    pub(super) kind: Kind,
}

/// What a record is.
#[derive(Debug)]
pub(super) enum Kind {
    Created(Introduced),
    Deleted { now: Time },
    Events { now: Time, count: u64 },
    Head(Introduced, RawHead),
    Parts { count: u64 },
    Aside,
}

/// A queue as a record introduces it.
#[derive(Debug)]
pub(super) struct Introduced {
    pub(super) now: Time,
    pub(super) name: QueueName,
    pub(super) settings: Box<Settings>,
}

/// A head without the settings, which the core has in its own form.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawHead {
    sealed: bool,
    paused: bool,
    next_seq: Seq,
    last_enqueued: Time,
    first_outcome: u64,
    next_outcome: u64,
    next_answer: u64,
}

impl RawHead {
    pub(super) fn with(self, settings: queue_core::Settings) -> Head {
        Head {
            settings,
            sealed: self.sealed,
            paused: self.paused,
            next_seq: self.next_seq,
            last_enqueued: self.last_enqueued,
            first_outcome: self.first_outcome,
            next_outcome: self.next_outcome,
            next_answer: self.next_answer,
        }
    }
}

pub(super) fn opening(reader: &mut Reader<'_>) -> Result<Opening, Malformed> {
    let tag = reader.u8("a record")?;
    let incarnation = reader.word("a queue's incarnation")?;
    let kind = match tag {
        record_tag::CREATED => Kind::Created(introduced(reader)?),
        record_tag::DELETED => Kind::Deleted { now: time(reader)? },
        record_tag::EVENTS => Kind::Events {
            now: time(reader)?,
            count: reader.number("the number of events")?,
        },
        record_tag::HEAD => {
            let introduced = introduced(reader)?;
            let flags = flags(reader, head_flag::ALL, "the flags of a queue")?;
            let next_answer = flags & head_flag::NEXT_ANSWER != 0;
            let head = RawHead {
                sealed: flags & head_flag::SEALED != 0,
                paused: flags & head_flag::PAUSED != 0,
                next_seq: Seq(reader.number("the next place")?),
                last_enqueued: time(reader)?,
                first_outcome: reader.number("the first outcome")?,
                next_outcome: reader.number("the next outcome")?,
                next_answer: match next_answer {
                    true => reader.number("the next answer")?,
                    false => 0,
                },
            };
            Kind::Head(introduced, head)
        }
        record_tag::PARTS => Kind::Parts {
            count: reader.number("the number of parts")?,
        },
        record_tag::ASIDE => Kind::Aside,
        _ => return Err(Malformed::new("the kind of a record")),
    };
    Ok(Opening { incarnation, kind })
}

fn introduced(reader: &mut Reader<'_>) -> Result<Introduced, Malformed> {
    let now = time(reader)?;
    let name = reader.text("the name of a queue")?;
    let name = std::str::from_utf8(name).ok().and_then(|n| n.parse().ok());
    Ok(Introduced {
        now,
        name: name.ok_or(Malformed::new("the name of a queue"))?,
        settings: Box::new(settings(reader)?),
    })
}

fn settings(reader: &mut Reader<'_>) -> Result<Settings, Malformed> {
    let json = reader.text("the settings of a queue")?;
    serde_json::from_slice(json).map_err(|_| Malformed::new("the settings of a queue"))
}

fn time(reader: &mut Reader<'_>) -> Result<Time, Malformed> {
    reader.number("a time").map(Time)
}

/// A time that stands as its distance from an earlier one.
fn after(reader: &mut Reader<'_>, earlier: Time) -> Result<Time, Malformed> {
    let distance = reader.number("a time")?;
    let time = earlier.0.checked_add(distance);
    time.map(Time).ok_or(Malformed::new("a time"))
}

/// A byte of flags. One that is not known means something that would be missed.
fn flags(reader: &mut Reader<'_>, known: u8, what: &'static str) -> Result<u8, Malformed> {
    let flags = reader.u8(what)?;
    match flags & !known {
        0 => Ok(flags),
        _ => Err(Malformed::new(what)),
    }
}

fn text<'b>(reader: &mut Reader<'b>, what: &'static str) -> Result<&'b str, Malformed> {
    std::str::from_utf8(reader.text(what)?).map_err(|_| Malformed::new(what))
}

/// A time that stands as its distance from a later one.
fn before(reader: &mut Reader<'_>, later: Time) -> Result<Time, Malformed> {
    let ago = reader.number("a time")?;
    let time = later.0.checked_sub(ago);
    time.map(Time).ok_or(Malformed::new("a time"))
}

fn log_of(reader: &mut Reader<'_>, keeper: &mut dyn Keeper) -> Result<Blob, Malformed> {
    Ok(keeper.keep(reader.blob("the log of an attempt")?))
}

fn note_of(reader: &mut Reader<'_>, keeper: &mut dyn Keeper) -> Result<Blob, Malformed> {
    Ok(keeper.keep(reader.blob("a result or an error")?))
}

fn code_of(reader: &mut Reader<'_>) -> Result<i32, Malformed> {
    reader.signed("an exit code")
}
