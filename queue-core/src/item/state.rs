//! The life an item may lead: its states, and every legal step from one to another.
//!
//! What else belongs to an item, and what a queue does about a step, is not known here.

use core::fmt;

use crate::time::Time;

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
}
