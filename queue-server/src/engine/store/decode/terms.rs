//! What an item was given, and what a repeated request is answered, from bytes.

use std::sync::Arc;

use queue_core::{Group, GroupId, Recalled, Seq, Terms, Time};

use super::{after, text};
use crate::engine::store::tags::terms_flag;
use crate::engine::store::wire::{Malformed, Reader};

/// What an item was given.
pub(super) struct Given {
    pub(super) due: Option<Time>,
    /// Until when it holds its key, although it has ended.
    pub(super) held: Option<Time>,
    /// Attempts of it that do not count any more, if any are told of.
    pub(super) uncounted: Option<u32>,
    pub(super) terms: Terms,
}

/// On which terms an item came in at this time.
pub(super) fn terms(reader: &mut Reader<'_>, at: Time) -> Result<Given, Malformed> {
    // All eight bits are taken: what is not known means something that would be missed.
    let said = u8::try_from(reader.number("the terms of an item")?);
    let said = said.map_err(|_| Malformed::new("the terms of an item"))?;
    let has = |flag: u8| said & flag != 0;
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
    let held = held.transpose()?;
    let uncounted = has(terms_flag::UNCOUNTED).then(|| attempts(reader));
    let uncounted = uncounted.transpose()?;
    let trace = has(terms_flag::TRACE).then(|| reader.trace());
    let terms = Terms {
        priority,
        group,
        key,
        expires,
        trace: trace.transpose()?,
    };
    Ok(Given {
        due,
        held,
        uncounted,
        terms,
    })
}

fn attempts(reader: &mut Reader<'_>) -> Result<u32, Malformed> {
    let what = "the attempts of an item";
    u32::try_from(reader.number(what)?).map_err(|_| Malformed::new(what))
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
pub(super) fn answer(reader: &mut Reader<'_>) -> Result<Recalled, Malformed> {
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
