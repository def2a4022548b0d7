//! The server's one clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use queue_core::Time;
use rustix::time::{ClockId, clock_gettime};

/// Wall time as it was at start, carried on by the boot-time clock: a step of the wall clock moves no
/// deadline, and time spent suspended counts.
#[derive(Debug)]
pub(crate) struct Clock {
    /// What the boot-time clock lacks, in milliseconds.
    ahead: AtomicU64,
}

impl Clock {
    /// A clock that shows `wall`, the time since 1970, now.
    pub(crate) fn start(wall: Duration) -> Self {
        let ahead = millis(wall).saturating_sub(millis(boot_time()));
        Self {
            ahead: AtomicU64::new(ahead),
        }
    }

    pub(crate) fn now(&self) -> Time {
        Time(self.ahead.load(Ordering::Relaxed) + millis(boot_time()))
    }

    /// Puts the clock forward where it is behind a time that was recorded: the wall clock was put back
    /// between two starts, and no deadline may come later for that.
    pub(crate) fn not_before(&self, recorded: Time) {
        let behind = recorded.0.saturating_sub(self.now().0);
        self.ahead.fetch_add(behind, Ordering::Relaxed);
    }
}

impl super::Engine {
    /// The time by the clock that all queues go by.
    pub(crate) fn now(&self) -> Time {
        self.shared.clock.now()
    }
}

/// The wall clock: the time since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the wall clock"
)]
pub(crate) fn wall_time() -> Duration {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH);
    wall.unwrap_or_default()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn boot_time() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// An instant as the wire writes it.
pub(crate) fn timestamp(time: Time) -> jiff::Timestamp {
    i64::try_from(time.0)
        .ok()
        .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
        .unwrap_or(jiff::Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_put_back_goes_on_from_what_was_recorded() {
        let clock = Clock::start(Duration::from_secs(1_000_000_000));
        let recorded = Time(1_500_000_000_000);
        clock.not_before(recorded);
        let now = clock.now();
        assert!(now >= recorded && now < recorded + Duration::from_secs(60));
        clock.not_before(Time(5));
        assert!(clock.now() >= now, "it never goes back");
    }
}
