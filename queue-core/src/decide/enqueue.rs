//! Letting items in.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::Seq;
use crate::attempt::Fence;
use crate::blob::Blob;
use crate::event::Event;
use crate::idempotency::Recalled;
use crate::lanes::GroupId;
use crate::queue::Queue;
use crate::settings::Settings;
use crate::terms::{Group, Terms};
use crate::time::Time;

/// What is to come in, all or nothing.
#[derive(Debug, Clone, Copy)]
pub struct Enqueue<'a> {
    /// The items, in their order.
    pub entries: &'a [Entry<'a>],
    /// The lease of an item of this queue whose holder asks: a sealed queue takes what its own items
    /// make.
    pub under: Option<(Seq, Fence)>,
    /// By what a repeat is known.
    pub idempotent: Option<Idempotent<'a>>,
}

/// An item that is to come in.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Its body.
    pub body: Blob,
    /// What else it is given; most are given nothing.
    pub options: Option<&'a Options>,
}

/// What an item is given besides its body. [`Options::default`] is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Higher ones are lent first.
    pub priority: i16,
    /// With whom it takes turns.
    pub group: Option<Arc<str>>,
    /// While another item has this key, this one is a duplicate.
    pub key: Option<Arc<str>>,
    /// How long it waits before it may be lent.
    pub delay: Duration,
    /// How long after it came in it is wanted, its delay included.
    pub ttl: Option<Duration>,
    /// Goes with it and is told with it.
    pub trace: Option<Arc<str>>,
}

/// By what a repeat of an enqueue is known.
#[derive(Debug, Clone, Copy)]
pub struct Idempotent<'a> {
    /// The name the caller gave the enqueue.
    pub key: &'a Arc<str>,
    /// What is asked for, in short: a repeat has the same.
    pub digest: u64,
}

/// What became of an enqueue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entered {
    /// The place of the first new item; the next ones lie behind it. Where there is none: the next place.
    pub first: Seq,
    /// How many new items there are.
    pub count: u64,
    /// The entries that are no new items, by their index, ascending, and the items that have their keys.
    /// Nothing of these entries is kept.
    pub duplicates: Vec<(usize, Seq)>,
}

/// Why a queue takes no item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is sealed.
    Sealed,
    /// It would hold more items than this.
    TooManyItems(u64),
    /// It would hold more bytes of bodies than this.
    TooManyBytes(u64),
    /// The lease under which it was to come in is not live.
    LeaseLost,
    /// Another enqueue was sent with this idempotency key.
    IdempotencyMismatch,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sealed => f.write_str("the queue is sealed"),
            Self::TooManyItems(limit) => write!(f, "the queue is at its limit of {limit} items"),
            Self::TooManyBytes(limit) => write!(f, "the queue is at its limit of {limit} bytes"),
            Self::LeaseLost => f.write_str("the lease is lost"),
            Self::IdempotencyMismatch => {
                f.write_str("the idempotency key was used for another request")
            }
        }
    }
}

impl core::error::Error for Refusal {}

impl Queue {
    /// Lets items in, all or none, in their order, but for those whose key another item has.
    ///
    /// A repeat of an idempotent enqueue is for [`Queue::recalled`] to find first; here it is refused,
    /// whatever it asks for.
    pub fn enqueue(
        &self,
        now: Time,
        enqueue: Enqueue<'_>,
        events: &mut Vec<Event>,
    ) -> Result<Entered, Refusal> {
        let Enqueue {
            entries,
            under,
            idempotent,
        } = enqueue;
        if idempotent.is_some_and(|it| self.recalled(now, it.key).is_some()) {
            return Err(Refusal::IdempotencyMismatch);
        }
        match under {
            Some((seq, fence)) if self.live_lease(now, seq, fence).is_none() => {
                return Err(Refusal::LeaseLost);
            }
            None if self.sealed => return Err(Refusal::Sealed),
            _ => {}
        }
        let began = events.len();
        let entered = self.let_in(now, entries, events);
        if let Err(refusal) = self.has_room_for(&events[began..]) {
            events.truncate(began);
            return Err(refusal);
        }
        if !entered.duplicates.is_empty() {
            let count = entered.duplicates.len() as u64;
            events.push(Event::Duplicated { count });
        }
        if let Some(Idempotent { key, digest }) = idempotent {
            let duplicates = entered.duplicates.iter();
            events.push(Event::Remembered {
                at: now,
                key: key.clone(),
                answer: Recalled {
                    digest,
                    first: entered.first,
                    count: entered.count,
                    duplicates: duplicates.map(|(at, seq)| (*at as u32, *seq)).collect(),
                },
            });
        }
        Ok(entered)
    }

    /// What was answered to an enqueue with this idempotency key in the last 24 hours.
    #[must_use]
    pub fn recalled(&self, now: Time, key: &str) -> Option<&Recalled> {
        self.idempotency.as_ref()?.recall(now, key)
    }

    /// An enqueue that is [`Queue::recalled`] was sent again, and its answer is given again: it is
    /// remembered from now on.
    pub fn recall(&self, now: Time, key: &Arc<str>, events: &mut Vec<Event>) {
        if self.recalled(now, key).is_some() {
            events.push(Event::Recalled {
                at: now,
                key: key.clone(),
            });
        }
    }

    fn let_in(&self, now: Time, entries: &[Entry<'_>], events: &mut Vec<Event>) -> Entered {
        let mut seq = self.next_seq;
        // Plain items have no need of it.
        let mut newcomers = None;
        let mut duplicates = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            let (mut due, mut terms) = (None, None);
            if let Some(options) = entry.options {
                let newcomers = newcomers.get_or_insert_with(Newcomers::default);
                if let Some(key) = &options.key {
                    if let Some(other) = self.has_key(now, key, newcomers, events) {
                        duplicates.push((at, other));
                        continue;
                    }
                    newcomers.keys.insert(key, seq);
                }
                due = (!options.delay.is_zero()).then(|| now + options.delay);
                terms = self.terms(now, seq, options, newcomers);
            }
            events.push(Event::Enqueued {
                at: now,
                seq,
                body: entry.body,
                due,
                terms,
            });
            seq.0 += 1;
        }
        Entered {
            first: self.next_seq,
            count: seq.0 - self.next_seq.0,
            duplicates,
        }
    }

    /// Who has a key. A hold that is over is ended first.
    fn has_key(
        &self,
        now: Time,
        key: &str,
        newcomers: &Newcomers<'_>,
        events: &mut Vec<Event>,
    ) -> Option<Seq> {
        if let Some(seq) = newcomers.keys.get(key) {
            return Some(*seq);
        }
        let (seq, until) = self.keys.as_ref()?.find(key)?;
        if until.is_some_and(|until| until <= now) {
            events.push(Event::KeyFreed { seq });
            return None;
        }
        Some(seq)
    }

    fn terms<'a>(
        &self,
        now: Time,
        seq: Seq,
        options: &'a Options,
        newcomers: &mut Newcomers<'a>,
    ) -> Option<Box<Terms>> {
        let terms = Terms {
            priority: options.priority,
            group: options.group.as_ref().map(|name| Group {
                id: self.group_id(seq, name, newcomers),
                name: name.clone(),
            }),
            key: options.key.clone(),
            expires: options.ttl.map(|ttl| now + ttl),
            trace: options.trace.clone(),
        };
        (terms != Terms::default()).then(|| Box::new(terms))
    }

    /// The id of a group, drawn if none of its items is in the queue.
    fn group_id<'a>(&self, seq: Seq, name: &'a str, newcomers: &mut Newcomers<'a>) -> GroupId {
        let lanes = self.lanes.as_ref();
        if let Some(id) = lanes.and_then(|lanes| lanes.group_id(name)) {
            return id;
        }
        if let Some(id) = newcomers.groups.get(name) {
            return *id;
        }
        let is_here = |id| lanes.is_some_and(|lanes| lanes.has_group(id));
        let id = free_id(seq, |id| newcomers.ids.contains(&id) || is_here(id));
        newcomers.groups.insert(name, id);
        newcomers.ids.insert(id);
        id
    }

    fn has_room_for(&self, events: &[Event]) -> Result<(), Refusal> {
        let Settings {
            max_items,
            max_bytes,
            ..
        } = self.settings;
        if max_items.is_none() && max_bytes.is_none() {
            return Ok(());
        }
        let (mut items, mut bytes) = (0, 0);
        for event in events {
            if let Event::Enqueued { body, terms, .. } = event {
                items += 1;
                let trace = terms.as_ref().and_then(|terms| terms.trace.as_ref());
                bytes += u64::from(body.len) + trace.map_or(0, |trace| trace.len() as u64);
            }
        }
        let (held, held_bytes) = self.held();
        if let Some(limit) = max_items.filter(|limit| items > 0 && held + items > *limit) {
            return Err(Refusal::TooManyItems(limit));
        }
        if let Some(limit) = max_bytes.filter(|limit| items > 0 && held_bytes + bytes > *limit) {
            return Err(Refusal::TooManyBytes(limit));
        }
        Ok(())
    }
}

/// What the entries of one enqueue have brought already.
#[derive(Default)]
struct Newcomers<'a> {
    keys: BTreeMap<&'a str, Seq>,
    groups: BTreeMap<&'a str, GroupId>,
    ids: BTreeSet<GroupId>,
}

/// An id for the group whose first item has this place. Truncated on purpose: groups that are alive at the
/// same time differ, and no more is needed.
fn free_id(first: Seq, is_taken: impl Fn(GroupId) -> bool) -> GroupId {
    let mut id = GroupId(first.0.wrapping_add(1) as u32);
    while id == GroupId::NONE || is_taken(id) {
        id.0 = id.0.wrapping_add(1);
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_group_is_the_first_that_is_free_from_its_first_item_on() {
        assert_eq!(free_id(Seq(6), |_| false), GroupId(7));
        let end = Seq(u32::MAX.into());
        assert_eq!(free_id(end, |_| false), GroupId(1));
        assert_eq!(free_id(end, |id| id.0 < 3), GroupId(3));
        let is_taken = |id: GroupId| [u32::MAX, 1].contains(&id.0);
        assert_eq!(free_id(Seq(end.0 - 1), is_taken), GroupId(2));
    }
}
