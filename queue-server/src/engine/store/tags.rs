//! The numbers that stand for things in a record. A number is never given another meaning: what is
//! not written any more keeps its own.

use queue_core::{How, Next, State, Time, Totals};

use super::wire::Malformed;

/// What a record is.
pub(super) mod record_tag {
    pub(in super::super) const CREATED: u8 = 1;
    pub(in super::super) const DELETED: u8 = 2;
    pub(in super::super) const EVENTS: u8 = 3;
    pub(in super::super) const HEAD: u8 = 4;
    pub(in super::super) const PARTS: u8 = 5;
    pub(in super::super) const ASIDE: u8 = 6;
}

/// What an event is.
pub(super) mod event_tag {
    pub(in super::super) const CONFIGURED: u8 = 1;
    pub(in super::super) const ENQUEUED: u8 = 2;
    pub(in super::super) const LEASED: u8 = 3;
    pub(in super::super) const EXTENDED: u8 = 4;
    pub(in super::super) const SETTLED: u8 = 5;
    pub(in super::super) const FELL_DUE: u8 = 6;
    pub(in super::super) const TAKEN: u8 = 7;
    pub(in super::super) const PURGED: u8 = 8;
    pub(in super::super) const FORGOTTEN: u8 = 9;
    pub(in super::super) const SEALED: u8 = 10;
    pub(in super::super) const REOPENED: u8 = 11;
    pub(in super::super) const PAUSED: u8 = 12;
    pub(in super::super) const RESUMED: u8 = 13;
    pub(in super::super) const ENQUEUED_ON_TERMS: u8 = 14;
    pub(in super::super) const SETTLED_WITH_LOG: u8 = 15;
    pub(in super::super) const DUPLICATED: u8 = 16;
    pub(in super::super) const EXPIRED: u8 = 17;
    pub(in super::super) const CANCELLED: u8 = 18;
    pub(in super::super) const REDRIVEN: u8 = 19;
    pub(in super::super) const KEY_FREED: u8 = 20;
    pub(in super::super) const REMEMBERED: u8 = 21;
    pub(in super::super) const RECALLED: u8 = 22;
}

/// What a part of a snapshot is.
pub(super) mod part_tag {
    pub(in super::super) const OUTCOME: u8 = 1;
    pub(in super::super) const ITEM: u8 = 2;
    pub(in super::super) const CLOSED: u8 = 3;
    pub(in super::super) const ITEM_ON_TERMS: u8 = 4;
    pub(in super::super) const KEY: u8 = 5;
    pub(in super::super) const ANSWER: u8 = 6;
    pub(in super::super) const ORDER: u8 = 7;
}

/// The flags of a queue at the head of a snapshot.
pub(super) mod head_flag {
    pub(in super::super) const SEALED: u8 = 1 << 0;
    pub(in super::super) const PAUSED: u8 = 1 << 1;
    pub(in super::super) const NEXT_ANSWER: u8 = 1 << 2;
    pub(in super::super) const ALL: u8 = SEALED | PAUSED | NEXT_ANSWER;
}

/// The number that says on which terms an item came in: a byte, or two where there is a trace.
pub(super) mod terms_flag {
    pub(in super::super) const DUE: u8 = 1 << 0;
    pub(in super::super) const PRIORITY: u8 = 1 << 1;
    pub(in super::super) const GROUP: u8 = 1 << 2;
    pub(in super::super) const KEY: u8 = 1 << 3;
    pub(in super::super) const EXPIRES: u8 = 1 << 4;
    /// In a snapshot: the item has ended, and holds its key.
    pub(in super::super) const HELD: u8 = 1 << 5;
    /// In a snapshot: some of its attempts do not count any more.
    pub(in super::super) const UNCOUNTED: u8 = 1 << 6;
    pub(in super::super) const TRACE: u8 = 1 << 7;
}

/// The byte that says how a lease ended: bits 0-2 how, bits 3-4 what becomes of the item.
pub(super) mod settled_flag {
    pub(in super::super) const HOW_MASK: u8 = 0b111;
    pub(in super::super) const NEXT_SHIFT: u8 = 3;
    pub(in super::super) const NEXT_MASK: u8 = 0b11;
    pub(in super::super) const SPENT: u8 = 1 << 5;
    pub(in super::super) const NOTE: u8 = 1 << 6;
    pub(in super::super) const EXIT_CODE: u8 = 1 << 7;
}

/// The byte that says how a past attempt ended: bits 0-2 how.
pub(super) mod attempt_flag {
    pub(in super::super) const HOW_MASK: u8 = 0b111;
    pub(in super::super) const NTH: u8 = 1 << 3;
    pub(in super::super) const LOG: u8 = 1 << 5;
    pub(in super::super) const NOTE: u8 = 1 << 6;
    pub(in super::super) const EXIT_CODE: u8 = 1 << 7;
    pub(in super::super) const ALL: u8 = HOW_MASK | NTH | LOG | NOTE | EXIT_CODE;
}

pub(super) fn how(how: How) -> u8 {
    match how {
        How::Acked => 0,
        How::Nacked => 1,
        How::Released => 2,
        How::Buried => 3,
        How::Expired => 4,
        How::Revoked => 5,
    }
}

pub(super) fn read_how(bits: u8) -> Result<How, Malformed> {
    match bits {
        0 => Ok(How::Acked),
        1 => Ok(How::Nacked),
        2 => Ok(How::Released),
        3 => Ok(How::Buried),
        4 => Ok(How::Expired),
        5 => Ok(How::Revoked),
        _ => Err(Malformed::new("how an attempt ended")),
    }
}

pub(super) fn next(next: Next) -> u8 {
    match next {
        Next::Done => 0,
        Next::Ready => 1,
        Next::Delayed(_) => 2,
        Next::Dead => 3,
    }
}

/// The due time is read only where there is one.
pub(super) fn read_next(
    bits: u8,
    due: impl FnOnce() -> Result<Time, Malformed>,
) -> Result<Next, Malformed> {
    match bits {
        0 => Ok(Next::Done),
        1 => Ok(Next::Ready),
        2 => due().map(Next::Delayed),
        3 => Ok(Next::Dead),
        _ => Err(Malformed::new("what becomes of an item")),
    }
}

pub(super) fn state(state: State) -> u8 {
    match state {
        State::Ready => 0,
        State::Delayed(_) => 1,
        State::Leased => 2,
        State::Done => 3,
        State::Dead => 4,
        State::Expired => 5,
        State::Cancelled => 6,
    }
}

/// The due time is read only where there is one.
pub(super) fn read_state(
    byte: u8,
    due: impl FnOnce() -> Result<Time, Malformed>,
) -> Result<State, Malformed> {
    match byte {
        0 => Ok(State::Ready),
        1 => due().map(State::Delayed),
        2 => Ok(State::Leased),
        3 => Ok(State::Done),
        4 => Ok(State::Dead),
        5 => Ok(State::Expired),
        6 => Ok(State::Cancelled),
        _ => Err(Malformed::new("the state of an item")),
    }
}

/// How an item ended, as its outcome tells it.
pub(super) fn ending(state: State) -> u8 {
    match state {
        State::Done => 0,
        State::Dead => 1,
        State::Expired => 2,
        State::Cancelled => 3,
        State::Ready | State::Delayed(_) | State::Leased => {
            unreachable!("an item that is {state:?} has no outcome")
        }
    }
}

pub(super) fn read_ending(byte: u8) -> Result<State, Malformed> {
    match byte {
        0 => Ok(State::Done),
        1 => Ok(State::Dead),
        2 => Ok(State::Expired),
        3 => Ok(State::Cancelled),
        _ => Err(Malformed::new("an outcome")),
    }
}

/// The totals in the order in which they are written. New ones are added at the end: fewer read as 0.
pub(super) fn totals(totals: &Totals) -> [u64; 13] {
    let Totals {
        enqueued,
        leased,
        acked,
        nacked,
        released,
        lease_expired,
        dead,
        purged,
        taken,
        duplicates,
        item_expired,
        cancelled,
        redriven,
    } = *totals;
    [
        enqueued,
        leased,
        acked,
        nacked,
        released,
        lease_expired,
        dead,
        purged,
        taken,
        duplicates,
        item_expired,
        cancelled,
        redriven,
    ]
}

/// The totals from the order in which they are written.
pub(super) fn read_totals(mut next: impl FnMut() -> u64) -> Totals {
    Totals {
        enqueued: next(),
        leased: next(),
        acked: next(),
        nacked: next(),
        released: next(),
        lease_expired: next(),
        dead: next(),
        purged: next(),
        taken: next(),
        duplicates: next(),
        item_expired: next(),
        cancelled: next(),
        redriven: next(),
    }
}
