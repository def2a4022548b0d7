//! One part of a snapshot as bytes.

use queue_core::{Attempt, Lease, Part, State, Terms, Totals};

use super::terms::Given;
use super::{Source, blob, flags, numbered, terms};
use crate::engine::store::tags::{self, attempt_flag, part_tag};
use crate::engine::store::wire::Writer;

/// Bytes that a part takes at most beside its blobs, its texts and its attempts, and an attempt beside its own.
const A_PART: u64 = 160;
const AN_ATTEMPT: u64 = 64;
/// Bytes that a duplicate takes at most in an answer.
const A_DUPLICATE: u64 = 16;

/// Bytes that a part takes at most beside its blobs, however long its numbers are and although names of
/// workers and groups are seldom written out.
pub(super) fn most(part: &Part) -> u64 {
    let len = |text: Option<&str>| text.map_or(0, |text| text.len() as u64);
    A_PART
        + match part {
            Part::Item(item) => {
                let worker = item.lease.as_ref().map(|lease| lease.worker.as_deref());
                let attempts = item
                    .story
                    .iter()
                    .map(|it| AN_ATTEMPT + len(it.worker.as_deref()));
                let texts = item.terms.as_deref().map_or(0, |terms| {
                    let Terms {
                        priority: _,
                        group,
                        key,
                        expires: _,
                        trace,
                    } = terms;
                    let group = group.as_ref().map(|group| &*group.name);
                    len(group) + len(key.as_deref()) + len(trace.as_deref())
                });
                len(worker.flatten()) + texts + attempts.sum::<u64>()
            }
            Part::Key { text, .. } => len(Some(text)),
            Part::Answer { key, answer, .. } => {
                len(Some(key)) + answer.duplicates.len() as u64 * A_DUPLICATE
            }
            Part::Outcome { .. } | Part::Order { .. } | Part::Closed { .. } => 0,
        }
}

pub(super) fn part(writer: &mut Writer<'_, '_>, part: &Part, source: &mut Source<'_>) {
    match part {
        Part::Outcome { number, outcome } => {
            writer.u8(part_tag::OUTCOME);
            writer.number(*number);
            writer.number(outcome.seq.0);
            writer.u8(tags::ending(outcome.state));
            writer.number(outcome.ended.0);
        }
        Part::Item(item) => {
            let plain = Terms::default();
            let given = Given {
                due: None,
                held: item.key_until,
                uncounted: item.uncounted,
                terms: item.terms.as_deref().unwrap_or(&plain),
            };
            let says = item.terms.is_some() || item.uncounted.is_some();
            writer.u8(match says {
                false => part_tag::ITEM,
                true => part_tag::ITEM_ON_TERMS,
            });
            writer.number(item.seq.0);
            state(writer, item.state);
            writer.number(item.attempts.into());
            writer.u8(item.releases);
            writer.number(item.enqueued.0);
            if says {
                terms::terms(writer, item.enqueued, &given);
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
            terms::answer(writer, answer);
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

pub(super) fn close(writer: &mut Writer<'_, '_>, totals: &Totals) {
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
        nth,
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
            (*nth > 0, attempt_flag::NTH),
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
    if *nth > 0 {
        writer.number((*nth).into());
    }
}
