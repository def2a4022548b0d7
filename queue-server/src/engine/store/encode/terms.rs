//! What an item was given, and what a repeated request is answered, as bytes.

use queue_core::{Recalled, Terms, Time};

use super::flags;
use crate::engine::store::tags::terms_flag;
use crate::engine::store::wire::Writer;

/// What is said of an item where anything is.
pub(super) struct Given<'t> {
    pub(super) due: Option<Time>,
    /// Until when it holds its key, although it has ended.
    pub(super) held: Option<Time>,
    /// Attempts of it that do not count any more, if there are any.
    pub(super) uncounted: Option<u32>,
    pub(super) terms: &'t Terms,
}

/// On which terms an item came in at this time.
pub(super) fn terms(writer: &mut Writer<'_, '_>, at: Time, given: &Given<'_>) {
    let Given {
        due,
        held,
        uncounted,
        terms,
    } = given;
    let Terms {
        priority,
        group,
        key,
        expires,
        trace,
    } = terms;
    let said = flags([
        (due.is_some(), terms_flag::DUE),
        (*priority != 0, terms_flag::PRIORITY),
        (group.is_some(), terms_flag::GROUP),
        (key.is_some(), terms_flag::KEY),
        (expires.is_some(), terms_flag::EXPIRES),
        (held.is_some(), terms_flag::HELD),
        (uncounted.is_some(), terms_flag::UNCOUNTED),
        (trace.is_some(), terms_flag::TRACE),
    ]);
    writer.number(said.into());
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
    if let Some(uncounted) = uncounted {
        writer.number((*uncounted).into());
    }
    if let Some(trace) = trace {
        writer.trace(trace);
    }
}

/// What is answered again to a request that is repeated.
pub(super) fn answer(writer: &mut Writer<'_, '_>, answer: &Recalled) {
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
