//! A queue and its world in virtual time, from a seed: workers crash, stall past their lease and come
//! back, answers get lost and are asked for again. An oracle outside the queue judges each step.
//!
//! `MEMQ_SIM_SEEDS=5000` runs more of it, `MEMQ_SIM_SEED=17` one schedule again.

#![allow(
    clippy::print_stderr,
    reason = "a failing seed must be told to whoever runs the tests"
)]

#[path = "../support/mod.rs"]
mod support;

mod oracle;
mod world;

use oracle::Seen;
use world::World;

/// Seeds a plain `cargo test` runs: a few seconds unoptimised.
const SEEDS: u64 = 250;

/// Says how to see a failure again.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to replay this schedule: MEMQ_SIM_SEED={}", self.0);
        }
    }
}

fn run(seed: u64) -> Seen {
    let _replay = Replay(seed);
    World::new(seed).run()
}

fn from_env(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {value:?}")),
    )
}

#[test]
fn every_item_ends_once_and_no_stale_settle_counts_whatever_befalls_the_workers() {
    if let Some(seed) = from_env("MEMQ_SIM_SEED") {
        let seen = run(seed);
        eprintln!("seed {seed}: {seen:?}");
        return;
    }
    let mut all = Seen::default();
    for seed in 0..from_env("MEMQ_SIM_SEEDS").unwrap_or(SEEDS) {
        all.add(run(seed));
    }
    eprintln!("{all:?}");
    // A world in which nothing goes wrong would prove nothing.
    assert_eq!(all.missing(), [""; 0], "something never happened: {all:?}");
}

#[test]
fn a_seed_repeats_its_schedule() {
    assert_eq!(run(3), run(3));
}
