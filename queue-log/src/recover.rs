//! Recovery: what is made of a log that was read, so that it can be written again.
//!
//! Each step may be cut off by a crash, and the next start finds a log as healthy as this one did:
//! files that hold nothing go first, then what may not be durable is written again in its place, and
//! only then does a frame begin the new epoch and end the old one for good.

use std::io;
use std::sync::Arc;

use crate::frame::{self, Head, Kind};
use crate::open::{OpenError, Options, Recovery, Replayed};
use crate::segment::{self, Segment, Spare};
use crate::store::Store;
use crate::walk::{Walk, walk};
use crate::writer::{self, Shared};
use crate::{Disk, Log, Lsn, Progress};

/// Bytes that are copied at once.
const CHUNK: u64 = 1 << 20;
/// How the name of a file ends that was being made when the process ended.
const UNFINISHED: &str = ".log.new";

/// A log that was read and is not written yet.
#[derive(Debug)]
pub struct Opened {
    /// What was found.
    pub recovery: Recovery,
    disk: Arc<dyn Disk>,
    options: Options,
    walk: Walk,
}

impl Opened {
    /// Locks the directory and reads the log in it, if there is one: each frame's bytes go to `replay`
    /// with the address of the first of them.
    pub fn read(
        disk: Arc<dyn Disk>,
        options: Options,
        replay: &mut dyn FnMut(Lsn, &[u8]) -> Replayed,
    ) -> Result<Self, OpenError> {
        disk.lock().map_err(|source| match source.kind() {
            io::ErrorKind::WouldBlock => OpenError::Locked,
            _ => OpenError::io("lock", ".")(source),
        })?;
        let mut walk = walk(&*disk, replay)?;
        let damage = walk.damage.take();
        let lost = damage.as_ref().map_or(0, |damage| damage.lost);
        if let Some(damage) = damage
            && !options.accept_loss
        {
            return Err(damage.into());
        }
        let recovery = Recovery {
            start: walk.segments.first().map_or(Lsn(0), |s| s.header.base),
            end: walk.end,
            frames: walk.passed.iter().map(|passed| passed.frames).sum(),
            bytes: walk.passed.iter().map(|passed| passed.bytes).sum(),
            epoch: walk.epoch,
            lost,
        };
        Ok(Self {
            recovery,
            disk,
            options,
            walk,
        })
    }

    /// Begins a new epoch: what was read but perhaps never synced is on disk when this returns.
    /// `progress` is called by the log's own thread after each write and each sync.
    pub fn start(
        mut self,
        progress: Box<dyn Fn(Progress) + Send + Sync>,
    ) -> Result<Log, OpenError> {
        self.clear()?;
        self.rewrite()?;
        let Walk {
            end,
            segments,
            spares,
            epoch,
            next_number,
            ..
        } = self.walk;
        let spares = spares.into_iter().map(|leftover| leftover.spare).collect();
        let store = Store::new(
            Arc::clone(&self.disk),
            &self.options,
            segments,
            spares,
            next_number,
        );
        let epoch = epoch + 1;
        let mut frame = vec![0; frame::HEADER];
        let span = frame.len() as u64;
        let segment = active(&store, end, span, epoch)?;
        let name = segment::name(segment.header.number);
        let head = Head {
            kind: Kind::Epoch,
            segment: segment.header.number as u32,
            lsn: end,
            epoch,
            // All before it was just synced, if it was not before.
            durable: end,
        };
        writer::put(&segment, &mut frame, &head).map_err(OpenError::io("write", &name))?;
        segment.file.sync().map_err(OpenError::io("sync", &name))?;
        let shared = Shared::new(store, Lsn(end.0 + span), progress);
        Log::start(shared, segment, epoch).map_err(OpenError::io("start a thread for", &name))
    }

    /// Removes what must not be there when the log goes on.
    fn clear(&mut self) -> Result<(), OpenError> {
        let disk = &*self.disk;
        let remove = |name: &str| disk.remove(name).map_err(OpenError::io("remove", name));
        let names = disk.list().map_err(OpenError::io("list", "."))?;
        for name in names.iter().filter(|name| name.ends_with(UNFINISHED)) {
            remove(name)?;
        }
        // What comes after a damage that was accepted, from the end on: whatever is left is the
        // same log, damaged at the same place.
        while self.walk.segments.len() > self.walk.passed.len() {
            if let Some(lost) = self.walk.segments.pop() {
                remove(&segment::name(lost.header.number))?;
            }
        }
        for leftover in self.walk.spares.iter().filter(|leftover| leftover.used) {
            remove(&segment::name(leftover.spare.number))?;
        }
        self.walk.spares.retain(|leftover| !leftover.used);
        Ok(())
    }

    /// Writes again what no frame says was synced, and syncs it. What the system's cache shows need
    /// not be on disk, and after a failed sync it never will be unless it is written anew.
    fn rewrite(&self) -> Result<(), OpenError> {
        let (from, end) = (self.walk.durable, self.walk.end);
        for (at, segment) in self.walk.segments.iter().enumerate() {
            let next = self.walk.segments.get(at + 1);
            let upto = next.map_or(end, |next| next.header.base);
            let name = segment::name(segment.header.number);
            let base = segment.header.base;
            if upto <= from && base < from {
                continue;
            }
            if base >= from {
                let header = segment.header.encode();
                let written = segment.file.write_at(&header, 0);
                written.map_err(OpenError::io("write", &name))?;
            }
            copy(segment, from.max(base), upto).map_err(OpenError::io("rewrite", &name))?;
            segment.file.sync().map_err(OpenError::io("sync", &name))?;
        }
        Ok(())
    }
}

/// Writes a part of a segment over itself.
fn copy(segment: &Segment, from: Lsn, to: Lsn) -> io::Result<()> {
    let mut at = from;
    let mut bytes = Vec::new();
    while at < to {
        let step = (to.0 - at.0).min(CHUNK);
        bytes.resize(step as usize, 0);
        segment.file.read_at(&mut bytes, segment.offset(at))?;
        segment.file.write_at(&bytes, segment.offset(at))?;
        at = Lsn(at.0 + step);
    }
    Ok(())
}

/// The segment that the next frame goes to.
fn active(store: &Store, end: Lsn, span: u64, epoch: u64) -> Result<Arc<Segment>, OpenError> {
    let last = store.state().live.back().map(Arc::clone);
    if let Some(last) = last.filter(|last| end.0 + span <= last.limit().0) {
        return Ok(last);
    }
    let mut state = store.state();
    let number = state.next_number;
    let size = state.size;
    let spare = if let Some(spare) = state.spares.pop() {
        spare
    } else {
        let name = segment::name(number);
        let file = store.disk.create(&name, size);
        let file = file.map_err(OpenError::io("create", &name))?;
        state.next_number += 1;
        state.total += size;
        Spare { number, size, file }
    };
    let name = segment::name(spare.number);
    let begun = writer::begin(spare, end, epoch).map_err(OpenError::io("write", &name))?;
    let begun = Arc::new(begun);
    state.live.push_back(Arc::clone(&begun));
    Ok(begun)
}
