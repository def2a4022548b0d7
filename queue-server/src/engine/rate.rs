//! How fast a queue is worked off: items a second, over the last minute.
//!
//! Which items count, those that work ended, is for whoever adds them to say.

use queue_core::Time;

const SECONDS: usize = 60;

/// Counts items that were worked off by the second.
#[derive(Debug)]
pub(crate) struct Rate {
    buckets: [u32; SECONDS],
    /// The second that the newest bucket counts.
    second: u64,
    /// The second of the first item after a minute without any.
    first: u64,
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            buckets: [0; SECONDS],
            second: 0,
            first: 0,
        }
    }
}

impl Rate {
    pub(crate) fn add(&mut self, now: Time, items: u64) {
        if items == 0 {
            return;
        }
        self.advance(now);
        if self.buckets.iter().all(|count| *count == 0) {
            self.first = self.second;
        }
        let bucket = &mut self.buckets[(self.second % SECONDS as u64) as usize];
        *bucket = bucket.saturating_add(u32::try_from(items).unwrap_or(u32::MAX));
    }

    /// Items a second over the last minute, or since the first of them if that is shorter.
    pub(crate) fn per_second(&mut self, now: Time) -> f64 {
        self.advance(now);
        let items: u64 = self.buckets.iter().map(|count| u64::from(*count)).sum();
        let span_ms = now
            .0
            .saturating_sub(self.first * 1_000)
            .clamp(1_000, SECONDS as u64 * 1_000);
        (items as f64 * 1_000.0 / span_ms as f64 * 100.0).round() / 100.0
    }

    fn advance(&mut self, now: Time) {
        let second = now.0 / 1_000;
        let passed = second.saturating_sub(self.second).min(SECONDS as u64);
        for step in 1..=passed {
            self.buckets[((second - passed + step) % SECONDS as u64) as usize] = 0;
        }
        self.second = self.second.max(second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_000_000;

    fn at(second: u64) -> Time {
        Time((START + second) * 1_000)
    }

    #[test]
    fn the_rate_is_that_of_the_last_minute() {
        let mut rate = Rate::default();
        for second in 0..100 {
            rate.add(at(second), 7);
        }
        assert!((rate.per_second(at(100)) - 7.0).abs() < 0.2);
        assert!(rate.per_second(at(130)) < 4.0);
        assert_eq!(rate.per_second(at(161)), 0.0);
    }

    #[test]
    fn a_start_is_not_averaged_with_the_time_before_it() {
        let mut rate = Rate::default();
        rate.add(at(0), 5);
        rate.add(at(1), 5);
        assert_eq!(rate.per_second(at(2)), 5.0);
    }
}
