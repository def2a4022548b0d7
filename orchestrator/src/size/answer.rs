//! What sizing answers: a number, what bound it, and every term that led to it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Rules, Seen};

/// How many pods there should be, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sizing {
    /// Pods there should be, running and starting.
    pub wanted: u32,
    /// What decided the number.
    pub binding: Cap,
    /// When all items may be done. `None` while no speed is known.
    pub eta: Option<Eta>,
    /// Something a person should know.
    pub condition: Option<Condition>,
    /// When to look again, from now, though nothing changes.
    #[serde(rename = "nextLookMs", with = "super::millis")]
    pub next_look: Duration,
    /// What went in, and what came of it on the way.
    pub terms: Terms,
}

/// What decided the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Cap {
    /// As many as meet the deadline.
    Deadline,
    /// As many as are worth their start-up at the price of time.
    Economy,
    /// No more, or starting would take more than a quarter of a pod's life.
    UsefulWork,
    /// A pod for each item (for each so many, where a pod has several slots), and no more.
    Backlog,
    /// No more fit in the namespace's quota.
    Quota,
    /// No more fit on the nodes.
    Nodes,
    /// More would wait for the queue's rate limit.
    RateLimit,
    /// The most the user allows.
    Max,
    /// The fewest the user allows.
    Min,
    /// More did not finish more: something they share is at its limit.
    Knee,
    /// Too little is known of the items yet.
    ColdStart,
    /// On the way to a larger number, in steps.
    StepUp,
    /// A change too small, or too young, to follow.
    Steady,
    /// Started pods have paid for their start, and stay while there are items for them.
    Started,
    /// Only as many as are busy, or could be: the last items run.
    Tail,
    /// The pods could not be listed: the number stands.
    Hold,
    /// Pods wait for a node: no more are asked for.
    CapacityBlocked,
}

/// When all items may be done, from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Eta {
    /// If all goes well.
    #[serde(rename = "lowMs", with = "super::millis")]
    pub low: Duration,
    /// If it does not go worse than it went.
    #[serde(rename = "highMs", with = "super::millis")]
    pub high: Duration,
}

/// Something a person should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum Condition {
    /// No number of pods that is allowed meets the deadline.
    DeadlineInfeasible {
        /// The earliest end that can be hoped for, since the step began.
        #[serde(rename = "earliestMs", with = "super::millis")]
        earliest: Duration,
    },
    /// Pods have waited for a node for a minute or longer.
    CapacityBlocked {
        /// The scheduler's own words.
        text: String,
    },
}

/// Every term of one decision. Seconds are seconds, pods are pods; `None` is "not known" or "does
/// not apply". Numbers too large for their type are given as its largest.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Terms {
    /// Time since the step began.
    pub now_s: f64,
    /// Items left: ready, leased and due.
    pub items: u64,
    /// Items finished.
    pub completions: u64,
    /// Items a pod works on at once.
    pub concurrency: u32,
    /// Time that is taken for one item.
    pub item_s: Option<f64>,
    /// 95th percentile of an item's time.
    pub item_p95_s: Option<f64>,
    /// 90th percentile of a pod's start-up.
    pub startup_s: Option<f64>,
    /// Work that is left: items times an item's time.
    pub work_s: Option<f64>,
    /// Time left before the deadline.
    pub deadline_s: Option<f64>,
    /// Pod-seconds for a second sooner.
    pub price: f64,
    /// Pods that run.
    pub running: u32,
    /// Pods that start.
    pub pending: u32,
    /// Pods that hold a lease.
    pub busy: u32,
    /// Pods asked for before.
    pub current: u32,
    /// Pods that meet the deadline.
    pub deadline_pods: Option<u32>,
    /// Pods that are worth their start-up.
    pub economy_pods: Option<u32>,
    /// Pods that spend three quarters of their life on work.
    pub useful_pods: Option<u32>,
    /// Pods there are items for.
    pub backlog_pods: u32,
    /// Pods that quotas allow.
    pub quota_pods: Option<u32>,
    /// Pods that the nodes have room for.
    pub node_pods: Option<u32>,
    /// Pods that keep up with the rate limit.
    pub rate_pods: Option<u32>,
    /// Pods beyond which throughput did not grow.
    pub knee_pods: Option<u32>,
    /// The most the user allows.
    pub max: u32,
    /// The fewest the user allows.
    pub min: u32,
    /// The number all of these come to, before the pace of change.
    pub target: u32,
}

impl Terms {
    /// The terms that need no formula.
    pub(super) fn of(rules: &Rules, seen: &Seen, now: Duration) -> Self {
        Self {
            now_s: now.as_secs_f64(),
            items: seen.left(),
            completions: seen.completions,
            concurrency: rules.concurrency.get(),
            startup_s: seen.startup_p90.map(|time| time.as_secs_f64()),
            deadline_s: rules
                .deadline
                .map(|deadline| deadline.saturating_sub(now).as_secs_f64()),
            price: rules.price(),
            running: seen.running,
            pending: seen.pending,
            busy: seen.busy_workers,
            quota_pods: seen.quota_pods,
            node_pods: seen.nodes.map(|nodes| nodes.pods),
            max: rules.max,
            min: rules.min,
            ..Self::default()
        }
    }
}
