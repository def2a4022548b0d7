//! What an operator does to items: cancel, redrive, purge.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;

use crate::attempt::How;
use crate::event::{Event, Next};
use crate::item::State;
use crate::queue::Queue;
use crate::time::Time;
use crate::{SLICE, Seq};

/// What became of a cancelled item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It ends as cancelled; if it was lent, its lease is revoked.
    Now,
    /// It was cancelled before: nothing to do.
    Before,
    /// It was dead, and is thrown away.
    ThrownAway,
}

/// Why an item cannot be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotCancellable {
    /// There is no such item in the queue.
    Unknown,
    /// It is done or expired.
    Finished,
}

impl fmt::Display for NotCancellable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "the queue has no such item",
            Self::Finished => "the item is finished",
        })
    }
}

impl core::error::Error for NotCancellable {}

/// Which items a purge throws away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purge {
    /// Those that could be leased.
    pub ready: bool,
    /// Those that wait for their time.
    pub delayed: bool,
    /// Those given up on.
    pub dead: bool,
    /// Only those that came in before this place: what comes in meanwhile stays.
    pub before: Seq,
}

impl Queue {
    /// Ends an item that is not wanted any more. Its key is free at once.
    pub fn cancel(
        &self,
        now: Time,
        seq: Seq,
        events: &mut Vec<Event>,
    ) -> Result<Cancelled, NotCancellable> {
        let item = self.item(seq).ok_or(NotCancellable::Unknown)?;
        match item.state() {
            State::Ready | State::Delayed(_) => {}
            State::Leased => events.push(Event::Settled {
                at: now,
                seq,
                how: How::Revoked,
                next: Next::Ready,
                spent: true,
                note: None,
                exit_code: None,
                log: None,
            }),
            State::Dead => {
                events.push(Event::Purged { seq });
                return Ok(Cancelled::ThrownAway);
            }
            State::Cancelled => return Ok(Cancelled::Before),
            State::Done | State::Expired => return Err(NotCancellable::Finished),
        }
        events.push(Event::Cancelled { at: now, seq });
        Ok(Cancelled::Now)
    }

    /// Makes dead items ready again, with all their attempts before them; at most the first `max` of
    /// these that are dead and whose key no other item has. Says how many.
    ///
    /// An item that has expired meanwhile ends as such at once.
    pub fn redrive(
        &self,
        now: Time,
        seqs: impl IntoIterator<Item = Seq>,
        max: usize,
        events: &mut Vec<Event>,
    ) -> usize {
        let (mut chosen, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for seq in seqs {
            if chosen.len() == max {
                break;
            }
            if !self.dead.contains(seq) || chosen.contains(&seq) {
                continue;
            }
            if let Some(key) = self.terms_of(seq).and_then(|terms| terms.key) {
                let holder = self.keys.as_ref().and_then(|keys| keys.find(key));
                let other = holder.filter(|(holder, _)| *holder != seq);
                let free_by_now = |until: Option<Time>| until.is_some_and(|until| until <= now);
                match other {
                    Some((_, until)) if !free_by_now(until) => continue,
                    _ if keys.contains(key) => continue,
                    Some((holder, _)) => events.push(Event::KeyFreed { seq: holder }),
                    None => {}
                }
                keys.insert(key);
            }
            chosen.insert(seq);
            events.push(Event::Redriven { seq });
            if self.expires_by(now, seq).is_some() {
                events.push(Event::Expired { at: now, seq });
            }
        }
        chosen.len()
    }

    /// Throws items away, at most [`SLICE`]; again, until it pushes no event.
    pub fn purge(&self, purge: Purge, events: &mut Vec<Event>) {
        let sets = [
            (purge.ready, &self.ready),
            (purge.delayed, &self.delayed),
            (purge.dead, &self.dead),
        ];
        let chosen = sets
            .into_iter()
            .filter(|(wanted, _)| *wanted)
            .flat_map(|(_, set)| set.iter().take_while(|seq| *seq < purge.before));
        events.extend(chosen.take(SLICE).map(|seq| Event::Purged { seq }));
    }
}
