//! The thread that writes groups and syncs them. It alone writes to segments once the log runs.
//!
//! One frame at a time is written and then synced, so at most the last frame of a log is ever there
//! without being durable. The first failure ends it: what a failed sync left on the medium is not
//! known, and a second sync that succeeds says nothing of what the first one lost.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::frame::{self, Head, Kind};
use crate::gather::{Gather, Taken};
use crate::log::Progress;
use crate::segment::{Header, Segment, Spare};
use crate::store::Store;
use crate::{Lsn, segment};

/// What the writer shares with everybody else.
pub(crate) struct Shared {
    pub(crate) gather: Gather,
    pub(crate) store: Store,
    written: AtomicU64,
    durable: AtomicU64,
    failed: OnceLock<Arc<io::Error>>,
    pub(crate) syncs: AtomicU64,
    pub(crate) frames: AtomicU64,
    progress: Box<dyn Fn(Progress) + Send + Sync>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("progress", &self.progress())
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// All before `end` is durable.
    pub(crate) fn new(
        store: Store,
        end: Lsn,
        progress: Box<dyn Fn(Progress) + Send + Sync>,
    ) -> Self {
        Self {
            gather: Gather::new(end),
            store,
            written: AtomicU64::new(end.0),
            durable: AtomicU64::new(end.0),
            failed: OnceLock::new(),
            syncs: AtomicU64::new(0),
            frames: AtomicU64::new(0),
            progress,
        }
    }

    pub(crate) fn progress(&self) -> Progress {
        // In this order what is durable is never past what is written.
        let durable = self.durable();
        Progress {
            written: self.written(),
            durable,
            failed: self.failed.get().cloned(),
        }
    }

    pub(crate) fn written(&self) -> Lsn {
        Lsn(self.written.load(Ordering::Acquire))
    }

    pub(crate) fn durable(&self) -> Lsn {
        Lsn(self.durable.load(Ordering::Acquire))
    }

    fn tell(&self) {
        (self.progress)(self.progress());
    }
}

/// The writer.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) segment: Arc<Segment>,
    pub(crate) epoch: u64,
}

impl Writer {
    /// Writes what is handed over until the log closes or a write fails.
    pub(crate) fn run(mut self) {
        while let Some(mut taken) = self.shared.gather.take() {
            if let Err(error) = self.write(&mut taken) {
                // Told once it is known to everybody who asks: an append that comes in between
                // is dropped, and whoever made it asks.
                let _ = self.shared.failed.set(Arc::new(error));
                self.shared.gather.fail();
                self.shared.tell();
                return;
            }
            self.shared.gather.give_back(taken.frame);
        }
    }

    /// Makes a group durable.
    fn write(&mut self, taken: &mut Taken) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let lsn = taken.base;
        assert_eq!(lsn, shared.written(), "frames lie end to end");
        let span = frame::span((taken.frame.len() - frame::HEADER) as u64);
        let end = Lsn(lsn.0 + span);
        if end > self.segment.limit() {
            let spare = shared.store.take(span)?;
            self.segment = Arc::new(begin(spare, lsn, self.epoch)?);
            shared.store.begin(Arc::clone(&self.segment));
        }
        put(
            &self.segment,
            &mut taken.frame,
            &Head {
                kind: Kind::Records,
                segment: self.segment.header.number as u32,
                lsn,
                epoch: self.epoch,
                durable: shared.durable(),
            },
        )?;
        shared.written.store(end.0, Ordering::Release);
        shared.frames.fetch_add(1, Ordering::Relaxed);
        shared.tell();
        self.segment.file.sync()?;
        shared.durable.store(end.0, Ordering::Release);
        shared.syncs.fetch_add(1, Ordering::Relaxed);
        shared.tell();
        Ok(())
    }
}

/// Makes a spare the segment from this position on. Its header is synced with its first frame.
pub(crate) fn begin(spare: Spare, base: Lsn, epoch: u64) -> io::Result<Segment> {
    let Spare { number, size, file } = spare;
    let header = Header {
        number,
        base,
        epoch,
        size,
    };
    file.write_at(&header.encode(), 0)?;
    Ok(Segment { header, file })
}

/// Seals a frame and writes it to its place.
pub(crate) fn put(segment: &Segment, frame: &mut Vec<u8>, head: &Head) -> io::Result<()> {
    frame::seal(frame, head).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::FileTooLarge,
            "a group is longer than a frame can say",
        )
    })?;
    debug_assert!(head.lsn >= segment.header.base, "a frame is in its segment");
    debug_assert_eq!(segment::HEADER % frame::ALIGN, 0, "frames are aligned");
    segment.file.write_at(frame, segment.offset(head.lsn))
}
