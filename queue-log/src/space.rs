//! What there is room for, for every thread to ask at the price of a few loads. What makes room is
//! not known here.
//!
//! A log keeps a *reserve* of bytes that are on disk already: half a segment. What makes the log
//! larger is refused when only the reserve is left, what lends items when half of it is, and what
//! ends them when nothing is. The last 4 KiB are kept for starts.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::Lsn;
use crate::log::Room;
use crate::sizes::FOR_STARTS;

/// What there is room for.
#[derive(Debug, Default)]
pub(crate) struct Space {
    /// The position past which the segment that is written holds nothing.
    limit: AtomicU64,
    /// Bytes of frames past it, in files that are ready or may still be made.
    beyond: AtomicU64,
    /// The largest frame that fits past it.
    largest: AtomicU64,
    /// The largest that fits into a file that is ready.
    ready: AtomicU64,
    reserve: AtomicU64,
}

/// What is known when a file is begun, made or let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) limit: Lsn,
    pub(crate) beyond: u64,
    pub(crate) largest: u64,
    pub(crate) ready: u64,
    pub(crate) reserve: u64,
}

impl Space {
    pub(crate) fn set(&self, known: Known) {
        self.reserve.store(known.reserve, Ordering::Relaxed);
        // In this order whoever asks in between counts a segment that is just begun twice, and not
        // never: that is a request too many out of the reserve, and not one refused for no reason.
        self.limit.store(known.limit.0, Ordering::Release);
        self.largest.store(known.largest, Ordering::Release);
        self.ready.store(known.ready, Ordering::Release);
        self.beyond.store(known.beyond, Ordering::Release);
    }

    /// Whether what gathers, with so many bytes more, needs a file that is not there yet: then it is
    /// worth asking the disk first.
    pub(crate) fn guesses(&self, written: Lsn, appended: Lsn, bytes: u64) -> bool {
        let frame = (appended.0.saturating_sub(written.0)).saturating_add(bytes);
        let limit = self.limit.load(Ordering::Acquire);
        frame > limit.saturating_sub(written.0) && frame > self.ready.load(Ordering::Acquire)
    }

    /// What there is room for after so many bytes more; `written` and `appended` are where the log
    /// has come.
    pub(crate) fn room(&self, written: Lsn, appended: Lsn, bytes: u64) -> Room {
        let left = self.all(written, appended, bytes);
        let reserve = self.reserve.load(Ordering::Relaxed);
        if left > reserve {
            Room::Grow
        } else if left > reserve / 2 {
            Room::Lend
        } else if left > 0 {
            Room::Settle
        } else {
            Room::Nothing
        }
    }

    /// Bytes until only the reserve is left.
    pub(crate) fn left(&self, written: Lsn, appended: Lsn) -> u64 {
        let all = self.all(written, appended, 0);
        all.saturating_sub(self.reserve.load(Ordering::Relaxed))
    }

    fn all(&self, written: Lsn, appended: Lsn, bytes: u64) -> u64 {
        let beyond = self.beyond.load(Ordering::Acquire);
        let largest = self.largest.load(Ordering::Acquire);
        let rest = self.limit.load(Ordering::Acquire).saturating_sub(written.0);
        // As one frame: what gathers becomes one.
        let frame = (appended.0.saturating_sub(written.0)).saturating_add(bytes);
        let left = if frame <= rest {
            (rest - frame).saturating_add(beyond)
        } else if frame <= largest {
            beyond.saturating_sub(frame)
        } else {
            0
        };
        left.saturating_sub(FOR_STARTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(known: Known, written: u64, appended: u64, bytes: u64) -> Room {
        let space = Space::default();
        space.set(known);
        space.room(Lsn(written), Lsn(appended), bytes)
    }

    const FULL: Known = Known {
        limit: Lsn(100_000),
        beyond: 0,
        largest: 0,
        ready: 0,
        reserve: 40_000,
    };

    #[test]
    fn what_makes_room_is_refused_last() {
        let at = |left: u64| {
            let appended = 100_000 - left - FOR_STARTS;
            room(FULL, 0, appended, 0)
        };
        for (left, what) in [
            (40_001, Room::Grow),
            (40_000, Room::Lend),
            (20_001, Room::Lend),
            (20_000, Room::Settle),
            (1, Room::Settle),
            (0, Room::Nothing),
        ] {
            assert_eq!(at(left), what, "{left} bytes left");
        }
    }

    #[test]
    fn what_is_left_ends_where_the_reserve_begins() {
        let left = |appended: u64| {
            let space = Space::default();
            space.set(FULL);
            space.left(Lsn(0), Lsn(appended))
        };
        assert_eq!(left(0), 60_000 - FOR_STARTS);
        assert_eq!(left(50_000), 10_000 - FOR_STARTS);
        assert_eq!(left(60_000), 0);
        assert_eq!(left(100_000), 0);
    }

    #[test]
    fn a_frame_that_fits_nowhere_has_no_room() {
        let known = Known {
            limit: Lsn(100_000),
            beyond: 1_000_000,
            largest: 200_000,
            ready: 0,
            reserve: 40_000,
        };
        assert_eq!(room(known, 50_000, 50_000, 200_000), Room::Grow);
        assert_eq!(room(known, 50_000, 50_000, 200_001), Room::Nothing);
    }

    #[test]
    fn the_rest_of_a_segment_is_lost_to_a_frame_that_does_not_fit_in_it() {
        let known = Known {
            limit: Lsn(100_000),
            beyond: 60_000,
            largest: 60_000,
            ready: 60_000,
            reserve: 10_000,
        };
        assert_eq!(room(known, 0, 0, 45_000), Room::Grow);
        assert_eq!(room(known, 60_000, 60_000, 46_000), Room::Lend);
    }
}
