//! What holds whatever is seen.

use proptest::{option, prelude::*};

use super::*;

fn time() -> impl Strategy<Value = Duration> {
    (0_u64..10_000_000).prop_map(Duration::from_millis)
}

prop_compose! {
    fn rules()(
        min in 0_u32..50,
        max in 0_u32..300,
        slots in 1_u32..9,
        deadline in option::of(time()),
        price in 0.0..1_000.0,
    ) -> Rules {
        let concurrency = NonZeroU32::new(slots).unwrap_or(NonZeroU32::MIN);
        Rules { min, max, concurrency, deadline, price }
    }
}

prop_compose! {
    fn seen()(
        (ready, leased, due, completions) in (0_u64..100_000, 0_u64..300, 0_u64..300, 0_u64..100_000),
        (mean_item, p95_item, mean_running_age, startup_p90) in
            (option::of(time()), option::of(time()), option::of(time()), option::of(time())),
        (running, pending, busy) in (0_u32..300, 0_u32..300, 0_u32..300),
        since in option::of(time()),
        quota_pods in option::of(0_u32..300),
        nodes in option::of((0_u32..300, any::<bool>())),
        rate_per_s in option::of(0.0..1_000.0),
        (sealed, supply_known) in (any::<bool>(), any::<bool>()),
    ) -> Seen {
        Seen {
            ready, leased, due, sealed, completions, mean_item, p95_item, mean_running_age,
            startup_p90, running, pending,
            busy_workers: busy.min(running),
            unschedulable: since.map(|since| Unschedulable { since, text: String::new() }),
            quota_pods,
            nodes: nodes.map(|(pods, grow)| Nodes { pods, grow }),
            rate_per_s, supply_known,
        }
    }
}

proptest! {
    #[test]
    fn never_above_the_most_nor_the_quota(
        rules in rules(),
        looks in prop::collection::vec((seen(), 0_u64..400), 1..12),
    ) {
        let (mut sizer, mut now) = (Sizer::default(), 0);
        for (seen, later) in looks {
            now += later;
            let sizing = sizer.decide(&rules, &seen, s(now));
            prop_assert!(sizing.wanted <= rules.max);
            prop_assert!(sizing.wanted <= seen.quota_pods.unwrap_or(u32::MAX));
            prop_assert!(sizing.next_look >= s(1) && sizing.next_look <= s(15));
        }
    }

    #[test]
    fn never_below_the_fewest_but_for_want_of_items_or_room(
        rules in rules(),
        looks in prop::collection::vec((seen(), 0_u64..400), 1..12),
    ) {
        let (mut sizer, mut now) = (Sizer::default(), 0);
        for (seen, later) in looks {
            now += later;
            // Without a list, or without a node, nothing is added, not even that.
            let seen = Seen { supply_known: true, unschedulable: None, ..seen };
            let sizing = sizer.decide(&rules, &seen, s(now));
            let room = seen.nodes.filter(|nodes| !nodes.grow).map_or(u32::MAX, |nodes| nodes.pods);
            let fewest = rules.min.min(rules.max).min(room)
                .min(seen.quota_pods.unwrap_or(u32::MAX))
                .min(sizing.terms.backlog_pods);
            prop_assert!(sizing.wanted >= fewest, "{} < {fewest}", sizing.wanted);
        }
    }

    #[test]
    fn the_same_question_at_the_same_time_has_the_same_answer(
        rules in rules(),
        looks in prop::collection::vec((seen(), 0_u64..400), 1..12),
    ) {
        let (mut sizer, mut now) = (Sizer::default(), 0);
        for (seen, later) in looks {
            now += later;
            let first = sizer.decide(&rules, &seen, s(now));
            let again = sizer.decide(&rules, &seen, s(now));
            prop_assert_eq!(first.wanted, again.wanted);
        }
    }

    #[test]
    fn more_items_never_ask_for_fewer_pods(
        rules in rules(),
        seen in seen(),
        more in 0_u64..100_000,
        now in time(),
    ) {
        let ask = |ready| {
            let seen = Seen { ready, ..seen.clone() };
            Sizer::default().decide(&rules, &seen, now).terms.target
        };
        prop_assert!(ask(seen.ready) <= ask(seen.ready + more));
    }

    #[test]
    fn whatever_is_told_can_be_written_and_read(rules in rules(), seen in seen(), now in time()) {
        let sizing = Sizer::default().decide(&rules, &seen, now);
        let json = serde_json::to_string(&sizing).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let read: Sizing = serde_json::from_str(&json).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(read.terms.items, sizing.terms.items);
        prop_assert_eq!(read.eta.is_some(), sizing.eta.is_some());
        prop_assert!(sizing.eta.is_none_or(|eta| eta.low <= eta.high));
    }
}
