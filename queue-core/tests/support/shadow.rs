//! A queue put together from a snapshot while the live one goes on: what a recovery would make of the
//! log, part by part and event by event, with an account of the bytes it was given.

use std::collections::HashSet;

use super::blobs::brought;
use queue_core::{Blob, Cursor, Event, Part, Queue, Seq};

pub(super) struct Shadow {
    pub(super) queue: Queue,
    cursor: Cursor,
    kept: HashSet<Blob>,
}

impl Shadow {
    pub(super) fn begin(live: &Queue) -> Self {
        let (head, cursor) = live.snapshot();
        Self {
            queue: Queue::restoring(&head),
            cursor,
            kept: HashSet::new(),
        }
    }

    /// Takes the next slice; true when that was the last.
    pub(super) fn slice(&mut self, live: &Queue, max: usize) -> bool {
        let upcoming: Vec<(Seq, Blob)> = live.upcoming_blobs(&self.cursor, max).collect();
        let mut parts = Vec::new();
        let closed = live.parts(&mut self.cursor, max, &mut parts);
        assert!(parts.len() <= max + 2 * usize::from(closed));
        let told: Vec<_> = parts.iter().flat_map(blobs).collect();
        assert_eq!(told, upcoming, "blobs that were announced");
        for part in parts {
            self.restore(part);
        }
        assert_eq!(self.queue.is_restoring(), !closed);
        closed
    }

    pub(super) fn evolve(&mut self, event: &Event) {
        for (blob, _) in brought(event) {
            self.keep(blob);
        }
        let mut free = Vec::new();
        self.queue.evolve(event, &mut free);
        self.free(&free);
    }

    fn restore(&mut self, part: Part) {
        blobs(&part).for_each(|(_, blob)| self.keep(blob));
        let mut free = Vec::new();
        self.queue.restore(part, &mut free);
        self.free(&free);
    }

    fn keep(&mut self, blob: Blob) {
        assert!(self.kept.insert(blob), "{blob:?} was given twice");
    }

    fn free(&mut self, free: &[Blob]) {
        for blob in free {
            assert!(self.kept.remove(blob), "{blob:?} is freed twice");
        }
    }

    /// The queue, which must by now be the live one, down to the bytes it keeps.
    pub(super) fn finish(self, live: &Queue) -> Queue {
        self.queue.check();
        assert!(
            self.queue == *live,
            "a snapshot and what came after it give another queue"
        );
        let referred: HashSet<Blob> = (0..live.next_seq().0)
            .flat_map(|seq| super::blobs::refers(live, Seq(seq)))
            .collect();
        assert_eq!(referred, self.kept, "bytes of a queue put together");
        self.queue
    }
}

fn blobs(part: &Part) -> impl Iterator<Item = (Seq, Blob)> {
    let kept = match part {
        Part::Item(kept) => Some(kept),
        _ => None,
    };
    kept.into_iter().flat_map(|kept| {
        let attempts = kept.story.iter();
        let told = attempts.flat_map(|attempt| [attempt.note, attempt.log].into_iter().flatten());
        std::iter::once(kept.body)
            .chain(told)
            .map(|blob| (kept.seq, blob))
    })
}
