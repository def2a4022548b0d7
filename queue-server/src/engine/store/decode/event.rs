//! One event from bytes.

use queue_core::{Event, Fence, Seq, Terms, Time};

use super::terms::{Given, answer, terms};
use super::{Keeper, after, before, code_of, log_of, note_of, settings, text};
use crate::engine::store::tags::{self, event_tag, settled_flag};
use crate::engine::store::wire::{Malformed, Reader};

/// One event of a record that was made true at `now`.
pub(in crate::engine::store) fn event(
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
            let Given {
                due,
                held,
                uncounted,
                terms,
            } = terms(reader, now)?;
            if held.is_some() || uncounted.is_some() {
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
