//! Records from bytes: what `docs/data-format.md` says of them, in the reading direction.

use std::sync::Arc;

use queue_api::{QueueName, Settings};
use queue_core::{
    Attempt, Blob, Event, Fence, Group, GroupId, Head, Kept, Lease, Outcome, Part, Recalled, Seq,
    State, Terms, Time,
};

use super::tags::{
    self, attempt_flag, event_tag, head_flag, part_tag, record_tag, settled_flag, terms_flag,
};
use super::wire::{Malformed, Reader, Stored};

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

/// One event of a record that was made true at `now`.
pub(super) fn event(
    reader: &mut Reader<'_>,
    now: Time,
    keeper: &mut dyn Keeper,
) -> Result<Event, Malformed> {
    let seq = |reader: &mut Reader<'_>| reader.number("the place of an item").map(Seq);
    Ok(match reader.u8("an event")? {
        event_tag::CONFIGURED => Event::Configured(Box::new(keeper.configure(settings(reader)?))),
        event_tag::ENQUEUED => Event::Enqueued {
            at: now,
            seq: keeper.next_seq(),
            body: keeper.keep(reader.blob("the body of an item")?),
            due: None,
            terms: None,
        },
        event_tag::ENQUEUED_ON_TERMS => {
            let Given { due, held, terms } = terms(reader, now)?;
            if held.is_some() {
                return Err(Malformed::new("the terms of an item"));
            }
            Event::Enqueued {
                at: now,
                seq: keeper.next_seq(),
                body: keeper.keep(reader.blob("the body of an item")?),
                due,
                terms: (terms != Terms::default()).then(|| Box::new(terms)),
            }
        }
        event_tag::LEASED => Event::Leased {
            at: now,
            seq: seq(reader)?,
            fence: Fence(reader.word("a fence")?),
            deadline: after(reader, now)?,
            worker: reader.name(&mut |name| keeper.name(name))?,
        },
        event_tag::EXTENDED => Event::Extended {
            at: now,
            seq: seq(reader)?,
            deadline: after(reader, now)?,
        },
        event_tag::SETTLED => settled(reader, now, false, keeper)?,
        event_tag::SETTLED_WITH_LOG => settled(reader, now, true, keeper)?,
        event_tag::FELL_DUE => Event::FellDue { seq: seq(reader)? },
        event_tag::TAKEN => Event::Taken {
            at: now,
            seq: seq(reader)?,
        },
        event_tag::PURGED => Event::Purged { seq: seq(reader)? },
        event_tag::FORGOTTEN => Event::Forgotten {
            through: reader.number("the number of an outcome")?,
        },
        event_tag::DUPLICATED => Event::Duplicated {
            count: reader.number("the number of duplicates")?,
        },
        event_tag::EXPIRED => Event::Expired {
            seq: seq(reader)?,
            at: before(reader, now)?,
        },
        event_tag::CANCELLED => Event::Cancelled {
            at: now,
            seq: seq(reader)?,
        },
        event_tag::REDRIVEN => Event::Redriven { seq: seq(reader)? },
        event_tag::KEY_FREED => Event::KeyFreed { seq: seq(reader)? },
        event_tag::REMEMBERED => Event::Remembered {
            at: now,
            key: text(reader, "an idempotency key")?.into(),
            answer: answer(reader)?,
        },
        event_tag::RECALLED => Event::Recalled {
            at: now,
            key: text(reader, "an idempotency key")?.into(),
        },
        event_tag::SEALED => Event::Sealed,
        event_tag::REOPENED => Event::Reopened,
        event_tag::PAUSED => Event::Paused,
        event_tag::RESUMED => Event::Resumed,
        _ => return Err(Malformed::new("the kind of an event")),
    })
}

/// What an item was given.
struct Given {
    due: Option<Time>,
    /// Until when it holds its key, although it has ended.
    held: Option<Time>,
    terms: Terms,
}

/// On which terms an item came in at this time.
fn terms(reader: &mut Reader<'_>, at: Time) -> Result<Given, Malformed> {
    let flags = flags(reader, terms_flag::ALL, "the terms of an item")?;
    let has = |flag: u8| flags & flag != 0;
    let due = has(terms_flag::DUE)
        .then(|| after(reader, at))
        .transpose()?;
    let priority = match has(terms_flag::PRIORITY) {
        true => {
            i16::try_from(reader.signed("a priority")?).map_err(|_| Malformed::new("a priority"))?
        }
        false => 0,
    };
    let group = has(terms_flag::GROUP).then(|| group(reader));
    let group = group.transpose()?;
    let key = has(terms_flag::KEY).then(|| text(reader, "a unique key"));
    let key = key.transpose()?.map(Arc::from);
    let expires = has(terms_flag::EXPIRES).then(|| after(reader, at));
    let expires = expires.transpose()?;
    let held = has(terms_flag::HELD).then(|| after(reader, at));
    let terms = Terms {
        priority,
        group,
        key,
        expires,
    };
    Ok(Given {
        due,
        held: held.transpose()?,
        terms,
    })
}

fn group(reader: &mut Reader<'_>) -> Result<Group, Malformed> {
    let malformed = Malformed::new("a group");
    let id = u32::try_from(reader.number("a group")?).map_err(|_| malformed.clone())?;
    // Shared by the queue itself, and not among the names of workers, which nobody would let go of.
    let name = reader.name(&mut |name| name.into())?;
    match (GroupId(id), name) {
        (GroupId::NONE, _) | (_, None) => Err(malformed),
        (id, Some(name)) => Ok(Group { id, name }),
    }
}

/// What is answered again to a request that is repeated.
fn answer(reader: &mut Reader<'_>) -> Result<Recalled, Malformed> {
    let what = "the answer to a request";
    let (digest, first) = (reader.word(what)?, Seq(reader.number(what)?));
    let count = reader.number(what)?;
    let duplicates = reader.number(what)?;
    // Not as many at once as a number says that may be wrong.
    let duplicates: Result<Arc<[_]>, Malformed> = (0..duplicates)
        .map(|_| {
            let position = u32::try_from(reader.number(what)?);
            let position = position.map_err(|_| Malformed::new(what))?;
            Ok((position, Seq(reader.number(what)?)))
        })
        .collect();
    Ok(Recalled {
        digest,
        first,
        count,
        duplicates: duplicates?,
    })
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

fn settled(
    reader: &mut Reader<'_>,
    now: Time,
    has_log: bool,
    keeper: &mut dyn Keeper,
) -> Result<Event, Malformed> {
    let seq = Seq(reader.number("the place of an item")?);
    let flags = reader.u8("how a lease ended")?;
    let at = before(reader, now)?;
    let next = flags >> settled_flag::NEXT_SHIFT & settled_flag::NEXT_MASK;
    let next = tags::read_next(next, || after(reader, at))?;
    let note = flags & settled_flag::NOTE != 0;
    let exit_code = flags & settled_flag::EXIT_CODE != 0;
    Ok(Event::Settled {
        at,
        seq,
        how: tags::read_how(flags & settled_flag::HOW_MASK)?,
        next,
        spent: flags & settled_flag::SPENT != 0,
        note: note.then(|| note_of(reader, keeper)).transpose()?,
        exit_code: exit_code.then(|| code_of(reader)).transpose()?,
        log: has_log.then(|| log_of(reader, keeper)).transpose()?,
    })
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

/// One part of a snapshot.
pub(super) fn part(reader: &mut Reader<'_>, keeper: &mut dyn Keeper) -> Result<Part, Malformed> {
    Ok(match reader.u8("a part of a snapshot")? {
        part_tag::OUTCOME => Part::Outcome {
            number: reader.number("the number of an outcome")?,
            outcome: Outcome {
                seq: Seq(reader.number("the place of an item")?),
                state: tags::read_ending(reader.u8("an outcome")?)?,
                ended: time(reader)?,
            },
        },
        part_tag::ITEM => Part::Item(item(reader, false, keeper)?),
        part_tag::ITEM_ON_TERMS => Part::Item(item(reader, true, keeper)?),
        part_tag::KEY => Part::Key {
            seq: Seq(reader.number("the place of an item")?),
            text: text(reader, "a unique key")?.into(),
            until: time(reader)?,
        },
        part_tag::ANSWER => Part::Answer {
            number: reader.number("the number of an answer")?,
            at: time(reader)?,
            key: text(reader, "an idempotency key")?.into(),
            answer: answer(reader)?,
        },
        part_tag::ORDER => {
            let pace = reader.number("the pace of a queue")?;
            let last = u32::try_from(reader.number("a group")?);
            Part::Order {
                pace,
                last: GroupId(last.map_err(|_| Malformed::new("a group"))?),
                first_answer: reader.number("the number of an answer")?,
            }
        }
        part_tag::CLOSED => {
            let count = reader.number("the number of totals")?;
            let totals: Result<Vec<u64>, _> =
                (0..count).map(|_| reader.number("a total")).collect();
            let mut totals = totals?.into_iter();
            Part::Closed {
                totals: tags::read_totals(|| totals.next().unwrap_or(0)),
            }
        }
        _ => return Err(Malformed::new("the kind of a part")),
    })
}

fn item(
    reader: &mut Reader<'_>,
    on_terms: bool,
    keeper: &mut dyn Keeper,
) -> Result<Kept, Malformed> {
    let seq = Seq(reader.number("the place of an item")?);
    let state = reader.u8("the state of an item")?;
    let state = tags::read_state(state, || time(reader))?;
    let attempts = reader.number("the attempts of an item")?;
    let attempts =
        u16::try_from(attempts).map_err(|_| Malformed::new("the attempts of an item"))?;
    let releases = reader.u8("the releases of an item")?;
    let enqueued = time(reader)?;
    let given = on_terms.then(|| terms(reader, enqueued));
    let given = given.transpose()?;
    let key_until = given.as_ref().and_then(|given| given.held);
    let body = keeper.keep(reader.blob("the body of an item")?);
    let leased = matches!(state, State::Leased);
    let lease = leased.then(|| lease(reader, keeper)).transpose()?;
    let count = reader.number("the length of a story")?;
    let story: Result<Vec<Attempt>, _> = (0..count).map(|_| attempt(reader, keeper)).collect();
    Ok(Kept {
        seq,
        state,
        attempts,
        releases,
        enqueued,
        terms: given.map(|given| Box::new(given.terms)),
        key_until,
        body,
        lease,
        story: story?,
    })
}

fn lease(reader: &mut Reader<'_>, keeper: &mut dyn Keeper) -> Result<Lease, Malformed> {
    Ok(Lease {
        fence: Fence(reader.word("a fence")?),
        worker: reader.name(&mut |name| keeper.name(name))?,
        started: time(reader)?,
        renewed: time(reader)?,
        deadline: time(reader)?,
    })
}

fn attempt(reader: &mut Reader<'_>, keeper: &mut dyn Keeper) -> Result<Attempt, Malformed> {
    let fence = Fence(reader.word("a fence")?);
    let worker = reader.name(&mut |name| keeper.name(name))?;
    let started = time(reader)?;
    let ended = time(reader)?;
    let flags = reader.u8("how an attempt ended")?;
    let log = flags & attempt_flag::LOG != 0;
    let note = flags & attempt_flag::NOTE != 0;
    let exit_code = flags & attempt_flag::EXIT_CODE != 0;
    Ok(Attempt {
        fence,
        worker,
        started,
        ended,
        how: tags::read_how(flags & attempt_flag::HOW_MASK)?,
        note: note.then(|| note_of(reader, keeper)).transpose()?,
        exit_code: exit_code.then(|| code_of(reader)).transpose()?,
        log: log.then(|| log_of(reader, keeper)).transpose()?,
    })
}
