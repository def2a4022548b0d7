//! The one timer of a connection.
//!
//! A timer set and cleared a request would be the dearest part of serving it. This one is moved
//! only when a deadline comes to lie before it; when it goes off too early it is set to what is
//! due by then. A busy connection touches it once an idle time-out, a parked one not at all.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::limits::ConnectionLimits;
use super::signals::{Phase, Signals};
use super::waker::Left;

/// Watches over who is to move, and for how long.
pub(super) struct Clock<'a> {
    timer: Pin<&'a mut Sleep>,
    left: Left,
    mark: (Phase, u32),
    deadline: Option<Instant>,
}

impl<'a> Clock<'a> {
    /// A clock whose timer is set for a connection's begin: [`bound`] of [`Phase::New`] from now.
    pub(super) fn new(timer: Pin<&'a mut Sleep>) -> Self {
        Self {
            mark: (Phase::New, 0),
            deadline: Some(timer.deadline()),
            left: Left::default(),
            timer,
        }
    }

    /// Ready with the phase that lasted too long.
    pub(super) fn poll_late(
        &mut self,
        cx: &mut Context<'_>,
        signals: &Signals,
        limits: &ConnectionLimits,
    ) -> Poll<Phase> {
        let mark = signals.mark();
        if mark != self.mark {
            self.mark = mark;
            self.deadline = bound(mark.0, limits).map(|bound| Instant::now() + bound);
        }
        let Some(deadline) = self.deadline else {
            return Poll::Pending;
        };
        if self.timer.deadline() > deadline {
            self.timer.as_mut().reset(deadline);
            self.left.forget();
        }
        if self.left.stands(cx) && !self.timer.is_elapsed() {
            return Poll::Pending;
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if self.timer.deadline() >= deadline {
                return Poll::Ready(mark.0);
            }
            self.timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

/// How long a phase may last; `None` where the connection's client is not the one to move.
pub(super) fn bound(phase: Phase, limits: &ConnectionLimits) -> Option<Duration> {
    match phase {
        Phase::New | Phase::Head => Some(limits.head_timeout),
        Phase::Idle => Some(limits.idle_timeout),
        Phase::Writing => Some(limits.write_timeout),
        Phase::Serving => None,
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;

    use super::*;

    fn limits() -> ConnectionLimits {
        ConnectionLimits {
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(120),
            ..ConnectionLimits::default()
        }
    }

    /// The phase that was late, and after how many seconds; none within ten minutes.
    async fn late(signals: &Signals, clock: &mut Clock<'_>) -> Option<(Phase, u64)> {
        let begin = Instant::now();
        let limits = limits();
        let watch = poll_fn(|cx| clock.poll_late(cx, signals, &limits));
        let phase = tokio::time::timeout(Duration::from_secs(600), watch)
            .await
            .ok()?;
        Some((phase, begin.elapsed().as_secs()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_says_nothing_is_late_after_the_time_for_a_head() {
        let timer = pin!(tokio::time::sleep(limits().head_timeout));
        let mut clock = Clock::new(timer);
        assert_eq!(
            late(&Signals::default(), &mut clock).await,
            Some((Phase::New, 10))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_head_on_a_kept_connection_is_late_before_its_idle_time_is_over() {
        let timer = pin!(tokio::time::sleep(limits().head_timeout));
        let mut clock = Clock::new(timer);
        let signals = Signals::default();
        signals.begin();
        signals.finish();
        let idle = poll_fn(|cx| clock.poll_late(cx, &signals, &limits()));
        let half_a_minute = Duration::from_secs(30);
        assert!(
            tokio::time::timeout(half_a_minute, idle).await.is_err(),
            "idle is not late"
        );
        signals.read();
        assert_eq!(late(&signals, &mut clock).await, Some((Phase::Head, 10)));
    }

    #[tokio::test(start_paused = true)]
    async fn idle_time_counts_from_the_last_answer() {
        let timer = pin!(tokio::time::sleep(limits().head_timeout));
        let mut clock = Clock::new(timer);
        let signals = Signals::default();
        for _ in 0..3 {
            signals.begin();
            signals.finish();
            let idle = poll_fn(|cx| clock.poll_late(cx, &signals, &limits()));
            assert!(
                tokio::time::timeout(Duration::from_secs(100), idle)
                    .await
                    .is_err()
            );
        }
        assert_eq!(late(&signals, &mut clock).await, Some((Phase::Idle, 20)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_being_served_is_never_late() {
        let timer = pin!(tokio::time::sleep(limits().head_timeout));
        let mut clock = Clock::new(timer);
        let signals = Signals::default();
        signals.begin();
        assert_eq!(late(&signals, &mut clock).await, None);
    }
}
