//! The past attempts of all items: most have had one, which is kept small and in pages; what came
//! before the last one of an item lies apart.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::attempt::{Attempt, Fence, How};
use crate::blob::Blob;
use crate::paged::{Paged, Vacant};
use crate::time::Time;
use crate::{STORY_ATTEMPTS, STORY_BYTES, Seq};

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
    nth: u16,
    how: How,
    has_note: bool,
    has_exit_code: bool,
    /// Whether it has a log, which lies in [`Stories::logs`].
    has_log: bool,
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
    /// Bytes of the names of those who held them.
    names: u64,
    /// What attempts printed, of those that have a log.
    logs: BTreeMap<(Seq, Fence), Blob>,
}

impl Stories {
    /// Attempts in all stories.
    pub(crate) fn attempts(&self) -> u64 {
        self.attempts
    }

    /// Bytes of the names of workers in all stories, each time they are told.
    pub(crate) fn names(&self) -> u64 {
        self.names
    }

    /// The attempts of an item, oldest first.
    pub(crate) fn all(&self, seq: Seq) -> Vec<Attempt> {
        let Some(last) = self.last.get(seq.0) else {
            return Vec::new();
        };
        let earlier = self.before(seq, last);
        let attempts = earlier.chain([last]);
        attempts.map(|past| self.unpack(seq, past)).collect()
    }

    pub(crate) fn last(&self, seq: Seq) -> Option<Attempt> {
        self.last.get(seq.0).map(|past| self.unpack(seq, past))
    }

    /// The notes and logs of an item, by attempt, oldest first, the note first.
    pub(crate) fn blobs(&self, seq: Seq) -> impl Iterator<Item = Blob> {
        let last = self.last.get(seq.0);
        let earlier = last
            .into_iter()
            .flat_map(move |last| self.before(seq, last));
        let attempts = earlier.chain(last);
        attempts.flat_map(move |past| [past.note(), self.log(seq, past)].into_iter().flatten())
    }

    /// Bytes of the notes and logs of an item.
    pub(crate) fn bytes(&self, seq: Seq) -> u64 {
        let Some(last) = self.last.get(seq.0) else {
            return 0;
        };
        let earlier = self.before(seq, last).map(|past| self.bytes_of(seq, past));
        self.bytes_of(seq, last) + earlier.sum::<u64>()
    }

    /// Adds an attempt to an item's story. Where it grows too long the oldest is forgotten; where it has too
    /// many bytes, what the oldest left is. How many bytes of notes and logs the story had, and has now.
    pub(crate) fn add(&mut self, seq: Seq, attempt: Attempt, free: &mut Vec<Blob>) -> (u64, u64) {
        self.attempts += 1;
        if let Some(log) = attempt.log {
            self.logs.insert((seq, attempt.fence), log);
        }
        let bytes = [attempt.note, attempt.log].into_iter().flatten();
        let bytes = bytes.map(|blob| u64::from(blob.len)).sum::<u64>();
        let past = Past::pack(attempt);
        self.names += past.name_bytes();
        let Some(last) = self.last.get_mut(seq.0) else {
            self.last.insert(seq.0, past);
            return (0, bytes);
        };
        let previous = core::mem::replace(last, past);
        last.has_earlier = true;
        let earlier = self.earlier.entry(seq).or_default();
        earlier.push(Past {
            has_earlier: false,
            ..previous
        });
        self.shorten(seq, bytes, free)
    }

    /// Keeps what comes before the last attempt, of so many bytes, within its bounds.
    fn shorten(&mut self, seq: Seq, last: u64, free: &mut Vec<Blob>) -> (u64, u64) {
        let Some(mut earlier) = self.earlier.remove(&seq) else {
            return (0, last);
        };
        let before: u64 = (earlier.iter().map(|past| self.bytes_of(seq, past))).sum();
        let mut bytes = before + last;
        if earlier.len() >= STORY_ATTEMPTS {
            self.attempts -= 1;
            let oldest = earlier.remove(0);
            self.names -= oldest.name_bytes();
            bytes -= self.bytes_of(seq, &oldest);
            free.extend(oldest.note());
            free.extend(self.drop_log(seq, &oldest));
        }
        for past in &mut earlier {
            if bytes <= STORY_BYTES {
                break;
            }
            bytes -= self.bytes_of(seq, past);
            free.extend(past.note());
            free.extend(self.drop_log(seq, past));
            (past.has_note, past.has_log) = (false, false);
            (past.note_place, past.note_len) = (0, 0);
        }
        self.earlier.insert(seq, earlier);
        (before, bytes)
    }

    /// Forgets the story of an item; how many bytes of notes and logs it had.
    pub(crate) fn remove(&mut self, seq: Seq, free: &mut Vec<Blob>) -> u64 {
        let Some(last) = self.last.remove(seq.0) else {
            return 0;
        };
        let earlier = match last.has_earlier {
            true => self.earlier.remove(&seq).unwrap_or_default(),
            false => Vec::new(),
        };
        self.attempts -= 1 + earlier.len() as u64;
        let mut bytes = 0;
        for past in earlier.iter().chain([&last]) {
            self.names -= past.name_bytes();
            bytes += self.bytes_of(seq, past);
            free.extend(past.note());
            free.extend(self.drop_log(seq, past));
        }
        bytes
    }

    /// Attempts counted one by one, and the bytes of their workers' names, for
    /// [`Queue::check`](crate::Queue::check).
    pub(crate) fn recount(&self) -> (u64, u64) {
        let earlier = self.earlier.values().flatten();
        let attempts = self.last.range(0).map(|(_, past)| past).chain(earlier);
        attempts.fold((0, 0), |(count, names), past| {
            (count + 1, names + past.name_bytes())
        })
    }

    /// Logs there are, and logs that attempts say they have, for [`Queue::check`](crate::Queue::check).
    pub(crate) fn recount_logs(&self) -> (usize, usize) {
        let earlier = self.earlier.values().flatten();
        let attempts = self.last.range(0).map(|(_, past)| past).chain(earlier);
        let logged = attempts.filter(|past| past.has_log);
        (self.logs.len(), logged.count())
    }

    fn log(&self, seq: Seq, past: &Past) -> Option<Blob> {
        let log = past.has_log.then(|| self.logs.get(&(seq, past.fence)));
        log.flatten().copied()
    }

    fn bytes_of(&self, seq: Seq, past: &Past) -> u64 {
        let log = self.log(seq, past).map_or(0, |log| u64::from(log.len));
        u64::from(past.note_len) + log
    }

    fn drop_log(&mut self, seq: Seq, past: &Past) -> Option<Blob> {
        let log = past.has_log.then(|| self.logs.remove(&(seq, past.fence)));
        log.flatten()
    }

    fn unpack(&self, seq: Seq, past: &Past) -> Attempt {
        Attempt {
            fence: past.fence,
            nth: past.nth,
            worker: past.worker.clone(),
            started: past.started,
            ended: past.ended,
            how: past.how,
            note: past.note(),
            exit_code: past.has_exit_code.then_some(past.exit_code),
            log: self.log(seq, past),
        }
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
            nth: attempt.nth,
            how: attempt.how,
            has_note: attempt.note.is_some(),
            has_exit_code: attempt.exit_code.is_some(),
            has_log: attempt.log.is_some(),
            has_earlier: false,
        }
    }

    fn name_bytes(&self) -> u64 {
        self.worker.as_ref().map_or(0, |name| name.len() as u64)
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
            nth: 0,
            how: How::Expired,
            has_note: false,
            has_exit_code: false,
            has_log: false,
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
