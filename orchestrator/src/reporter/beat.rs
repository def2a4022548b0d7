//! When a report is due: pure, time is passed in.
//!
//! 1. What changed is told at once, but not sooner than [`PACE`] after the try before.
//! 2. Without a change a run that goes on is told of every [`EVERY`], so that a server that was started anew
//!    hears of it, and one that hears nothing can say so.
//! 3. A run that has ended is told of until that has arrived, and then no more.
//! 4. After a failure it is tried again later each time, up to [`EVERY`]: a server that is down, or a token
//!    that is wrong, costs next to nothing however many runs there are.

use std::time::Duration;

/// Shortest time between two reports of a run.
pub(super) const PACE: Duration = Duration::from_secs(1);
/// Longest time between two reports of a run that goes on: a quarter of what makes one stale.
pub(super) const EVERY: Duration = Duration::from_secs(30);

/// What has been told of a run. Times are since any beginning.
#[derive(Debug, Default)]
pub(super) struct Beat {
    /// There is something to tell that has not arrived.
    news: bool,
    /// The run has ended.
    ended: bool,
    /// When it was tried last.
    tried: Option<Duration>,
    /// Tries in a row that failed.
    failures: u32,
}

impl Beat {
    /// There is something new to tell.
    pub(super) fn has_news(&mut self, ended: bool) {
        (self.news, self.ended) = (true, ended);
    }

    /// When to tell it; never, while nothing else happens, of a run whose end has arrived.
    pub(super) fn due(&self) -> Option<Duration> {
        let Some(tried) = self.tried else {
            return self.news.then_some(Duration::ZERO);
        };
        let pause = match (self.news, self.failures) {
            (true, failures) => PACE.saturating_mul(1 << failures.min(5)).min(EVERY),
            (false, _) if self.ended => return None,
            (false, _) => EVERY,
        };
        Some(tried + pause)
    }

    /// It was told, or could not be.
    pub(super) fn tried(&mut self, now: Duration, arrived: bool) -> Turn {
        self.tried = Some(now);
        let failed_before = self.failures > 0;
        self.news = !arrived;
        self.failures = match arrived {
            true => 0,
            false => self.failures.saturating_add(1),
        };
        match (failed_before, arrived) {
            (false, false) => Turn::Lost,
            (true, true) => Turn::Found,
            _ => Turn::None,
        }
    }

    /// Whether something is left to tell.
    pub(super) fn is_behind(&self) -> bool {
        self.news
    }
}

/// Whether a try says something new of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It does not take reports any more.
    Lost,
    /// It takes them again.
    Found,
    /// As before.
    None,
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn news_is_told_at_once_and_then_once_a_second() {
        let mut beat = Beat::default();
        assert_eq!(beat.due(), None, "there is nothing to tell");
        beat.has_news(false);
        assert_eq!(beat.due(), Some(s(0)));
        beat.tried(s(5), true);
        beat.has_news(false);
        assert_eq!(beat.due(), Some(s(6)));
        beat.tried(s(6), true);
        assert_eq!(
            beat.due(),
            Some(s(36)),
            "it goes on, and must not look dead"
        );
    }

    #[test]
    fn the_end_is_told_until_it_has_arrived() {
        let mut beat = Beat::default();
        beat.has_news(true);
        beat.tried(s(0), false);
        assert_eq!(beat.due(), Some(s(2)));
        beat.tried(s(2), true);
        assert_eq!((beat.due(), beat.is_behind()), (None, false));
    }

    #[test]
    fn a_server_that_is_down_is_asked_less_and_less_and_an_outage_is_said_once() {
        let mut beat = Beat::default();
        beat.has_news(false);
        let mut now = s(0);
        let mut pauses = Vec::new();
        let mut turns = Vec::new();
        for _ in 0..7 {
            turns.push(beat.tried(now, false));
            // More news changes nothing.
            beat.has_news(false);
            let due = beat.due().expect("there is something to tell");
            pauses.push((due - now).as_secs());
            now = due;
        }
        assert_eq!(pauses, [2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(turns[0], Turn::Lost);
        assert!(turns[1..].iter().all(|turn| *turn == Turn::None));
        assert_eq!(beat.tried(now, true), Turn::Found);
        beat.has_news(false);
        assert_eq!(beat.due(), Some(now + PACE));
        assert_eq!(beat.tried(now, false), Turn::Lost);
    }
}
