//! How many pods the work asks for: the formulas and the caps, without the pace of change.
//!
//! It does not know what was asked for before, only what is there.

use std::time::Duration;

use super::{Cap, Rules, Seen, Terms};

/// Pods to begin with, while nothing is known of the items.
const COLD_PODS: u32 = 4;

/// Finished items that tell enough of all others to go by.
const COLD_COMPLETIONS: u64 = 20;

/// How long to wait for them: items may be long.
const COLD_TIME: Duration = Duration::from_secs(60);

/// A pod's work over its start-up, at the least: starting is then a quarter of its life.
const USEFUL: f64 = 3.0;

/// A number of pods, and what led to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    /// The number all terms come to.
    pub(super) pods: u32,
    /// The term that decided.
    pub(super) cap: Cap,
    /// What must never be passed, whatever the pace: the user's most, and the quota.
    pub(super) hard: u32,
    /// It is measured, not estimated, that more are in vain: no need to wait before going down.
    pub(super) measured: bool,
}

/// Fills in the terms, and says what they come to.
pub(super) fn target(
    rules: &Rules,
    seen: &Seen,
    knee: Option<u32>,
    now: Duration,
    terms: &mut Terms,
) -> Target {
    fill(rules, seen, knee, terms);
    let (pods, cap) = wish(seen, now, terms);
    let quota = seen.quota_pods.unwrap_or(u32::MAX);
    let room = seen
        .nodes
        .filter(|nodes| !nodes.grow)
        .map(|nodes| nodes.pods);
    // The user's fewest stand above everything that is thrift, below everything that is room.
    let soft = [(terms.rate_pods, Cap::RateLimit), (knee, Cap::Knee)];
    let (pods, cap) = lower(pods, cap, soft);
    let (pods, cap) = if pods < rules.least() {
        (rules.least(), Cap::Min)
    } else {
        (pods, cap)
    };
    let firm = [
        (Some(rules.max), Cap::Max),
        (Some(terms.backlog_pods), Cap::Backlog),
        (room, Cap::Nodes),
        (seen.quota_pods, Cap::Quota),
    ];
    let (pods, cap) = lower(pods, cap, firm);
    terms.target = pods;
    Target {
        pods,
        cap,
        hard: rules.max.min(quota),
        measured: cap == Cap::Knee,
    }
}

fn lower<const N: usize>(pods: u32, cap: Cap, caps: [(Option<u32>, Cap); N]) -> (u32, Cap) {
    caps.into_iter()
        .filter_map(|(limit, cap)| Some((limit?, cap)))
        .fold(
            (pods, cap),
            |lowest, next| {
                if next.0 < lowest.0 { next } else { lowest }
            },
        )
}

fn fill(rules: &Rules, seen: &Seen, knee: Option<u32>, terms: &mut Terms) {
    let slots = f64::from(rules.concurrency.get());
    let items = seen.left();
    terms.backlog_pods = narrow(items.div_ceil(u64::from(rules.concurrency.get())));
    terms.knee_pods = knee;
    let Some(item) = item_time(seen) else {
        return;
    };
    terms.item_s = Some(item);
    terms.item_p95_s = Some(
        seen.p95_item
            .map_or(item, |p95| p95.as_secs_f64().max(item)),
    );
    let work = items as f64 * item;
    terms.work_s = Some(work);
    terms.rate_pods = seen
        .rate_per_s
        .filter(|rate| rate.is_finite() && *rate > 0.0)
        .map(|rate| ceil(rate * item / slots).max(1));
    let Some(startup) = terms.startup_s else {
        return;
    };
    terms.economy_pods = Some(ceil((work * terms.price / (slots * startup)).sqrt()));
    terms.useful_pods = Some(ceil(work / (USEFUL * slots * startup)).max(1));
    terms.deadline_pods = deadline_pods(seen, terms, slots);
}

/// The time to take for one item, in seconds.
///
/// Early on those that finished are the short ones. What runs has a say of its own: on average it has
/// come half way, so it takes twice its age; and all the time spent was spent on what is finished.
/// Both are too large once for ever-new items, so the smaller of them counts, and the age alone
/// is the least: nothing takes less than it took already.
fn item_time(seen: &Seen) -> Option<f64> {
    let done = seen.mean_item.map(|time| time.as_secs_f64());
    let age = seen.mean_running_age.map(|time| time.as_secs_f64());
    let Some(age) = age else { return done };
    let finished = seen.completions.max(1) as f64;
    let spent = done.unwrap_or(0.0) * seen.completions as f64 + age * seen.leased as f64;
    let running = (spent / finished).min(2.0 * age).max(age);
    Some(done.unwrap_or(0.0).max(running))
}

/// Pods that meet the deadline; `None` without one, or where no number of new pods does.
fn deadline_pods(seen: &Seen, terms: &Terms, slots: f64) -> Option<u32> {
    let (left, work) = (terms.deadline_s?, terms.work_s?);
    let (startup, p95) = (terms.startup_s?, terms.item_p95_s?);
    let supply = seen.running.saturating_add(seen.pending);
    let fresh = left - startup - p95;
    let new = (fresh > 0.0).then(|| ceil(work / (slots * fresh)));
    // Pods that are there need no start-up any more. Without this each look during a start-up
    // would find that a little less time is left, and ask for more.
    let there = left - p95;
    let keep = (there > 0.0).then(|| ceil(work / (slots * there)));
    match (new, keep) {
        (new, Some(keep)) if keep <= supply => Some(new.unwrap_or(supply).min(supply)),
        (new, _) => new,
    }
}

/// What the work asks for, before what limits it.
fn wish(seen: &Seen, now: Duration, terms: &Terms) -> (u32, Cap) {
    if terms.items == 0 {
        return (0, Cap::Backlog);
    }
    let supply = seen.running.saturating_add(seen.pending);
    let warm = seen.completions >= COLD_COMPLETIONS || now >= COLD_TIME;
    let (Some(economy), Some(useful), true) = (terms.economy_pods, terms.useful_pods, warm) else {
        // Pods that are there were asked for by someone who knew more.
        return if seen.running > COLD_PODS {
            (seen.running, Cap::Started)
        } else {
            (COLD_PODS, Cap::ColdStart)
        };
    };
    match (terms.deadline_s, terms.deadline_pods) {
        (Some(_), Some(pods)) => (pods, Cap::Deadline),
        // It cannot be met: as soon as thrift allows, and never fewer than there are.
        (Some(_), None) if useful >= supply => (useful, Cap::UsefulWork),
        (Some(_), None) => (supply, Cap::Started),
        (None, _) => {
            let (pods, cap) = lower(economy, Cap::Economy, [(Some(useful), Cap::UsefulWork)]);
            if pods < seen.running {
                (seen.running, Cap::Started)
            } else {
                (pods, cap)
            }
        }
    }
}

fn ceil(pods: f64) -> u32 {
    // A float turns into an integer by saturating, and not-a-number (nothing over nothing) into none.
    pods.ceil() as u32
}

fn narrow(pods: u64) -> u32 {
    u32::try_from(pods).unwrap_or(u32::MAX)
}
