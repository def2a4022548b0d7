//! What to do next, as a pure function of slots, calls under way and the time.
//!
//! The worker has a number of slots. A slot runs an item, or is asked for in a lease call, or is
//! free. Free slots are always asked for, all in one call, and that call carries whatever is to be
//! settled. Two rules shape the rest:
//!
//! 1. *A settlement never waits behind a parked call.* A call that has not answered within
//!    [`PARK_AFTER`] is taken to be parked; the next settlement goes out with a call of its own. So
//!    a quiet worker settles at once, and a busy one gathers what finishes during a round trip.
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
    running: usize,
    calls: Vec<Call>,
    /// Settlements that no call under way carries.
    unsettled: usize,
    /// The queue is finished, as of the last answer.
    ended: bool,
    stopping: bool,
    resting_until: Option<Instant>,
}

impl Slots {
    pub(crate) fn new(total: usize) -> Self {
        Self {
            total,
            running: 0,
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
        self.total.saturating_sub(self.running + asked)
    }

    fn is_idle(&self) -> bool {
        self.running == 0 && self.unsettled == 0 && self.calls.is_empty()
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
        self.ended = self.running == 0 && self.unsettled == 0;
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
mod tests {
    use super::*;

    /// What happens to a worker, in the order it happens.
    #[derive(Debug, Clone, Copy)]
    enum Event {
        Calls {
            id: CallId,
            slots: usize,
            carries: usize,
        },
        Return {
            id: CallId,
            items: usize,
        },
        Done,
        Ended,
        GoesOn,
        Stop,
        Rest(u64),
        Pass(u64),
    }
    use Event::*;

    /// The step a worker of so many slots takes after these events; instants in milliseconds.
    fn after(total: usize, events: &[Event]) -> (Step, Instant) {
        let start = Instant::now();
        let (mut slots, mut now) = (Slots::new(total), start);
        for event in events {
            match *event {
                Calls {
                    id,
                    slots: asked,
                    carries,
                } => slots.called(id, asked, carries, now),
                Return { id, items } => {
                    slots.returned(id, 0);
                    (0..items).for_each(|_| slots.started());
                }
                Done => slots.stopped_running(true),
                Ended => drop(slots.queue_ended()),
                GoesOn => slots.queue_goes_on(),
                Stop => slots.stop(),
                Rest(ms) => slots.rest_until(now + Duration::from_millis(ms)),
                Pass(ms) => now += Duration::from_millis(ms),
            }
        }
        (slots.next(now), start)
    }

    fn ms(start: Instant, ms: u64) -> Step {
        Step::Wait(Some(start + Duration::from_millis(ms)))
    }

    /// One lease call answered with so many items.
    fn got(items: usize) -> [Event; 2] {
        [
            Calls {
                id: 1,
                slots: items,
                carries: 0,
            },
            Return { id: 1, items },
        ]
    }

    #[test]
    fn all_free_slots_are_asked_for_in_one_call() {
        assert_eq!(after(4, &[]).0, Step::Lease { slots: 4 });
        assert_eq!(after(4, &got(3)).0, Step::Lease { slots: 1 });
        assert_eq!(after(4, &got(4)).0, Step::Wait(None));
    }

    #[test]
    fn a_finished_item_is_settled_by_the_call_that_asks_for_the_next() {
        let events = [&got(1)[..], &[Done]].concat();
        assert_eq!(after(1, &events).0, Step::Lease { slots: 1 });
    }

    #[test]
    fn what_finishes_during_a_round_trip_is_gathered() {
        let busy = [
            &got(3)[..],
            &[
                Done,
                Calls {
                    id: 2,
                    slots: 1,
                    carries: 1,
                },
                Pass(1),
                Done,
            ],
        ]
        .concat();
        let (step, start) = after(3, &busy);
        assert_eq!(step, ms(start, 20), "the call may answer any moment");
        let answered = [&busy[..], &[Done, Return { id: 2, items: 1 }]].concat();
        assert_eq!(after(3, &answered).0, Step::Lease { slots: 2 });
    }

    #[test]
    fn a_settlement_does_not_wait_behind_a_parked_call() {
        let call = Calls {
            id: 2,
            slots: 1,
            carries: 0,
        };
        let events = [&got(1)[..], &[call, Pass(20), Done]].concat();
        assert_eq!(after(2, &events).0, Step::Lease { slots: 1 });
    }

    #[test]
    fn a_settlement_that_found_no_room_in_a_call_goes_alone() {
        // Both finished, the call asked for both slots but could carry only one.
        let call = Calls {
            id: 2,
            slots: 2,
            carries: 1,
        };
        let events = [&got(2)[..], &[Done, Done, call, Pass(20)]].concat();
        assert_eq!(after(2, &events).0, Step::Settle);
    }

    #[test]
    fn idle_slots_take_a_few_parked_calls_and_no_more() {
        let mut events = got(6).to_vec();
        for id in 2..6 {
            assert_eq!(
                after(6, &[&events[..], &[Done]].concat()).0,
                Step::Lease { slots: 1 }
            );
            events.extend([
                Done,
                Calls {
                    id,
                    slots: 1,
                    carries: 1,
                },
                Pass(20),
            ]);
        }
        let fifth = [&events[..], &[Done]].concat();
        assert_eq!(after(6, &fifth).0, Step::Settle);
        let settle = Calls {
            id: 6,
            slots: 0,
            carries: 1,
        };
        let settled = [&fifth[..], &[settle, Return { id: 6, items: 0 }]].concat();
        assert_eq!(after(6, &settled).0, Step::Wait(None));
        let answered = [&settled[..], &[Return { id: 2, items: 0 }]].concat();
        assert_eq!(after(6, &answered).0, Step::Lease { slots: 2 });
    }

    #[test]
    fn a_worker_ends_when_the_queue_did_and_all_its_calls_have_answered() {
        let two_parked = [
            Calls {
                id: 1,
                slots: 1,
                carries: 0,
            },
            Pass(30),
            Calls {
                id: 2,
                slots: 1,
                carries: 0,
            },
            Pass(30),
            Return { id: 1, items: 0 },
            Ended,
        ];
        assert_eq!(after(2, &two_parked).0, Step::Wait(None));
        let both = [&two_parked[..], &[Return { id: 2, items: 0 }]].concat();
        assert_eq!(after(2, &both).0, Step::Finish);
        let an_item_came = [&two_parked[..], &[Return { id: 2, items: 1 }]].concat();
        assert_eq!(after(2, &an_item_came).0, Step::Lease { slots: 1 });
        let reopened = [&two_parked[..], &[Return { id: 2, items: 0 }, GoesOn]].concat();
        assert_eq!(after(2, &reopened).0, Step::Lease { slots: 2 });
    }

    #[test]
    fn a_worker_with_an_item_does_not_believe_that_the_queue_ended() {
        let events = [&got(1)[..], &[Ended, Done]].concat();
        assert_eq!(after(1, &events).0, Step::Lease { slots: 1 });
    }

    #[test]
    fn a_resting_worker_settles_but_does_not_lease() {
        let (step, start) = after(1, &[Rest(50)]);
        assert_eq!(step, ms(start, 50));
        assert_eq!(after(1, &[Rest(50), Pass(50)]).0, Step::Lease { slots: 1 });
        let events = [&got(1)[..], &[Rest(50), Done]].concat();
        assert_eq!(after(1, &events).0, Step::Settle);
    }

    #[test]
    fn a_worker_told_to_stop_leases_no_more() {
        assert_eq!(after(1, &[Stop]).0, Step::Finish);
        assert_eq!(
            after(2, &[&got(1)[..], &[Stop]].concat()).0,
            Step::Wait(None)
        );
        assert_eq!(
            after(2, &[&got(1)[..], &[Stop, Done]].concat()).0,
            Step::Settle
        );
    }

    #[test]
    fn a_worker_told_to_stop_cuts_parked_calls_and_hears_out_fresh_ones() {
        let calls = [
            Calls {
                id: 1,
                slots: 1,
                carries: 0,
            },
            Pass(20),
            Calls {
                id: 2,
                slots: 1,
                carries: 0,
            },
            Stop,
        ];
        assert_eq!(after(2, &calls).0, Step::Cut(vec![1]));
        let cut = [&calls[..], &[Return { id: 1, items: 0 }]].concat();
        let (step, start) = after(2, &cut);
        assert_eq!(step, ms(start, 40));
        assert_eq!(
            after(2, &[&cut[..], &[Pass(20)]].concat()).0,
            Step::Cut(vec![2])
        );
    }

    #[test]
    fn a_worker_told_to_stop_waits_for_its_settle_to_be_answered() {
        let settle = Calls {
            id: 2,
            slots: 0,
            carries: 1,
        };
        let events = [&got(1)[..], &[Stop, Done, settle, Pass(60_000)]].concat();
        assert_eq!(after(1, &events).0, Step::Wait(None));
        let answered = [&events[..], &[Return { id: 2, items: 0 }]].concat();
        assert_eq!(after(1, &answered).0, Step::Finish);
    }
}
