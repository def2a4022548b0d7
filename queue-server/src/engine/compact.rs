//! Keeping the log as long as what lives, and not as what happened.
//!
//! Where the log is more than twice as long as its live data would be, the queues whose records begin
//! first are written down anew at its end, a slice at a time between the commands of others, and what
//! lies before the first record of any queue is let go. Twice: each byte of a live item is then copied
//! about once for each byte that is let go.

use std::collections::HashMap;
use std::sync::Arc;

use queue_core::{Blob, Cursor, Seq};
use queue_log::{Lsn, Room};
use tracing::{debug, info};

use super::Engine;
use super::bodies::Stored;
use super::fault::Fault;
use super::live::{Inner, LiveQueue};
use super::store::encode::{self, Introduced, Source};
use super::store::{FetchError, Logged, Rest};

/// Items or outcomes in a slice: what is written under the queue's lock at once.
const SLICE_PARTS: usize = 500;
/// Bytes of bodies in a slice, one item apart that has more.
const SLICE_BYTES: u64 = 256 * 1024;
/// Bytes that are read from disk at once, before a slice that needs them.
const READ_BYTES: u64 = 1024 * 1024;
/// Bytes that an outcome, an item or an attempt takes in a snapshot beside the bytes it brings.
const PART_BYTES: u64 = 40;
/// Length below which no log is worth the work, in bytes.
const SLACK: u64 = 16 * 1024 * 1024;

/// Growth of a log that is looked at again, at least, in bytes.
const SOON: u64 = 1024 * 1024;

/// What became of the attempt to write a slice.
enum Slice {
    /// It was appended, and there is more.
    Written(Lsn),
    /// It was appended, and it was the last.
    Closed(Lsn),
    /// These bytes must be read first.
    Needs(Vec<Logged>),
}

/// Whether a snapshot is whole with its last slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// It is, and replaces what was known of the queue.
    Closed,
    /// Somebody else writes its end.
    Open,
}

/// Bytes that were read for a slice.
type Fetched = HashMap<Logged, Vec<u8>>;

impl Engine {
    /// Shortens the log whenever it is too long, until the engine stops.
    pub(crate) async fn run_compaction(self: Arc<Self>) {
        let stop = self.stopping();
        loop {
            tokio::select! {
                () = self.shared.store().is_long() => {}
                () = stop.cancelled() => return,
            }
            if let Err(fault) = self.compact().await {
                // The log failed: whoever keeps the store says so, and the server stops.
                debug!("no compaction: {fault}");
                return;
            }
        }
    }

    /// Writes down the queues whose records begin first, until the log is short enough.
    async fn compact(&self) -> Result<(), Fault> {
        let store = self.shared.store();
        let Some(usage) = store.usage() else {
            return Ok(());
        };
        let live: u64 = self.all().iter().map(|queue| queue.live_bytes()).sum();
        let length = |start: Lsn| usage.end.0 - start.0;
        let before = length(usage.start);
        let garbage = before.saturating_sub(live);
        let is_short = store.left() < before / 4;
        if garbage > live + SLACK || (is_short && garbage > before / 8) {
            let enough = if is_short { live } else { live + SLACK };
            let mut queues = self.all();
            queues.sort_unstable_by_key(|queue| queue.base());
            for queue in queues {
                if length(self.trim()) <= enough || queue.base() >= usage.end {
                    break;
                }
                match queue.write_down().await {
                    // One that was deleted meanwhile takes its records along. One that has no room now
                    // may have some once others were written down.
                    Ok(()) | Err(Fault::NoSuchQueue(_) | Fault::StorageFull) => {}
                    Err(fault) => return Err(fault),
                }
            }
            let start = self.trim();
            info!(
                bytes = length(start),
                freed = start.0 - usage.start.0,
                "the log was compacted"
            );
            // Those who found no room to be lent to.
            for queue in self.all() {
                queue.tick();
            }
        }
        let now = store.usage().unwrap_or_default();
        let length = now.end.0 - now.start.0;
        // The less room there is the sooner it is looked at again.
        let soon = length.saturating_add(store.left() / 2 + SOON);
        store.call_when_longer_than(soon.min((2 * live + SLACK).max(length + SOON)));
        Ok(())
    }

    /// Lets go of what lies before the first record of any queue; where that is.
    fn trim(&self) -> Lsn {
        let store = self.shared.store();
        // Taken before the look: a queue that is made meanwhile begins later.
        let durable = store.durable();
        let bases = self.all();
        let first = bases.iter().map(|queue| queue.base()).min();
        let start = first.map_or(durable, |first| first.min(durable));
        let start = self.pinned().map_or(start, |pin| start.min(pin));
        store.trim(start);
        start
    }

    fn all(&self) -> Vec<Arc<LiveQueue>> {
        let queues = self.by_incarnation.iter();
        queues.map(|queue| Arc::clone(&queue)).collect()
    }
}

impl LiveQueue {
    fn base(&self) -> Lsn {
        self.lock().base
    }

    /// Bytes that a snapshot of it would take, about.
    fn live_bytes(&self) -> u64 {
        let inner = self.lock();
        inner.bodies.live_bytes() + inner.core.snapshot_len() * PART_BYTES
    }

    /// Writes the queue down at the end of the log, and has it begin there.
    async fn write_down(&self) -> Result<(), Fault> {
        // Out of the reserve, if need be: what is let go afterwards is more. But not to its last byte.
        let (store, bytes) = (self.shared.store(), self.live_bytes() + SLICE_BYTES);
        if store.left() < bytes && store.room_for(bytes) < Room::Settle {
            return Err(Fault::StorageFull);
        }
        let base = self.write_snapshot(Ending::Closed).await?;
        self.lock().base = base;
        Ok(())
    }

    /// Writes down a queue that nobody sees yet, but for the end; where that begins.
    pub(super) async fn write_parts(&self) -> Result<Lsn, Fault> {
        self.write_snapshot(Ending::Open).await
    }

    async fn write_snapshot(&self, ending: Ending) -> Result<Lsn, Fault> {
        let (base, mut cursor) = self.open_snapshot()?;
        let mut fetched = Fetched::new();
        loop {
            let (end, closed) = match self.write_slice(&mut cursor, &fetched, ending)? {
                Slice::Written(end) => (end, false),
                Slice::Closed(end) => (end, true),
                Slice::Needs(needs) => {
                    fetched = self.fetch(needs).await?;
                    continue;
                }
            };
            // At the pace of the disk, so that commands wait for one slice at most.
            let rest = Rest::default().and(end);
            self.shared.store().wait(rest).await?;
            if closed {
                return Ok(base);
            }
        }
    }

    fn open_snapshot(&self) -> Result<(Lsn, Cursor), Fault> {
        let inner = self.present()?;
        let (head, cursor) = inner.core.snapshot();
        let queue = Introduced {
            incarnation: self.incarnation,
            name: &self.name,
            settings: &inner.settings,
        };
        let now = self.shared.clock.now();
        let store = self.shared.store();
        let recorded = store.append(|record| encode::head(record, queue, now, &head));
        let (base, _) = recorded.unwrap_or_default();
        Ok((base, cursor))
    }

    fn write_slice(
        &self,
        cursor: &mut Cursor,
        fetched: &Fetched,
        ending: Ending,
    ) -> Result<Slice, Fault> {
        let mut inner = self.present()?;
        let Inner { core, bodies, .. } = &mut *inner;
        let missing = |blob| match bodies.get(blob) {
            Stored::Logged(logged) if !fetched.contains_key(&logged) => Some(logged),
            _ => None,
        };
        let upcoming: Vec<(Seq, Blob)> = core.upcoming_blobs(cursor, SLICE_PARTS).collect();
        let items = || upcoming.chunk_by(|(one, _), (other, _)| one == other);
        let at_hand =
            items().take_while(|item| item.iter().all(|(_, blob)| missing(*blob).is_none()));
        let whole = within(SLICE_BYTES, at_hand).count();
        if whole == 0 && !upcoming.is_empty() {
            let read = within(READ_BYTES, items()).flatten();
            return Ok(Slice::Needs(
                read.filter_map(|(_, blob)| missing(*blob)).collect(),
            ));
        }
        let mut parts = Vec::new();
        // Without items: outcomes, or the end.
        let max = if whole == 0 { SLICE_PARTS } else { whole };
        let closed = core.parts(cursor, max, &mut parts);
        if closed && ending == Ending::Open {
            parts.pop();
        }
        let store = self.shared.store();
        let spills = store.is_over_budget();
        let mut placed = Vec::new();
        let recorded = store.append(|record| {
            let bytes = |blob| match bodies.get(blob) {
                Stored::Here(bytes) => bytes,
                Stored::Logged(logged) => fetched
                    .get(&logged)
                    .expect("items are written once their bytes were read"),
            };
            let mut source = Source {
                bytes: &bytes,
                placed: &mut |blob, at| placed.push((blob, at)),
            };
            encode::parts(record, self.incarnation, &parts, &mut source);
        });
        for (blob, at) in placed {
            if spills || matches!(bodies.get(blob), Stored::Logged(_)) {
                bodies.move_to_log(blob, at);
            }
        }
        let (_, end) = recorded.unwrap_or_default();
        Ok(if closed {
            Slice::Closed(end)
        } else {
            Slice::Written(end)
        })
    }

    /// Reads bytes off the threads that serve. What was moved or let go meanwhile is left out.
    async fn fetch(&self, needs: Vec<Logged>) -> Result<Fetched, Fault> {
        let shared = Arc::clone(&self.shared);
        let read = move || -> Result<Fetched, FetchError> {
            let read = needs.into_iter().map(|logged| {
                let bytes = shared.store().fetch(logged);
                bytes.map(|bytes| (logged, bytes))
            });
            read.filter(|read| !matches!(read, Err(FetchError::Moved(_))))
                .collect()
        };
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(fetched)) => Ok(fetched),
            Ok(Err(error)) => Err(Fault::Unreadable(error.to_string())),
            Err(stopped) => Err(Fault::Unreadable(stopped.to_string())),
        }
    }
}

/// The first items that have so many bytes together, and one whole item at least.
fn within<'a>(
    limit: u64,
    items: impl Iterator<Item = &'a [(Seq, Blob)]>,
) -> impl Iterator<Item = &'a [(Seq, Blob)]> {
    let mut bytes = 0;
    items.take_while(move |item| {
        let fits = bytes < limit;
        bytes += item
            .iter()
            .map(|(_, blob)| u64::from(blob.len))
            .sum::<u64>();
        fits
    })
}
