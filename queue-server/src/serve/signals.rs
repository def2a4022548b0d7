//! What a connection's parts tell its clock: which side is to move next, and since when.
//!
//! All parts of a connection run in one task, so these are plain facts rather than
//! synchronisation; they are atomics because a handler may hold a request's body elsewhere.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// Who is to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The client: it connected and has said nothing yet.
    New,
    /// The client: half a request is here.
    Head,
    /// Nobody must: the last request is answered.
    Idle,
    /// The server: a request is being answered. Its body has a clock of its own.
    Serving,
    /// The client: an answer lies there to be read.
    Writing,
}

/// The facts of one connection.
#[derive(Debug, Default)]
pub(super) struct Signals {
    serving: AtomicBool,
    head_begun: AtomicBool,
    write_blocked: AtomicBool,
    body_unread: AtomicBool,
    answered: AtomicU32,
    moves: AtomicU32,
}

impl Signals {
    /// Bytes came.
    pub(super) fn read(&self) {
        if !self.serving.load(Relaxed) {
            self.head_begun.store(true, Relaxed);
        }
    }

    /// A request's head is complete.
    pub(super) fn begin(&self) {
        self.head_begun.store(false, Relaxed);
        self.serving.store(true, Relaxed);
    }

    /// The answer's last byte was handed to the connection.
    pub(super) fn finish(&self) {
        self.serving.store(false, Relaxed);
        self.answered
            .store(self.answered.load(Relaxed).wrapping_add(1), Relaxed);
        self.moved();
    }

    /// The client takes no bytes for now.
    pub(super) fn write_stalls(&self) {
        self.write_blocked.store(true, Relaxed);
    }

    /// The client took bytes.
    pub(super) fn wrote(&self) {
        if self.write_blocked.load(Relaxed) {
            self.write_blocked.store(false, Relaxed);
            self.moved();
        }
    }

    /// A request's body was given up before its end.
    pub(super) fn leave_body(&self) {
        self.body_unread.store(true, Relaxed);
    }

    /// Whether the client may still be sending a body that nobody reads.
    pub(super) fn body_is_unread(&self) -> bool {
        self.body_unread.load(Relaxed)
    }

    /// Who is to move, and a number that changes whenever that side has moved.
    pub(super) fn mark(&self) -> (Phase, u32) {
        let phase = if self.write_blocked.load(Relaxed) {
            Phase::Writing
        } else if self.serving.load(Relaxed) {
            Phase::Serving
        } else if self.head_begun.load(Relaxed) {
            Phase::Head
        } else if self.answered.load(Relaxed) == 0 {
            Phase::New
        } else {
            Phase::Idle
        };
        (phase, self.moves.load(Relaxed))
    }

    fn moved(&self) {
        self.moves
            .store(self.moves.load(Relaxed).wrapping_add(1), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_goes_from_new_to_idle_by_way_of_a_request() {
        let signals = Signals::default();
        assert_eq!(signals.mark().0, Phase::New);
        signals.read();
        assert_eq!(signals.mark().0, Phase::Head);
        signals.begin();
        assert_eq!(signals.mark().0, Phase::Serving);
        signals.read();
        assert_eq!(
            signals.mark().0,
            Phase::Serving,
            "these are the body's bytes"
        );
        let before = signals.mark().1;
        signals.finish();
        assert_eq!(signals.mark().0, Phase::Idle);
        assert_ne!(
            signals.mark().1,
            before,
            "idle time begins anew with each answer"
        );
    }

    #[test]
    fn a_client_that_reads_slowly_moves_and_one_that_does_not_stalls() {
        let signals = Signals::default();
        signals.begin();
        signals.write_stalls();
        let stalled = signals.mark();
        assert_eq!(stalled.0, Phase::Writing);
        signals.write_stalls();
        assert_eq!(signals.mark(), stalled, "still the same stall");
        signals.wrote();
        signals.write_stalls();
        assert_ne!(signals.mark(), stalled, "another one");
    }
}
