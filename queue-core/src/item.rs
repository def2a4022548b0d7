//! One item and the life it may lead.

use core::fmt;

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

/// Where an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Can be leased.
    Ready,
    /// Waits for this instant.
    Delayed(Time),
    /// In a worker's hands.
    Leased,
    /// Finished well; kept for its outcome.
    Done,
    /// Given up on; kept until purged.
    Dead,
    /// Nobody had it when it expired; kept for its outcome.
    Expired,
    /// Not wanted any more; kept for its outcome.
    Cancelled,
}

/// A [`State`] without what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// [`State::Ready`].
    Ready,
    /// [`State::Delayed`].
    Delayed,
    /// [`State::Leased`].
    Leased,
    /// [`State::Done`].
    Done,
    /// [`State::Dead`].
    Dead,
    /// [`State::Expired`].
    Expired,
    /// [`State::Cancelled`].
    Cancelled,
}

/// What can happen to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// Lent to a worker.
    Lease,
    /// The lease is made longer.
    Extend,
    /// The lease ends, and the item goes there.
    Settle(State),
    /// Its time has come.
    FallDue,
    /// Delivered and done in one.
    Take,
    /// Thrown away.
    Purge,
    /// Its expiry passed.
    Expire,
    /// Not wanted any more.
    Cancel,
    /// Tried again after it was given up on.
    Redrive,
    /// Its outcome is past retention.
    Forget,
}

/// A change that an item in this state cannot go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IllegalChange {
    /// Where the item stood.
    pub state: State,
    /// What was to happen to it.
    pub change: Change,
}

impl fmt::Display for IllegalChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "an item that is {:?} cannot {:?}",
            self.state, self.change
        )
    }
}

impl core::error::Error for IllegalChange {}

impl State {
    /// Every legal step in the life of an item: where a change leads, `None` where it leaves the
    /// queue.
    pub fn next(self, change: Change) -> Result<Option<Self>, IllegalChange> {
        match (self, change) {
            (Self::Ready, Change::Lease) => Ok(Some(Self::Leased)),
            (Self::Ready, Change::Take) => Ok(Some(Self::Done)),
            (Self::Delayed(_), Change::FallDue) | (Self::Dead, Change::Redrive) => {
                Ok(Some(Self::Ready))
            }
            (Self::Ready | Self::Delayed(_), Change::Expire) => Ok(Some(Self::Expired)),
            (Self::Ready | Self::Delayed(_), Change::Cancel) => Ok(Some(Self::Cancelled)),
            (Self::Leased, Change::Extend) => Ok(Some(Self::Leased)),
            (
                Self::Leased,
                Change::Settle(to @ (Self::Ready | Self::Delayed(_) | Self::Done | Self::Dead)),
            ) => Ok(Some(to)),
            (Self::Ready | Self::Delayed(_) | Self::Dead, Change::Purge)
            | (Self::Done | Self::Expired | Self::Cancelled, Change::Forget) => Ok(None),
            (state, change) => Err(IllegalChange { state, change }),
        }
    }

    /// Which of the states it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Ready => Kind::Ready,
            Self::Delayed(_) => Kind::Delayed,
            Self::Leased => Kind::Leased,
            Self::Done => Kind::Done,
            Self::Dead => Kind::Dead,
            Self::Expired => Kind::Expired,
            Self::Cancelled => Kind::Cancelled,
        }
    }

    /// Over, and kept for its outcome alone: the item goes with it.
    #[must_use]
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Done | Self::Expired | Self::Cancelled)
    }

    /// Still to be worked on: ready, delayed or leased.
    #[must_use]
    pub fn is_live(self) -> bool {
        matches!(self, Self::Ready | Self::Delayed(_) | Self::Leased)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUE: State = State::Delayed(Time(9));

    #[test]
    fn each_state_takes_these_changes_and_no_other() {
        let states = [
            State::Ready,
            DUE,
            State::Leased,
            State::Done,
            State::Dead,
            State::Expired,
            State::Cancelled,
        ];
        let changes = [
            Change::Lease,
            Change::Extend,
            Change::Settle(State::Ready),
            Change::Settle(DUE),
            Change::Settle(State::Done),
            Change::Settle(State::Dead),
            Change::Settle(State::Leased),
            Change::Settle(State::Expired),
            Change::Settle(State::Cancelled),
            Change::FallDue,
            Change::Take,
            Change::Purge,
            Change::Expire,
            Change::Cancel,
            Change::Redrive,
            Change::Forget,
        ];
        let legal = [
            (State::Ready, Change::Lease, Some(State::Leased)),
            (State::Ready, Change::Take, Some(State::Done)),
            (State::Ready, Change::Purge, None),
            (State::Ready, Change::Expire, Some(State::Expired)),
            (State::Ready, Change::Cancel, Some(State::Cancelled)),
            (DUE, Change::FallDue, Some(State::Ready)),
            (DUE, Change::Purge, None),
            (DUE, Change::Expire, Some(State::Expired)),
            (DUE, Change::Cancel, Some(State::Cancelled)),
            (State::Leased, Change::Extend, Some(State::Leased)),
            (
                State::Leased,
                Change::Settle(State::Ready),
                Some(State::Ready),
            ),
            (State::Leased, Change::Settle(DUE), Some(DUE)),
            (
                State::Leased,
                Change::Settle(State::Done),
                Some(State::Done),
            ),
            (
                State::Leased,
                Change::Settle(State::Dead),
                Some(State::Dead),
            ),
            (State::Done, Change::Forget, None),
            (State::Dead, Change::Purge, None),
            (State::Dead, Change::Redrive, Some(State::Ready)),
            (State::Expired, Change::Forget, None),
            (State::Cancelled, Change::Forget, None),
        ];
        for state in states {
            for change in changes {
                let expected = legal
                    .iter()
                    .find(|(from, what, _)| (*from, *what) == (state, change))
                    .map(|(_, _, to)| *to)
                    .ok_or(IllegalChange { state, change });
                assert_eq!(state.next(change), expected, "{state:?} {change:?}");
            }
        }
    }

    #[test]
    fn an_item_stays_small() {
        assert!(size_of::<Item>() <= 40, "{}", size_of::<Item>());
    }
}
