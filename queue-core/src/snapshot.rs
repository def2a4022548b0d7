//! A queue written down while it goes on, and put together again.
//!
//! A snapshot is *fuzzy*: it is written in slices, and the queue changes between them. What it is
//! worth comes from the order of the log, in which the head, the slices and the events of the queue
//! lie as they happened:
//!
//! 1. An outcome older than the head is told by a part; a younger one by the event that made it.
//! 2. An item that came in before the head is told by its part, as it stood when that was written:
//!    what happened to it earlier is in the part, what happens later is told by events.
//! 3. An item that came in after the head is told by events alone.
//! 4. Outcomes come before items, so a done item finds its outcome.
//! 5. What outlives its item, or has none, comes after the items: keys that are held, and answers that
//!    are remembered. A part that tells of one that is there already changes nothing.
//! 6. What each lease moves on, and parts can therefore not tell one by one, comes at the very end.
//!
//! It does not know how parts are encoded, nor which bytes a [`Blob`] names.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::Seq;
use crate::attempt::{Attempt, Lease};
use crate::blob::Blob;
use crate::idempotency::Recalled;
use crate::item::{Item, State, flag};
use crate::lanes::GroupId;
use crate::queue::{Outcome, Queue, Totals};
use crate::settings::Settings;
use crate::terms::{Group, Terms};
use crate::time::Time;

mod restore;

/// Duplicates that an answer names and that take as long to write down as a part.
const DUPLICATES_A_PART: usize = 64;

/// How a snapshot begins: what is known of the queue at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The settings it decides by.
    pub settings: Settings,
    /// Whether it takes no new items.
    pub sealed: bool,
    /// Whether it gives no new leases.
    pub paused: bool,
    /// The place the next item gets.
    pub next_seq: Seq,
    /// When the last item came in.
    pub last_enqueued: Time,
    /// The lowest outcome number that is kept.
    pub first_outcome: u64,
    /// The number the next outcome gets.
    pub next_outcome: u64,
    /// The number the next answer gets that is remembered; 0 if none ever was.
    pub next_answer: u64,
}

/// An item as a snapshot keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Its place.
    pub seq: Seq,
    /// Where it stands.
    pub state: State,
    /// Attempts spent, the running one included.
    pub attempts: u16,
    /// Attempts that do not count any more: given back unspent, or from before it was redriven. `None` if
    /// there are none, or if a snapshot does not tell.
    pub uncounted: Option<u32>,
    /// Times it was given back.
    pub releases: u8,
    /// When it came in.
    pub enqueued: Time,
    /// Its body.
    pub body: Blob,
    /// Its lease, if its state is [`State::Leased`].
    pub lease: Option<Lease>,
    /// Its past attempts, oldest first.
    pub story: Vec<Attempt>,
    /// What else it was given, if anything.
    pub terms: Option<Box<Terms>>,
    /// Until when it holds its key although it has ended.
    pub key_until: Option<Time>,
}

/// One part of a queue written down. Folding the head, the parts, and the events that lie between them
/// in the log, gives the queue.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// An outcome that is kept.
    Outcome {
        /// Its number.
        number: u64,
        /// What it tells.
        outcome: Outcome,
    },
    /// An item.
    Item(Kept),
    /// A key that is held although its item is forgotten.
    Key {
        /// The item that had it.
        seq: Seq,
        /// The key.
        text: Arc<str>,
        /// Until when it is held.
        until: Time,
    },
    /// An answer that is remembered.
    Answer {
        /// The number of its last use.
        number: u64,
        /// When it was last used.
        at: Time,
        /// The name the caller gave the enqueue.
        key: Arc<str>,
        /// What was answered.
        answer: Recalled,
    },
    /// Where the queue stands in its order; left out by a queue that has none of this.
    Order {
        /// When the next lease would come if leases came evenly, in nanoseconds.
        pace: u64,
        /// The group whose item went out last.
        last: GroupId,
        /// The lowest number of an answer that is remembered.
        first_answer: u64,
    },
    /// The snapshot is complete.
    Closed {
        /// Everything that ever happened until now.
        totals: Totals,
    },
}

/// How far a snapshot has got: from here to there is still to be written, or to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    outcome: u64,
    outcomes_end: u64,
    item: Seq,
    items_end: Seq,
    key: Seq,
    answer: u64,
    closed: bool,
}

impl Cursor {
    fn of(head: &Head) -> Self {
        Self {
            outcome: head.first_outcome,
            outcomes_end: head.next_outcome,
            item: Seq(0),
            items_end: head.next_seq,
            key: Seq(0),
            answer: 0,
            closed: false,
        }
    }

    /// Whether the part that tells of this item lies ahead.
    fn awaits(&self, seq: Seq) -> bool {
        (self.item..self.items_end).contains(&seq)
    }

    /// Whether the part that tells of this outcome lies ahead.
    fn awaits_outcome(&self, number: u64) -> bool {
        (self.outcome..self.outcomes_end).contains(&number)
    }
}

impl Queue {
    /// Begins a snapshot. The head belongs into the log before any later event of the queue.
    #[must_use]
    pub fn snapshot(&self) -> (Head, Cursor) {
        let head = Head {
            settings: self.settings,
            sealed: self.sealed,
            paused: self.paused,
            next_seq: self.next_seq,
            last_enqueued: self.last_enqueued,
            first_outcome: self.first_outcome,
            next_outcome: self.next_outcome,
            next_answer: self.idempotency.as_ref().map_or(0, |it| it.next()),
        };
        let cursor = Cursor::of(&head);
        (head, cursor)
    }

    /// Pushes the next parts: at most `max` outcomes, or at most `max` items, keys and answers once all
    /// outcomes are written; `max` is at least 1. An answer that names many duplicates counts as several
    /// parts, but for the last one. When nothing is left it pushes [`Part::Order`], if
    /// the queue has an order, and [`Part::Closed`], returns true, and pushes nothing from then on.
    ///
    /// The parts belong into the log before any later event of the queue.
    pub fn parts(&self, cursor: &mut Cursor, max: usize, parts: &mut Vec<Part>) -> bool {
        if cursor.closed {
            return true;
        }
        if self.has_outcomes_for(cursor) {
            let ahead = self.outcomes.range(cursor.outcome);
            for (number, &outcome) in ahead.take(max) {
                if number >= cursor.outcomes_end {
                    break;
                }
                parts.push(Part::Outcome { number, outcome });
                cursor.outcome = number + 1;
            }
            return false;
        }
        let mut left = max;
        let mut next = cursor.item;
        for (seq, item) in self.items_for(cursor).take(max) {
            parts.push(Part::Item(self.kept(seq, item)));
            next = Seq(seq.0 + 1);
            left -= 1;
        }
        cursor.item = next;
        self.keys_for(cursor, &mut left, parts);
        self.answers_for(cursor, &mut left, parts);
        if left == 0 {
            return false;
        }
        parts.extend(self.order());
        let totals = self.totals;
        parts.push(Part::Closed { totals });
        cursor.closed = true;
        true
    }

    /// An item that is here has told of its own hold.
    fn keys_for(&self, cursor: &mut Cursor, left: &mut usize, parts: &mut Vec<Part>) {
        let Some(keys) = &self.keys else { return };
        for (seq, text, until) in keys.gone(cursor.key).take(*left) {
            let text = text.into();
            parts.push(Part::Key { seq, text, until });
            cursor.key = Seq(seq.0 + 1);
            *left -= 1;
        }
    }

    fn answers_for(&self, cursor: &mut Cursor, left: &mut usize, parts: &mut Vec<Part>) {
        let Some(idempotency) = &self.idempotency else {
            return;
        };
        for (number, remembered) in idempotency.range(cursor.answer) {
            if *left == 0 {
                break;
            }
            let duplicates = remembered.answer.duplicates.len();
            *left = left.saturating_sub(1 + duplicates / DUPLICATES_A_PART);
            parts.push(Part::Answer {
                number,
                at: remembered.at,
                key: remembered.key.clone(),
                answer: remembered.answer.clone(),
            });
            cursor.answer = number + 1;
        }
    }

    fn order(&self) -> Option<Part> {
        let pace = self.pace.next;
        let last = (self.lanes.as_ref()).map_or(GroupId::NONE, |lanes| lanes.last());
        let first_answer = self.idempotency.as_ref().map_or(0, |it| it.first());
        // A zero tells something too where a queue that is put together may have got further by events.
        let any = pace != 0 || self.lanes.is_some() || self.idempotency.is_some();
        any.then_some(Part::Order {
            pace,
            last,
            first_answer,
        })
    }

    /// The blobs of the items that [`Queue::parts`] would push with the same cursor and `max`, in the
    /// same order: none while it would push outcomes, and a body first for each item.
    ///
    /// A caller that must fetch some bytes first counts the items before the first such blob, and asks
    /// for that many parts.
    pub fn upcoming_blobs(&self, cursor: &Cursor, max: usize) -> impl Iterator<Item = (Seq, Blob)> {
        let max = if cursor.closed || self.has_outcomes_for(cursor) {
            0
        } else {
            max
        };
        self.items_for(cursor).take(max).flat_map(|(seq, item)| {
            let blobs = core::iter::once(item.body()).chain(self.stories.blobs(seq));
            blobs.map(move |blob| (seq, blob))
        })
    }

    /// How many outcomes, items, past attempts, held keys and remembered answers a snapshot begun now
    /// would hold.
    #[must_use]
    pub fn snapshot_len(&self) -> u64 {
        let keys = self.keys.as_ref().map_or(0, |keys| keys.holds());
        let answers = self.idempotency.as_ref().map_or(0, |it| it.len() as u64);
        self.outcomes.len() + self.items.len() + self.stories.attempts() + keys + answers
    }

    /// Bytes of the keys, traces, and names of groups and workers that a snapshot begun now would hold, about:
    /// a name may be written once for many items.
    #[must_use]
    pub fn snapshot_texts(&self) -> u64 {
        let keys = self.keys.as_ref().map_or(0, |keys| keys.bytes());
        let groups = self.lanes.as_ref().map_or(0, |lanes| lanes.bytes());
        let answers = self.idempotency.as_ref().map_or(0, |it| it.bytes());
        let traces = self.traces.as_ref().map_or(0, |traces| traces.bytes());
        let workers = self.lease_names + self.stories.names();
        keys + groups + answers + traces + workers
    }

    fn has_outcomes_for(&self, cursor: &Cursor) -> bool {
        cursor.outcome.max(self.first_outcome) < cursor.outcomes_end
    }

    fn items_for(&self, cursor: &Cursor) -> impl Iterator<Item = (Seq, &Item)> {
        let end = cursor.items_end;
        let ahead = self.items.range(cursor.item.0);
        ahead
            .map(|(seq, item)| (Seq(seq), item))
            .take_while(move |(seq, _)| *seq < end)
    }

    fn kept(&self, seq: Seq, item: &Item) -> Kept {
        Kept {
            seq,
            state: item.state(),
            attempts: item.attempts,
            uncounted: (item.uncounted > 0).then_some(item.uncounted),
            releases: item.releases,
            enqueued: item.enqueued,
            body: item.body(),
            lease: self.lease_of(seq).cloned(),
            story: self.stories.all(seq),
            terms: self.kept_terms(seq).map(Box::new),
            key_until: (self.keys.as_ref().filter(|_| item.has(flag::KEY)))
                .and_then(|keys| keys.until(seq)),
        }
    }

    fn kept_terms(&self, seq: Seq) -> Option<Terms> {
        let terms = self.terms_of(seq)?;
        let lane = self.lanes.as_ref().map(|lanes| lanes.lane(seq));
        let id = lane.map(|lane| lane.group).unwrap_or_default();
        Some(Terms {
            priority: terms.priority,
            group: terms.group.cloned().map(|name| Group { id, name }),
            key: terms.key.map(Arc::from),
            expires: terms.expires,
            trace: terms.trace.cloned(),
        })
    }
}
