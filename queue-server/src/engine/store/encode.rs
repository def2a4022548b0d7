//! Records as bytes: what `docs/data-format.md` says of them, in the writing direction.

use queue_api::{QueueName, Settings};
use queue_core::{Attempt, Blob, Event, Lease, Next, Part, Recalled, State, Terms, Time, Totals};
use queue_log::{Lsn, Record};

use super::tags::{
    self, attempt_flag, event_tag, head_flag, part_tag, record_tag, settled_flag, terms_flag,
};
use super::wire::Writer;

/// Where the bytes of blobs are while a record is written, and who wants to know where they went.
pub(in crate::engine) struct Source<'a> {
    /// The bytes of a blob.
    pub(in crate::engine) bytes: &'a dyn Fn(Blob) -> &'a [u8],
    /// Told the address of each.
    pub(in crate::engine) placed: &'a mut dyn FnMut(Blob, Lsn),
}

/// A queue as a record introduces it.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Introduced<'a> {
    pub(in crate::engine) incarnation: u64,
    pub(in crate::engine) name: &'a QueueName,
    pub(in crate::engine) settings: &'a Settings,
}

/// A queue was made.
pub(in crate::engine) fn created(record: &mut Record<'_>, queue: Introduced<'_>, now: Time) {
    let mut writer = Writer::begin(record, record_tag::CREATED, queue.incarnation);
    introduce(&mut writer, queue, now);
}

/// A queue was deleted.
pub(in crate::engine) fn deleted(record: &mut Record<'_>, incarnation: u64, now: Time) {
    let mut writer = Writer::begin(record, record_tag::DELETED, incarnation);
    writer.number(now.0);
}

/// What one command changed.
pub(in crate::engine) fn events(
    record: &mut Record<'_>,
    incarnation: u64,
    now: Time,
    settings: &Settings,
    events: &[Event],
    source: &mut Source<'_>,
) {
    let mut writer = Writer::begin(record, record_tag::EVENTS, incarnation);
    writer.number(now.0);
    writer.number(events.len() as u64);
    for each in events {
        event(&mut writer, now, settings, each, source);
    }
}

/// A snapshot begins.
pub(in crate::engine) fn head(
    record: &mut Record<'_>,
    queue: Introduced<'_>,
    now: Time,
    head: &queue_core::Head,
) {
    let mut writer = Writer::begin(record, record_tag::HEAD, queue.incarnation);
    introduce(&mut writer, queue, now);
    let next_answer = Some(head.next_answer).filter(|next| *next > 0);
    writer.u8(flags([
        (head.sealed, head_flag::SEALED),
        (head.paused, head_flag::PAUSED),
        (next_answer.is_some(), head_flag::NEXT_ANSWER),
    ]));
    writer.number(head.next_seq.0);
    writer.number(head.last_enqueued.0);
    writer.number(head.first_outcome);
    writer.number(head.next_outcome);
    if let Some(next_answer) = next_answer {
        writer.number(next_answer);
    }
}

/// A slice of a snapshot.
pub(in crate::engine) fn parts(
    record: &mut Record<'_>,
    incarnation: u64,
    parts: &[Part],
    source: &mut Source<'_>,
) {
    let mut writer = Writer::begin(record, record_tag::PARTS, incarnation);
    writer.number(parts.len() as u64);
    for each in parts {
        part(&mut writer, each, source);
    }
}

/// The last part of a snapshot.
pub(in crate::engine) fn closed(record: &mut Record<'_>, incarnation: u64, totals: &Totals) {
    let mut writer = Writer::begin(record, record_tag::PARTS, incarnation);
    writer.number(1);
    close(&mut writer, totals);
}

/// Bytes that belong to no queue yet; where they can be read again.
pub(in crate::engine) fn aside(record: &mut Record<'_>, bytes: &[u8]) -> Lsn {
    Writer::begin(record, record_tag::ASIDE, 0).blob(bytes)
}

fn introduce(writer: &mut Writer<'_, '_>, queue: Introduced<'_>, now: Time) {
    writer.number(now.0);
    writer.text(queue.name.as_str().as_bytes());
    write_settings(writer, queue.settings);
}

/// As the wire shows them: a setting that a later release adds is absent here and has its default.
fn write_settings(writer: &mut Writer<'_, '_>, settings: &Settings) {
    let json = serde_json::to_vec(settings).expect("settings are numbers, which are JSON");
    writer.text(&json);
}

fn event(
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
            self::terms(writer, at, (due, None), terms.as_deref().unwrap_or(&plain));
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
            self::answer(writer, answer);
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

/// On which terms an item came in at this time; when it is due, and until when it holds its key.
fn terms(
    writer: &mut Writer<'_, '_>,
    at: Time,
    (due, held): (Option<Time>, Option<Time>),
    terms: &Terms,
) {
    let Terms {
        priority,
        group,
        key,
        expires,
    } = terms;
    writer.u8(flags([
        (due.is_some(), terms_flag::DUE),
        (*priority != 0, terms_flag::PRIORITY),
        (group.is_some(), terms_flag::GROUP),
        (key.is_some(), terms_flag::KEY),
        (expires.is_some(), terms_flag::EXPIRES),
        (held.is_some(), terms_flag::HELD),
    ]));
    if let Some(due) = due {
        writer.number(due.0 - at.0);
    }
    if *priority != 0 {
        writer.signed((*priority).into());
    }
    if let Some(group) = group {
        writer.number(group.id.0.into());
        writer.name(Some(&group.name));
    }
    if let Some(key) = key {
        writer.text(key.as_bytes());
    }
    if let Some(expires) = expires {
        writer.number(expires.0 - at.0);
    }
    if let Some(held) = held {
        writer.number(held.0 - at.0);
    }
}

/// What is answered again to a request that is repeated.
fn answer(writer: &mut Writer<'_, '_>, answer: &Recalled) {
    let Recalled {
        digest,
        first,
        count,
        duplicates,
    } = answer;
    writer.word(*digest);
    writer.number(first.0);
    writer.number(*count);
    writer.number(duplicates.len() as u64);
    for (position, seq) in duplicates.iter() {
        writer.number((*position).into());
        writer.number(seq.0);
    }
}

/// The flags that are set.
fn flags<const N: usize>(flags: [(bool, u8); N]) -> u8 {
    let set = flags.iter().filter(|(set, _)| *set);
    set.fold(0, |flags, (_, flag)| flags | flag)
}

fn numbered(writer: &mut Writer<'_, '_>, tag: u8, number: u64) {
    writer.u8(tag);
    writer.number(number);
}

fn blob(writer: &mut Writer<'_, '_>, blob: Blob, source: &mut Source<'_>) {
    let at = writer.blob((source.bytes)(blob));
    (source.placed)(blob, at);
}

fn part(writer: &mut Writer<'_, '_>, part: &Part, source: &mut Source<'_>) {
    match part {
        Part::Outcome { number, outcome } => {
            writer.u8(part_tag::OUTCOME);
            writer.number(*number);
            writer.number(outcome.seq.0);
            writer.u8(tags::ending(outcome.state));
            writer.number(outcome.ended.0);
        }
        Part::Item(item) => {
            writer.u8(match item.terms {
                None => part_tag::ITEM,
                Some(_) => part_tag::ITEM_ON_TERMS,
            });
            writer.number(item.seq.0);
            state(writer, item.state);
            writer.number(item.attempts.into());
            writer.u8(item.releases);
            writer.number(item.enqueued.0);
            if let Some(terms) = &item.terms {
                self::terms(writer, item.enqueued, (None, item.key_until), terms);
            }
            blob(writer, item.body, source);
            if let Some(lease) = &item.lease {
                self::lease(writer, lease);
            }
            writer.number(item.story.len() as u64);
            for attempt in &item.story {
                self::attempt(writer, attempt, source);
            }
        }
        Part::Key { seq, text, until } => {
            numbered(writer, part_tag::KEY, seq.0);
            writer.text(text.as_bytes());
            writer.number(until.0);
        }
        Part::Answer {
            number,
            at,
            key,
            answer,
        } => {
            numbered(writer, part_tag::ANSWER, *number);
            writer.number(at.0);
            writer.text(key.as_bytes());
            self::answer(writer, answer);
        }
        Part::Order {
            pace,
            last,
            first_answer,
        } => {
            numbered(writer, part_tag::ORDER, *pace);
            writer.number(last.0.into());
            writer.number(*first_answer);
        }
        Part::Closed { totals } => close(writer, totals),
    }
}

fn close(writer: &mut Writer<'_, '_>, totals: &Totals) {
    writer.u8(part_tag::CLOSED);
    let totals = tags::totals(totals);
    writer.number(totals.len() as u64);
    totals.into_iter().for_each(|total| writer.number(total));
}

fn state(writer: &mut Writer<'_, '_>, state: State) {
    writer.u8(tags::state(state));
    if let State::Delayed(due) = state {
        writer.number(due.0);
    }
}

fn lease(writer: &mut Writer<'_, '_>, lease: &Lease) {
    writer.word(lease.fence.0);
    writer.name(lease.worker.as_ref());
    writer.number(lease.started.0);
    writer.number(lease.renewed.0);
    writer.number(lease.deadline.0);
}

fn attempt(writer: &mut Writer<'_, '_>, attempt: &Attempt, source: &mut Source<'_>) {
    let Attempt {
        fence,
        worker,
        started,
        ended,
        how,
        note,
        exit_code,
        log,
    } = attempt;
    writer.word(fence.0);
    writer.name(worker.as_ref());
    writer.number(started.0);
    writer.number(ended.0);
    writer.u8(tags::how(*how)
        | flags([
            (log.is_some(), attempt_flag::LOG),
            (note.is_some(), attempt_flag::NOTE),
            (exit_code.is_some(), attempt_flag::EXIT_CODE),
        ]));
    if let Some(note) = note {
        blob(writer, *note, source);
    }
    if let Some(code) = exit_code {
        writer.signed(*code);
    }
    if let Some(log) = log {
        blob(writer, *log, source);
    }
}
