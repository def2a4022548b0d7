//! When the items may be done, as a range, and whether that is before the deadline.

use std::time::Duration;

use super::{Condition, Eta, Rules, Seen, Terms};

/// The longest time that is told: some 30 years. Beyond, a number is no help.
const LONGEST: f64 = 1e9;

/// When all items may be done with so many pods. `None` while no item's time is known, or there
/// is no pod to do them.
pub(super) fn eta(seen: &Seen, terms: &Terms, wanted: u32) -> Option<Eta> {
    if terms.items == 0 {
        return Some(Eta {
            low: Duration::ZERO,
            high: Duration::ZERO,
        });
    }
    let (work, p95) = (terms.work_s?, terms.item_p95_s?);
    let most = wanted.max(seen.running);
    if most == 0 {
        return None;
    }
    let slots = f64::from(terms.concurrency);
    // A mean of n items is off by about its spread over the root of n.
    let off = (2.0 / (terms.completions.max(1) as f64).sqrt()).min(0.5);
    let startup = terms.startup_s.unwrap_or(0.0);
    let idle = if seen.running == 0 { startup } else { 0.0 };
    let few = if seen.running == 0 {
        most
    } else {
        seen.running.min(most)
    };
    let limited = seen
        .rate_per_s
        .filter(|rate| *rate > 0.0)
        .map_or(0.0, |rate| terms.items as f64 / rate);
    let low = (work / (slots * f64::from(most)) * (1.0 - off)).max(limited * (1.0 - off)) + idle;
    let high =
        (work / (slots * f64::from(few)) * (1.0 + off)).max(limited * (1.0 + off)) + idle + p95;
    Some(Eta {
        low: seconds(low),
        high: seconds(high),
    })
}

/// Whether even the most pods that are allowed cannot meet the deadline.
pub(super) fn infeasible(
    rules: &Rules,
    seen: &Seen,
    terms: &Terms,
    now: Duration,
) -> Option<Condition> {
    let (left, deadline) = (terms.deadline_s?, rules.deadline?);
    let (work, item, p95) = (terms.work_s?, terms.item_s?, terms.item_p95_s?);
    if terms.items == 0 {
        return None;
    }
    let slots = f64::from(terms.concurrency);
    let most = rules
        .max
        .min(terms.backlog_pods)
        .min(seen.quota_pods.unwrap_or(u32::MAX))
        .min(terms.rate_pods.unwrap_or(u32::MAX))
        .max(1);
    // New pods: their start-up, then all but the last item of each slot, then that one.
    let ahead = (work / (slots * f64::from(most)) - item).max(0.0);
    let new = terms.startup_s.unwrap_or(0.0) + p95 + ahead;
    let earliest = if seen.running > 0 {
        // Some of what runs may end any moment: no more than its share of the work is certain.
        new.min(work / (slots * f64::from(seen.running)))
    } else {
        new
    };
    (earliest >= left || now >= deadline).then(|| Condition::DeadlineInfeasible {
        earliest: now.saturating_add(seconds(earliest)),
    })
}

fn seconds(time: f64) -> Duration {
    Duration::from_secs_f64(time.clamp(0.0, LONGEST))
}
