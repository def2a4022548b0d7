//! The server's one clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use queue_core::Time;
use rustix::time::{ClockId, clock_gettime};

/// Wall time as it was at start, carried on by the boot-time clock: a step of the wall clock moves no
/// deadline, and time spent suspended counts.
#[derive(Debug)]
pub(crate) struct Clock {
    wall_at_start: Duration,
    boot_at_start: Duration,
}

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    pub(crate) fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            wall_at_start: wall.unwrap_or_default(),
            boot_at_start: boot_time(),
        }
    }

    pub(crate) fn now(&self) -> Time {
        let now = self.wall_at_start + boot_time().saturating_sub(self.boot_at_start);
        Time(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
    }
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
