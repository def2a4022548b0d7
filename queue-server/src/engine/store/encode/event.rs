//! One event as bytes.

use queue_api::Settings;
use queue_core::{Event, Next, Terms, Time};

use super::terms::Given;
use super::{Source, blob, flags, numbered, terms, write_settings};
use crate::engine::store::tags::{self, event_tag, settled_flag};
use crate::engine::store::wire::Writer;

pub(super) fn event(
    writer: &mut Writer<'_, '_>,
    now: Time,
    settings: &Settings,
    event: &Event,
    source: &mut Source<'_>,
) {
    match *event {
        // The core's settings are made of the wire's, which say more.
        Event::Configured(_) => {
            writer.u8(event_tag::CONFIGURED);
            write_settings(writer, settings);
        }
        Event::Enqueued {
            body,
            due: None,
            terms: None,
            ..
        } => {
            writer.u8(event_tag::ENQUEUED);
            blob(writer, body, source);
        }
        Event::Enqueued {
            at,
            body,
            due,
            ref terms,
            ..
        } => {
            writer.u8(event_tag::ENQUEUED_ON_TERMS);
            let plain = Terms::default();
            let given = Given {
                due,
                held: None,
                uncounted: None,
                terms: terms.as_deref().unwrap_or(&plain),
            };
            terms::terms(writer, at, &given);
            blob(writer, body, source);
        }
        Event::Leased {
            seq,
            fence,
            deadline,
            ref worker,
            ..
        } => {
            writer.u8(event_tag::LEASED);
            writer.number(seq.0);
            writer.word(fence.0);
            writer.number(deadline.0 - now.0);
            writer.name(worker.as_ref());
        }
        Event::Extended { seq, deadline, .. } => {
            writer.u8(event_tag::EXTENDED);
            writer.number(seq.0);
            writer.number(deadline.0 - now.0);
        }
        Event::Settled {
            at,
            seq,
            how,
            next,
            spent,
            note,
            exit_code,
            log,
        } => {
            writer.u8(match log {
                None => event_tag::SETTLED,
                Some(_) => event_tag::SETTLED_WITH_LOG,
            });
            writer.number(seq.0);
            let ending = tags::how(how) | tags::next(next) << settled_flag::NEXT_SHIFT;
            writer.u8(ending
                | flags([
                    (spent, settled_flag::SPENT),
                    (note.is_some(), settled_flag::NOTE),
                    (exit_code.is_some(), settled_flag::EXIT_CODE),
                ]));
            // A lease that ran out ended before anybody looked.
            writer.number(now.0 - at.0);
            if let Next::Delayed(due) = next {
                writer.number(due.0 - at.0);
            }
            if let Some(note) = note {
                blob(writer, note, source);
            }
            if let Some(code) = exit_code {
                writer.signed(code);
            }
            if let Some(log) = log {
                blob(writer, log, source);
            }
        }
        Event::FellDue { seq } => numbered(writer, event_tag::FELL_DUE, seq.0),
        Event::Taken { seq, .. } => numbered(writer, event_tag::TAKEN, seq.0),
        Event::Purged { seq } => numbered(writer, event_tag::PURGED, seq.0),
        Event::Duplicated { count } => numbered(writer, event_tag::DUPLICATED, count),
        Event::Expired { at, seq } => {
            numbered(writer, event_tag::EXPIRED, seq.0);
            // It may have been wanted no more before anybody looked.
            writer.number(now.0 - at.0);
        }
        Event::Cancelled { seq, .. } => numbered(writer, event_tag::CANCELLED, seq.0),
        Event::Redriven { seq } => numbered(writer, event_tag::REDRIVEN, seq.0),
        Event::KeyFreed { seq } => numbered(writer, event_tag::KEY_FREED, seq.0),
        Event::Remembered {
            ref key,
            ref answer,
            ..
        } => {
            writer.u8(event_tag::REMEMBERED);
            writer.text(key.as_bytes());
            terms::answer(writer, answer);
        }
        Event::Recalled { ref key, .. } => {
            writer.u8(event_tag::RECALLED);
            writer.text(key.as_bytes());
        }
        Event::Forgotten { through } => numbered(writer, event_tag::FORGOTTEN, through),
        Event::Sealed => writer.u8(event_tag::SEALED),
        Event::Reopened => writer.u8(event_tag::REOPENED),
        Event::Paused => writer.u8(event_tag::PAUSED),
        Event::Resumed => writer.u8(event_tag::RESUMED),
    }
}
