//! The knee, told as a database that serves only so many.

use super::*;

/// A step whose pods finish what `per_s` says of their number, looked at every 15 s.
struct Shared {
    sizer: Sizer,
    seen: Seen,
    now: u64,
}

impl Shared {
    fn new(pods: u32) -> Self {
        let short = Some(Duration::from_millis(500));
        let seen = Seen {
            ready: 1_000_000,
            mean_item: short,
            p95_item: short,
            mean_running_age: short,
            ..at_work(pods)
        };
        Self {
            sizer: Sizer::default(),
            seen,
            now: 15,
        }
    }

    /// Looks until so much time is over; what was asked for at the end.
    fn run(&mut self, seconds: u64, per_s: fn(f64) -> f64) -> Sizing {
        let end = self.now + seconds;
        loop {
            let sizing = self.sizer.decide(&ANY, &self.seen, s(self.now));
            if self.now >= end {
                return sizing;
            }
            self.now += 15;
            self.seen.completions += (per_s(f64::from(self.seen.running)) * 15.0) as u64;
            (self.seen.running, self.seen.busy_workers) = (sizing.wanted, sizing.wanted);
        }
    }
}

#[test]
fn pods_that_finish_no_more_go_until_fewer_would_finish_less() {
    let mut shared = Shared::new(10);
    let most = shared.run(60, |pods| pods.min(12.0));
    assert!(
        most.wanted > 12,
        "it cannot be known before it is tried: {most:?}"
    );
    let settled = shared.run(150, |pods| pods.min(12.0));
    assert_eq!(settled.binding, Cap::Knee);
    assert!((9..18).contains(&settled.wanted), "{settled:?}");
    let kept = shared.run(60, |pods| pods.min(12.0));
    assert_eq!(kept.wanted, settled.wanted);
    // After five minutes more are tried again, for the database may have got better.
    let later = shared.run(300, |pods| pods);
    assert!(later.wanted > 90, "{later:?}");
}

#[test]
fn items_that_became_longer_are_no_knee_for_long() {
    let mut shared = Shared::new(10);
    shared.run(15, |pods| 2.0 * pods);
    // From now on all take four times as long, however many pods there are.
    let taken_in = shared.run(45, |pods| pods / 2.0);
    assert_eq!(taken_in.binding, Cap::Knee);
    let after = shared.run(120, |pods| pods / 2.0);
    assert_eq!(after.terms.knee_pods, None, "fewer finished less");
}

#[test]
fn pods_that_finish_more_are_no_knee() {
    let mut shared = Shared::new(10);
    assert_eq!(shared.run(120, |pods| 8.0 * pods).wanted, 100);
    assert_eq!(shared.run(120, |pods| 8.0 * pods).terms.knee_pods, None);
}
