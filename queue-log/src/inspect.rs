//! Looking at a log without changing it: what a check of a data directory reports.

use std::io;

use crate::segment;
pub use crate::walk::Passed;
use crate::walk::{Walk, walk};
use crate::{Disk, Lsn, OpenError};

/// What a directory holds.
#[derive(Debug)]
pub struct Inspection {
    /// A server has the directory: what it writes meanwhile may look cut off.
    pub in_use: bool,
    /// The segments of the log, in order.
    pub segments: Vec<SegmentFound>,
    /// The files that are ready to become segments.
    pub spares: Vec<SpareFound>,
    /// Where the log ends, or where it is damaged.
    pub end: Lsn,
    /// Everything before it is known to have been synced.
    pub durable: Lsn,
    /// The last epoch: each start is one.
    pub epoch: u64,
    /// What would keep the log from being opened.
    pub damage: Option<OpenError>,
    /// Bytes that are lost if that is accepted.
    pub lost: u64,
}

/// A segment of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFound {
    /// Its file.
    pub file: String,
    /// Length of the file.
    pub size: u64,
    /// The position of its first frame.
    pub base: Lsn,
    /// The epoch in which it was begun.
    pub epoch: u64,
    /// What was read of it; `None` if damage before it hides it.
    pub passed: Option<Passed>,
}

/// A file that is ready to become a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpareFound {
    /// The file.
    pub file: String,
    /// Its length.
    pub size: u64,
    /// It was begun when the power failed, and holds frames that never became durable, or the
    /// damage.
    pub used: bool,
}

/// Reads the log on a disk, and lets `visit` see each frame's bytes with the address of the first of
/// them. Nothing is changed. If no server has the directory, none can start until the disk is
/// dropped; [`crate::RealDisk::existing`] is the disk to give. If one has it, a
/// file may go while it is looked for: look again.
///
/// # Errors
///
/// The medium fails, or a later release wrote a file, or `visit` refuses a frame. Damage is no error
/// here: it is found.
pub fn inspect(
    disk: &dyn Disk,
    visit: &mut dyn FnMut(Lsn, &[u8]) -> crate::Replayed,
) -> Result<Inspection, OpenError> {
    let in_use = match disk.lock() {
        Ok(()) => false,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
        Err(error) => return Err(OpenError::io("lock", ".")(error)),
    };
    let walk = walk(disk, visit)?;
    Ok(found(walk, in_use))
}

fn found(walk: Walk, in_use: bool) -> Inspection {
    let passed = walk.passed.iter().copied();
    let passed = passed.map(Some).chain(std::iter::repeat(None));
    let segments = walk.segments.iter().zip(passed);
    let segments = segments.map(|(segment, passed)| SegmentFound {
        file: segment::name(segment.header.number),
        size: segment.header.size,
        base: segment.header.base,
        epoch: segment.header.epoch,
        passed,
    });
    let spares = walk.spares.iter().map(|leftover| SpareFound {
        file: segment::name(leftover.spare.number),
        size: leftover.spare.size,
        used: leftover.used,
    });
    Inspection {
        in_use,
        segments: segments.collect(),
        spares: spares.collect(),
        end: walk.end,
        durable: walk.durable,
        epoch: walk.epoch,
        lost: walk.damage.as_ref().map_or(0, |damage| damage.lost),
        damage: walk.damage.map(OpenError::from),
    }
}
