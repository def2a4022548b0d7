//! Whether more pods finish more items, measured: throughput with more pods against that with fewer.
//!
//! It does not know why throughput stopped growing (a database, a disk, a licence); only that it did.
//! It sees only items that are short against the time between two looks: with longer ones, pods
//! that were added finish nothing for a while, which looks the same.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Seen;

/// Items to count for a throughput: it is then known to about 13 %.
const ENOUGH: u64 = 60;

/// Times as many pods as before, at the least, before two throughputs say something.
const MORE: f64 = 1.5;

/// The share of what was to be gained below which nothing is.
const GAIN: f64 = 0.25;

/// The share of the throughput that fewer pods must keep, or they are too few.
const KEPT: f64 = 0.75;

/// Throughputs to keep: as many as there are doublings from few pods to a thousand.
const KEEP: usize = 8;

/// How long a throughput is good for a comparison, and the smaller number is kept before more are tried again.
const HELD: Duration = Duration::from_secs(300);

/// What was measured.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Watch {
    count: Option<Count>,
    /// The latest of each number of pods, oldest first.
    past: Vec<Throughput>,
    held: Option<Held>,
}

/// A count that goes on, and how many pods there were meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Count {
    #[serde(rename = "sinceMs", with = "super::millis")]
    since: Duration,
    completions: u64,
    fewest: u32,
    most: u32,
}

/// What so many pods finished.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Throughput {
    #[serde(rename = "atMs", with = "super::millis")]
    at: Duration,
    fewest: u32,
    most: u32,
    per_s: f64,
}

/// The number to keep, and what more of them finished. Half of it is tried, and half of that, until
/// fewer do less: throughput stopped growing somewhere below the number at which it was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Held {
    pods: u32,
    #[serde(rename = "untilMs", with = "super::millis")]
    until: Duration,
    per_s: f64,
    /// The number that was halved to come to this one.
    above: Option<u32>,
    /// Fewer were tried, and did less.
    settled: bool,
}

impl Watch {
    /// Counts on, and says beyond which number more pods are in vain.
    pub(super) fn look(&mut self, seen: &Seen, now: Duration) -> Option<u32> {
        if let Some(next) = self.count(seen, now) {
            self.judge(next, now);
        }
        self.held = self.held.filter(|held| now < held.until);
        self.held.map(|held| held.pods)
    }

    fn count(&mut self, seen: &Seen, now: Duration) -> Option<Throughput> {
        let begin = Count {
            since: now,
            completions: seen.completions,
            fewest: seen.busy_workers,
            most: seen.busy_workers,
        };
        // Pods that find nothing to lease say nothing of what they could do.
        if seen.ready == 0 || seen.busy_workers == 0 {
            self.count = None;
            return None;
        }
        let count = self.count.get_or_insert(begin);
        if seen.completions < count.completions {
            *count = begin;
        }
        count.fewest = count.fewest.min(seen.busy_workers);
        count.most = count.most.max(seen.busy_workers);
        let finished = seen.completions - count.completions;
        let time = now.saturating_sub(count.since);
        // A few long items hold pods up little by little, long after they were added: what runs must
        // be young, too.
        let short = seen.p95_item.is_some_and(|p95| p95 <= time / 2)
            && seen.mean_running_age.is_none_or(|age| age <= time / 4);
        if finished < ENOUGH || !short || time.is_zero() {
            return None;
        }
        let next = Throughput {
            at: now,
            fewest: count.fewest,
            most: count.most,
            per_s: finished as f64 / time.as_secs_f64(),
        };
        self.count = Some(begin);
        Some(next)
    }

    fn judge(&mut self, next: Throughput, now: Duration) {
        if let Some(held) = self.held {
            self.held = held.after(next, now);
        } else if let Some(last) = self.fewer(next) {
            let more = f64::from(next.fewest) / f64::from(last.most);
            let grown = next.per_s / last.per_s;
            if grown < 1.0 + GAIN * (more - 1.0) {
                self.held = Some(Held {
                    // So many as finish as much, if each finishes what it did when they were fewer.
                    pods: (f64::from(last.most) * grown.max(1.0)).ceil() as u32,
                    until: now.saturating_add(HELD),
                    per_s: next.per_s,
                    above: None,
                    settled: false,
                });
            }
        }
        let old = |past: &Throughput| now.saturating_sub(past.at) > HELD;
        self.past
            .retain(|past| past.most != next.most && !old(past));
        self.past.push(next);
        if self.past.len() > KEEP {
            self.past.remove(0);
        }
    }

    /// The throughput of the most pods that were clearly fewer than those.
    fn fewer(&self, next: Throughput) -> Option<Throughput> {
        let fewer = |past: &&Throughput| f64::from(next.fewest) >= MORE * f64::from(past.most);
        self.past
            .iter()
            .filter(fewer)
            .max_by_key(|past| past.most)
            .copied()
    }
}

impl Held {
    /// What to keep after so many finished so much.
    fn after(self, next: Throughput, now: Duration) -> Option<Self> {
        if next.most > self.pods || self.settled {
            return Some(self);
        }
        let until = now.saturating_add(HELD);
        if next.per_s >= KEPT * self.per_s {
            return Some(Self {
                pods: self.pods.div_ceil(2),
                above: Some(self.pods),
                settled: self.pods == 1,
                until,
                ..self
            });
        }
        // Fewer do less. If even the first number did, it was no knee but, say, longer items.
        self.above.map(|pods| Self {
            pods,
            settled: true,
            until,
            ..self
        })
    }
}
