//! What to do next, as a pure function of slots, calls under way and the time.
//!
//! The worker has a number of slots. A slot runs an item, or is asked for in a lease call, or is
//! free. Free slots are always asked for, all in one call, and that call carries whatever is to be
//! settled. A worker may be told to keep some items ahead of its slots; places for those are asked for
//! in the same calls. Two rules shape the rest:
//!
//! 1. *A settlement never waits behind a parked call.* A call that has not answered within
//!    [`PARK_AFTER`] is taken to be parked; the next settlement goes out with a call of its own. So
//!    a quiet worker settles at once, and a busy one gathers what finishes during a round trip. Nor is
//!    its answer parked: a call that carries settlements is back soon, and one that carries none parks.
//! 2. *A worker ends only when all its calls have answered.* A call that is cut off may hold an item
//!    that the server has just lent; ending then would leave that item to nobody.
//!
//! It does not know what an item or a queue is, and does nothing: the shell reports what happened
//! and asks for the next step until that is to wait.

use std::time::Duration;

use tokio::time::Instant;

/// A call that takes longer than this is taken to be parked: many times a round trip in one cluster,
/// and no delay that a person or a queue would notice.
pub(crate) const PARK_AFTER: Duration = Duration::from_millis(20);

/// Most calls parked at a time. Slots beyond those that these ask for are asked for as soon as one of
/// them answers: a worker with a thousand idle slots is still a few connections to its server.
const MAX_PARKED: usize = 4;

/// Names a call under way.
pub(crate) type CallId = u64;

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ask for this many items, and carry what is to be settled.
    Lease { slots: usize },
    /// Settle, without asking for items.
    Settle,
    /// Cut these calls off: they are parked, and no items are wanted any more.
    Cut(Vec<CallId>),
    /// Nothing, until something happens or this instant comes.
    Wait(Option<Instant>),
    /// All is done and settled.
    Finish,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    id: CallId,
    /// Slots it asks for; none if it only settles.
    slots: usize,
    parked_from: Instant,
}

/// The slots of a worker and the calls that are to fill or settle them.
#[derive(Debug)]
pub(crate) struct Slots {
    total: usize,
    /// Most items kept beyond those that run.
    most_ahead: usize,
    running: usize,
    ahead: usize,
    calls: Vec<Call>,
    /// Settlements that no call under way carries.
    unsettled: usize,
    /// The queue is finished, as of the last answer.
    ended: bool,
    stopping: bool,
    resting_until: Option<Instant>,
}

impl Slots {
    pub(crate) fn new(total: usize, most_ahead: usize) -> Self {
        Self {
            total,
            most_ahead,
            running: 0,
            ahead: 0,
            calls: Vec::new(),
            unsettled: 0,
            ended: false,
            stopping: false,
            resting_until: None,
        }
    }

    /// The next step; asked again and again until it is to wait or to finish.
    pub(crate) fn next(&self, now: Instant) -> Step {
        if self.stopping {
            return self.next_while_stopping(now);
        }
        let free = self.free();
        let fresh = self.calls.iter().map(|call| call.parked_from).max();
        if let Some(parked_from) = fresh.filter(|&at| at > now) {
            let gathering = free > 0 || self.unsettled > 0;
            return Step::Wait(gathering.then_some(parked_from));
        }
        let rest = self.resting_until.filter(|&until| until > now);
        let may_ask = self.calls.iter().filter(|call| call.slots > 0).count() < MAX_PARKED;
        if free > 0 && may_ask && rest.is_none() && !self.ended {
            return Step::Lease { slots: free };
        }
        if self.unsettled > 0 {
            return Step::Settle;
        }
        if self.ended && self.is_idle() {
            return Step::Finish;
        }
        Step::Wait(rest)
    }

    fn next_while_stopping(&self, now: Instant) -> Step {
        let leases = || self.calls.iter().filter(|call| call.slots > 0);
        let parked: Vec<_> = leases()
            .filter(|call| call.parked_from <= now)
            .map(|call| call.id)
            .collect();
        if !parked.is_empty() {
            return Step::Cut(parked);
        }
        let settling = self.calls.iter().any(|call| call.slots == 0);
        if self.unsettled > 0 && !settling {
            return Step::Settle;
        }
        if self.is_idle() {
            return Step::Finish;
        }
        Step::Wait(leases().map(|call| call.parked_from).min())
    }

    fn free(&self) -> usize {
        let asked: usize = self.calls.iter().map(|call| call.slots).sum();
        let places = self.total + self.most_ahead;
        places.saturating_sub(self.running + self.ahead + asked)
    }

    fn is_idle(&self) -> bool {
        self.holds_nothing() && self.calls.is_empty()
    }

    fn holds_nothing(&self) -> bool {
        self.running + self.ahead + self.unsettled == 0
    }

    /// A call went out that asks for so many items and carries so many settlements.
    pub(crate) fn called(&mut self, id: CallId, slots: usize, carried: usize, now: Instant) {
        self.unsettled -= carried;
        self.resting_until = None;
        self.calls.push(Call {
            id,
            slots,
            parked_from: now + PARK_AFTER,
        });
    }

    /// A call is over; so many of its settlements are still to be made.
    pub(crate) fn returned(&mut self, id: CallId, unsettled: usize) {
        self.calls.retain(|call| call.id != id);
        self.unsettled += unsettled;
    }

    /// An item starts to run.
    pub(crate) fn started(&mut self) {
        self.running += 1;
        self.ended = false;
    }

    /// Whether there is a slot for one more item.
    pub(crate) fn have_room(&self) -> bool {
        self.running < self.total
    }

    /// An item came whose turn it is not.
    pub(crate) fn keeps(&mut self) {
        self.ahead += 1;
        self.ended = false;
    }

    /// An item that was kept has its turn, or is kept no longer.
    pub(crate) fn keeps_no_more(&mut self) {
        self.ahead -= 1;
    }

    /// An item stopped running; whether there is something to settle about it.
    pub(crate) fn stopped_running(&mut self, to_settle: bool) {
        self.running -= 1;
        self.unsettled += usize::from(to_settle);
    }

    /// An item came that will not run; it is to be given back.
    pub(crate) fn gave_back(&mut self) {
        self.unsettled += 1;
    }

    /// Settlements that will never be made: nobody is there to hear them.
    pub(crate) fn forget_unsettled(&mut self) {
        self.unsettled = 0;
    }

    /// An answer said that the queue is finished. True unless this worker still has items of it, in
    /// which case they are lost leases, and the next answer counts.
    pub(crate) fn queue_ended(&mut self) -> bool {
        self.ended = self.holds_nothing();
        self.ended
    }

    /// An answer said that the queue is not finished.
    pub(crate) fn queue_goes_on(&mut self) {
        self.ended = false;
    }

    /// No lease calls until then.
    pub(crate) fn rest_until(&mut self, until: Instant) {
        self.resting_until = Some(until);
    }

    /// No lease calls any more.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping
    }

    pub(crate) fn running(&self) -> usize {
        self.running
    }
}

#[cfg(test)]
mod tests;
