//! What a worker does next, told as what happened to it before.

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
    let (mut slots, mut now) = (Slots::new(total, 0), start);
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
fn places_ahead_of_the_slots_are_asked_for_in_the_same_call() {
    let now = Instant::now();
    let mut slots = Slots::new(2, 3);
    assert_eq!(slots.next(now), Step::Lease { slots: 5 });
    slots.called(1, 5, 0, now);
    slots.returned(1, 0);
    for _ in 0..2 {
        assert!(slots.have_room());
        slots.started();
    }
    assert!(!slots.have_room());
    slots.keeps();
    assert_eq!(slots.next(now), Step::Lease { slots: 2 });
    assert!(!slots.queue_ended(), "one that is kept has not been done");
    slots.stopped_running(false);
    slots.keeps_no_more();
    slots.started();
    assert_eq!(slots.next(now), Step::Lease { slots: 3 });
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
