//! Ways out: being told to stop, a server that says no or says nothing, the last settlements.

use std::time::Duration;

use queue_api::Code;
use queue_client::Error;
use tokio::time::Instant;

use super::Drain;
use crate::exit::Exit;
use crate::stop::Urgency;

/// Before a queue that is not there is asked for again.
const MISSING_REST: Duration = Duration::from_millis(500);
/// What the last settlements get after the grace.
const FLUSH: Duration = Duration::from_secs(3);
/// What they get when there is no time at all.
const HASTY_FLUSH: Duration = Duration::from_secs(1);

/// Whether the queue was there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    NotYet,
    MissingSince(Instant),
    Yes,
}

/// A worker on its way out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopping {
    pub(super) exit: Exit,
    /// When handlers are ended that still run.
    pub(super) end: Instant,
    /// Whether there is a server to settle with.
    pub(super) settle: bool,
    hasty: bool,
}

impl Stopping {
    /// When the last settlements must be through that go out now.
    pub(super) fn settled_by(self, now: Instant) -> Instant {
        match self.hasty {
            true => now + HASTY_FLUSH,
            false => self.end.max(now) + FLUSH,
        }
    }
}

impl Drain {
    /// A call failed for good.
    pub(super) fn failed(&mut self, error: Error, settling: bool) {
        if let Some(stopping) = &mut self.stopping {
            let queue = self.queue.name();
            tracing::warn!(queue.name = %queue, error.message = %format_args!("{:#}", anyhow::Error::from(error)), "a last call failed");
            // What a lease call carried has one more try; that of a settle call was the last.
            stopping.settle &= !settling;
            return;
        }
        if error.code() == Some(Code::NoSuchQueue) && self.wait_for_queue() {
            return;
        }
        let (exit, advice) = match (&error, error.status()) {
            (_, Some(404)) if !matches!(self.found, Found::Yes) => {
                (Exit::Unavailable, "the queue never came to be; giving up")
            }
            (_, Some(404 | 410)) => (
                Exit::Refused,
                "the queue was deleted, or its server began anew without it; ending",
            ),
            (Error::Unauthenticated { .. }, _) => (
                Exit::Refused,
                "this worker needs a token (--token-file, MEMQ_TOKEN_FILE or MEMQ_TOKEN); ending",
            ),
            (Error::Tls { .. }, _) => (
                Exit::Misconfigured,
                "this worker and its server do not agree on TLS; ending",
            ),
            _ if error.is_refusal() => (
                Exit::Refused,
                "the server does not let this worker work on the queue; ending",
            ),
            _ if error.is_transient() => (
                Exit::Unavailable,
                "the server stayed out of reach; giving up",
            ),
            _ => (
                Exit::Misconfigured,
                "the server does not take what this worker asks; ending",
            ),
        };
        let queue = self.queue.name();
        tracing::error!(queue.name = %queue, error.message = %format_args!("{:#}", anyhow::Error::from(error)), "{advice}");
        self.stop(exit, Duration::ZERO);
        if let Some(stopping) = &mut self.stopping {
            stopping.settle = exit == Exit::Misconfigured;
        }
    }

    /// Whether there is still time for a queue that is not there yet.
    fn wait_for_queue(&mut self) -> bool {
        let now = Instant::now();
        let since = match self.found {
            Found::Yes => return false,
            Found::MissingSince(since) => since,
            Found::NotYet => {
                let (queue, wait) = (self.queue.name(), self.wait_queue.as_secs_f64());
                tracing::info!(
                    queue.name = %queue,
                    "queue {queue} does not exist yet; waiting for it for up to {wait} s"
                );
                self.found = Found::MissingSince(now);
                now
            }
        };
        self.slots.rest_until(now + MISSING_REST);
        now - since < self.wait_queue
    }

    pub(super) fn told_to_stop(&mut self, urgency: Urgency) {
        if urgency == Urgency::GoOn {
            return;
        }
        if self.stopping.is_none() {
            let (running, grace) = (self.slots.running(), self.grace.as_secs_f64());
            tracing::info!(
                item.count = running,
                "taking no more items; those that run have {grace} s to finish"
            );
            self.stop(Exit::Stopped, self.grace);
        }
        if urgency == Urgency::Now {
            self.halt.kill.cancel();
            self.halt.end.cancel();
            if let Some(stopping) = &mut self.stopping {
                stopping.hasty = true;
            }
            let calls: Vec<_> = self.cuts.keys().copied().collect();
            self.cut(&calls);
        }
    }

    /// Takes no more items; those that run are ended after so long.
    pub(super) fn stop(&mut self, exit: Exit, grace: Duration) {
        let end = Instant::now() + grace;
        self.stopping.get_or_insert(Stopping {
            exit,
            end,
            settle: true,
            hasty: false,
        });
        self.slots.stop();
        self.give_back_those_ahead();
    }

    pub(super) fn grace_over(&mut self) {
        if let Some(stopping) = self.stopping
            && Instant::now() >= stopping.end
            && !self.halt.end.is_cancelled()
        {
            if self.slots.running() > 0 {
                tracing::warn!(
                    item.count = self.slots.running(),
                    "ending the items that still run"
                );
            }
            self.halt.end.cancel();
        }
    }

    /// Nobody is there to hear the verdicts.
    pub(super) fn abandon(&mut self) {
        self.outbox.abandon();
        self.slots.forget_unsettled();
    }
}
