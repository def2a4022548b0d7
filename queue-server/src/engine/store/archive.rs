//! A backup as bytes: the frames of a log one behind the other, with an end that says that it is one.
//!
//! `docs/data-format.md` describes it. All numbers have their least byte first.

use std::io::{self, ErrorKind, Read};

use queue_log::Lsn;

/// What a backup begins with: its name and the version of its form.
const MAGIC: [u8; 8] = *b"memqbak\x01";
/// Length, checksum and position before the bytes of a frame.
const FRAME_HEAD: usize = 16;
/// Largest frame: what a log can write, and more than any server does.
const MAX_FRAME: u32 = 1 << 30;

/// The start of a backup.
pub(in crate::engine) fn head() -> Vec<u8> {
    MAGIC.to_vec()
}

/// A frame of the log.
pub(in crate::engine) fn frame(at: Lsn, bytes: &[u8]) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).expect("a frame is under 4 GiB");
    let mut text = Vec::with_capacity(FRAME_HEAD + bytes.len());
    text.extend_from_slice(&len.to_le_bytes());
    text.extend_from_slice(&checksum(at.0, bytes).to_le_bytes());
    text.extend_from_slice(&at.0.to_le_bytes());
    text.extend_from_slice(bytes);
    text
}

/// The end: a frame without bytes whose position is the number of frames.
pub(in crate::engine) fn end(frames: u64) -> Vec<u8> {
    frame(Lsn(frames), &[])
}

fn checksum(number: u64, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&number.to_le_bytes()), bytes)
}

/// Why a backup cannot be read.
#[derive(Debug, thiserror::Error)]
pub(in crate::engine) enum ArchiveError {
    /// It is another file.
    #[error("it does not begin as a backup of memq does, or was made by a later release")]
    NotABackup,
    /// It was cut off, on the way or when it was made.
    #[error("it ends before its end: make or send it again")]
    CutOff,
    /// Some of its bytes are not what they were.
    #[error("frame {0} of it is damaged")]
    Damaged(u64),
    /// Its frames make no sense.
    #[error("frame {frame} of it cannot be replayed")]
    Replay {
        /// Which, from 1.
        frame: u64,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It does not arrive.
    #[error("it cannot be read")]
    Io(#[from] io::Error),
}

/// Reads a backup to its end; how many frames it has.
pub(in crate::engine) fn read(
    from: &mut dyn Read,
    visit: &mut dyn FnMut(Lsn, &[u8]) -> queue_log::Replayed,
) -> Result<u64, ArchiveError> {
    let mut magic = [0; MAGIC.len()];
    match from.read_exact(&mut magic) {
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => return Err(error.into()),
        Ok(()) if magic == MAGIC => {}
        _ => return Err(ArchiveError::NotABackup),
    }
    let mut bytes = Vec::new();
    for frame in 1.. {
        let mut head = [0; FRAME_HEAD];
        exact(from, &mut head)?;
        let word =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (len, sum) = (word(0), word(4));
        let number = u64::from(word(12)) << 32 | u64::from(word(8));
        if len > MAX_FRAME {
            return Err(ArchiveError::Damaged(frame));
        }
        bytes.resize(len as usize, 0);
        exact(from, &mut bytes)?;
        if checksum(number, &bytes) != sum {
            return Err(ArchiveError::Damaged(frame));
        }
        if bytes.is_empty() {
            return match number == frame - 1 {
                true => Ok(number),
                false => Err(ArchiveError::Damaged(frame)),
            };
        }
        visit(Lsn(number), &bytes).map_err(|source| ArchiveError::Replay { frame, source })?;
    }
    unreachable!("frames are not counted to the end of numbers")
}

fn exact(from: &mut dyn Read, bytes: &mut [u8]) -> Result<(), ArchiveError> {
    from.read_exact(bytes).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => ArchiveError::CutOff,
        _ => ArchiveError::Io(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup() -> Vec<u8> {
        [
            head(),
            frame(Lsn(64), b"one"),
            frame(Lsn(128), b"two"),
            end(2),
        ]
        .concat()
    }

    fn frames(mut bytes: &[u8]) -> Result<Vec<(Lsn, Vec<u8>)>, ArchiveError> {
        let mut frames = Vec::new();
        read(&mut bytes, &mut |at, bytes| {
            frames.push((at, bytes.to_vec()));
            Ok(())
        })?;
        Ok(frames)
    }

    #[test]
    fn frames_come_back_as_they_went() {
        let read = frames(&backup()).expect("whole");
        assert_eq!(
            read,
            [(Lsn(64), b"one".to_vec()), (Lsn(128), b"two".to_vec())]
        );
    }

    #[test]
    fn one_that_is_cut_off_anywhere_is_no_backup() {
        let whole = backup();
        for len in 0..whole.len() {
            let error = frames(&whole[..len]).expect_err("cut off");
            let told = matches!(error, ArchiveError::CutOff | ArchiveError::NotABackup);
            assert!(told, "{len}: {error:?}");
        }
    }

    #[test]
    fn a_byte_that_changed_anywhere_is_found() {
        let whole = backup();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert!(frames(&damaged).is_err(), "byte {at}");
        }
    }
}
