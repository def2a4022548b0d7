//! Reading a whole log without changing it: which files make it, where it ends, and whether that end
//! is healthy. What is done about it is not known here: recovery and inspection are.
//!
//! A loss of power may leave anything of what was not synced, so a bad frame ends the log and that is
//! all. It is damage only if something says that more had been synced:
//!
//! 1. a segment was begun past it: a segment is synced before its successor is used;
//! 2. a good frame of the same or a later epoch after it says that more was durable;
//! 3. a file without a valid header holds frames of its own number, before the end or as in 2.

use std::io;

use crate::disk::DiskFile;
use crate::open::Replayed;
use crate::scan::{Scan, orphans};
use crate::segment::{self, Begun, Segment, Spare};
use crate::{Disk, Lsn, OpenError};

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// In the order of their bases; what comes after damage too.
    pub(crate) segments: Vec<Segment>,
    /// What was read of each, up to the end or the damage.
    pub(crate) passed: Vec<Passed>,
    /// Files that hold nothing of the log.
    pub(crate) spares: Vec<Leftover>,
    /// Where the next frame goes.
    pub(crate) end: Lsn,
    /// Everything before it is known to be synced.
    pub(crate) durable: Lsn,
    /// The last epoch that was begun; 0 if none was.
    pub(crate) epoch: u64,
    /// A number past all that were given to a file.
    pub(crate) next_number: u64,
    pub(crate) damage: Option<Damage>,
}

/// What was read of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Passed {
    /// Frames that hold records.
    pub frames: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// Where its last good frame ends.
    pub end: Lsn,
}

/// A file that holds nothing of the log.
#[derive(Debug)]
pub(crate) struct Leftover {
    pub(crate) spare: Spare,
    /// It holds frames that bear its own number: it must not be begun again under that number.
    pub(crate) used: bool,
}

/// Something that was durable is not there.
#[derive(Debug)]
pub(crate) struct Damage {
    pub(crate) file: String,
    pub(crate) offset: u64,
    pub(crate) lsn: Lsn,
    pub(crate) reason: String,
    /// Bytes of the log that cannot be read because of it.
    pub(crate) lost: u64,
    /// What the medium said, if it said something.
    pub(crate) source: Option<io::Error>,
}

impl From<Damage> for OpenError {
    fn from(damage: Damage) -> Self {
        match damage.source {
            Some(source) => Self::Io {
                operation: "read",
                file: damage.file,
                source,
            },
            None => Self::Damaged {
                file: damage.file,
                offset: damage.offset,
                lsn: damage.lsn,
                reason: damage.reason,
            },
        }
    }
}

/// Reads the log of a disk; each frame's body is visited with its address.
pub(crate) fn walk(
    disk: &dyn Disk,
    visit: &mut dyn FnMut(Lsn, &[u8]) -> Replayed,
) -> Result<Walk, OpenError> {
    let mut walk = files(disk)?;
    if let Some(first) = walk.segments.first() {
        walk.end = first.header.base;
    }
    for at in 0..walk.segments.len() {
        walk.segment(at, visit)?;
        if walk.damage.is_some() {
            break;
        }
    }
    walk.leftovers()?;
    Ok(walk)
}

fn files(disk: &dyn Disk) -> Result<Walk, OpenError> {
    let mut walk = Walk::default();
    let names = disk.list().map_err(OpenError::io("list", "."))?;
    for number in names.iter().filter_map(|name| segment::number(name)) {
        walk.next_number = walk.next_number.max(number + 1);
        let (spare, begun) = segment::look(disk, number)?;
        match begun {
            Begun::Yes(header) => walk.segments.push(Segment {
                header,
                file: spare.file,
            }),
            Begun::No => walk.spares.push(Leftover { spare, used: false }),
            Begun::Later(found) => {
                return Err(OpenError::Format {
                    file: segment::name(number),
                    found,
                    known: segment::FORMAT,
                });
            }
        }
    }
    // By base and not by number: of two spares the larger may be begun first.
    walk.segments
        .sort_by_key(|segment| (segment.header.base, segment.header.number));
    walk.spares.sort_by_key(|leftover| leftover.spare.number);
    Ok(walk)
}

impl Walk {
    /// Reads one segment, which begins where the log has come to.
    fn segment(
        &mut self,
        at: usize,
        visit: &mut dyn FnMut(Lsn, &[u8]) -> Replayed,
    ) -> Result<(), OpenError> {
        let next = self.segments.get(at + 1).map(|next| next.header.base);
        let segment = &self.segments[at];
        let mut scan = Scan::new(&*segment.file, &segment.header, self.epoch);
        let mut passed = Passed::default();
        let stopped = loop {
            if next == Some(scan.lsn()) {
                break None;
            }
            match scan.next() {
                Ok(Ok(frame)) => {
                    self.durable = self.durable.max(frame.head.durable);
                    if frame.head.kind == crate::frame::Kind::Records {
                        passed.frames += 1;
                        passed.bytes += frame.body.len() as u64;
                        let lsn = frame.address();
                        visit(lsn, frame.body)
                            .map_err(|source| OpenError::Replay { lsn, source })?;
                    }
                }
                Ok(Err(bad)) => break Some((bad.to_string(), None)),
                Err(error) => break Some(("it cannot be read".to_owned(), Some(error))),
            }
        };
        self.end = scan.lsn();
        self.epoch = scan.epoch();
        passed.end = self.end;
        self.passed.push(passed);
        let Some((found, source)) = stopped else {
            return Ok(());
        };
        let name = segment::name(segment.header.number);
        let later = match (&source, next) {
            (None, None) => scan.later(self.end).map_err(OpenError::io("read", &name))?,
            _ => crate::scan::Later::default(),
        };
        let why = match (next, later.proof) {
            (Some(next), _) => format!("{found}, though a segment was begun at position {next}"),
            (None, Some(proof)) => {
                format!("{found}, though the frame at position {proof} says that it was synced")
            }
            (None, None) if source.is_some() => found,
            (None, None) => return Ok(()),
        };
        let last = &self.segments[self.segments.len() - 1];
        let upto = later.end.unwrap_or_else(|| last_frame(last, self.epoch));
        self.damage = Some(Damage {
            file: name,
            offset: segment.offset(self.end),
            lsn: self.end,
            reason: why,
            lost: upto.0.saturating_sub(self.end.0),
            source,
        });
        Ok(())
    }

    /// Looks into the files that hold nothing of the log: they ought to.
    fn leftovers(&mut self) -> Result<(), OpenError> {
        for leftover in &mut self.spares {
            let spare = &leftover.spare;
            let name = segment::name(spare.number);
            let Some(header) = orphans(spare).map_err(OpenError::io("read", &name))? else {
                leftover.used = spare.size <= segment::HEADER;
                continue;
            };
            leftover.used = true;
            // The beginning of the log may be of any epoch; what follows its end may not.
            let begins = header.base < self.end;
            let epoch = if begins { 0 } else { self.epoch };
            let later = Scan::new(&*spare.file, &header, epoch)
                .later(self.end)
                .map_err(OpenError::io("read", &name))?;
            if self.damage.is_some() || (later.proof.is_none() && !begins) {
                continue;
            }
            self.damage = Some(Damage {
                file: name,
                offset: 0,
                lsn: header.base,
                reason: "its header is damaged, though frames that were synced follow it"
                    .to_owned(),
                lost: later
                    .end
                    .map_or(0, |end| end.0.saturating_sub(header.base.0)),
                source: None,
            });
        }
        Ok(())
    }
}

/// Where the last good frame of a segment ends that is not read in order.
fn last_frame(segment: &Segment, epoch: u64) -> Lsn {
    let file: &dyn DiskFile = &*segment.file;
    let later = Scan::new(file, &segment.header, epoch).later(segment.limit());
    // What cannot be read counts as lost as a whole.
    later.map_or(segment.limit(), |later| {
        later.end.unwrap_or(segment.header.base)
    })
}
