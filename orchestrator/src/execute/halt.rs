//! When a step that runs processes must stop, and how urgently: signals, its time, the grace.
//!
//! A pool of workers has its own planner for that; this is for processes that are asked nothing else.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::attend::{Asked, raise};
use super::signals::Received;
use crate::plan::Why;

/// What a process's own grace is exceeded by before whoever watches over it is killed as well.
pub(super) const BEYOND_GRACE: Duration = Duration::from_secs(3);

/// The end of a step, as far as others decide it.
#[derive(Debug)]
pub(super) struct Halt {
    signals: watch::Receiver<Received>,
    deadline: Option<Instant>,
    grace: Duration,
    asked: watch::Sender<Asked>,
    why: Option<Why>,
    kill_at: Option<Instant>,
}

impl Halt {
    pub(super) fn new(
        signals: watch::Receiver<Received>,
        deadline: Option<Instant>,
        grace: Duration,
    ) -> Self {
        Self {
            signals,
            deadline,
            grace: grace + BEYOND_GRACE,
            asked: watch::Sender::new(Asked::Work),
            why: None,
            kill_at: None,
        }
    }

    /// What processes are asked.
    pub(super) fn asked(&self) -> watch::Receiver<Asked> {
        self.asked.subscribe()
    }

    /// Why they are to stop, once they are; it no longer changes then.
    pub(super) fn why(&self) -> Option<&Why> {
        self.why.as_ref()
    }

    /// Resolves when something changed, which may be that time passed.
    pub(super) async fn changed(&mut self) {
        let received = *self.signals.borrow_and_update();
        if let (Some(signal), None) = (received.first, &self.why) {
            return self.stop(Why::Signal(signal));
        }
        let first = u32::from(matches!(self.why, Some(Why::Signal(_))));
        if received.times > first {
            self.ask(Asked::Die);
        }
        let deadline = self.deadline.filter(|_| self.why.is_none());
        tokio::select! {
            Ok(()) = self.signals.changed() => {}
            () = until(deadline) => self.stop(Why::TimedOut),
            () = until(self.kill_at) => {
                self.kill_at = None;
                self.ask(Asked::Die);
            }
        }
    }

    fn stop(&mut self, why: Why) {
        self.why = Some(why);
        self.kill_at = Some(Instant::now() + self.grace);
        self.ask(Asked::Stop);
    }

    fn ask(&self, what: Asked) {
        self.asked.send_if_modified(|asked| raise(asked, what));
    }
}

/// Sleeps until then; for ever, if there is no then.
pub(super) async fn until(then: Option<Instant>) {
    match then {
        Some(then) => tokio::time::sleep_until(then.into()).await,
        None => std::future::pending().await,
    }
}
