//! Reading the frames of one segment in order, in large reads, and searching what follows the last
//! good one. Which segment comes next is not known here.

use std::io;

use crate::disk::DiskFile;
use crate::frame::{self, Bad, HEADER, Head, Kind};
use crate::segment::{self, Header, Spare};
use crate::{Lsn, frame::ALIGN};

/// Bytes of one read: large enough that the disk streams, small enough to stay in the CPU's cache.
const CHUNK: u64 = 512 * 1024;

/// A walk over the frames of a segment.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    window: Window<'a>,
    segment: u32,
    base: Lsn,
    /// Where the next frame ought to be.
    lsn: Lsn,
    /// The epoch that its frame has, if it does not begin another.
    epoch: u64,
}

/// A good frame.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) head: Head,
    pub(crate) body: &'a [u8],
}

impl Frame<'_> {
    /// Address of the first byte of the body.
    pub(crate) fn address(&self) -> Lsn {
        Lsn(self.head.lsn.0 + HEADER as u64)
    }
}

/// What stands after the end of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Later {
    /// A good frame that proves damage: it says that more was durable than was found.
    pub(crate) proof: Option<Lsn>,
    /// Where the last good frame ends.
    pub(crate) end: Option<Lsn>,
}

impl<'a> Scan<'a> {
    /// From the first frame of a segment on. `epoch` is the one that is known to have been begun.
    pub(crate) fn new(file: &'a dyn DiskFile, header: &Header, epoch: u64) -> Self {
        Self {
            window: Window::new(file, header.size),
            segment: header.number as u32,
            base: header.base,
            lsn: header.base,
            epoch: epoch.max(header.epoch),
        }
    }

    /// Where the next frame ought to be.
    pub(crate) fn lsn(&self) -> Lsn {
        self.lsn
    }

    /// The epoch of the last frame.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The frame that is next, or why there is none. After a bad one it stays where it is.
    pub(crate) fn next(&mut self) -> io::Result<Result<Frame<'_>, Bad>> {
        let lsn = self.lsn;
        let offset = self.offset();
        let (head, length) = match self.head_at(offset, lsn)? {
            Ok(found) => found,
            Err(bad) => return Ok(Err(bad)),
        };
        let follows = match head.kind {
            Kind::Records => head.epoch == self.epoch,
            Kind::Epoch => head.epoch >= self.epoch,
        };
        if !follows {
            return Ok(Err(Bad::Epoch));
        }
        let span = frame::span(length);
        let Some(bytes) = self.window.bytes(offset, span)? else {
            return Ok(Err(Bad::Length));
        };
        if !frame::intact(bytes) {
            return Ok(Err(Bad::Checksum));
        }
        self.epoch = head.epoch;
        self.lsn = Lsn(lsn.0 + span);
        Ok(Ok(Frame {
            head,
            body: &bytes[HEADER..HEADER + length as usize],
        }))
    }

    /// Searches the rest of the segment, at every place where a frame can be, for frames of this
    /// epoch or a later one. Those that say that something past `end` was durable prove that a
    /// frame at `end` was there.
    pub(crate) fn later(&mut self, end: Lsn) -> io::Result<Later> {
        let mut later = Later::default();
        let mut offset = self.offset();
        while let Some(blank) = self.window.blank(offset)? {
            if blank > 0 {
                offset += blank;
                continue;
            }
            let lsn = Lsn(offset - segment::HEADER + self.base.0);
            match self.whole_at(offset, lsn)? {
                Some((head, span)) => {
                    if head.durable > end {
                        later.proof.get_or_insert(lsn);
                    }
                    later.end = Some(Lsn(lsn.0 + span));
                    offset += span;
                }
                None => offset += ALIGN,
            }
        }
        Ok(later)
    }

    fn whole_at(&mut self, offset: u64, lsn: Lsn) -> io::Result<Option<(Head, u64)>> {
        let Ok((head, length)) = self.head_at(offset, lsn)? else {
            return Ok(None);
        };
        if head.epoch < self.epoch {
            return Ok(None);
        }
        let span = frame::span(length);
        let bytes = self.window.bytes(offset, span)?;
        Ok(bytes.is_some_and(frame::intact).then_some((head, span)))
    }

    fn head_at(&mut self, offset: u64, lsn: Lsn) -> io::Result<Result<(Head, u64), Bad>> {
        let Some(bytes) = self.window.bytes(offset, HEADER as u64)? else {
            return Ok(Err(Bad::Length));
        };
        Ok(frame::head(bytes, self.segment, lsn))
    }

    fn offset(&self) -> u64 {
        self.lsn.0 - self.base.0 + segment::HEADER
    }
}

/// What the header of a file was that has none, by the frames in it that bear its number: a header
/// that is lost leaves them behind.
pub(crate) fn orphans(spare: &Spare) -> io::Result<Option<Header>> {
    let (number, size) = (spare.number, spare.size);
    let mut window = Window::new(&*spare.file, size);
    let mut offset = segment::HEADER;
    while let Some(blank) = window.blank(offset)? {
        if blank > 0 {
            offset += blank;
            continue;
        }
        if let Some(bytes) = window.bytes(offset, HEADER as u64)? {
            let lsn = Lsn(frame::u64_at(bytes, 16));
            let base = lsn.0.checked_sub(offset - segment::HEADER);
            if let (Ok((_, length)), Some(base)) = (frame::head(bytes, number as u32, lsn), base) {
                let bytes = window.bytes(offset, frame::span(length))?;
                if bytes.is_some_and(frame::intact) {
                    let (base, epoch) = (Lsn(base), 0);
                    return Ok(Some(Header {
                        number,
                        base,
                        epoch,
                        size,
                    }));
                }
            }
        }
        offset += ALIGN;
    }
    Ok(None)
}

/// A part of a file in memory.
#[derive(Debug)]
struct Window<'a> {
    file: &'a dyn DiskFile,
    size: u64,
    bytes: Vec<u8>,
    /// Where in the file `bytes` begins.
    at: u64,
}

impl<'a> Window<'a> {
    fn new(file: &'a dyn DiskFile, size: u64) -> Self {
        Self {
            file,
            size,
            bytes: Vec::new(),
            at: 0,
        }
    }

    /// Bytes of the file; `None` if it ends before.
    fn bytes(&mut self, offset: u64, length: u64) -> io::Result<Option<&[u8]>> {
        let Some(end) = offset.checked_add(length).filter(|end| *end <= self.size) else {
            return Ok(None);
        };
        if offset < self.at || end > self.at + self.bytes.len() as u64 {
            let wanted = length.max(CHUNK).min(self.size - offset);
            // A bad sector further on must not hide what stands before it.
            self.fill(offset, wanted)
                .or_else(|_| self.fill(offset, length))?;
        }
        let from = (offset - self.at) as usize;
        Ok(Some(&self.bytes[from..from + length as usize]))
    }

    fn fill(&mut self, offset: u64, length: u64) -> io::Result<()> {
        self.at = offset;
        self.bytes.resize(length as usize, 0);
        let read = self.file.read_at(&mut self.bytes, offset);
        if read.is_err() {
            // What was filled of it must not be taken for the file.
            self.bytes.clear();
        }
        read
    }

    /// How many bytes from here on are surely zero, in whole steps; `None` at the end of the file.
    fn blank(&mut self, offset: u64) -> io::Result<Option<u64>> {
        const STEP: u64 = 512;
        static ZERO: [u8; STEP as usize] = [0; STEP as usize];
        if offset + HEADER as u64 > self.size {
            return Ok(None);
        }
        let zero = self.bytes(offset, STEP)?.is_some_and(|step| step == ZERO);
        Ok(Some(if zero { STEP } else { 0 }))
    }
}
