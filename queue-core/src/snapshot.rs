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
//!
//! It does not know how parts are encoded, nor which bytes a [`Blob`] names.

use alloc::vec::Vec;

use crate::Seq;
use crate::attempt::{Attempt, Lease};
use crate::blob::Blob;
use crate::item::{Item, State};
use crate::queue::{Outcome, Queue, Totals};
use crate::settings::Settings;
use crate::time::Time;

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
    closed: bool,
}

impl Cursor {
    fn of(head: &Head) -> Self {
        Self {
            outcome: head.first_outcome,
            outcomes_end: head.next_outcome,
            item: Seq(0),
            items_end: head.next_seq,
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
        };
        let cursor = Cursor::of(&head);
        (head, cursor)
    }

    /// Pushes the next parts: at most `max` outcomes, or at most `max` items once all outcomes are
    /// written; `max` is at least 1. When nothing is left it pushes [`Part::Closed`] and returns true,
    /// and pushes nothing from then on.
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
        let before = parts.len();
        let mut next = cursor.item;
        for (seq, item) in self.items_for(cursor).take(max) {
            parts.push(Part::Item(self.kept(seq, item)));
            next = Seq(seq.0 + 1);
        }
        cursor.item = next;
        if parts.len() - before >= max {
            return false;
        }
        let totals = self.totals;
        parts.push(Part::Closed { totals });
        cursor.closed = true;
        true
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
            let blobs = core::iter::once(item.body()).chain(self.stories.notes(seq));
            blobs.map(move |blob| (seq, blob))
        })
    }

    /// How many outcomes, items and past attempts a snapshot begun now would hold.
    #[must_use]
    pub fn snapshot_len(&self) -> u64 {
        self.outcomes.len() + self.items.len() + self.stories.attempts()
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
            state: item.state,
            attempts: item.attempts,
            releases: item.releases,
            enqueued: item.enqueued,
            body: item.body(),
            lease: self.lease_of(seq).cloned(),
            story: self.stories.all(seq),
        }
    }

    /// A queue that is being put together from a head: it takes the parts and the events that follow
    /// in the log, and becomes the queue at [`Part::Closed`]. Before that nothing may be asked of it.
    /// A head without an end is followed by another one, and what was put together until then is void.
    #[must_use]
    pub fn restoring(head: &Head) -> Self {
        Self {
            sealed: head.sealed,
            paused: head.paused,
            next_seq: head.next_seq,
            last_enqueued: head.last_enqueued,
            first_outcome: head.first_outcome,
            next_outcome: head.next_outcome,
            restoring: Some(Cursor::of(head)),
            ..Self::new(head.settings)
        }
    }

    /// Whether parts are still to come.
    #[must_use]
    pub fn is_restoring(&self) -> bool {
        self.restoring.is_some()
    }

    /// Applies a part. Pushes to `free` each blob that nothing refers to any more.
    ///
    /// # Panics
    /// If the part does not fit what is there, as it cannot if a snapshot made it.
    pub fn restore(&mut self, part: Part, free: &mut Vec<Blob>) {
        match part {
            Part::Outcome { number, outcome } => {
                let cursor = self
                    .restoring
                    .as_mut()
                    .filter(|it| it.awaits_outcome(number));
                let cursor = cursor.unwrap_or_else(|| panic!("outcome {number} is not awaited"));
                cursor.outcome = number + 1;
                self.outcomes.insert(number, outcome);
            }
            Part::Item(kept) => {
                let seq = kept.seq;
                let cursor = self.restoring.as_mut().filter(|it| it.awaits(seq));
                let cursor = cursor.unwrap_or_else(|| panic!("{seq:?} is not awaited"));
                cursor.outcome = cursor.outcomes_end;
                cursor.item = Seq(seq.0 + 1);
                self.put_back(kept, free);
            }
            Part::Closed { totals } => {
                assert!(
                    self.restoring.is_some(),
                    "a snapshot closes that never began"
                );
                self.restoring = None;
                self.totals = totals;
                let kept = self.next_outcome - self.first_outcome;
                assert_eq!(self.outcomes.len(), kept, "outcomes of a whole snapshot");
                let counts = self.counts();
                let held = counts.ready + counts.leased + counts.delayed + counts.dead;
                let accounted = held + counts.done + totals.purged;
                assert_eq!(totals.enqueued, accounted, "items of a whole snapshot");
            }
        }
    }

    fn put_back(&mut self, kept: Kept, free: &mut Vec<Blob>) {
        let Kept { seq, state, .. } = kept;
        let mut item = Item::new(kept.body, kept.enqueued);
        item.attempts = kept.attempts;
        item.releases = kept.releases;
        item.state = state;
        self.items.insert(seq.0, item);
        for attempt in kept.story {
            self.stories.add(seq, attempt, free);
        }
        assert_eq!(
            state == State::Leased,
            kept.lease.is_some(),
            "{seq:?} has a lease or is not lent"
        );
        if let Some(lease) = kept.lease {
            self.enter_lease(seq, lease);
        }
        self.enter_index(seq, state);
        match state {
            State::Done => {
                let (body, notes) = self.bytes_of(seq);
                self.retained_bytes += body + notes;
            }
            _ => self.held_bytes += u64::from(kept.body.len),
        }
    }

    /// Whether events of this item are for its part to tell, which is still to come.
    pub(crate) fn awaits(&self, seq: Seq) -> bool {
        self.restoring.as_ref().is_some_and(|it| it.awaits(seq))
    }

    /// Whether this outcome is for a part to tell that would still have come, had it been kept.
    pub(crate) fn awaits_outcome(&self, number: u64) -> bool {
        self.restoring
            .as_ref()
            .is_some_and(|it| it.awaits_outcome(number))
    }
}
