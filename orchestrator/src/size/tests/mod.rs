//! Sizing, told as looks at a step.

mod caps;
mod formulas;
mod knee;
mod pace;
mod properties;
mod told;

use std::{num::NonZeroU32, time::Duration};

use super::{Cap, Condition, Nodes, Rules, Seen, Sizer, Sizing, Unschedulable};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Any number of pods up to 100.
const ANY: Rules = Rules {
    min: 0,
    max: 100,
    concurrency: NonZeroU32::MIN,
    deadline: None,
    price: 10.0,
};

/// A step that is well known: 1,000 items of 9 s on average, and 30 s for a pod to start.
fn known() -> Seen {
    Seen {
        ready: 1_000,
        sealed: true,
        completions: 400,
        mean_item: Some(s(9)),
        p95_item: Some(s(20)),
        startup_p90: Some(s(30)),
        ..Seen::default()
    }
}

/// The same with so many pods, all at work.
fn at_work(pods: u32) -> Seen {
    Seen {
        ready: 1_000 - u64::from(pods),
        leased: u64::from(pods),
        mean_running_age: Some(s(4)),
        running: pods,
        busy_workers: pods,
        ..known()
    }
}

/// What the terms come to, before the pace of change.
fn target(rules: &Rules, seen: &Seen) -> (u32, Sizing) {
    let sizing = Sizer::default().decide(rules, seen, s(100));
    (sizing.terms.target, sizing)
}

/// A sizer that has asked for so many, long ago.
fn having_asked(pods: u32) -> Sizer {
    let mut sizer = Sizer::default();
    sizer.decide(&Rules::fixed(pods), &at_work(pods), s(0));
    sizer
}
