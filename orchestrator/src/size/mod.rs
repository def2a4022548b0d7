//! How many worker pods a step should have: a pure function of its rules, of what has been seen, and
//! of the time.
//!
//! It owns the formulas, the caps and the pace of change, and publishes every term it used. It does
//! not know Kubernetes, queues or clocks: whoever watches them fills in [`Seen`], keeps the
//! [`Sizer`] between two looks (it is plain data, so it may lie in a status and survive a restart)
//! and makes the pods be as many as [`Sizing::wanted`] says. docs/sizing.md explains each term.
//!
//! 1. Never more than the most allowed, than fit in the quota, or than there are items for.
//! 2. Never fewer than the fewest asked for, but for want of items, of quota or of nodes.
//! 3. The same question at the same time has the same answer.
//! 4. What is not known changes nothing: after a failed listing the number stands.

mod answer;
mod demand;
mod eta;
mod knee;
mod millis;
mod pace;
mod seen;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use answer::{Cap, Condition, Eta, Sizing, Terms};
pub use seen::{DEFAULT_PRICE, Nodes, Rules, Seen, Unschedulable};

/// How often to look again when nothing else asks for it.
const LOOK: Duration = Duration::from_secs(15);

/// How often to look while little is known, a listing failed or the last items run.
const LOOK_SOON: Duration = Duration::from_secs(5);

/// How long pods may be unschedulable before no more are asked for: an autoscaler's new node is
/// commonly there within this time or says that it will not come.
pub const FREEZE_AFTER: Duration = Duration::from_secs(60);

/// What one look leaves behind for the next. A new one takes over the pods that are already there.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Sizer {
    /// The number asked for last.
    wanted: Option<u32>,
    /// The pace of change.
    #[serde(flatten)]
    pace: pace::Pace,
    /// Throughput at a number of pods.
    knee: knee::Watch,
}

impl Sizer {
    /// Says how many pods there should be, and why.
    ///
    /// `now` is the time since the step began, the clock of [`Rules::deadline`]. It must not go
    /// backwards between two calls; if it does, windows of time only last longer.
    pub fn decide(&mut self, rules: &Rules, seen: &Seen, now: Duration) -> Sizing {
        let supply = seen.running.saturating_add(seen.pending);
        let current = self.wanted.unwrap_or(supply);
        let mut terms = Terms::of(rules, seen, now);
        terms.current = current;
        let (wanted, binding) = if seen.supply_known {
            let knee = self.knee.look(seen, now);
            let target = demand::target(rules, seen, knee, now, &mut terms);
            self.pace.step(rules, seen, &target, current, now)
        } else {
            let hard = rules.max.min(seen.quota_pods.unwrap_or(u32::MAX));
            (current.min(hard), Cap::Hold)
        };
        self.wanted = Some(wanted);
        let eta = eta::eta(seen, &terms, wanted, binding);
        let condition = blocked(seen, now).or_else(|| eta::infeasible(rules, seen, &terms, now));
        Sizing {
            wanted,
            binding,
            eta,
            condition,
            next_look: self.next_look(seen, binding, now),
            terms,
        }
    }

    fn next_look(&self, seen: &Seen, binding: Cap, now: Duration) -> Duration {
        let usual = match binding {
            Cap::ColdStart | Cap::Hold => LOOK_SOON,
            // Pods become idle one by one.
            _ if seen.sealed && seen.busy_workers < seen.running => LOOK_SOON,
            _ => LOOK,
        };
        let freeze = seen
            .unschedulable
            .as_ref()
            .map(|u| u.since.saturating_add(FREEZE_AFTER));
        self.pace
            .wakes()
            .chain(freeze)
            .filter_map(|at| at.checked_sub(now))
            .filter(|wait| !wait.is_zero())
            .fold(usual, Duration::min)
            .max(Duration::from_secs(1))
    }
}

fn blocked(seen: &Seen, now: Duration) -> Option<Condition> {
    frozen(seen, now).map(|unschedulable| Condition::CapacityBlocked {
        text: unschedulable.text.clone(),
    })
}

/// The reason for not asking for more, once pods have waited for a node for long.
fn frozen(seen: &Seen, now: Duration) -> Option<&Unschedulable> {
    seen.unschedulable
        .as_ref()
        .filter(|unschedulable| now.saturating_sub(unschedulable.since) >= FREEZE_AFTER)
}

#[cfg(test)]
mod tests;
