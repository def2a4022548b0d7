//! The past attempts of all items: most have had one, which is kept small and in pages; what came
//! before the last one of an item lies apart.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::attempt::{Attempt, Fence, How};
use crate::blob::Blob;
use crate::paged::{Paged, Vacant};
use crate::time::Time;
use crate::{STORY_ATTEMPTS, Seq};

/// An attempt without the room that an [`Attempt`] has between its fields.
#[derive(Debug, Clone, PartialEq)]
struct Past {
    fence: Fence,
    worker: Option<Arc<str>>,
    started: Time,
    ended: Time,
    note_place: u64,
    note_len: u32,
    exit_code: i32,
    how: How,
    has_note: bool,
    has_exit_code: bool,
    /// Whether others came before it, which lie in [`Stories::earlier`].
    has_earlier: bool,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Stories {
    /// The last attempt of each item that has any.
    last: Paged<Past, 16>,
    /// Those before it, oldest first.
    earlier: BTreeMap<Seq, Vec<Past>>,
    /// Attempts in all.
    attempts: u64,
}

impl Stories {
    /// Attempts in all stories.
    pub(crate) fn attempts(&self) -> u64 {
        self.attempts
    }

    /// The attempts of an item, oldest first.
    pub(crate) fn all(&self, seq: Seq) -> Vec<Attempt> {
        let Some(last) = self.last.get(seq.0) else {
            return Vec::new();
        };
        let earlier = self.before(seq, last);
        earlier.chain([last]).map(Past::unpack).collect()
    }

    pub(crate) fn last(&self, seq: Seq) -> Option<Attempt> {
        self.last.get(seq.0).map(Past::unpack)
    }

    /// Which lease the last attempt had, and how it ended.
    pub(crate) fn ending(&self, seq: Seq) -> Option<(Fence, How)> {
        self.last.get(seq.0).map(|last| (last.fence, last.how))
    }

    /// The notes of an item, oldest first.
    pub(crate) fn notes(&self, seq: Seq) -> impl Iterator<Item = Blob> {
        let last = self.last.get(seq.0);
        let earlier = last
            .into_iter()
            .flat_map(move |last| self.before(seq, last));
        earlier.chain(last).filter_map(Past::note)
    }

    /// Adds an attempt to an item's story, whose oldest is forgotten where it grows too long.
    pub(crate) fn add(&mut self, seq: Seq, attempt: Attempt, free: &mut Vec<Blob>) {
        self.attempts += 1;
        let past = Past::pack(attempt);
        let Some(last) = self.last.get_mut(seq.0) else {
            self.last.insert(seq.0, past);
            return;
        };
        let previous = core::mem::replace(last, past);
        last.has_earlier = true;
        let earlier = self.earlier.entry(seq).or_default();
        earlier.push(Past {
            has_earlier: false,
            ..previous
        });
        if earlier.len() >= STORY_ATTEMPTS {
            self.attempts -= 1;
            free.extend(earlier.remove(0).note());
        }
    }

    /// Forgets the story of an item.
    pub(crate) fn remove(&mut self, seq: Seq, free: &mut Vec<Blob>) {
        let Some(last) = self.last.remove(seq.0) else {
            return;
        };
        self.attempts -= 1;
        free.extend(last.note());
        if last.has_earlier {
            let earlier = self.earlier.remove(&seq).unwrap_or_default();
            self.attempts -= earlier.len() as u64;
            free.extend(earlier.iter().filter_map(Past::note));
        }
    }

    /// Attempts counted one by one, for [`Queue::check`](crate::Queue::check).
    pub(crate) fn recount(&self) -> u64 {
        let earlier: usize = self.earlier.values().map(Vec::len).sum();
        self.last.range(0).count() as u64 + earlier as u64
    }

    fn before(&self, seq: Seq, last: &Past) -> impl Iterator<Item = &Past> {
        let earlier = last.has_earlier.then(|| self.earlier.get(&seq));
        earlier.flatten().into_iter().flatten()
    }
}

impl Past {
    fn pack(attempt: Attempt) -> Self {
        let note = attempt.note.unwrap_or_default();
        Self {
            fence: attempt.fence,
            worker: attempt.worker,
            started: attempt.started,
            ended: attempt.ended,
            note_place: note.place,
            note_len: note.len,
            exit_code: attempt.exit_code.unwrap_or_default(),
            how: attempt.how,
            has_note: attempt.note.is_some(),
            has_exit_code: attempt.exit_code.is_some(),
            has_earlier: false,
        }
    }

    fn unpack(&self) -> Attempt {
        Attempt {
            fence: self.fence,
            worker: self.worker.clone(),
            started: self.started,
            ended: self.ended,
            how: self.how,
            note: self.note(),
            exit_code: self.has_exit_code.then_some(self.exit_code),
        }
    }

    fn note(&self) -> Option<Blob> {
        self.has_note.then_some(Blob {
            place: self.note_place,
            len: self.note_len,
        })
    }
}

impl Vacant for Past {
    fn vacant() -> Self {
        Self {
            fence: Fence(0),
            worker: None,
            started: Time(0),
            ended: Time(0),
            note_place: 0,
            note_len: 0,
            exit_code: 0,
            how: How::Expired,
            has_note: false,
            has_exit_code: false,
            has_earlier: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_past_attempt_stays_small() {
        assert!(size_of::<Past>() <= 64, "{}", size_of::<Past>());
    }
}
