//! Those who decide: memq's sizing, KEDA's formulas, a fixed number.
//!
//! KEDA's are those of `pkg/scaling/executor/scale_jobs.go` and `pkg/scaling/scaledjob/metrics.go` in
//! kedacore/keda. With a min of 0 its decision comes down to a number of Jobs to create.

use orchestrator::size::{Rules, Seen, Sizer, Sizing};

use crate::world::Ms;

/// Most pods of every policy: KEDA's own default.
pub(crate) const MAX: u32 = 100;

/// KEDA's default polling interval.
const POLL: Ms = 30_000;

/// How often a Job's controller is taken to look after lost pods.
const REPLACE: Ms = 10_000;

/// Who decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Policy {
    /// The real [`Sizer`].
    Memq(Rules),
    /// A KEDA ScaledJob.
    Keda(Strategy, Pods),
    /// A Job of this parallelism.
    Fixed(u32),
}

/// KEDA's scaling strategies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strategy {
    Default,
    /// With the figures of KEDA's own example: deduct 1, count half of the running Jobs.
    Custom,
    Accurate,
    Eager,
}

/// What a pod of KEDA's does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pods {
    /// One item, then it ends: what its documentation describes.
    OneItem,
    /// Items until none is ready, then it ends.
    Drain,
}

/// What is to be done about the pods.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Order {
    /// There are to be so many.
    Keep(u32),
    /// So many more.
    Add(u32),
}

/// A policy at work.
pub(crate) struct Mind {
    policy: Policy,
    sizer: Sizer,
    /// What memq's sizing said, and when.
    pub(crate) said: Vec<(Ms, Sizing)>,
}

impl Mind {
    pub(crate) fn of(policy: Policy) -> Self {
        Self {
            policy,
            sizer: Sizer::default(),
            said: Vec::new(),
        }
    }

    /// What to do now, and when to look again.
    pub(crate) fn look(&mut self, seen: &Seen, now: Ms) -> (Order, Ms) {
        match self.policy {
            Policy::Memq(rules) => {
                let time = std::time::Duration::from_millis(now);
                let sizing = self.sizer.decide(&rules, seen, time);
                let next = now + sizing.next_look.as_millis() as Ms;
                let order = Order::Keep(sizing.wanted);
                self.said.push((now, sizing));
                (order, next)
            }
            Policy::Keda(strategy, _) => (Order::Add(keda(strategy, seen)), now + POLL),
            Policy::Fixed(pods) => (Order::Keep(pods), now + REPLACE),
        }
    }

    /// Whether pods stay until the queue is drained.
    pub(crate) fn pods(&self) -> Option<Pods> {
        match self.policy {
            Policy::Keda(_, pods) => Some(pods),
            Policy::Memq(_) | Policy::Fixed(_) => None,
        }
    }
}

/// Jobs that KEDA would create now.
fn keda(strategy: Strategy, seen: &Seen) -> u32 {
    let max = i64::from(MAX);
    let pending = i64::from(seen.pending);
    // KEDA counts every unfinished Job as running, the pending ones too.
    let running = i64::from(seen.running) + pending;
    let length = match strategy {
        // For queues that count what is being worked on.
        Strategy::Default | Strategy::Custom => seen.left(),
        // For those that do not.
        Strategy::Accurate | Strategy::Eager => seen.ready,
    };
    let length = length as i64;
    let scale = length.min(max);
    let (most, to) = match strategy {
        Strategy::Default => (scale - running, length),
        Strategy::Custom => ((scale - 1 - (running as f64 * 0.5) as i64).min(max), length),
        Strategy::Accurate if scale + running > max => (max - running, length),
        Strategy::Accurate => (scale - pending, length),
        Strategy::Eager => ((max - running - pending).min(scale), max),
    };
    u32::try_from(most.min(to).max(0)).unwrap_or(0)
}
