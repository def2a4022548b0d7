//! One frame: its bytes, and whether bytes are one. Where frames lie is not known here.
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 4 | length of the body |
//! | 4 | 4 | CRC-32C of the whole frame, padding too, with these four bytes as zero |
//! | 8 | 2 | `MF` |
//! | 10 | 1 | version of the frame, 1 |
//! | 11 | 1 | kind: 1 records, 2 the beginning of an epoch |
//! | 12 | 4 | the number of the segment it was written to, its low 32 bits |
//! | 16 | 8 | LSN of the frame |
//! | 24 | 8 | epoch |
//! | 32 | 8 | durable LSN: everything before it was synced when this frame was written |
//! | 40 | | the body, then zeros up to a multiple of 8 |
//!
//! Numbers are little-endian. The rule for changing any of this is in docs/data-format.md.

use std::fmt;

use crate::Lsn;

/// Bytes before the body.
pub(crate) const HEADER: usize = 40;
/// Frames begin at multiples of it, so that a search for one looks at every eighth byte only.
pub(crate) const ALIGN: u64 = 8;

const MAGIC: [u8; 2] = *b"MF";
const VERSION: u8 = 1;

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Its body is what was appended.
    Records,
    /// It begins an epoch: frames of earlier ones do not follow it.
    Epoch,
}

/// What the header says beside length and checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    /// Low 32 bits of the number of its segment.
    pub(crate) segment: u32,
    pub(crate) lsn: Lsn,
    pub(crate) epoch: u64,
    /// Everything before it was synced when the frame was written.
    pub(crate) durable: Lsn,
}

/// Why bytes are not the frame that belongs at their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bad {
    /// Zeros: nothing was ever written there.
    Blank,
    /// No frame begins like this.
    Magic,
    /// A frame of a version that is not known.
    Version,
    /// A kind that is not known.
    Kind,
    /// It says that it is longer than there is room for.
    Length,
    /// It belongs to another segment: a leftover of a recycled file.
    Segment,
    /// It belongs to another place.
    Lsn,
    /// It is of an epoch that had ended, or of one that was not begun.
    Epoch,
    /// It says that more was durable than was written.
    Durable,
    /// Its bytes are not those that were written.
    Checksum,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blank => "there are only zeros",
            Self::Magic => "no frame begins there",
            Self::Version => "the frame has an unknown version",
            Self::Kind => "the frame has an unknown kind",
            Self::Length => "the frame is longer than its segment",
            Self::Segment => "the frame belongs to another segment",
            Self::Lsn => "the frame belongs to another position",
            Self::Epoch => "the frame belongs to another epoch",
            Self::Durable => "the frame claims more than was written",
            Self::Checksum => "the frame's checksum is wrong",
        })
    }
}

/// Bytes that a frame takes with a body of this length.
pub(crate) fn span(body: u64) -> u64 {
    (HEADER as u64 + body).next_multiple_of(ALIGN)
}

/// Makes a frame of a body that has room for the header before it. `None` if the body is longer than
/// a frame can say.
pub(crate) fn seal(frame: &mut Vec<u8>, head: &Head) -> Option<()> {
    assert!(frame.len() >= HEADER, "a frame has room for its header");
    let length = u32::try_from(frame.len() - HEADER).ok()?;
    frame.resize(frame.len().next_multiple_of(ALIGN as usize), 0);
    let kind = match head.kind {
        Kind::Records => 1,
        Kind::Epoch => 2,
    };
    frame[0..4].copy_from_slice(&length.to_le_bytes());
    frame[4..8].fill(0);
    frame[8..10].copy_from_slice(&MAGIC);
    frame[10] = VERSION;
    frame[11] = kind;
    frame[12..16].copy_from_slice(&head.segment.to_le_bytes());
    frame[16..24].copy_from_slice(&head.lsn.0.to_le_bytes());
    frame[24..32].copy_from_slice(&head.epoch.to_le_bytes());
    frame[32..40].copy_from_slice(&head.durable.0.to_le_bytes());
    let sum = crc32c::crc32c(frame);
    frame[4..8].copy_from_slice(&sum.to_le_bytes());
    Some(())
}

/// Reads a header that ought to stand at this place: what it says, and the length of the body. The
/// epoch is for the caller to judge.
pub(crate) fn head(bytes: &[u8], segment: u32, lsn: Lsn) -> Result<(Head, u64), Bad> {
    let bytes: &[u8; HEADER] = bytes.first_chunk().expect("a header is given whole");
    if bytes.iter().all(|byte| *byte == 0) {
        return Err(Bad::Blank);
    }
    if bytes[8..10] != MAGIC {
        return Err(Bad::Magic);
    }
    if bytes[10] != VERSION {
        return Err(Bad::Version);
    }
    let kind = match bytes[11] {
        1 => Kind::Records,
        2 => Kind::Epoch,
        _ => return Err(Bad::Kind),
    };
    let head = Head {
        kind,
        segment: u32_at(bytes, 12),
        lsn: Lsn(u64_at(bytes, 16)),
        epoch: u64_at(bytes, 24),
        durable: Lsn(u64_at(bytes, 32)),
    };
    if head.segment != segment {
        return Err(Bad::Segment);
    }
    if head.lsn != lsn {
        return Err(Bad::Lsn);
    }
    if head.durable > head.lsn {
        return Err(Bad::Durable);
    }
    Ok((head, u64::from(u32_at(bytes, 0))))
}

/// Whether a whole frame, padding too, is as it was sealed.
pub(crate) fn intact(frame: &[u8]) -> bool {
    let sum = crc32c::crc32c(&frame[..4]);
    let sum = crc32c::crc32c_append(sum, &[0; 4]);
    crc32c::crc32c_append(sum, &frame[8..]) == u32_at(frame, 4)
}

/// The number of four bytes at a place.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().expect("four bytes"))
}

/// The number of eight bytes at a place.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Head = Head {
        kind: Kind::Records,
        segment: 7,
        lsn: Lsn(4096),
        epoch: 3,
        durable: Lsn(4000),
    };

    fn sealed(body: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; HEADER];
        frame.extend_from_slice(body);
        seal(&mut frame, &HEAD).expect("a short body");
        frame
    }

    fn read(frame: &[u8]) -> Result<(Head, u64), Bad> {
        let found = head(frame, 7, Lsn(4096))?;
        intact(frame).then_some(found).ok_or(Bad::Checksum)
    }

    #[test]
    fn a_frame_is_read_as_it_was_sealed() {
        for length in [0, 1, 7, 8, 9, 1000] {
            let frame = sealed(&vec![0xab; length]);
            assert_eq!(frame.len() as u64, span(length as u64));
            assert_eq!(frame.len() as u64 % ALIGN, 0);
            assert_eq!(read(&frame), Ok((HEAD, length as u64)));
        }
    }

    #[test]
    fn each_field_is_checked_for_what_it_is() {
        let table = [
            (0, Bad::Checksum),
            (4, Bad::Checksum),
            (8, Bad::Magic),
            (9, Bad::Magic),
            (10, Bad::Version),
            (11, Bad::Kind),
            (12, Bad::Segment),
            (15, Bad::Segment),
            (16, Bad::Lsn),
            (23, Bad::Lsn),
            (24, Bad::Checksum),
            (31, Bad::Checksum),
            (32, Bad::Checksum),
            (39, Bad::Durable),
            (40, Bad::Checksum),
            (47, Bad::Checksum),
        ];
        for (at, bad) in table {
            let mut frame = sealed(b"body");
            frame[at] ^= 0x04;
            assert_eq!(read(&frame), Err(bad), "byte {at}");
        }
    }

    #[test]
    fn no_flipped_bit_passes() {
        for bit in 0..sealed(b"some body").len() * 8 {
            let mut frame = sealed(b"some body");
            frame[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&frame).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn zeros_are_told_from_a_frame_that_is_torn() {
        assert_eq!(read(&[0; HEADER]), Err(Bad::Blank));
        let mut torn = sealed(b"body");
        torn[..8].fill(0);
        assert_eq!(read(&torn), Err(Bad::Checksum));
    }

    #[test]
    fn a_kind_of_an_epoch_is_its_own() {
        let mut frame = vec![0; HEADER];
        let kind = Kind::Epoch;
        seal(&mut frame, &Head { kind, ..HEAD }).expect("no body");
        assert_eq!(read(&frame), Ok((Head { kind, ..HEAD }, 0)));
    }
}
