//! What sizing is told: the user's rules, and what was seen of queue, pods and cluster.

use std::{num::NonZeroU32, time::Duration};

/// Pod-seconds that one pays to be done a second sooner, where the user says nothing.
pub const DEFAULT_PRICE: f64 = 10.0;

/// What the user asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Fewest pods, as long as there are items for them. `min == max` fixes the number.
    pub min: u32,
    /// Most pods. Below `min`, it is `max` that counts.
    pub max: u32,
    /// Items one pod works on at once.
    pub concurrency: NonZeroU32,
    /// When all items should be done, since the step began.
    pub deadline: Option<Duration>,
    /// Pod-seconds that one pays to be done a second sooner. Not positive or not finite:
    /// [`DEFAULT_PRICE`].
    pub price: f64,
}

/// What was seen. `None` is "not known", never "none".
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Items that may be leased now.
    pub ready: u64,
    /// Items that are leased.
    pub leased: u64,
    /// Items that wait for their next try or their time, and are due before long.
    pub due: u64,
    /// No item can come any more: the queue is sealed. Idle pods go sooner then.
    pub sealed: bool,
    /// Tries of items that came to their end since the step began. It may begin again at 0, as after
    /// a restart of the server.
    pub completions: u64,
    /// Mean time from lease to settlement.
    pub mean_item: Option<Duration>,
    /// 95th percentile of the time from lease to settlement. Not known: the mean stands for it.
    pub p95_item: Option<Duration>,
    /// Mean time since their lease of the items that are leased now.
    pub mean_running_age: Option<Duration>,
    /// 90th percentile of the time from a pod's creation to its first lease.
    pub startup_p90: Option<Duration>,
    /// Pods that run: phase Running.
    pub running: u32,
    /// Pods that exist and do not run yet: phase Pending.
    pub pending: u32,
    /// Running pods that are ready, which for a worker means that it holds a lease or held one in
    /// the last 30 s. A Job takes those that are not ready away first, so that all others may go
    /// without one that is at work.
    pub busy_workers: u32,
    /// Since when pods of the step have waited for a node, without a break.
    pub unschedulable: Option<Unschedulable>,
    /// Pods of the step that quotas allow, counting those that are there.
    pub quota_pods: Option<u32>,
    /// Pods of the step that the nodes have room for.
    pub nodes: Option<Nodes>,
    /// The most items a second that the queue lends.
    pub rate_per_s: Option<f64>,
    /// `running`, `pending` and `busy_workers` come from one synced watch. When false they are
    /// not looked at, and the number stands.
    pub supply_known: bool,
}

/// The room on the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nodes {
    /// Pods of the step that fit, counting those that are there.
    pub pods: u32,
    /// Nodes are added on demand: the room is told, and does not bind.
    pub grow: bool,
}

/// Pods that no node takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unschedulable {
    /// Since when, on the clock of `now`.
    pub since: Duration,
    /// The scheduler's own words.
    pub text: String,
}

impl Default for Seen {
    /// Nothing seen, of a supply that is known to be none.
    fn default() -> Self {
        Self {
            ready: 0,
            leased: 0,
            due: 0,
            sealed: false,
            completions: 0,
            mean_item: None,
            p95_item: None,
            mean_running_age: None,
            startup_p90: None,
            running: 0,
            pending: 0,
            busy_workers: 0,
            unschedulable: None,
            quota_pods: None,
            nodes: None,
            rate_per_s: None,
            supply_known: true,
        }
    }
}

impl Rules {
    /// Exactly so many pods of one slot each, as far as there are items for them.
    #[must_use]
    pub const fn fixed(pods: u32) -> Self {
        Self {
            min: pods,
            max: pods,
            concurrency: NonZeroU32::MIN,
            deadline: None,
            price: DEFAULT_PRICE,
        }
    }

    /// The fewest that can be held to: `min`, unless `max` is less.
    pub(super) fn least(&self) -> u32 {
        self.min.min(self.max)
    }

    pub(super) fn price(&self) -> f64 {
        if self.price.is_finite() && self.price > 0.0 {
            self.price
        } else {
            DEFAULT_PRICE
        }
    }
}

impl Seen {
    /// All items that are left and could be worked on. Never the ready ones alone: whoever asks
    /// for pods by them counts each leased item's pod as one too few.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.ready
            .saturating_add(self.leased)
            .saturating_add(self.due)
    }
}
