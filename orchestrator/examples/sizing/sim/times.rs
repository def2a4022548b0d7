//! Times that were measured: their mean and their quantiles, however many they are.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::world::Ms;

/// The longest that is told apart: a day, after which a run is given up.
const LONGEST: Ms = 24 * 3_600_000;

/// Digits that a quantile is right to.
const DIGITS: u8 = 3;

#[derive(Debug, Clone)]
pub(super) struct Times {
    sum: Ms,
    times: Histogram<u64>,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            sum: 0,
            times: Histogram::new_with_max(LONGEST, DIGITS)
                .expect("a histogram of a day in three digits"),
        }
    }
}

impl Times {
    pub(super) fn add(&mut self, time: Ms) {
        self.sum += time;
        self.times.saturating_record(time);
    }

    pub(super) fn count(&self) -> u64 {
        self.times.len()
    }

    pub(super) fn mean(&self) -> Option<Duration> {
        let mean = self.sum.checked_div(self.count())?;
        Some(Duration::from_millis(mean))
    }

    pub(super) fn quantile(&self, share: f64) -> Option<Duration> {
        let quantile = self.times.value_at_quantile(share);
        (self.count() > 0).then(|| Duration::from_millis(quantile))
    }
}
