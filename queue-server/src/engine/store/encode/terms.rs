//! What an item was given, and what a repeated request is answered, as bytes.

use queue_core::{Recalled, Terms, Time};

use super::flags;
use crate::engine::store::tags::terms_flag;
use crate::engine::store::wire::Writer;

/// On which terms an item came in at this time; when it is due, and until when it holds its key.
pub(super) fn terms(
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
