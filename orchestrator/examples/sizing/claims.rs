//! What docs/sizing.md claims of these runs, over seeds that its tables do not use.

use crate::{
    mean_of,
    policy::{Pods, Policy, Strategy},
    rules,
    sim::Report,
    world::{SCENARIOS, Scenario},
};

/// Seeds the tables are not made of.
const UNSEEN: std::ops::Range<u64> = 100..103;

const KEDA: Policy = Policy::Keda(Strategy::Default, Pods::Drain);
const KEDA_ONE: Policy = Policy::Keda(Strategy::Default, Pods::OneItem);

fn scenario(name: &str) -> &'static Scenario {
    let named = |scenario: &&Scenario| scenario.name.starts_with(name);
    SCENARIOS
        .iter()
        .find(named)
        .expect("a scenario of this name")
}

fn run(name: &str, policy: Policy) -> Report {
    mean_of(scenario(name), policy, UNSEEN)
}

fn memq(name: &str) -> Report {
    run(name, Policy::Memq(rules(scenario(name))))
}

#[test]
fn short_work_is_not_paid_for_with_start_ups() {
    for name in ["small", "image"] {
        let (ours, keda) = (memq(name), run(name, KEDA));
        assert!(
            ours.cost() < 0.85 * keda.cost(),
            "{name}: {ours:?} {keda:?}"
        );
        assert!(ours.pods < 0.5 * keda.pods, "{name}: {ours:?} {keda:?}");
    }
}

#[test]
fn a_pod_for_each_item_costs_more_wherever_items_are_not_long() {
    for scenario in SCENARIOS.iter().filter(|s| !s.name.starts_with("long")) {
        let ours = memq(scenario.name);
        let keda = run(scenario.name, KEDA_ONE);
        assert!(
            ours.cost() < keda.cost(),
            "{}: {ours:?} {keda:?}",
            scenario.name
        );
    }
}

#[test]
fn a_big_backlog_costs_a_tenth_more_than_starting_all_at_once() {
    for name in ["short", "long", "lognormal", "heavy", "mixed", "losses"] {
        let (ours, keda) = (memq(name), run(name, KEDA));
        assert!(keda.cost() < ours.cost(), "{name}: KEDA wins no more");
        assert!(
            ours.cost() < 1.15 * keda.cost(),
            "{name}: {ours:?} {keda:?}"
        );
    }
}

#[test]
fn what_is_shared_is_not_crowded_for_long() {
    let (ours, keda) = (memq("shared"), run("shared", KEDA));
    assert!(
        ours.pod_seconds < 0.3 * keda.pod_seconds,
        "{ours:?} {keda:?}"
    );
    assert!(ours.drain < 1.2 * keda.drain, "{ours:?} {keda:?}");
}

#[test]
fn a_deadline_is_met_with_half_the_pods() {
    let (ours, keda) = (memq("deadline"), run("deadline", KEDA));
    assert!(ours.drain < 1_200.0 && ours.peak < 60.0, "{ours:?}");
    assert!(keda.peak > 95.0, "{keda:?}");
    assert!(run("deadline", Policy::Fixed(20)).drain > 1_200.0);
}

#[test]
fn every_fixed_number_is_half_as_dear_again_somewhere() {
    for pods in [5, 20, 100] {
        let dearer = |scenario: &&Scenario| {
            run(scenario.name, Policy::Fixed(pods)).cost() > 1.5 * memq(scenario.name).cost()
        };
        assert!(SCENARIOS.iter().any(|scenario| dearer(&scenario)), "{pods}");
    }
}

#[test]
fn the_end_is_mostly_within_the_range_that_was_told() {
    for name in ["short", "small", "mixed", "image", "deadline"] {
        let held = memq(name).eta.unwrap_or(0.0);
        assert!(held > 0.8, "{name}: {held}");
    }
}
