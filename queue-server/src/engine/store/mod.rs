//! Where a server keeps what it acknowledges: a log on disk, or nothing but memory.
//!
//! Commands append what they changed and go on; their answers wait here for the disk. What a record
//! says is in [`encode`] and [`decode`]; where its bytes lie is the log's affair.

pub(super) mod archive;
mod decode;
pub(super) mod encode;
mod gate;
mod replay;
mod tags;
#[cfg(test)]
mod tests;
mod wire;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use queue_log::{Log, LogError, Lsn, OpenError, Opened, Record, Room, Usage};
use tokio::sync::Notify;

use super::room::Length;
use gate::Gate;
pub(super) use gate::{LogFailed, Rest};
pub(crate) use replay::{Recovered, Replay};

/// Where commands are kept.
#[derive(Debug)]
pub(super) struct Store {
    /// None: in memory only.
    log: Option<Log>,
    gate: Arc<Gate>,
    /// Something has gathered since the log's thread was last told.
    gathered: AtomicBool,
    gathers: Notify,
    memory: Memory,
    length: Length,
}

/// Bytes of bodies, results and errors in memory, over all queues.
#[derive(Debug)]
struct Memory {
    used: AtomicU64,
    budget: u64,
}

/// Bytes that were to be read back from the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Logged {
    /// Where their checksum lies, and they behind it.
    pub(crate) at: Lsn,
    /// How many.
    pub(crate) len: u32,
}

/// Why bytes cannot be read back.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// They were moved meanwhile: look up where they are now.
    #[error("the bytes at position {0} of the log were moved")]
    Moved(Lsn),
    /// The disk failed.
    #[error(transparent)]
    Log(LogError),
    /// They are not what was written.
    #[error("the bytes at position {0} of the log are damaged")]
    Damaged(Lsn),
}

impl Store {
    /// Keeps everything in memory, and nothing else.
    pub(super) fn in_memory() -> Self {
        Self::new(None, Arc::default(), u64::MAX, 0)
    }

    /// Keeps everything in a log that was read; bodies in memory too, up to a budget of bytes. The log
    /// may be longer than what lives by the `slack`.
    pub(super) fn on_log(opened: Opened, budget: u64, slack: u64) -> Result<Self, OpenError> {
        let gate = Arc::new(Gate::default());
        let log = opened.start({
            let gate = Arc::clone(&gate);
            Box::new(move |progress| gate.advance(&progress))
        })?;
        gate.advance(&log.progress());
        Ok(Self::new(Some(log), gate, budget, slack))
    }

    fn new(log: Option<Log>, gate: Arc<Gate>, budget: u64, slack: u64) -> Self {
        let used = AtomicU64::new(0);
        Self {
            log,
            gate,
            gathered: AtomicBool::new(false),
            gathers: Notify::new(),
            memory: Memory { used, budget },
            length: Length::new(slack),
        }
    }

    /// The log, if there is one.
    pub(super) fn log(&self) -> Option<&Log> {
        self.log.as_ref()
    }

    /// Whether commands are kept on disk.
    pub(super) fn is_durable(&self) -> bool {
        self.log.is_some()
    }

    /// Appends a record; where it begins and ends. Nothing, in memory.
    pub(super) fn append(&self, write: impl FnOnce(&mut Record<'_>)) -> Option<(Lsn, Lsn)> {
        let log = self.log.as_ref()?;
        let mut start = Lsn::default();
        let end = log.append(|record| {
            start = record.position();
            write(record);
        });
        // Once a turn of the event loop is enough, and costs less than once a record.
        if !self.gathered.swap(true, Ordering::AcqRel) {
            self.gathers.notify_one();
        }
        Some((start, end))
    }

    /// Waits until everything that an answer rests on is where it must be.
    pub(super) async fn wait(&self, rest: Rest) -> Result<(), LogFailed> {
        if rest == Rest::default() {
            return Ok(());
        }
        self.gate.wait(rest).await
    }

    /// Why nothing can be kept any more, if so.
    pub(super) fn failure(&self) -> Option<&LogFailed> {
        self.gate.failure()
    }

    /// Whether the disk has room for a command of this kind that writes so many bytes; for one that makes
    /// the log larger, beside what all items need to end.
    pub(super) fn has_room(&self, room: Room, bytes: u64, ends: u64) -> bool {
        let Some(log) = &self.log else { return true };
        match room {
            Room::Grow => self.length.may_grow(log, bytes, ends),
            Room::Lend | Room::Settle | Room::Nothing => log.room_for(bytes) >= room,
        }
    }

    /// Whether the disk has room for so many bytes that stay.
    pub(super) fn may_keep(&self, bytes: u64) -> bool {
        let may = |log| self.length.may_keep(log, bytes);
        self.log.as_ref().is_none_or(may)
    }

    /// How long the log is and may be.
    pub(super) fn length(&self) -> &Length {
        &self.length
    }

    /// Bytes of the log that may stay, if it is too long.
    pub(super) fn compact_to(&self) -> Option<u64> {
        let log = self.log.as_ref()?;
        self.length.is_too_long(log).then(|| self.length.aim(log))
    }

    /// The log was compacted as far as it could be; so many bytes had to stay of what it held when that
    /// began.
    pub(super) fn compacted(&self, kept: u64) {
        if let Some(log) = &self.log {
            self.length.compacted(log, kept);
        }
    }

    /// Whether so many bytes can be written that make room later.
    pub(super) fn can_rewrite(&self, bytes: u64) -> bool {
        let fits = |log: &Log| log.left() >= bytes || log.room_for(bytes) >= Room::Lend;
        self.log.as_ref().is_none_or(fits)
    }

    /// What the log takes; nothing, in memory.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.log.as_ref().map(Log::usage)
    }

    /// How far the log is on disk.
    pub(super) fn durable(&self) -> Lsn {
        self.log
            .as_ref()
            .map_or(Lsn::default(), |log| log.progress().durable)
    }

    /// Lets go of what lies before a position.
    pub(super) fn trim(&self, before: Lsn) {
        if let Some(log) = &self.log {
            log.trim(before);
        }
    }

    /// Whether bodies should stay on disk alone.
    pub(super) fn is_over_budget(&self) -> bool {
        self.memory.used.load(Ordering::Relaxed) > self.memory.budget
    }

    /// A queue holds so many bytes of bodies now, after so many.
    pub(super) fn holds(&self, before: u64, now: u64) {
        // Wraps below zero on the way, and comes out right in the end.
        let change = now.wrapping_sub(before);
        self.memory.used.fetch_add(change, Ordering::Relaxed);
    }

    /// Bytes of bodies that memory has room for.
    pub(super) fn body_budget(&self) -> u64 {
        self.memory.budget
    }

    /// Bytes of bodies in memory.
    pub(super) fn body_memory(&self) -> u64 {
        self.memory.used.load(Ordering::Relaxed)
    }

    /// Reads bytes back from the log. Blocks on the disk.
    pub(super) fn fetch(&self, logged: Logged) -> Result<Vec<u8>, FetchError> {
        let log = self
            .log
            .as_ref()
            .expect("bytes are in the log of a store that has one");
        let mut bytes = vec![0; logged.len as usize + wire::CHECKSUM_BYTES];
        log.read(logged.at, &mut bytes)
            .map_err(|error| match error {
                LogError::Gone(at) => FetchError::Moved(at),
                LogError::Io { .. } | LogError::Damaged { .. } => FetchError::Log(error),
            })?;
        if wire::checked(&bytes).is_none() {
            return Err(FetchError::Damaged(logged.at));
        }
        bytes.drain(..wire::CHECKSUM_BYTES);
        Ok(bytes)
    }

    /// Reads the records of a range that is durable.
    pub(super) fn frames(
        &self,
        from: Lsn,
        to: Lsn,
        visit: &mut dyn FnMut(Lsn, &[u8]) -> io::Result<()>,
    ) -> Result<(), LogError> {
        match &self.log {
            Some(log) => log.frames(from, to, visit),
            None => Ok(()),
        }
    }

    /// Moves what gathers to the log's thread, and lets go of answers whose records are on disk. Comes
    /// back when the log has failed.
    pub(super) async fn run(&self) -> LogFailed {
        let Some(log) = &self.log else {
            return std::future::pending().await;
        };
        loop {
            tokio::select! {
                () = self.gathers.notified() => {
                    // Runs again when the event loop has nothing else to do and is about to wait: by
                    // then everybody who came in this turn has appended. Handing over at once makes
                    // groups of one, and waking the log's thread costs more than the disk.
                    tokio::task::yield_now().await;
                    self.gathered.store(false, Ordering::Release);
                    log.hand_over();
                }
                () = self.gate.moved() => {
                    self.gate.release();
                    self.length.measure(log);
                    if let Some(failed) = self.failure() {
                        return failed.clone();
                    }
                }
            }
        }
    }

    /// Puts everything on disk that was appended. [`Store::run`] must run beside it.
    pub(super) async fn flush(&self) -> Result<(), LogFailed> {
        let durable = self.usage().unwrap_or_default().end;
        self.gathers.notify_one();
        self.wait(Rest {
            durable,
            ..Rest::default()
        })
        .await
    }
}
