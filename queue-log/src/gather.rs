//! The group that gathers while the one before is written. Files are not known here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::frame::{HEADER, span};
use crate::{Lsn, Record};

/// What a buffer keeps after a peak, if groups become small again.
const KEPT: usize = 256 << 10;

/// The group that gathers.
#[derive(Debug)]
pub(crate) struct Gather {
    group: Mutex<Group>,
    /// Wakes the writer.
    wake: Condvar,
    /// Where the last record ends.
    appended: AtomicU64,
}

#[derive(Debug)]
struct Group {
    /// The frame in the making: room for its header, then the records.
    bytes: Vec<u8>,
    /// Where the last whole record ends in it. A record whose writer panicked lies past it.
    whole: usize,
    /// Where the frame will be. Frames lie end to end, so it is known before the frame is written,
    /// and so is the address of each byte.
    base: Lsn,
    /// The buffer of the group before, when it has been written.
    spare: Vec<u8>,
    handed: bool,
    /// The writer waits for `wake`.
    sleeping: bool,
    closing: bool,
    /// Nothing is written any more.
    failed: bool,
}

/// A group that was taken to be written.
#[derive(Debug)]
pub(crate) struct Taken {
    /// A frame without its header.
    pub(crate) frame: Vec<u8>,
    pub(crate) base: Lsn,
}

impl Gather {
    /// An empty group whose frame will be at this position.
    pub(crate) fn new(base: Lsn) -> Self {
        Self {
            group: Mutex::new(Group {
                bytes: vec![0; HEADER],
                whole: HEADER,
                base,
                spare: Vec::new(),
                handed: false,
                sleeping: false,
                closing: false,
                failed: false,
            }),
            wake: Condvar::new(),
            appended: AtomicU64::new(base.0),
        }
    }

    /// Appends a record.
    pub(crate) fn append(&self, write: impl FnOnce(&mut Record<'_>)) -> Lsn {
        let mut group = self.group();
        let Group { bytes, whole, .. } = &mut *group;
        bytes.truncate(*whole);
        write(&mut Record {
            base: group.base,
            bytes: &mut group.bytes,
        });
        let end = group.bytes.len();
        if group.failed {
            group.bytes.truncate(HEADER);
        } else {
            group.whole = end;
        }
        if end == HEADER {
            // Nothing was appended, so there is nothing to wait for past the frame before.
            return group.base;
        }
        let end = Lsn(group.base.0 + end as u64);
        if !group.failed {
            self.appended.store(end.0, Ordering::Release);
        }
        end
    }

    /// Where the last record ends.
    pub(crate) fn appended(&self) -> Lsn {
        Lsn(self.appended.load(Ordering::Acquire))
    }

    /// Lets the writer have the group.
    pub(crate) fn hand_over(&self) {
        let mut group = self.group();
        if group.whole == HEADER || group.handed {
            return;
        }
        group.handed = true;
        // Waking costs a system call, so it is done only if somebody sleeps, and without the lock, so
        // that the writer does not wake to wait for it.
        let wakes = group.sleeping;
        drop(group);
        if wakes {
            self.wake.notify_one();
        }
    }

    /// Waits for a group that was handed over; `None` when the log is closed and nothing is left.
    pub(crate) fn take(&self) -> Option<Taken> {
        let mut group = self.group();
        while !group.handed && !group.closing {
            group.sleeping = true;
            group = self
                .wake
                .wait(group)
                .unwrap_or_else(PoisonError::into_inner);
            group.sleeping = false;
        }
        let whole = group.whole;
        group.bytes.truncate(whole);
        if whole == HEADER {
            return None;
        }
        let mut next = std::mem::take(&mut group.spare);
        next.clear();
        next.resize(HEADER, 0);
        let base = group.base;
        group.base = Lsn(base.0 + span((whole - HEADER) as u64));
        group.whole = HEADER;
        group.handed = false;
        let frame = std::mem::replace(&mut group.bytes, next);
        Some(Taken { frame, base })
    }

    /// Takes back the buffer of a group that was written.
    pub(crate) fn give_back(&self, mut frame: Vec<u8>) {
        if frame.capacity() > KEPT && frame.len() < frame.capacity() / 4 {
            frame.clear();
            frame.shrink_to(KEPT);
        }
        self.group().spare = frame;
    }

    /// Nothing is written any more: what gathers is dropped.
    pub(crate) fn fail(&self) {
        let mut group = self.group();
        group.failed = true;
        group.handed = false;
        group.bytes = vec![0; HEADER];
        group.whole = HEADER;
        group.spare = Vec::new();
    }

    /// Lets the writer have the last group and end.
    pub(crate) fn close(&self) {
        self.group().closing = true;
        self.wake.notify_one();
    }

    fn group(&self) -> MutexGuard<'_, Group> {
        // A record whose writer panicked is cut off by whoever comes next.
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
