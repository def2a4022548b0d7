//! An account of the bytes a queue was given: each is freed at most once, never while the queue still
//! refers to it, and in the end exactly what the queue refers to is left.

use std::collections::{HashMap, HashSet};

use queue_core::{Blob, Event, Queue, Seq};

#[derive(Default)]
pub(crate) struct Blobs {
    next_place: u64,
    kept: HashMap<Blob, Seq>,
    freed: HashSet<Blob>,
}

impl Blobs {
    /// A place for so many bytes. It counts from the moment an event names it.
    pub(crate) fn store(&mut self, len: u32) -> Blob {
        self.next_place += 1;
        Blob {
            place: self.next_place,
            len,
        }
    }

    pub(crate) fn freed(&self) -> usize {
        self.freed.len()
    }

    pub(crate) fn is_freed(&self, blob: Blob) -> bool {
        self.freed.contains(&blob)
    }

    /// Notes the bytes that an event gives into the queue's keeping.
    pub(super) fn hand_in(&mut self, event: &Event) {
        for (blob, seq) in brought(event) {
            assert!(
                !self.freed.contains(&blob),
                "{blob:?} was free when it was handed in"
            );
            assert_eq!(
                self.kept.insert(blob, seq),
                None,
                "{blob:?} was handed in twice"
            );
        }
    }

    pub(super) fn free(&mut self, free: &[Blob], queue: &Queue) {
        for blob in free {
            let seq = self.kept.remove(blob);
            let seq = seq.unwrap_or_else(|| panic!("{blob:?} is freed twice or was never kept"));
            assert!(
                !refers(queue, seq).any(|it| it == *blob),
                "{blob:?} is freed while in use"
            );
            self.freed.insert(*blob);
        }
    }

    /// Nothing leaked: what is not freed is what the queue refers to.
    pub(super) fn balance(&self, queue: &Queue) {
        let all = (0..queue.next_seq().0).map(Seq);
        let referred: HashMap<Blob, Seq> = all
            .flat_map(|seq| refers(queue, seq).map(move |blob| (blob, seq)))
            .collect();
        assert_eq!(
            referred, self.kept,
            "bytes the queue refers to, and bytes not freed"
        );
    }
}

/// The bytes that an event brings, and the item they belong to.
pub(super) fn brought(event: &Event) -> impl Iterator<Item = (Blob, Seq)> + use<> {
    let (blobs, seq) = match *event {
        Event::Enqueued { body, seq, .. } => ([Some(body), None], seq),
        Event::Settled { note, log, seq, .. } => ([note, log], seq),
        _ => ([None, None], Seq(0)),
    };
    blobs.into_iter().flatten().map(move |blob| (blob, seq))
}

pub(super) fn refers(queue: &Queue, seq: Seq) -> impl Iterator<Item = Blob> + use<> {
    let body = queue.item(seq).map(|item| item.body());
    let attempts = queue.story(seq).into_iter();
    let told = attempts.flat_map(|attempt| [attempt.note, attempt.log].into_iter().flatten());
    body.into_iter().chain(told)
}
