//! Whether more pods finish more items, measured: throughput at one number of pods against that at
//! a smaller one.
//!
//! It does not know why throughput stopped growing (a database, a disk, a licence); only that it did.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Seen;

/// Items to count at one number of pods: their rate is then known to about 7 %.
const ENOUGH: u64 = 200;

/// How much larger the number of pods must be for its throughput to say something: four thirds of
/// the counting error apart would not do.
const LARGER: f64 = 1.5;

/// Growth below this is none.
const GROWTH: f64 = 1.05;

/// How long the smaller number is kept before more are tried again.
const HELD: Duration = Duration::from_secs(300);

/// What was measured.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Watch {
    level: Option<Level>,
    steady: Option<Steady>,
    held: Option<Held>,
}

/// A count that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Level {
    pods: u32,
    #[serde(rename = "sinceMs", with = "super::millis")]
    since: Duration,
    completions: u64,
}

/// The throughput of a number of pods.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Steady {
    pods: u32,
    per_s: f64,
}

/// The number to keep.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Held {
    pods: u32,
    #[serde(rename = "untilMs", with = "super::millis")]
    until: Duration,
}

impl Watch {
    /// Counts on, and says beyond which number more pods are in vain.
    pub(super) fn look(&mut self, seen: &Seen, now: Duration) -> Option<u32> {
        self.count(seen, now);
        if self.held.is_some_and(|held| now >= held.until) {
            self.held = None;
        }
        self.held.map(|held| held.pods)
    }

    fn count(&mut self, seen: &Seen, now: Duration) {
        // Pods that find nothing to lease say nothing of what they could do.
        let full = seen.ready > 0 && seen.running > 0 && seen.busy_workers == seen.running;
        let begin = Level {
            pods: seen.running,
            since: now,
            completions: seen.completions,
        };
        let level = match self.level {
            Some(level) if full && level.pods == seen.running => level,
            _ => {
                self.level = full.then_some(begin);
                return;
            }
        };
        let count = seen.completions.saturating_sub(level.completions);
        let time = now.saturating_sub(level.since).as_secs_f64();
        if count < ENOUGH || time <= 0.0 {
            return;
        }
        self.level = Some(begin);
        let next = Steady {
            pods: seen.running,
            per_s: count as f64 / time,
        };
        match self.steady {
            Some(last) if f64::from(next.pods) >= LARGER * f64::from(last.pods) => {
                if next.per_s <= GROWTH * last.per_s {
                    self.held = Some(Held {
                        pods: last.pods,
                        until: now + HELD,
                    });
                } else {
                    self.steady = Some(next);
                }
            }
            // Close above the last: the last stays, or many small steps would never be compared.
            Some(last) if next.pods > last.pods => {}
            _ => self.steady = Some(next),
        }
    }
}
