//! One segment: a file that holds a part of the log, and the header that says which. What lies in it
//! is not known here.
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `memq log` |
//! | 8 | 2 | format, 1 |
//! | 10 | 2 | zero |
//! | 12 | 4 | CRC-32C of the first 64 bytes, with these four as zero |
//! | 16 | 8 | number of the segment: the one in its file's name |
//! | 24 | 8 | base: LSN of the first frame |
//! | 32 | 8 | epoch in which it was begun |
//! | 40 | 8 | length of the file |
//! | 48 | | zeros up to 4096, where the first frame stands |
//!
//! Magic, format and checksum keep their places in every format, so that a release can tell a later
//! format from damage.

use crate::disk::DiskFile;
use crate::frame::{u32_at, u64_at};
use crate::{Disk, Lsn, OpenError};

/// Bytes before the first frame: a page, so that writing frames never touches it again.
pub(crate) const HEADER: u64 = 4096;
/// The format that is written, and the latest that is read.
pub(crate) const FORMAT: u16 = 1;

const MAGIC: [u8; 8] = *b"memq log";
/// What the checksum covers.
const SUMMED: usize = 64;

/// A segment that was begun.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) header: Header,
    pub(crate) file: Box<dyn DiskFile>,
}

impl Segment {
    /// Where the file holds this position.
    pub(crate) fn offset(&self, lsn: Lsn) -> u64 {
        lsn.0 - self.header.base.0 + HEADER
    }

    /// The position past which it holds nothing.
    pub(crate) fn limit(&self) -> Lsn {
        Lsn(self.header.base.0 + self.header.room())
    }
}

/// A file that is ready to become a segment.
#[derive(Debug)]
pub(crate) struct Spare {
    pub(crate) number: u64,
    /// Length of the file.
    pub(crate) size: u64,
    pub(crate) file: Box<dyn DiskFile>,
}

impl Spare {
    /// Bytes of frames that it can hold.
    pub(crate) fn room(&self) -> u64 {
        self.size - HEADER
    }
}

/// What the header of a segment says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) number: u64,
    pub(crate) base: Lsn,
    pub(crate) epoch: u64,
    /// Length of the file.
    pub(crate) size: u64,
}

/// What the first bytes of a file make of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// A segment.
    Yes(Header),
    /// A spare: never begun, or begun under another number before it was recycled.
    No,
    /// A segment of a later release.
    Later(u16),
}

impl Header {
    /// Bytes of frames that the file can hold.
    pub(crate) fn room(&self) -> u64 {
        self.size - HEADER
    }

    /// As it is written, with the zeros after it.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEADER as usize];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.number.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.base.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.size.to_le_bytes());
        let sum = crc32c::crc32c(&bytes[..SUMMED]);
        bytes[12..16].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads the first bytes of the file of this number and length.
    pub(crate) fn decode(bytes: &[u8], number: u64, size: u64) -> Begun {
        let mut summed = [0; SUMMED];
        summed.copy_from_slice(&bytes[..SUMMED]);
        summed[12..16].fill(0);
        if summed[..8] != MAGIC || crc32c::crc32c(&summed) != u32_at(bytes, 12) {
            return Begun::No;
        }
        let format = u16::from_le_bytes([summed[8], summed[9]]);
        if format > FORMAT {
            return Begun::Later(format);
        }
        let header = Self {
            number: u64_at(&summed, 16),
            base: Lsn(u64_at(&summed, 24)),
            epoch: u64_at(&summed, 32),
            size: u64_at(&summed, 40),
        };
        // A recycled file has another number in its header until it is begun anew.
        if header.number != number || header.size != size {
            return Begun::No;
        }
        Begun::Yes(header)
    }
}

/// The file of a segment.
pub(crate) fn name(number: u64) -> String {
    format!("{number:012}.log")
}

/// The number of the segment that a file of this name holds; `None` if it holds none.
pub(crate) fn number(file: &str) -> Option<u64> {
    let digits = file.strip_suffix(".log")?;
    let number = digits.parse().ok()?;
    (name(number) == file).then_some(number)
}

/// Opens the file of this name and reads what it is.
pub(crate) fn look(disk: &dyn Disk, number: u64) -> Result<(Spare, Begun), OpenError> {
    let name = name(number);
    let file = disk.open(&name).map_err(OpenError::io("open", &name))?;
    let size = file.len().map_err(OpenError::io("read", &name))?;
    let mut begun = Begun::No;
    // A file that is shorter than its header was cut: whatever it held is missed by what follows.
    if size >= HEADER {
        let mut bytes = [0; SUMMED];
        file.read_at(&mut bytes, 0)
            .map_err(OpenError::io("read", &name))?;
        begun = Header::decode(&bytes, number, size);
    }
    Ok((Spare { number, size, file }, begun))
}
