//! How fast the number may change: up in steps, down late, and not at all for little.
//!
//! It does not know why a number is wanted, only that it is.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Cap, Rules, Seen, demand::Target, frozen};

/// How long one step up lasts before the next.
const STEP: Duration = Duration::from_secs(15);

/// What a step may add to a small number, which doubling would hardly move.
const STEP_PODS: u32 = 4;

/// Changes below one part in so many are not followed.
const IGNORED: u32 = 10;

/// How long fewer pods must have been enough before running ones go.
const DOWN_AFTER: Duration = Duration::from_secs(300);

/// What is remembered of earlier changes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Pace {
    rise: Option<Rise>,
    surplus: Option<Surplus>,
}

/// A step up: where it began, and when.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rise {
    #[serde(rename = "sinceMs", with = "super::millis")]
    since: Duration,
    from: u32,
}

/// Fewer pods would do: since when, and the most that were wanted in this time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Surplus {
    #[serde(rename = "sinceMs", with = "super::millis")]
    since: Duration,
    highest: u32,
}

impl Pace {
    /// The number to ask for now, on the way from `current` to the target.
    pub(super) fn step(
        &mut self,
        rules: &Rules,
        seen: &Seen,
        target: &Target,
        current: u32,
        now: Duration,
    ) -> (u32, Cap) {
        let (wanted, cap) = if target.pods > current {
            self.surplus = None;
            self.up(rules, seen, target, current, now)
        } else if target.pods < current {
            self.down(seen, target, current, now)
        } else {
            self.surplus = None;
            (current, target.cap)
        };
        if wanted > target.hard {
            (target.hard, target.cap)
        } else {
            (wanted, cap)
        }
    }

    /// When something may change though nothing is seen to.
    pub(super) fn wakes(&self) -> impl Iterator<Item = Duration> {
        let rise = self.rise.map(|rise| rise.since.saturating_add(STEP));
        let down = self
            .surplus
            .map(|surplus| surplus.since.saturating_add(DOWN_AFTER));
        rise.into_iter().chain(down)
    }

    fn up(
        &mut self,
        rules: &Rules,
        seen: &Seen,
        target: &Target,
        current: u32,
        now: Duration,
    ) -> (u32, Cap) {
        // The user's fewest are neither a guess nor a trifle.
        let least = rules.least().min(target.pods).max(current);
        if frozen(seen, now).is_some() {
            return (current, Cap::CapacityBlocked);
        }
        if small(current, target.pods) && least == current {
            return (current, Cap::Steady);
        }
        let rise = match self.rise {
            Some(rise) if now.saturating_sub(rise.since) < STEP => rise,
            _ => Rise {
                since: now,
                from: current,
            },
        };
        self.rise = Some(rise);
        let step = rise
            .from
            .saturating_mul(2)
            .max(rise.from.saturating_add(STEP_PODS))
            .max(least);
        if target.pods > step {
            (step, Cap::StepUp)
        } else {
            (target.pods, target.cap)
        }
    }

    fn down(&mut self, seen: &Seen, target: &Target, current: u32, now: Duration) -> (u32, Cap) {
        // Whatever the backlog, a pod at work is not interrupted.
        let tail = target.cap == Cap::Backlog;
        let goal = if tail {
            target.pods.max(seen.busy_workers)
        } else {
            target.pods
        };
        // Nothing can come for idle pods of a sealed queue; and what is measured need not be awaited.
        if (tail && seen.sealed) || target.measured {
            self.surplus = None;
            return match goal.min(current) {
                pods if tail => (pods, Cap::Tail),
                pods => (pods, target.cap),
            };
        }
        // What has not started yet has cost little: it goes at once.
        let started = current.min(seen.running.max(goal));
        let (current, trimmed) = if small(current, started) {
            (current, false)
        } else {
            (started, started < current)
        };
        if goal >= current || small(current, goal) {
            self.surplus = None;
            let cap = if trimmed || goal >= current {
                target.cap
            } else {
                Cap::Steady
            };
            return (current, cap);
        }
        match wait(&mut self.surplus, goal, now) {
            // More may have been wanted in this time than have started.
            Some(pods) => (pods.min(current), target.cap),
            None => (current, Cap::Steady),
        }
    }
}

/// The number to go down to, once fewer have been enough for the whole time.
fn wait(surplus: &mut Option<Surplus>, pods: u32, now: Duration) -> Option<u32> {
    let waiting = surplus.get_or_insert(Surplus {
        since: now,
        highest: pods,
    });
    waiting.highest = waiting.highest.max(pods);
    if now.saturating_sub(waiting.since) < DOWN_AFTER {
        return None;
    }
    let highest = waiting.highest;
    *surplus = None;
    Some(highest)
}

fn small(from: u32, to: u32) -> bool {
    u64::from(from.abs_diff(to)) * u64::from(IGNORED) < u64::from(from)
}
