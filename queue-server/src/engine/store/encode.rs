//! Records as bytes: what `docs/data-format.md` says of them, in the writing direction.

mod event;
mod part;
mod terms;

use queue_api::{QueueName, Settings};
use queue_core::{Blob, Event, Part, Time, Totals};
use queue_log::{Lsn, Record};

use super::tags::{head_flag, record_tag};
use super::wire::Writer;
use event::event;
use part::{close, part};

/// Bytes of a record of parts beside its parts, at most.
const RECORD_BYTES: u64 = 32;

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

/// Bytes that [`parts`] takes at most beside the blobs of these parts.
pub(in crate::engine) fn most_of(parts: &[Part]) -> u64 {
    RECORD_BYTES + parts.iter().map(part::most).sum::<u64>()
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
