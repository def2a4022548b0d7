//! One item and the life it may lead.

use core::fmt;

use crate::blob::Blob;
use crate::paged::Vacant;
use crate::time::Time;

/// An item. Small, because there may be millions: its id is derived from its place, its bytes lie in
/// the caller's store, its leases and attempts lie apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    place: u64,
    len: u32,
    /// Attempts spent, the running one included.
    pub(crate) attempts: u16,
    /// Times it was given back.
    pub(crate) releases: u8,
    pub(crate) enqueued: Time,
    pub(crate) state: State,
}

impl Item {
    pub(crate) fn new(body: Blob, enqueued: Time) -> Self {
        Self {
            place: body.place,
            len: body.len,
            attempts: 0,
            releases: 0,
            enqueued,
            state: State::Ready,
        }
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

    /// When it came in.
    #[must_use]
    pub fn enqueued(&self) -> Time {
        self.enqueued
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }
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
            (Self::Delayed(_), Change::FallDue) => Ok(Some(Self::Ready)),
            (Self::Leased, Change::Extend) => Ok(Some(Self::Leased)),
            (
                Self::Leased,
                Change::Settle(to @ (Self::Ready | Self::Delayed(_) | Self::Done | Self::Dead)),
            ) => Ok(Some(to)),
            (Self::Ready | Self::Delayed(_) | Self::Dead, Change::Purge)
            | (Self::Done, Change::Forget) => Ok(None),
            (state, change) => Err(IllegalChange { state, change }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUE: State = State::Delayed(Time(9));

    #[test]
    fn each_state_takes_these_changes_and_no_other() {
        let states = [State::Ready, DUE, State::Leased, State::Done, State::Dead];
        let changes = [
            Change::Lease,
            Change::Extend,
            Change::Settle(State::Ready),
            Change::Settle(DUE),
            Change::Settle(State::Done),
            Change::Settle(State::Dead),
            Change::Settle(State::Leased),
            Change::FallDue,
            Change::Take,
            Change::Purge,
            Change::Forget,
        ];
        let legal = [
            (State::Ready, Change::Lease, Some(State::Leased)),
            (State::Ready, Change::Take, Some(State::Done)),
            (State::Ready, Change::Purge, None),
            (DUE, Change::FallDue, Some(State::Ready)),
            (DUE, Change::Purge, None),
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
