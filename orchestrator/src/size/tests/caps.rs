//! Each cap where it binds, and where it does not.

use super::*;

/// Asks for what the terms come to, with all the time that the pace asks for.
fn bound(rules: &Rules, seen: &Seen) -> (u32, Cap) {
    let mut sizer = Sizer::default();
    let mut last = (0, Cap::Hold);
    for look in 0..60 {
        let sizing = sizer.decide(rules, seen, s(100 + 15 * look));
        last = (sizing.wanted, sizing.binding);
    }
    last
}

#[test]
fn what_binds_is_named() {
    let most = |max| Rules { max, ..ANY };
    let quota = |pods| Seen {
        quota_pods: Some(pods),
        ..known()
    };
    let nodes = |pods, grow| Seen {
        nodes: Some(Nodes { pods, grow }),
        ..known()
    };
    let rate = |rate| Seen {
        rate_per_s: Some(rate),
        ..known()
    };
    let ready = |ready| Seen { ready, ..known() };
    let slow = Seen {
        ready: 400,
        startup_p90: Some(s(100)),
        ..known()
    };
    let cases = [
        ("nothing", bound(&ANY, &known()), (55, Cap::Economy)),
        ("start-ups", bound(&ANY, &slow), (12, Cap::UsefulWork)),
        (
            "the items",
            bound(
                &Rules { price: 1e6, ..ANY },
                &Seen {
                    startup_p90: Some(s(1)),
                    ..ready(9)
                },
            ),
            (9, Cap::Backlog),
        ),
        ("no items", bound(&ANY, &ready(0)), (0, Cap::Backlog)),
        ("the quota", bound(&ANY, &quota(7)), (7, Cap::Quota)),
        ("a quota of none", bound(&ANY, &quota(0)), (0, Cap::Quota)),
        ("the nodes", bound(&ANY, &nodes(8, false)), (8, Cap::Nodes)),
        (
            "nodes that come",
            bound(&ANY, &nodes(8, true)),
            (55, Cap::Economy),
        ),
        (
            "2 items a second",
            bound(&ANY, &rate(2.0)),
            (18, Cap::RateLimit),
        ),
        (
            "a rate of none is no rate",
            bound(&ANY, &rate(0.0)),
            (55, Cap::Economy),
        ),
        ("the user", bound(&most(6), &known()), (6, Cap::Max)),
        ("the user's none", bound(&most(0), &known()), (0, Cap::Max)),
        (
            "the fewest",
            bound(&Rules { min: 70, ..ANY }, &known()),
            (70, Cap::Min),
        ),
    ];
    for (name, is, should) in cases {
        assert_eq!(is, should, "{name}");
    }
}

#[test]
fn the_fewest_give_way_to_room_and_to_the_items_alone() {
    let rules = Rules { min: 70, ..ANY };
    let rate = Seen {
        rate_per_s: Some(0.1),
        ..known()
    };
    assert_eq!(bound(&rules, &rate), (70, Cap::Min));
    let quota = Seen {
        quota_pods: Some(9),
        ..known()
    };
    assert_eq!(bound(&rules, &quota), (9, Cap::Quota));
    let few = Seen {
        ready: 5,
        ..known()
    };
    assert_eq!(bound(&rules, &few), (5, Cap::Backlog));
    let over = Rules {
        min: 70,
        max: 8,
        ..ANY
    };
    assert_eq!(
        bound(&over, &known()).0,
        8,
        "the most counts, not the fewest"
    );
}

#[test]
fn a_fixed_number_is_kept_to_as_far_as_there_are_items() {
    let look = |ready| {
        let seen = Seen {
            ready,
            ..Seen::default()
        };
        Sizer::default()
            .decide(&Rules::fixed(5), &seen, s(0))
            .wanted
    };
    assert_eq!([look(100), look(5), look(3), look(0)], [5, 5, 3, 0]);
    // Every item counts, wherever it is.
    let seen = Seen {
        leased: 2,
        due: 2,
        ..Seen::default()
    };
    assert_eq!(
        Sizer::default()
            .decide(&Rules::fixed(5), &seen, s(0))
            .wanted,
        4
    );
}

#[test]
fn slots_are_filled_before_pods_are_added() {
    let slots = NonZeroU32::new(8).unwrap();
    let rules = Rules {
        concurrency: slots,
        ..Rules::fixed(5)
    };
    let look = |ready| {
        let seen = Seen {
            ready,
            ..Seen::default()
        };
        Sizer::default().decide(&rules, &seen, s(0)).wanted
    };
    assert_eq!([look(8), look(9), look(1_000)], [1, 2, 5]);
}

#[test]
fn numbers_without_end_do_not_overflow() {
    let most = u32::MAX;
    let rules = Rules {
        max: most,
        deadline: Some(Duration::MAX),
        ..ANY
    };
    let seen = Seen {
        ready: u64::MAX,
        leased: u64::MAX,
        due: u64::MAX,
        completions: u64::MAX,
        mean_item: Some(Duration::MAX),
        p95_item: Some(Duration::MAX),
        mean_running_age: Some(Duration::MAX),
        startup_p90: Some(Duration::from_nanos(1)),
        running: most,
        pending: most,
        busy_workers: most,
        rate_per_s: Some(f64::MAX),
        ..Seen::default()
    };
    let mut sizer = Sizer::default();
    for now in [Duration::ZERO, Duration::MAX] {
        let sizing = sizer.decide(&rules, &seen, now);
        assert_eq!(sizing.terms.useful_pods, Some(u32::MAX));
    }
}
