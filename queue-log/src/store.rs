//! The files of a log that runs: those that hold it, those that are ready, those that are let go.
//! What is in them is not known here.
//!
//! Two threads work on them. The writer takes a spare when its segment is full; the *preparer* makes
//! spares ahead, out of trimmed segments or anew, so that the writer waits for neither zeroing nor
//! a directory. No lock is held over work on the disk.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::disk::Disk;
use crate::segment::{Segment, Spare};
use crate::sizes::Sizes;
use crate::space::{Known, Space};
use crate::{Lsn, Options};

/// The files of a log.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) sizes: Sizes,
    pub(crate) space: Space,
    state: Mutex<State>,
    /// Wakes the preparer.
    pub(crate) work: Condvar,
    /// Wakes the writer.
    pub(crate) ready: Condvar,
}

/// Who holds which file.
#[derive(Debug)]
pub(crate) struct State {
    /// Segments of the log, oldest first; the last is written.
    pub(crate) live: VecDeque<Arc<Segment>>,
    pub(crate) spares: Vec<Spare>,
    /// Trimmed and not yet let go, oldest first: that order keeps the log whole over a crash.
    pub(crate) doomed: VecDeque<Arc<Segment>>,
    /// Nothing before it is wanted.
    pub(crate) trimmed: Lsn,
    pub(crate) next_number: u64,
    /// Size of the next segment.
    pub(crate) size: u64,
    /// Bytes of all files.
    pub(crate) total: u64,
    /// A frame of this span waits for a file.
    pub(crate) wanted: Option<u64>,
    /// Why the last file could not be made, until one can be.
    pub(crate) refused: Option<Arc<io::Error>>,
    pub(crate) closing: bool,
}

impl Store {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        options: &Options,
        live: Vec<Segment>,
        spares: Vec<Spare>,
        next_number: u64,
    ) -> Self {
        let sizes = Sizes::new(options);
        let kept: u64 = live.iter().map(|segment| segment.header.size).sum();
        let state = State {
            total: kept + spares.iter().map(|spare| spare.size).sum::<u64>(),
            live: live.into_iter().map(Arc::new).collect(),
            spares,
            doomed: VecDeque::new(),
            trimmed: Lsn(0),
            next_number,
            size: sizes.next(kept, 0),
            wanted: None,
            refused: None,
            closing: false,
        };
        Self {
            disk,
            sizes,
            space: Space::default(),
            state: Mutex::new(state),
            work: Condvar::new(),
            ready: Condvar::new(),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done when a thread panics: each change is complete in itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file for the next segment, whose first frame has this span. Waits for one, unless none can
    /// be made.
    pub(crate) fn take(&self, span: u64) -> io::Result<Spare> {
        let mut state = self.state();
        // An older refusal says nothing of now.
        state.refused = None;
        loop {
            if let Some(spare) = state.take(span) {
                state.wanted = None;
                self.work.notify_one();
                return Ok(spare);
            }
            if let Some(why) = state.refused.clone() {
                state.wanted = None;
                return Err(io::Error::new(why.kind(), why));
            }
            state.wanted = Some(span);
            self.work.notify_one();
            state = self
                .ready
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Goes on in this segment.
    pub(crate) fn begin(&self, segment: Arc<Segment>) {
        let mut state = self.state();
        let durable = segment.header.base;
        state.live.push_back(segment);
        self.let_go(&mut state, durable);
        state.size = self.sizes.next(state.kept(), state.size);
        self.publish(&state);
    }

    /// The segment that holds this position.
    pub(crate) fn find(&self, lsn: Lsn) -> Option<Arc<Segment>> {
        let state = self.state();
        state.find(lsn).map(|at| Arc::clone(&state.live[at]))
    }

    /// The segments that hold a range, held until they are dropped; `None` if its start was trimmed.
    pub(crate) fn range(&self, from: Lsn, to: Lsn) -> Option<Vec<Arc<Segment>>> {
        let state = self.state();
        let first = state.find(from)?;
        let held = state.live.iter().skip(first);
        let held = held.take_while(|segment| segment.header.base < to);
        Some(held.map(Arc::clone).collect())
    }

    /// Lets go of segments that end before a position. The preparer does the rest.
    pub(crate) fn trim(&self, before: Lsn, durable: Lsn) {
        let mut state = self.state();
        state.trimmed = state.trimmed.max(before);
        self.let_go(&mut state, durable);
    }

    fn let_go(&self, state: &mut State, durable: Lsn) {
        let doomed = state.doomed.len();
        while let Some(next) = state.live.get(1).map(|next| next.header.base) {
            // Once its first frame is synced, the next segment says where the log is and in which
            // epoch. Until then only this one does, and without it the log would begin anew.
            if next > state.trimmed || next >= durable {
                break;
            }
            let segment = state.live.pop_front();
            state.doomed.extend(segment);
        }
        if state.doomed.len() > doomed {
            state.size = self.sizes.next(state.kept(), state.size);
            self.work.notify_one();
        }
    }

    /// Ends the preparer when it has let go of what was trimmed.
    pub(crate) fn close(&self) {
        self.state().closing = true;
        self.work.notify_one();
    }

    /// Tells what there is room for now.
    pub(crate) fn publish(&self, state: &State) {
        let ready: u64 = state.spares.iter().map(Spare::room).sum();
        let largest_ready = state.spares.iter().map(Spare::room).max().unwrap_or(0);
        let more = self.more(state);
        let limit = state.live.back().map_or(Lsn(0), |active| active.limit());
        self.space.set(Known {
            limit,
            beyond: ready.saturating_add(more),
            largest: largest_ready.max(more.saturating_sub(crate::segment::HEADER)),
            ready: largest_ready,
            reserve: self.sizes.reserve(state.size),
        });
    }

    /// Bytes that may still be made into files: whole segments only.
    fn more(&self, state: &State) -> u64 {
        if state.refused.is_some() {
            return 0;
        }
        // Who cannot say how much is free says so when a file is made.
        let free = self.disk.free().unwrap_or(u64::MAX);
        let more = free.min(self.sizes.limit.saturating_sub(state.total));
        more / state.size * state.size
    }
}

impl State {
    /// Bytes of the segments that hold the log.
    pub(crate) fn kept(&self) -> u64 {
        self.live.iter().map(|segment| segment.header.size).sum()
    }

    fn find(&self, lsn: Lsn) -> Option<usize> {
        let after = self
            .live
            .partition_point(|segment| segment.header.base <= lsn);
        after.checked_sub(1)
    }

    /// The smallest spare with room for a frame: the larger ones are for larger frames.
    fn take(&mut self, span: u64) -> Option<Spare> {
        let fits = self.spares.iter().enumerate();
        let fits = fits.filter(|(_, spare)| spare.room() >= span);
        let (at, _) = fits.min_by_key(|(_, spare)| spare.size)?;
        Some(self.spares.swap_remove(at))
    }
}
