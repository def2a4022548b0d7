//! Keeping the log as long as what lives, and not as what happened.
//!
//! Where the log is too long for what lives, the queues whose records begin first are written down anew
//! at its end, a slice at a time between the commands of others, and what lies before the first record
//! of any queue is let go. How long is too long is not known here.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use queue_core::{Blob, Cursor, Seq};
use queue_log::{Lsn, Room};
use tracing::{debug, error, info, warn};

use super::Engine;
use super::bodies::Stored;
use super::fault::Fault;
use super::fetch::Sought;
use super::live::{Inner, LiveQueue};
use super::room::LEND_BYTES;
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
/// Bytes that a queue takes beside its parts.
const QUEUE_BYTES: u64 = 1024;
/// How often it is looked whether room has come back.
const AGAIN: Duration = Duration::from_secs(1);

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
        let store = self.shared.store();
        let mut is_full = false;
        loop {
            tokio::select! {
                () = store.length().called() => {}
                // Room may come back without our doing.
                () = tokio::time::sleep(AGAIN), if is_full => {}
                () = stop.cancelled() => return,
            }
            // Again for what happened meanwhile: nobody may call any more.
            while let Some(aim) = store.compact_to() {
                match self.compact(aim).await {
                    Ok(kept) => store.compacted(kept),
                    Err(fault) => {
                        // The log failed: whoever keeps the store says so, and the server stops.
                        debug!(error.message = %fault, "no compaction");
                        return;
                    }
                }
                if stop.is_cancelled() {
                    return;
                }
            }
            let was_full =
                std::mem::replace(&mut is_full, !store.has_room(Room::Lend, LEND_BYTES, 0));
            if was_full && !is_full {
                // What was not lent for want of room has callers that wait for it.
                self.all().iter().for_each(|queue| queue.tick());
            }
        }
    }

    /// Writes down the queues whose records begin first, until the log is short enough; how many bytes
    /// stay of what it held.
    async fn compact(&self, aim: u64) -> Result<u64, Fault> {
        let usage = self.shared.store().usage().unwrap_or_default();
        let length = |start: Lsn| usage.end.0.saturating_sub(start.0);
        // Before the look, as in `trim`.
        let pin = self.pinned();
        let mut queues = self.all();
        queues.sort_by_cached_key(|queue| queue.base());
        for queue in queues {
            // What the one before does not need any more.
            self.trim_before(queue.base(), pin);
            if length(queue.base()) <= aim || queue.base() >= usage.end {
                break;
            }
            match queue.write_down().await {
                // One that was deleted meanwhile takes its records along.
                Ok(()) | Err(Fault::NoSuchQueue(_)) => {}
                Err(fault @ Fault::StorageFull) => {
                    warn!(error.message = %fault, "the log cannot be compacted");
                    break;
                }
                Err(fault @ Fault::Unreadable(_)) => {
                    let queue = queue.name.as_str();
                    error!(queue.name = queue, error.message = %fault, "the log cannot be compacted");
                    break;
                }
                Err(fault) => return Err(fault),
            }
        }
        self.trim();
        let start = self.shared.store().usage().unwrap_or_default().start;
        self.shared.meters.log.compacted();
        info!(
            log.bytes = length(start),
            log.freed_bytes = start.0 - usage.start.0,
            "the log was compacted"
        );
        Ok(length(start))
    }

    /// Lets go of what lies before the first record of any queue.
    fn trim(&self) {
        // Taken before the look: a queue that is made meanwhile begins later.
        let durable = self.shared.store().durable();
        // And this, because what a restore brings is listed before it is let go.
        let pin = self.pinned();
        let bases = self.all();
        let first = bases.iter().map(|queue| queue.base()).min();
        self.trim_before(first.unwrap_or(durable).min(durable), pin);
    }

    /// Lets go of what lies before a position that no queue begins before, as far as it is durable and
    /// not needed otherwise.
    fn trim_before(&self, start: Lsn, pin: Option<Lsn>) {
        let start = pin.map_or(start, |pin| start.min(pin));
        let start = start.min(self.shared.store().durable());
        self.shared.store().trim(start);
    }

    /// All queues whose records are in the log.
    fn all(&self) -> Vec<Arc<LiveQueue>> {
        let _none_is_made = self.making.write().unwrap_or_else(PoisonError::into_inner);
        let queues = self.by_incarnation.iter();
        queues.map(|queue| Arc::clone(&queue)).collect()
    }
}

impl Inner {
    /// Bytes that a snapshot of it would take, about.
    pub(super) fn live_bytes(&self) -> u64 {
        let parts = self.core.snapshot_len() * PART_BYTES;
        QUEUE_BYTES + self.bodies.live_bytes() + parts + self.core.snapshot_texts()
    }
}

impl LiveQueue {
    fn base(&self) -> Lsn {
        self.lock().base
    }

    /// Writes the queue down at the end of the log, and has it begin there.
    pub(super) async fn write_down(&self) -> Result<(), Fault> {
        // Looked at before the first slice: half a snapshot makes no room.
        let bytes = self.lock().live_bytes();
        if !self.shared.store().can_rewrite(bytes) {
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
        let mut sought = Sought::default();
        loop {
            let (end, closed) = match self.write_slice(&mut cursor, &fetched, ending)? {
                Slice::Written(end) => (end, false),
                Slice::Closed(end) => (end, true),
                Slice::Needs(needs) => {
                    let first = needs.first().map(|logged| logged.at);
                    fetched = self.fetch(needs).await?;
                    if let Some(first) = first.filter(|_| fetched.is_empty()) {
                        sought.again(first)?;
                    }
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
        let told: Vec<Blob> = items()
            .take(whole)
            .flatten()
            .map(|(_, blob)| *blob)
            .collect();
        let brought: u64 = told.iter().map(|blob| u64::from(blob.len)).sum();
        let most = brought + encode::most_of(&parts);
        let store = self.shared.store();
        if !store.has_room(Room::Lend, most, 0) {
            return Err(Fault::StorageFull);
        }
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
        // What was looked up and read beforehand is what was written, and there was room for it.
        if let Some((start, end)) = recorded {
            assert!(
                placed.iter().map(|(blob, _)| blob).eq(&told),
                "a slice tells of other bytes than were looked up"
            );
            let written = end.0 - start.0;
            assert!(written <= most, "a slice took {written} bytes of {most}");
        }
        for (blob, at) in placed {
            if spills || matches!(bodies.get(blob), Stored::Logged(_)) {
                bodies.move_to_log(blob, at);
            }
        }
        inner.report(&self.shared);
        let (_, end) = recorded.unwrap_or_default();
        Ok(if closed {
            Slice::Closed(end)
        } else {
            Slice::Written(end)
        })
    }

    /// Reads bytes off the threads that serve. What was moved or let go meanwhile is left out.
    async fn fetch(&self, needs: Vec<Logged>) -> Result<Fetched, Fault> {
        self.shared.written(&needs).await?;
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
