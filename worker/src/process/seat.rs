//! The place of one process: empty until the first item, filled again when a process has ended.

use std::time::Duration;

use queue_client::Lease;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Processes;
use super::line;
use super::running::{Fault, Running};
use crate::child::{Said, not_started};
use crate::handler::Cut;
use crate::verdict::{Failure, Verdict};

/// Before a process is started again that ended with an item; twice as long each further time.
const MIN_REST: Duration = Duration::from_millis(100);
/// Longest such rest: whoever mends what the process needs should not have to wait for it.
const MAX_REST: Duration = Duration::from_secs(10);

/// The place of one process.
#[derive(Debug, Default)]
pub(super) struct Seat {
    running: Option<Running>,
    /// Ends of processes since the last answer.
    deaths: u32,
    /// No process is started before this.
    rest: Option<Instant>,
}

impl Seat {
    /// Whether a process runs here.
    pub(super) fn is_taken(&self) -> bool {
        self.running.is_some()
    }

    /// Hands an item to the process, which is started if there is none.
    pub(super) async fn handle(
        &mut self,
        all: &Processes,
        lease: &Lease,
        limit: Option<Duration>,
        cut: impl Future<Output = Cut>,
        kill: &CancellationToken,
    ) -> Verdict {
        tokio::pin!(cut);
        loop {
            let fresh = self.running.is_none();
            let mut running = match self.running.take() {
                Some(running) => running,
                None => {
                    tokio::select! {
                        biased;
                        cut = cut.as_mut() => return cut.verdict(String::new()),
                        () = rest(self.rest) => {}
                    }
                    match Running::start(&all.program) {
                        Ok(running) => running,
                        Err(error) => return not_started(&all.program, &error),
                    }
                }
            };
            if let Err(error) = line::write(running.line(), lease, &all.about) {
                return Verdict::nack(Failure::new(format!("cannot write the item: {error}")));
            }
            let mut said = Said::about(Some(lease.id));
            let fault = match running
                .serve(lease.id, &mut said, limit, cut.as_mut())
                .await
            {
                Ok(verdict) => {
                    (self.deaths, self.rest) = (0, None);
                    if running.is_in_step() {
                        self.running = Some(running);
                    } else {
                        tracing::warn!(item = %lease.id, "the process said more than its answer; starting another");
                        running.end(&mut Said::about(None), kill).await;
                    }
                    return verdict.with_output(said.text());
                }
                Err(fault) => fault,
            };
            let untouched = !fresh && !running.took_any();
            let ended = match fault {
                Fault::Cut(cut) => {
                    running.end(&mut said, kill).await;
                    return cut.verdict(said.text());
                }
                Fault::Ended => running.buried(&mut said, kill).await,
                Fault::Odd(odd) => {
                    running.end(&mut said, kill).await;
                    Failure::new(odd)
                }
            };
            if untouched {
                // It ended, or lost its way, while it had nothing to do: the item never was with it.
                tracing::warn!(
                    "a process without an item: {}; starting another",
                    ended.error
                );
                continue;
            }
            self.died();
            return Verdict::nack(ended.with_output(&said.text()));
        }
    }

    /// Rests before the next start, the longer the more often it came to this.
    fn died(&mut self) {
        let rest = MIN_REST
            .saturating_mul(1 << self.deaths.min(10))
            .min(MAX_REST);
        self.deaths = self.deaths.saturating_add(1);
        self.rest = Some(Instant::now() + rest);
    }

    /// Ends the process, which has no item: first by closing its standard input.
    pub(super) async fn close(self, end: Instant, kill: &CancellationToken) {
        if let Some(running) = self.running {
            running.close(end, kill).await;
        }
    }
}

async fn rest(until: Option<Instant>) {
    if let Some(until) = until {
        tokio::time::sleep_until(until).await;
    }
}
