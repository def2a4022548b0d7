//! Unique keys: which item has which, and for how long after its end.
//!
//! A key is taken by a *live* item, or *held* until an instant by one that ended; it is *freed* when
//! another item may have it. The text of a key stays known as long as its item does, so that an outcome
//! can tell it; a hold may outlive the item, which is then *gone*.
//!
//! It does not know why a key is held or when an item is live: the queue says so.

use alloc::boxed::Box;

use crate::Seq;
use crate::paged::{Paged, Vacant};
use crate::seqset::SeqSet;
use crate::time::Time;
use crate::timers::Timers;

mod index;
#[cfg(test)]
mod tests;

use index::Index;

/// Invariants, recounted by [`Keys::check`]:
/// 1. `texts` has a text for each item that came with a key and is in the queue, and for each hold.
/// 2. `until` and `timers` tell the same instants, of items that are in `texts`.
/// 3. Those in `freed` are in `texts` and not in `until`; those in `gone` are in `until`.
/// 4. `index` leads from each text that is taken to the one item that has it: those of `texts` that
///    are not in `freed`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    texts: Paged<Box<str>, 16>,
    /// Bytes of all of them.
    bytes: u64,
    until: Paged<Time, 16>,
    timers: Timers,
    freed: SeqSet,
    gone: SeqSet,
    index: Index,
}

/// How the index came to be as it is does not count: it follows from the rest.
impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts
            && self.until == other.until
            && self.freed == other.freed
            && self.gone == other.gone
    }
}

impl Vacant for Box<str> {
    fn vacant() -> Self {
        Self::default()
    }
}

impl Vacant for Time {
    fn vacant() -> Self {
        Self(0)
    }
}

impl Keys {
    /// Bytes of all keys that are known.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn forget_text(&mut self, seq: Seq) {
        let text = self.texts.remove(seq.0);
        self.bytes -= text.map_or(0, |text| text.len() as u64);
    }

    /// A live item comes in and takes a key that no live item has: one that is held comes free.
    pub(crate) fn claim(&mut self, seq: Seq, text: &str) {
        self.bytes += text.len() as u64;
        self.texts.insert(seq.0, text.into());
        self.take(seq);
    }

    /// An item that ended comes back, from a snapshot, and others may have its key: as [`Keys::claim`],
    /// but the key is freed.
    pub(crate) fn mention(&mut self, seq: Seq, text: &str) {
        self.bytes += text.len() as u64;
        self.texts.insert(seq.0, text.into());
        self.freed.insert(seq);
    }

    /// The item that has a key, and until when it is held; `None` while the item is live.
    pub(crate) fn find(&self, text: &str) -> Option<(Seq, Option<Time>)> {
        let seq = self.index.find(&self.texts, text)?;
        Some((seq, self.until(seq)))
    }

    /// The key an item came with, if it did and is still known, whoever has the key by now.
    pub(crate) fn text(&self, seq: Seq) -> Option<&str> {
        self.texts.get(seq.0).map(|text| &**text)
    }

    /// Until when an item that ended holds its key.
    pub(crate) fn until(&self, seq: Seq) -> Option<Time> {
        self.until.get(seq.0).copied()
    }

    /// An item that was live ended: it holds its key until this instant.
    pub(crate) fn hold(&mut self, seq: Seq, until: Time) {
        assert!(self.is_live(seq), "{seq:?} has no key to hold");
        self.until.insert(seq.0, until);
        self.timers.insert(until, seq);
    }

    /// Others may have the key of this item, which was live or held it. Nothing if it has none.
    pub(crate) fn free(&mut self, seq: Seq) {
        if self.freed.contains(seq) || !self.texts.contains(seq.0) {
            return;
        }
        self.index.remove(&self.texts, seq);
        self.release(seq);
        if self.gone.contains(seq) {
            self.gone.remove(seq);
            self.forget_text(seq);
        } else {
            self.freed.insert(seq);
        }
    }

    /// An item that ended is live again and takes its key back, which nobody else has by now. Nothing
    /// if it came with none.
    pub(crate) fn reclaim(&mut self, seq: Seq) {
        if self.freed.contains(seq) {
            self.freed.remove(seq);
            self.take(seq);
        } else {
            self.release(seq);
        }
    }

    /// An item that ended leaves the queue: what it holds goes on being held. Nothing if it came with
    /// no key.
    pub(crate) fn forget(&mut self, seq: Seq) {
        if self.until.contains(seq.0) {
            self.gone.insert(seq);
        } else if self.freed.contains(seq) {
            self.freed.remove(seq);
            self.forget_text(seq);
        } else {
            assert!(!self.texts.contains(seq.0), "{seq:?} leaves with its key");
        }
    }

    /// Puts back what a snapshot tells: that an item, which ended and may be gone, holds its key until
    /// this instant. It may be known already.
    pub(crate) fn restore_hold(&mut self, seq: Seq, text: &str, until: Time) {
        if let Some(known) = self.until(seq) {
            assert_eq!(known, until, "{seq:?} holds its key until one instant");
            return;
        }
        if self.freed.contains(seq) {
            self.reclaim(seq);
        } else {
            self.claim(seq, text);
            self.gone.insert(seq);
        }
        self.hold(seq, until);
    }

    /// The holds that end by `now`, and those that are more than so many, by time and then by place.
    pub(crate) fn due(&self, now: Time, most: u64) -> impl Iterator<Item = Seq> {
        let surplus = self.holds().saturating_sub(most);
        let holds = (0..).zip(self.timers.iter());
        let due = holds.take_while(move |&(nth, (at, _))| nth < surplus || at <= now);
        due.map(|(_, (_, seq))| seq)
    }

    /// When the next hold ends: at once if there are more than so many.
    pub(crate) fn next_due(&self, most: u64) -> Option<Time> {
        match self.holds() > most {
            true => Some(Time(0)),
            false => self.timers.first(),
        }
    }

    /// The holds of items that are gone, from a place on, by place.
    pub(crate) fn gone(&self, from: Seq) -> impl Iterator<Item = (Seq, &str, Time)> {
        let gone = self.gone.range(from);
        gone.filter_map(|seq| Some((seq, self.text(seq)?, self.until(seq)?)))
    }

    /// How many holds there are.
    pub(crate) fn holds(&self) -> u64 {
        self.until.len()
    }

    /// Whether no key is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.texts.len() == 0
    }

    /// Whether a live item has its key.
    fn is_live(&self, seq: Seq) -> bool {
        self.texts.contains(seq.0) && !self.freed.contains(seq) && !self.until.contains(seq.0)
    }

    fn take(&mut self, seq: Seq) {
        while let Err(taken) = self.index.insert(&self.texts, seq) {
            assert!(
                self.until.contains(taken.0),
                "{seq:?} wants the key that {taken:?} has"
            );
            self.free(taken);
        }
    }

    /// Forgets until when an item holds its key.
    fn release(&mut self, seq: Seq) {
        if let Some(until) = self.until.remove(seq.0) {
            self.timers.remove(until, seq);
        }
    }

    /// Recounts everything, of a queue that holds these items and of which these are live.
    ///
    /// # Panics
    /// If an invariant does not hold.
    pub(crate) fn check(&self, is_there: impl Fn(Seq) -> bool, is_live: impl Fn(Seq) -> bool) {
        let mut timers = Timers::default();
        for (seq, until) in self.until.range(0) {
            timers.insert(*until, Seq(seq));
        }
        assert_eq!(timers, self.timers, "the timers of keys");
        let (mut taken, mut bytes) = (0, 0);
        for (seq, text) in self.texts.range(0) {
            bytes += text.len() as u64;
            let seq = Seq(seq);
            let freed = self.freed.contains(seq);
            assert_ne!(is_there(seq), self.gone.contains(seq), "{seq:?} is gone");
            assert_eq!(is_live(seq), self.is_live(seq), "{seq:?} is live");
            let found = self.index.find(&self.texts, text);
            assert_eq!(found == Some(seq), !freed, "{seq:?} has its key");
            taken += u64::from(!freed);
        }
        assert_eq!(self.index.len(), taken, "keys that are taken");
        assert_eq!(bytes, self.bytes, "bytes of keys");
        let freed = self.freed.iter().filter(|seq| self.texts.contains(seq.0));
        assert_eq!(
            freed.count() as u64,
            self.freed.len(),
            "keys that are freed"
        );
        let gone = self.gone.iter().filter(|seq| self.until.contains(seq.0));
        assert_eq!(gone.count() as u64, self.gone.len(), "keys without an item");
        let held = self
            .until
            .range(0)
            .filter(|(seq, _)| self.texts.contains(*seq));
        assert_eq!(held.count() as u64, self.until.len(), "keys that are held");
    }
}
