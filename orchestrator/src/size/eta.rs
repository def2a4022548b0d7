//! When the items may be done, as a range, and whether that is before the deadline.
//!
//! The items that are there: more may come into a queue that is not sealed.

use std::time::Duration;

use super::{Cap, Condition, Eta, Rules, Seen, Terms};

/// The longest time that is told: some 30 years. Beyond, a number is no help.
const LONGEST: f64 = 1e9;

/// The 95th percentile of a normal distribution, in deviations.
const Z95: f64 = 1.645;

/// What a range is wider than the counting error: pods come and go.
const MARGIN: f64 = 0.1;

/// The most that a range is off to either side.
const WIDEST: f64 = 0.5;

/// When all items may be done with so many pods. `None` while no item's time is known, or there
/// is no pod to do them.
pub(super) fn eta(seen: &Seen, terms: &Terms, wanted: u32, binding: Cap) -> Option<Eta> {
    if terms.items == 0 {
        return Some(Eta {
            low: Duration::ZERO,
            high: Duration::ZERO,
        });
    }
    let item = terms.item_s?;
    let mean = seen.mean_item.map_or(item, |mean| mean.as_secs_f64());
    let few = if seen.running > 0 {
        seen.running
    } else {
        wanted
    };
    if few == 0 {
        return None;
    }
    // A cold start says nothing of how many there will be.
    let most = match binding {
        Cap::ColdStart => allowed(seen, terms),
        _ => wanted.max(terms.target),
    };
    let most = most.max(seen.running);
    let items = terms.items as f64;
    let slots = f64::from(terms.concurrency);
    let sigma = spread(seen);
    let off = 2.0 * ((sigma * sigma).exp_m1() / terms.completions.max(1) as f64).sqrt();
    let off = (MARGIN + off).min(WIDEST);
    let startup = match seen.running {
        0 => terms.startup_s.unwrap_or(0.0),
        _ => 0.0,
    };
    let limited = seen
        .rate_per_s
        .filter(|rate| *rate > 0.0)
        .map_or(0.0, |rate| items / rate);
    let least = (items * mean / (slots * f64::from(most))).max(limited);
    let longest = (items * item / (slots * f64::from(few))).max(limited);
    // The last item to end is likely the longest of all that are left.
    let last = mean * (sigma * (2.0 * items.ln()).sqrt() - sigma * sigma / 2.0).exp();
    Some(Eta {
        low: seconds(startup * (1.0 - off) + least * (1.0 - off)),
        high: seconds(startup * (1.0 + off) + longest * (1.0 + off) + last.max(item)),
    })
}

/// The spread of the items' times: the sigma of the lognormal distribution that has their mean and
/// their 95th percentile, and the widest such one where none has.
fn spread(seen: &Seen) -> f64 {
    let (Some(mean), Some(p95)) = (seen.mean_item, seen.p95_item) else {
        return 1.0;
    };
    let ratio = (p95.as_secs_f64() / mean.as_secs_f64().max(f64::MIN_POSITIVE)).ln();
    // More than nineteen of twenty are below the mean: a few very long ones make it.
    if ratio < -0.05 {
        return Z95;
    }
    Z95 - (Z95 * Z95 - 2.0 * ratio.max(0.0)).max(0.0).sqrt()
}

/// The most pods that anything but thrift allows.
fn allowed(seen: &Seen, terms: &Terms) -> u32 {
    let quota = seen.quota_pods.unwrap_or(u32::MAX);
    let rate = terms.rate_pods.unwrap_or(u32::MAX);
    terms.max.min(terms.backlog_pods).min(quota).min(rate)
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
    let most = allowed(seen, terms).max(1);
    // New pods: their start-up, then all but the last item of each slot, then that one.
    let ahead = (work / (slots * f64::from(most)) - item).max(0.0);
    let new = terms.startup_s.unwrap_or(0.0) + p95 + ahead;
    let earliest = if seen.running > 0 {
        // What runs needs no start-up, and its items may be about to end.
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
