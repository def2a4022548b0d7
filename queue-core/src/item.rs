//! One item, packed: there may be millions.
//!
//! Which states it may go through is for `state` to say; its terms, leases and attempts lie elsewhere.

mod state;

pub use self::state::{Change, IllegalChange, Kind, State};
use crate::blob::Blob;
use crate::paged::Vacant;
use crate::time::Time;

/// An item. Small, because there may be millions: its id is derived from its place, its bytes lie in
/// the caller's store, its leases and attempts lie apart.
#[derive(Debug, Clone)]
pub struct Item {
    place: u64,
    len: u32,
    /// Attempts spent, the running one included.
    pub(crate) attempts: u16,
    /// Times it was given back.
    pub(crate) releases: u8,
    /// Which of its terms are kept elsewhere.
    pub(crate) flags: u8,
    pub(crate) enqueued: Time,
    /// When a delayed item is due; when one that ended did; since when one is ready, 0 if that is not known.
    when: Time,
    /// Attempts that do not count any more: those that were given back unspent, and all before it was
    /// redriven.
    pub(crate) uncounted: u32,
    kind: Kind,
}

impl Item {
    pub(crate) fn new(body: Blob, enqueued: Time) -> Self {
        Self {
            place: body.place,
            len: body.len,
            attempts: 0,
            releases: 0,
            flags: 0,
            enqueued,
            when: Time(0),
            uncounted: 0,
            kind: Kind::Ready,
        }
    }

    /// It stands there now, since that time if it ended or is ready; of all others `since` says nothing.
    pub(crate) fn set_state(&mut self, state: State, since: Time) {
        let was_due = self.kind == Kind::Delayed;
        self.kind = state.kind();
        self.when = match state {
            // Ready since it was due, whenever somebody came round to see that.
            State::Ready if was_due => self.when,
            State::Ready => since,
            State::Leased => Time(0),
            State::Delayed(due) => due,
            State::Done | State::Dead | State::Expired | State::Cancelled => since,
        };
    }

    /// Gives the attempts that it has spent back to it.
    pub(crate) fn begin_anew(&mut self) {
        self.uncounted += u32::from(self.attempts);
        self.attempts = 0;
        self.releases = 0;
    }

    /// Takes the running attempt for one that was not spent.
    pub(crate) fn unspend(&mut self) {
        self.uncounted += 1;
        self.attempts -= 1;
    }

    /// The handle of its body.
    #[must_use]
    pub fn body(&self) -> Blob {
        Blob {
            place: self.place,
            len: self.len,
        }
    }

    /// Attempts spent, the running one included.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts.into()
    }

    /// How often it was lent: the number of its latest attempt, counted from 1 and through whatever befell
    /// it. The attempts of its [story](crate::Queue::story) have the numbers before that without a gap.
    #[must_use]
    pub fn leases(&self) -> u32 {
        self.uncounted + u32::from(self.attempts)
    }

    /// When it ended; `None` if it is still to be worked on.
    #[must_use]
    pub fn ended(&self) -> Option<Time> {
        (!self.state().is_live()).then_some(self.when)
    }

    /// Since when it is ready; `None` if it is not, or if that is not known: a snapshot does not tell, and
    /// neither does what redrove it.
    #[must_use]
    pub fn ready_since(&self) -> Option<Time> {
        (self.kind == Kind::Ready && self.when > Time(0)).then_some(self.when)
    }

    /// Whether it was given anything besides its body: see [`Queue::terms_of`](crate::Queue::terms_of).
    #[must_use]
    pub fn has_terms(&self) -> bool {
        self.flags != 0
    }

    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// When it came in.
    #[must_use]
    pub fn enqueued(&self) -> Time {
        self.enqueued
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> State {
        match self.kind {
            Kind::Ready => State::Ready,
            Kind::Delayed => State::Delayed(self.when),
            Kind::Leased => State::Leased,
            Kind::Done => State::Done,
            Kind::Dead => State::Dead,
            Kind::Expired => State::Expired,
            Kind::Cancelled => State::Cancelled,
        }
    }

    /// Which of the states that is.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }
}

/// All that a snapshot tells: not since when it is ready.
impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            place,
            len,
            attempts,
            releases,
            flags,
            enqueued,
            when,
            uncounted,
            kind,
        } = *self;
        let same = (place, len, attempts, releases, flags)
            == (
                other.place,
                other.len,
                other.attempts,
                other.releases,
                other.flags,
            )
            && (enqueued, uncounted, kind) == (other.enqueued, other.uncounted, other.kind);
        same && (kind == Kind::Ready || when == other.when)
    }
}

/// What an item may have that is kept elsewhere, a bit each.
pub(crate) mod flag {
    /// A group, or a priority that is not 0.
    pub(crate) const LANE: u8 = 1;
    pub(crate) const KEY: u8 = 1 << 1;
    pub(crate) const EXPIRES: u8 = 1 << 2;
    pub(crate) const TRACE: u8 = 1 << 3;
}

impl Vacant for Item {
    fn vacant() -> Self {
        Self::new(Blob::default(), Time(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_stays_small() {
        assert!(size_of::<Item>() <= 40, "{}", size_of::<Item>());
    }
}
