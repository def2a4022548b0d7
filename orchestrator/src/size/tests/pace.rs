//! The pace: up in steps, down late, and not at all while nothing is known.

use super::*;

#[test]
fn it_goes_up_by_the_larger_of_twice_and_four_more() {
    let mut sizer = Sizer::default();
    let mut look = |now| {
        let sizing = sizer.decide(&ANY, &known(), s(now));
        (sizing.wanted, sizing.binding)
    };
    assert_eq!(look(100), (4, Cap::StepUp));
    assert_eq!(look(114), (4, Cap::StepUp), "within 15 s it is one step");
    assert_eq!(look(115), (8, Cap::StepUp));
    assert_eq!(look(130), (16, Cap::StepUp));
    assert_eq!(look(145), (32, Cap::StepUp));
    assert_eq!(look(160), (55, Cap::Economy));
}

#[test]
fn the_fewest_that_the_user_wants_are_there_at_once() {
    let rules = Rules { min: 30, ..ANY };
    assert_eq!(Sizer::default().decide(&rules, &known(), s(0)).wanted, 30);
}

#[test]
fn pods_that_are_there_are_taken_over() {
    // The status was lost; forty pods work.
    let sizing = Sizer::default().decide(&ANY, &at_work(40), s(0));
    assert_eq!(sizing.wanted, 55);
}

#[test]
fn a_tenth_is_not_worth_a_change() {
    let mut sizer = having_asked(55);
    let slightly_more = Seen {
        mean_item: Some(s(10)),
        ..at_work(55)
    };
    let sizing = sizer.decide(&ANY, &slightly_more, s(1_000));
    assert_eq!((sizing.terms.target, sizing.wanted), (58, 55));
    assert_eq!(sizing.binding, Cap::Steady);
    let more = Seen {
        mean_item: Some(s(11)),
        ..at_work(55)
    };
    assert_eq!(sizer.decide(&ANY, &more, s(1_000)).wanted, 61);
}

#[test]
fn started_pods_stay_while_there_are_items_for_them() {
    // A quarter of the items is left: half the pods would be worth starting, and all are started.
    let mut sizer = having_asked(55);
    let later = Seen {
        ready: 195,
        ..at_work(55)
    };
    for now in [1_000, 1_300, 1_600, 5_000] {
        let sizing = sizer.decide(&ANY, &later, s(now));
        assert_eq!((sizing.wanted, sizing.binding), (55, Cap::Started));
        assert_eq!(sizing.terms.economy_pods, Some(28));
    }
}

#[test]
fn pods_that_have_not_started_go_first() {
    let mut sizer = having_asked(55);
    let later = Seen {
        pending: 35,
        ..Seen {
            ready: 380,
            ..at_work(20)
        }
    };
    let sizing = sizer.decide(&ANY, &later, s(1_000));
    assert_eq!((sizing.wanted, sizing.binding), (35, Cap::Economy));
}

#[test]
fn idle_pods_of_a_sealed_queue_go_and_busy_ones_never() {
    let mut sizer = having_asked(55);
    let tail = Seen {
        ready: 0,
        leased: 30,
        busy_workers: 33,
        ..at_work(55)
    };
    let sizing = sizer.decide(&ANY, &tail, s(1_000));
    assert_eq!((sizing.wanted, sizing.binding), (33, Cap::Tail));
    assert!(sizing.next_look <= s(5), "others become idle soon");
}

#[test]
fn idle_pods_of_an_open_queue_stay_for_five_minutes() {
    let mut sizer = having_asked(55);
    let lull = Seen {
        ready: 0,
        leased: 10,
        busy_workers: 10,
        sealed: false,
        ..at_work(55)
    };
    let mut look = |seen: &Seen, now| sizer.decide(&ANY, seen, s(now)).wanted;
    assert_eq!(look(&lull, 1_000), 55);
    let less_of_a_lull = Seen {
        leased: 20,
        busy_workers: 20,
        ..lull.clone()
    };
    assert_eq!(look(&less_of_a_lull, 1_200), 55);
    assert_eq!(look(&lull, 1_299), 55);
    assert_eq!(
        look(&lull, 1_300),
        20,
        "the most that were of use meanwhile"
    );
}

#[test]
fn pods_that_have_not_started_are_not_kept_for_what_was_wanted_before() {
    let mut sizer = having_asked(55);
    let mut look = |working: u32, running, now| {
        let seen = Seen {
            ready: 0,
            leased: working.into(),
            busy_workers: working,
            sealed: false,
            ..at_work(running)
        };
        sizer.decide(&ANY, &seen, s(now)).wanted
    };
    assert_eq!(look(40, 55, 1_000), 55);
    // Five minutes later most pods are gone, and so is the work: 40 were of use in this time, and 12 of the 55 are there.
    assert_eq!(look(10, 12, 1_300), 12);
    assert_eq!(look(10, 12, 1_300), 12, "nor a moment later");
}

#[test]
fn a_lull_that_ends_counts_from_the_beginning() {
    let mut sizer = having_asked(55);
    let lull = Seen {
        ready: 0,
        leased: 10,
        busy_workers: 10,
        sealed: false,
        ..at_work(55)
    };
    let mut look = |seen: &Seen, now| sizer.decide(&ANY, seen, s(now)).wanted;
    look(&lull, 1_000);
    look(&at_work(55), 1_200);
    assert_eq!(look(&lull, 1_310), 55);
    assert_eq!(look(&lull, 1_610), 10);
}

#[test]
fn a_lower_most_or_quota_binds_at_once() {
    let lower = Rules { max: 10, ..ANY };
    assert_eq!(
        having_asked(55)
            .decide(&lower, &at_work(55), s(1_000))
            .wanted,
        10
    );
    let quota = Seen {
        quota_pods: Some(20),
        ..at_work(55)
    };
    let sizing = having_asked(55).decide(&ANY, &quota, s(1_000));
    assert_eq!((sizing.wanted, sizing.binding), (20, Cap::Quota));
}

#[test]
fn a_failed_listing_changes_nothing() {
    let mut sizer = having_asked(20);
    let unknown = Seen {
        running: 0,
        busy_workers: 0,
        supply_known: false,
        ..at_work(20)
    };
    let sizing = sizer.decide(&ANY, &unknown, s(1_000));
    assert_eq!((sizing.wanted, sizing.binding), (20, Cap::Hold));
    // But for what the user says.
    let lower = Rules { max: 10, ..ANY };
    assert_eq!(sizer.decide(&lower, &unknown, s(1_000)).wanted, 10);
}

#[test]
fn pods_without_a_node_for_a_minute_stop_the_growth() {
    let text = "0/3 nodes are available: 3 Insufficient cpu.";
    let waiting = |since| Seen {
        pending: 10,
        unschedulable: Some(Unschedulable {
            since,
            text: text.to_owned(),
        }),
        ..at_work(10)
    };
    let mut sizer = having_asked(20);
    let sizing = sizer.decide(&ANY, &waiting(s(941)), s(1_000));
    assert_eq!((sizing.wanted, sizing.condition), (40, None));
    assert_eq!(
        sizing.next_look,
        s(1),
        "and it is looked again when the minute is over"
    );
    let sizing = sizer.decide(&ANY, &waiting(s(941)), s(1_016));
    assert_eq!((sizing.wanted, sizing.binding), (40, Cap::CapacityBlocked));
    let text = text.to_owned();
    assert_eq!(sizing.condition, Some(Condition::CapacityBlocked { text }));
}
