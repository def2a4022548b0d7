//! How large segments are, and how much of the room is kept back. Pure numbers.

use crate::Options;
use crate::segment::HEADER;

/// The first segment. An idle server takes two of it; a busy one has outgrown it in a second.
const FIRST: u64 = 1 << 20;
/// No segment is smaller: a page of header, and frames enough to be worth a file.
const SMALLEST: u64 = 16 << 10;
/// Of a limit on the log, what one segment takes at most: room comes back a segment at a time.
const SEGMENTS_A_LIMIT: u64 = 8;
/// No limit is smaller.
const SMALLEST_LIMIT: u64 = SMALLEST * SEGMENTS_A_LIMIT;
/// The last bytes are nobody's: each start writes a frame, and a full log has to start many times.
pub(crate) const FOR_STARTS: u64 = 4096;

/// The sizes of a log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    first: u64,
    largest: u64,
    /// Most bytes of all files.
    pub(crate) limit: u64,
}

impl Sizes {
    pub(crate) fn new(options: &Options) -> Self {
        let limit = options.max_bytes.unwrap_or(u64::MAX).max(SMALLEST_LIMIT);
        let largest = options.segment_bytes.min(limit / SEGMENTS_A_LIMIT);
        // Whole pages, so that no two segments share one.
        let largest = (largest / HEADER * HEADER).max(SMALLEST);
        Self {
            first: FIRST.min(largest),
            largest,
            limit,
        }
    }

    /// The size of the next segment of a log of so many bytes, when the last one had `before`: half
    /// the log as a power of two, so that a log is a few segments whatever its size. It falls by half
    /// at a time, so that a log that is cut and grows again finds segments of its size.
    pub(crate) fn next(&self, kept: u64, before: u64) -> u64 {
        let mut size = self.first;
        while size <= kept / 4 && size < self.largest {
            size *= 2;
        }
        size.max(before / 2 / HEADER * HEADER)
            .clamp(self.first, self.largest)
    }

    /// Bytes of a file for a frame that is larger than segments are.
    pub(crate) fn for_frame(&self, span: u64, size: u64) -> u64 {
        size.max((span + HEADER).next_multiple_of(HEADER))
    }

    /// Whether a file of this size serves where one of `size` is wanted.
    pub(crate) fn serves(&self, file: u64, size: u64) -> bool {
        file >= size / 2 && file <= size.saturating_mul(2)
    }

    /// What is kept back for what ends items, when segments have this size. A file is prepared ahead
    /// and serves from half the size on, so this much is always on disk already, zeroed and
    /// allocated: it cannot be refused by a full disk.
    pub(crate) fn reserve(&self, size: u64) -> u64 {
        size / 2 - HEADER
    }
}
