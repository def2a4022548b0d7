//! Items a second, over the last half minute.

use std::collections::VecDeque;
use std::time::Duration;

/// What counts as of late: long enough to be steady, short enough to notice a change.
const WINDOW: Duration = Duration::from_secs(30);
/// Finer than a second, so that the first items already give a rate.
const BUCKET: Duration = Duration::from_millis(250);

#[derive(Debug, Clone, Default)]
pub(super) struct Speed {
    /// When a bucket began, and what was counted in it.
    buckets: VecDeque<(Duration, u64)>,
}

impl Speed {
    pub(super) fn count(&mut self, now: Duration) {
        match self.buckets.back_mut() {
            Some((began, count)) if now < *began + BUCKET => *count += 1,
            _ => self.buckets.push_back((now, 1)),
        }
        let old = now.saturating_sub(WINDOW);
        while self.buckets.front().is_some_and(|(began, _)| *began < old) {
            self.buckets.pop_front();
        }
    }

    pub(super) fn rate(&self, now: Duration) -> f64 {
        let old = now.saturating_sub(WINDOW);
        let recent = self.buckets.iter().filter(|(began, _)| *began >= old);
        let count: u64 = recent.map(|(_, count)| count).sum();
        // A run younger than the window is measured from its start: what waited is work too.
        let span = now.min(WINDOW).max(BUCKET);
        count as f64 / span.as_secs_f64()
    }
}
