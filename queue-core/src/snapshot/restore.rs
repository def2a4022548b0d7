//! A queue put together again from what a snapshot tells, while the events that lie between its parts go
//! on changing it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Cursor, Head, Kept, Part};
use crate::attempt::How;
use crate::blob::Blob;
use crate::idempotency::{Idempotency, Remembered};
use crate::item::{Item, State};
use crate::queue::Queue;
use crate::time::Time;
use crate::{FREE_RELEASES, Seq};

impl Queue {
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
            idempotency: (head.next_answer > 0)
                .then(|| Box::new(Idempotency::begin(head.next_answer))),
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
            Part::Key { seq, text, until } => {
                self.assert_restoring();
                let keys = self.keys.get_or_insert_default();
                keys.restore_hold(seq, &text, until);
            }
            Part::Answer {
                number,
                at,
                key,
                answer,
            } => {
                self.assert_restoring();
                let idempotency = self.idempotency.get_or_insert_default();
                idempotency.restore(number, Remembered { at, key, answer });
            }
            Part::Order {
                pace,
                last,
                first_answer,
            } => {
                self.assert_restoring();
                self.pace.next = pace;
                if let Some(lanes) = &mut self.lanes {
                    lanes.set_last(last);
                }
                if let Some(idempotency) = &mut self.idempotency {
                    idempotency.forget_before(first_answer);
                }
            }
            Part::Closed { totals } => {
                self.assert_restoring();
                self.restoring = None;
                self.totals = totals;
                self.end_items();
                let kept = self.next_outcome - self.first_outcome;
                assert_eq!(self.outcomes.len(), kept, "outcomes of a whole snapshot");
                let accounted = self.accounted();
                assert_eq!(totals.enqueued, accounted, "items of a whole snapshot");
            }
        }
    }

    fn assert_restoring(&self) {
        assert!(
            self.restoring.is_some(),
            "a part of a snapshot that never began"
        );
    }

    fn put_back(&mut self, mut kept: Kept, free: &mut Vec<Blob>) {
        let Kept { seq, state, .. } = kept;
        if kept.story.iter().any(|attempt| attempt.nth == 0) {
            count_back(&mut kept);
        }
        let mut item = Item::new(kept.body, kept.enqueued);
        item.attempts = kept.attempts;
        item.releases = kept.releases;
        item.uncounted = kept.uncounted.unwrap_or_else(|| uncounted(&kept));
        // Of one that is over its outcome tells when: see `end_items`.
        let died = kept.story.last().map(|last| last.ended);
        item.set_state(
            state,
            died.filter(|_| state == State::Dead).unwrap_or(Time(0)),
        );
        if let Some(terms) = &kept.terms {
            item.flags = self.enter_terms(seq, terms);
            if let Some(key) = &terms.key {
                self.put_key_back(seq, key, state, kept.key_until);
            }
        }
        self.items.insert(seq.0, item);
        let mut notes = 0;
        for attempt in kept.story {
            (_, notes) = self.stories.add(seq, attempt, free);
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
        self.follow_expiry(seq, State::Leased, Some(state));
        let bytes = self.brought(seq, kept.body) + notes;
        match state.is_finished() {
            true => self.retained_bytes += bytes,
            false => self.held_bytes += bytes,
        }
    }

    /// Tells each item that is over when it ended: its part left that to its outcome.
    fn end_items(&mut self) {
        for (_, outcome) in self.outcomes.range(0) {
            let item = self.items.get_mut(outcome.seq.0);
            if let Some(item) = item.filter(|_| outcome.state.is_finished()) {
                item.set_state(outcome.state, outcome.ended);
            }
        }
    }

    fn put_key_back(&mut self, seq: Seq, key: &str, state: State, until: Option<Time>) {
        let keys = self.keys.get_or_insert_default();
        match until {
            None if state.is_live() => keys.claim(seq, key),
            None => keys.mention(seq, key),
            Some(until) => {
                keys.claim(seq, key);
                keys.hold(seq, until);
            }
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

/// How many attempts of an item do not count, as far as a snapshot shows that does not tell: those that it
/// was given back for nothing, or those that its story has too many.
fn uncounted(kept: &Kept) -> u32 {
    let released = kept.releases.min(FREE_RELEASES);
    let begun = kept.story.len() + usize::from(kept.lease.is_some());
    let surplus = begun.saturating_sub(kept.attempts.into());
    u32::from(released).max(surplus as u32)
}

/// Gives each attempt of a story its number among those that count, where a snapshot does not tell it: counted
/// back from the last, as in the one life of an item that was never redriven.
fn count_back(kept: &mut Kept) {
    let mut spent = kept.attempts.saturating_sub(kept.lease.is_some().into());
    let mut releases = kept.releases;
    for attempt in kept.story.iter_mut().rev() {
        let is_release = attempt.how == How::Released;
        let is_spent = !is_release || releases > FREE_RELEASES;
        releases = releases.saturating_sub(is_release.into());
        if is_spent {
            spent = spent.saturating_sub(1);
        }
        if attempt.nth == 0 {
            attempt.nth = spent.saturating_add(1);
        }
    }
}
