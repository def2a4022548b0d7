//! A server on a disk that fails, from a seed: clients enqueue, lease and settle in several queues while
//! writes and syncs fail, the power goes, and the process is killed; small segments and little memory
//! have it compact and spill all the time. After each recovery a ledger of what clients were told judges
//! what is there.
//!
//! In one of the queues items are given keys, groups, priorities and times; requests are repeated after
//! the crash that kept their answers back, and items are cancelled and redriven.
//!
//! A seed repeats what clients ask and which faults befall the disk; how threads take turns it does not.
//! `MEMQ_SIM_SEEDS=500` runs more of it, `MEMQ_SIM_SEED=17` one seed again.

#![allow(
    clippy::print_stderr,
    reason = "a failing seed must be told to whoever runs the tests"
)]

#[path = "../../../queue-core/tests/support/chance.rs"]
mod chance;
mod client;
mod given;
mod ledger;
mod seen;
mod world;

use seen::Seen;
use world::World;

/// Seeds a plain `cargo test` runs: a few seconds unoptimised.
const SEEDS: u64 = 12;

/// Says how to see a failure again.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to replay this world: MEMQ_SIM_SEED={}", self.0);
        }
    }
}

fn run(seed: u64) -> Seen {
    let _replay = Replay(seed);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(World::new(seed).run())
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
fn what_was_acknowledged_holds_whatever_befalls_the_disk() {
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
    let Seen {
        lives,
        killed,
        power_lost,
        failed_io,
        failed_starts,
        enqueued,
        acked,
        unanswered,
        drained,
        deleted,
        refused_full,
        compacted,
        duplicates,
        replayed,
        learned,
        cancelled,
        redriven,
        expired,
        in_order,
        ..
    } = all;
    let each = [
        lives,
        killed,
        power_lost,
        failed_io,
        failed_starts,
        enqueued,
        acked,
        unanswered,
        drained,
        deleted,
        refused_full,
        compacted,
        duplicates,
        replayed,
        learned,
        cancelled,
        redriven,
        expired,
        in_order,
    ];
    assert!(
        each.iter().all(|times| *times > 0),
        "something never happened: {all:?}"
    );
}
