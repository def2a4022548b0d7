//! The formulas: deadline, economy, cold start.

use super::*;

#[test]
fn without_a_deadline_a_start_up_must_be_worth_its_time() {
    // The root of 9,000 s of work x 10 / 30 s of start-up is 54.8.
    let (pods, sizing) = target(&ANY, &known());
    assert_eq!((pods, sizing.terms.economy_pods), (55, Some(55)));
    // A second that is worth four times as much doubles it, and a slot more in each pod takes a
    // third of it away.
    let dear = Rules { price: 40.0, ..ANY };
    assert_eq!(target(&dear, &known()).1.terms.economy_pods, Some(110));
    let slots = NonZeroU32::new(2).unwrap();
    let two = Rules {
        concurrency: slots,
        ..ANY
    };
    assert_eq!(target(&two, &known()).1.terms.economy_pods, Some(39));
}

#[test]
fn a_price_that_is_none_is_the_usual_one() {
    for price in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let rules = Rules { price, ..ANY };
        assert_eq!(target(&rules, &known()).1.terms.economy_pods, Some(55));
    }
}

#[test]
fn with_a_deadline_as_many_as_meet_it() {
    // 9,000 s of work in 500 s, of which 30 s go to start-up and 20 s to the last item: 20 pods.
    let rules = Rules {
        deadline: Some(s(600)),
        ..ANY
    };
    let (pods, sizing) = target(&rules, &known());
    assert_eq!((pods, sizing.terms.deadline_pods), (20, Some(20)));
    assert_eq!(sizing.condition, None);
}

#[test]
fn a_deadline_stands_above_thrift() {
    // 9,000 s of work in 100 s ask for 90 pods; only 100 would be useful, but for a start-up of 80 s.
    let rules = Rules {
        deadline: Some(s(300)),
        ..ANY
    };
    let slow = Seen {
        startup_p90: Some(s(80)),
        ..known()
    };
    let (pods, sizing) = target(&rules, &slow);
    assert_eq!((pods, sizing.terms.useful_pods), (90, Some(38)));
}

#[test]
fn pods_that_are_on_their_way_do_not_ask_for_more() {
    // Twenty were right 25 s ago. They still are: they start now.
    let rules = Rules {
        deadline: Some(s(575)),
        ..ANY
    };
    let starting = Seen {
        pending: 20,
        ..known()
    };
    assert_eq!(target(&rules, &starting).0, 20);
    // Without them it would be 22.
    assert_eq!(target(&rules, &known()).0, 22);
}

#[test]
fn a_deadline_that_no_pod_can_meet_is_said_with_the_earliest_time() {
    // At 100 s, 50 s are left: just the start-up and a long item.
    let at = |deadline| Rules {
        deadline: Some(deadline),
        ..ANY
    };
    let sizing = target(&at(s(150)), &known()).1;
    // 100 pods need 90 s for the work, of which the last item's mean is counted in its p95.
    let earliest = s(100 + 30 + 20 + 90 - 9);
    assert_eq!(
        sizing.condition,
        Some(Condition::DeadlineInfeasible { earliest })
    );
    assert_eq!(
        (sizing.terms.deadline_pods, sizing.terms.target),
        (None, 100)
    );
    // What it says can be met is not complained of.
    assert_eq!(target(&at(earliest + s(1)), &known()).1.condition, None);
}

#[test]
fn a_deadline_that_has_passed_is_said_until_the_last_item() {
    let rules = Rules {
        deadline: Some(s(50)),
        ..ANY
    };
    let last = Seen {
        ready: 0,
        leased: 1,
        running: 1,
        busy_workers: 1,
        ..known()
    };
    let late = target(&rules, &last).1.condition;
    assert!(matches!(late, Some(Condition::DeadlineInfeasible { .. })));
    let done = Seen {
        ready: 0,
        ..known()
    };
    assert_eq!(target(&rules, &done).1.condition, None);
}

#[test]
fn the_last_items_of_pods_that_run_are_no_missed_deadline() {
    // 15 s are left, less than a start-up; three items are half way.
    let rules = Rules {
        deadline: Some(s(115)),
        ..ANY
    };
    let ending = Seen {
        ready: 0,
        leased: 3,
        running: 3,
        busy_workers: 3,
        ..known()
    };
    assert_eq!(target(&rules, &ending).1.condition, None);
}

#[test]
fn a_step_of_which_little_is_known_begins_with_four() {
    let look = |completions, now| {
        let seen = Seen {
            completions,
            ..known()
        };
        let sizing = Sizer::default().decide(&ANY, &seen, now);
        (sizing.terms.target, sizing.binding)
    };
    assert_eq!(look(0, s(0)), (4, Cap::ColdStart));
    assert_eq!(look(19, s(59)), (4, Cap::ColdStart));
    assert_eq!(look(20, s(59)).0, 55);
    assert_eq!(look(19, s(60)).0, 55);
    let unknown = Seen {
        ready: 3,
        ..Seen::default()
    };
    assert_eq!(target(&ANY, &unknown).0, 3, "no more than there are items");
}

#[test]
fn without_a_start_up_seen_it_stays_cold() {
    let seen = Seen {
        startup_p90: None,
        ..known()
    };
    let sizing = Sizer::default().decide(&ANY, &seen, s(3_600));
    assert_eq!((sizing.wanted, sizing.binding), (4, Cap::ColdStart));
}

#[test]
fn a_start_up_of_no_time_costs_nothing() {
    let seen = Seen {
        startup_p90: Some(s(0)),
        ..known()
    };
    assert_eq!(target(&ANY, &seen).0, 100);
    let none = Seen { ready: 0, ..seen };
    assert_eq!(target(&ANY, &none).0, 0);
}

#[test]
fn items_that_run_have_a_say() {
    let item = |mean, completions, age, leased| {
        let seen = Seen {
            mean_item: mean,
            completions,
            mean_running_age: Some(s(age)),
            leased,
            ..known()
        };
        target(&ANY, &seen).1.terms.item_s.unwrap()
    };
    // Nothing has finished: what has run for 45 s takes twice as long.
    assert_eq!(item(None, 0, 45, 4), 90.0);
    // The 20 short ones finished first; a hundred long ones run.
    assert_eq!(item(Some(s(1)), 20, 30, 100), 60.0);
    // Of ever so many it is the mean that counts, and its age at the least.
    assert_eq!(item(Some(s(9)), 100_000, 8, 100), 9.008);
    assert_eq!(item(Some(s(9)), 100_000, 600, 1), 600.0);
}
