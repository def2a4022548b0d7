//! A log that is written.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use crate::frame::Kind;
use crate::scan::Scan;
use crate::segment::Segment;
use crate::writer::{Shared, Writer};
use crate::{Disk, Lsn, Record, preparer};

/// A log that is written. Dropping it writes and syncs what has gathered.
#[derive(Debug)]
pub struct Log {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
    preparer: Option<JoinHandle<()>>,
}

/// How far a log has come. Never goes back.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Everything before it was written: it survives the process.
    pub written: Lsn,
    /// Everything before it was synced: it survives the machine.
    pub durable: Lsn,
    /// The first failure of a write or a sync: nothing after `durable` can be trusted, and nothing is
    /// written any more.
    pub failed: Option<Arc<io::Error>>,
}

/// What there is room for. Ordered: whoever has room for more has room for less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// Nothing: even what makes room later has none.
    Nothing,
    /// What ends items.
    Settle,
    /// What ends items and what lends them.
    Lend,
    /// Everything.
    Grow,
}

/// What a log takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// The oldest position that is kept.
    pub start: Lsn,
    /// The end of what was appended.
    pub end: Lsn,
    /// Bytes of all segment files, spare ones too.
    pub bytes: u64,
    /// Segment files.
    pub segments: u64,
    /// Syncs since the start.
    pub syncs: u64,
    /// Frames since the start.
    pub frames: u64,
}

/// Why bytes of a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// They were trimmed, or were never there.
    #[error("the log does not hold position {0}")]
    Gone(Lsn),
    /// They are not what was written.
    #[error("the log is damaged at position {lsn}: {reason}")]
    Damaged {
        /// The frame.
        lsn: Lsn,
        /// What is wrong.
        reason: String,
    },
    /// The medium failed, or whoever visits frames did.
    #[error("cannot read the log at position {lsn}")]
    Io {
        /// Where.
        lsn: Lsn,
        /// Why not.
        source: io::Error,
    },
}

impl Log {
    /// Starts the threads. Everything before `end` is durable, `segment` is the last one.
    pub(crate) fn start(shared: Shared, segment: Arc<Segment>, epoch: u64) -> io::Result<Self> {
        let shared = Arc::new(shared);
        let mut log = Self {
            shared: Arc::clone(&shared),
            writer: None,
            preparer: None,
        };
        // Whoever waits for room is told of the spares that are there already.
        shared.store.publish(&shared.store.state());
        let writer = Writer {
            shared: Arc::clone(&shared),
            segment,
            epoch,
        };
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        log.preparer = Some(named("log-files").spawn(move || preparer::run(&shared.store))?);
        log.writer = Some(named("log-writer").spawn(move || writer.run())?);
        Ok(log)
    }

    /// Appends a record to the group that gathers, and says where it ends: it is written, or durable,
    /// when [`Progress`] has reached that. Never waits for the disk. After a failure it is dropped.
    pub fn append(&self, write: impl FnOnce(&mut Record<'_>)) -> Lsn {
        self.shared.gather.append(write)
    }

    /// Lets the log's thread have what has gathered. Until then it gathers.
    pub fn hand_over(&self) {
        self.shared.gather.hand_over();
    }

    /// How far it has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.shared.progress()
    }

    /// What there is room for.
    #[must_use]
    pub fn room(&self) -> Room {
        self.room_for(0)
    }

    /// What there is room for once so many bytes more were appended. What is appended without room
    /// may fail, and the log with it.
    #[must_use]
    pub fn room_for(&self, bytes: u64) -> Room {
        let appended = self.shared.gather.appended();
        let written = self.shared.written();
        let store = &self.shared.store;
        if store.space.guesses(written, appended, bytes) {
            store.publish(&store.state());
        }
        store.space.room(written, appended, bytes)
    }

    /// Bytes that may be appended, in frames that fit its segments, until only the reserve is left:
    /// until what makes the log larger is refused.
    #[must_use]
    pub fn left(&self) -> u64 {
        let appended = self.shared.gather.appended();
        let written = self.shared.written();
        self.shared.store.space.left(written, appended)
    }

    /// The disk it lies on.
    #[must_use]
    pub fn disk(&self) -> &dyn Disk {
        &*self.shared.store.disk
    }

    /// What it takes.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let end = self.shared.gather.appended();
        let state = self.shared.store.state();
        let start = state.live.front().map_or(end, |first| first.header.base);
        let files = state.live.len() + state.doomed.len() + state.spares.len();
        Usage {
            start,
            end,
            bytes: state.total,
            segments: files as u64,
            syncs: self.shared.syncs.load(Ordering::Relaxed),
            frames: self.shared.frames.load(Ordering::Relaxed),
        }
    }

    /// Reads bytes that were written, from an address that [`Record::position`] gave. They are as the
    /// disk returns them: whoever keeps the address keeps a checksum with the bytes.
    pub fn read(&self, at: Lsn, bytes: &mut [u8]) -> Result<(), LogError> {
        let gone = LogError::Gone(at);
        let end = at.0.checked_add(bytes.len() as u64).map(Lsn);
        let Some(end) = end.filter(|end| *end <= self.shared.written()) else {
            return Err(gone);
        };
        let Some(segment) = self.shared.store.find(at) else {
            return Err(gone);
        };
        if end > segment.limit() {
            return Err(gone);
        }
        segment
            .file
            .read_at(bytes, segment.offset(at))
            .map_err(|source| LogError::Io { lsn: at, source })
    }

    /// Lets go of whole segments before this position, to be used again. After a crash some of them
    /// may be there again: what is kept always begins at the end of a frame, never later than this.
    pub fn trim(&self, before: Lsn) {
        self.shared.store.trim(before, self.shared.durable());
    }

    /// Reads the frames of a range that is durable, in order, as [`crate::Opened::read`] does: those
    /// that begin in it. The segments in the range are kept while it reads.
    pub fn frames(
        &self,
        from: Lsn,
        to: Lsn,
        visit: &mut dyn FnMut(Lsn, &[u8]) -> io::Result<()>,
    ) -> Result<(), LogError> {
        if to > self.shared.durable() {
            return Err(LogError::Gone(to));
        }
        let Some(held) = self.shared.store.range(from, to) else {
            return Err(LogError::Gone(from));
        };
        for (at, segment) in held.iter().enumerate() {
            let next = held.get(at + 1).map_or(to, |next| next.header.base);
            let mut scan = Scan::new(&*segment.file, &segment.header, 0);
            while scan.lsn() < next {
                let lsn = scan.lsn();
                let frame = match scan.next() {
                    Ok(Ok(frame)) => frame,
                    Ok(Err(bad)) => {
                        let reason = bad.to_string();
                        return Err(LogError::Damaged { lsn, reason });
                    }
                    Err(source) => return Err(LogError::Io { lsn, source }),
                };
                if lsn >= from && frame.head.kind == Kind::Records {
                    visit(frame.address(), frame.body)
                        .map_err(|source| LogError::Io { lsn, source })?;
                }
            }
        }
        Ok(())
    }

    /// Writes and syncs what has gathered, and ends the log's threads.
    #[must_use = "what had gathered may not be durable"]
    pub fn close(mut self) -> Progress {
        self.end();
        self.shared.progress()
    }

    fn end(&mut self) {
        self.shared.gather.close();
        if let Some(writer) = self.writer.take() {
            // A panic of its was told when it happened; here it is one more way to have failed.
            let _ = writer.join();
        }
        self.shared.store.close();
        if let Some(preparer) = self.preparer.take() {
            let _ = preparer.join();
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.end();
    }
}
