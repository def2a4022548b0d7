//! A copy of everything while it goes on, and everything from a copy.
//!
//! A backup is the log from its start to one position: what was acknowledged before it was asked for is
//! in it, and of each command all or nothing. A restore replays it into an engine without queues, and
//! has all of them there at once or none.

use std::io::{self, Read};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use bytes::{Buf, Bytes};
use queue_api::Restored;
use queue_log::{Lsn, Room};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::Engine;
use super::fault::Fault;
use super::live::LiveQueue;
use super::store::archive::{self, ArchiveError};
use super::store::{Recovered, Replay, Rest, encode};

/// Chunks that wait for a slow reader or a slow disk.
const CHUNKS: usize = 4;
/// Bytes of bodies that are put aside in the log before the disk has had them.
const ASIDE: u64 = 8 * 1024 * 1024;

/// Backups at a time: each holds a thread, and keeps what it reads from being let go.
pub(super) const MAX_BACKUPS: usize = 2;

/// A backup on its way out, or in.
pub(crate) type Chunks = mpsc::Receiver<io::Result<Bytes>>;

impl Engine {
    /// The log as it is on disk now. The last chunk is an error if it could not be read to its end.
    pub(crate) fn backup(self: &Arc<Self>) -> Result<Chunks, Fault> {
        self.check_ready()?;
        let store = self.shared.store();
        let Some(usage) = store.usage() else {
            return Err(Fault::NothingToBackUp);
        };
        let Ok(place) = Arc::clone(&self.backups).try_acquire_owned() else {
            return Err(Fault::TooManyBackups(MAX_BACKUPS));
        };
        let (from, to) = (usage.start, store.durable());
        let (chunks, backup) = mpsc::channel(CHUNKS);
        let engine = Arc::clone(self);
        // Ends with its reader, or with the log's last frame.
        tokio::task::spawn_blocking(move || {
            let _place = place;
            let gone = || io::Error::other("nobody reads the backup any more");
            let send = |chunk: Vec<u8>| chunks.blocking_send(Ok(chunk.into())).map_err(|_| gone());
            let mut frames = 0;
            let mut copy = || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
                send(archive::head())?;
                engine.shared.store().frames(from, to, &mut |at, bytes| {
                    frames += 1;
                    send(archive::frame(at, bytes))
                })?;
                Ok(send(archive::end(frames))?)
            };
            if let Err(error) = copy() {
                // A reader that is gone needs no word of it.
                let _gone = chunks.blocking_send(Err(io::Error::other(error)));
            }
        });
        Ok(backup)
    }

    /// Brings back the queues of a backup. Nothing else is served meanwhile; not to be dropped before its
    /// end, which is what would be served again.
    pub(crate) async fn restore(self: &Arc<Self>, backup: Chunks) -> Result<Restored, Fault> {
        self.check_ready()?;
        self.shared.room_for(Room::Grow, 1, 0)?;
        // From here on nobody makes a queue, and of two restores one goes on.
        let making = self.making.write().unwrap_or_else(PoisonError::into_inner);
        let was_ready = self.shared.ready.swap(false, Ordering::AcqRel);
        drop(making);
        if !was_ready {
            return Err(Fault::Recovering);
        }
        let restored = match self.by_name.is_empty() {
            true => self.restore_all(backup).await,
            false => Err(Fault::NotEmpty(self.by_name.len())),
        };
        self.pin(None);
        self.shared.ready.store(true, Ordering::Release);
        restored
    }

    async fn restore_all(self: &Arc<Self>, backup: Chunks) -> Result<Restored, Fault> {
        let store = self.shared.store();
        // What is put aside belongs to no queue yet, and no compaction may let it go.
        self.pin(Some(store.durable()));
        let engine = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || engine.replay(backup));
        let (queues, latest) = read
            .await
            .map_err(|stopped| Fault::BadBackup(stopped.to_string()))??;
        self.shared.clock.not_before(latest);
        let queues = queues.into_iter().map(|queue| {
            let queue = LiveQueue::recovered(queue, Arc::clone(&self.shared));
            Arc::new(queue)
        });
        let queues: Vec<_> = queues.collect();
        if store.is_durable() {
            let mut opened = Vec::new();
            for queue in &queues {
                opened.push((queue, queue.write_parts().await?));
            }
            // One record: after a crash all queues are there, or none.
            let closed = store.append(|record| {
                for (queue, _) in &opened {
                    let totals = queue.lock().core.totals();
                    encode::closed(record, queue.incarnation, &totals);
                }
            });
            let (_, end) = closed.unwrap_or_default();
            store.wait(Rest::default().and(end)).await?;
            for (queue, base) in opened {
                queue.lock().base = base;
            }
        }
        let mut unfinished = 0;
        for queue in &queues {
            self.list(queue);
            // Once it is listed, or a wake-up that it asks for finds no queue to wake; and before the first
            // command, which would end leases that ran out while nobody could renew them.
            queue.renew_leases();
            unfinished += queue.glance()?.unfinished;
        }
        Ok(Restored {
            queues: queues.len() as u64,
            unfinished,
        })
    }

    /// Reads a backup into queues that nobody sees yet. Blocks on whoever sends it, and on the disk.
    fn replay(&self, backup: Chunks) -> Result<(Vec<Recovered>, queue_core::Time), Fault> {
        let store = self.shared.store();
        let runtime = Handle::current();
        let mut replay = Replay::new(store.body_budget());
        let mut aside = Lsn::default();
        let read = archive::read(&mut Arriving::new(backup), &mut |at, bytes| {
            // Positions of the backup mean nothing here: bodies that memory has no room for are put
            // aside in this log.
            if !store.has_room(Room::Lend, bytes.len() as u64 + ASIDE, 0) {
                return Err(Fault::StorageFull.into());
            }
            replay.frame_of_another_log(at, bytes, &mut |bytes| {
                let mut at = Lsn::default();
                store.append(|record| at = encode::aside(record, bytes));
                at
            })?;
            let end = store.usage().unwrap_or_default().end;
            if end.0 > aside.0 + ASIDE {
                aside = end;
                let written = runtime.block_on(store.wait(Rest::default().and(end)));
                written.map_err(Fault::from)?;
            }
            Ok(())
        });
        read.map_err(bad_backup)?;
        let latest = replay.latest();
        let queues = replay.finish();
        Ok((queues, latest))
    }

    /// Lets everybody find a queue.
    pub(super) fn list(&self, queue: &Arc<LiveQueue>) {
        self.by_incarnation
            .insert(queue.incarnation, Arc::clone(queue));
        self.by_name.insert(queue.name.clone(), Arc::clone(queue));
        queue.has_changed();
    }
}

/// The whole chain: whoever restores has nothing but the answer to go by.
fn bad_backup(error: ArchiveError) -> Fault {
    // What is wrong with this server is not the backup's fault.
    let error = match error {
        ArchiveError::Replay { frame, source } => match source.downcast::<Fault>() {
            Ok(fault) => return *fault,
            Err(source) => ArchiveError::Replay { frame, source },
        },
        error => error,
    };
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    Fault::BadBackup(text)
}

/// A backup on its way in, for one who reads and blocks.
struct Arriving {
    chunks: Chunks,
    current: Bytes,
}

impl Arriving {
    fn new(chunks: Chunks) -> Self {
        Self {
            chunks,
            current: Bytes::new(),
        }
    }
}

impl Read for Arriving {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.current = chunk?,
                None => return Ok(0),
            }
        }
        let count = into.len().min(self.current.len());
        self.current.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}
