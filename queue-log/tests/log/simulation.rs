//! Hundreds of lives of a log from seeds: it is appended to, trimmed and read, faults strike, the
//! process is killed or the power fails, in the middle of a start too, and each next start is judged.
//!
//! `MEMQ_SIM_SEEDS=5000` runs more of it, `MEMQ_SIM_SEED=17` one life again. The log's threads run
//! free, so a life is the same but for how its groups fall.

use crate::world::World;

/// Lives a plain `cargo test` runs: a few seconds unoptimised.
const SEEDS: u64 = 250;

/// Says how to see a failure again.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to replay this life: MEMQ_SIM_SEED={}", self.0);
        }
    }
}

fn from_env(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().expect("a number"))
}

#[test]
fn nothing_durable_is_lost_and_nothing_is_invented() {
    let seeds = match from_env("MEMQ_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..from_env("MEMQ_SIM_SEEDS").unwrap_or(SEEDS),
    };
    let mut starts = 0;
    let mut cut = 0;
    for seed in seeds.clone() {
        let _replay = Replay(seed);
        let seen = World::new(seed).live();
        starts += seen.starts;
        cut += seen.lost;
    }
    if seeds.end - seeds.start >= SEEDS {
        assert!(starts > SEEDS * 2, "{starts} starts are too few to judge");
        assert!(cut > SEEDS / 4, "{cut} lost records are too few to judge");
    }
}
