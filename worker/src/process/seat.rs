//! The place of one process: empty until the first item, filled again when a process has ended.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Context;
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

/// So many processes in a row that are of no use, before the first answer of any, mean that none ever will be.
const MOST_USELESS: u32 = 5;

/// How the starts of a program go, at all places together.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// Whether any process ever answered.
    answered: AtomicBool,
    /// Processes before that which were of no use, in a row.
    useless: AtomicU32,
}

/// What the end of a process says about its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// That it can start: it read of its item, and broke down over it.
    Starts,
    /// That it is no handler, or cannot be one here: it read nothing, ended as if all were done, or talked nonsense.
    Useless,
}

impl Starts {
    fn answered(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    /// Notes the end of a process; whether none had ever answered.
    fn died(&self, told: Told) -> bool {
        let never = !self.answered.load(Ordering::Relaxed);
        match told {
            // Items may be to blame, however many of them come first: they have attempts to spend.
            Told::Starts => self.useless.store(0, Ordering::Relaxed),
            Told::Useless if never => {
                self.useless.fetch_add(1, Ordering::Relaxed);
            }
            Told::Useless => {}
        }
        never
    }

    /// Whether it is time to give up: what never works eats a queue.
    fn are_hopeless(&self) -> bool {
        let useless = self.useless.load(Ordering::Relaxed);
        !self.answered.load(Ordering::Relaxed) && useless >= MOST_USELESS
    }
}

/// The place of one process.
#[derive(Debug, Default)]
pub(super) struct Seat {
    running: Option<Running>,
    /// What the process printed since its last item.
    idle: Option<Said>,
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

    /// Listens to the process while it has no item.
    pub(super) fn poll_idle(&mut self, context: &mut Context<'_>) {
        if let Some(running) = &mut self.running {
            running.poll_idle(&mut self.idle, context);
        }
    }

    /// Ends the time without an item: what was printed in it is not the next one's.
    fn rouse(&mut self) {
        if let Some(running) = &mut self.running {
            running.drain_idle(&mut self.idle);
        }
        if let Some(mut said) = self.idle.take() {
            said.finish();
        }
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
        self.rouse();
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
                    if all.starts.are_hopeless() {
                        return Verdict::Broken(hopeless(Failure::new("others ended as well")));
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
            let mut said = Said::about(Some(lease));
            let fault = match running
                .serve(lease.id, &mut said, limit, cut.as_mut())
                .await
            {
                Ok(verdict) => {
                    (self.deaths, self.rest) = (0, None);
                    all.starts.answered();
                    if running.is_in_step() {
                        self.running = Some(running);
                    } else {
                        tracing::warn!(item.id = %lease.id, trace.id = lease.trace_id(), "the process said more than its answer; starting another");
                        running.end(&mut Said::about(None), kill).await;
                    }
                    return verdict.with_output(said.text());
                }
                Err(fault) => fault,
            };
            let untouched = !running.took_any();
            let (ended, broke) = match fault {
                Fault::Cut(cut) => {
                    running.end(&mut said, kill).await;
                    return cut.verdict(said.text());
                }
                Fault::Ended => running.buried(&mut said, kill).await,
                Fault::Odd(odd) => {
                    running.end(&mut said, kill).await;
                    (Failure::new(odd), false)
                }
            };
            if untouched && !fresh {
                // It ended, or lost its way, while it had nothing to do: the item never was with it.
                tracing::warn!(
                    error.message = ended.error,
                    "a process without an item ended; starting another"
                );
                continue;
            }
            self.died();
            let ended = ended.with_output(&said.text());
            let told = match broke && !untouched {
                true => Told::Starts,
                false => Told::Useless,
            };
            let never_answered = all.starts.died(told);
            if all.starts.are_hopeless() {
                return Verdict::Broken(hopeless(ended));
            }
            if untouched && never_answered {
                // It ended while it got ready: no fault of the item, which waits for the next try.
                tracing::warn!(item.id = %lease.id, trace.id = lease.trace_id(), error.message = ended.headline(), "a process ended before it read its item; starting another");
                continue;
            }
            return Verdict::nack(ended);
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
    pub(super) async fn close(mut self, end: Instant, kill: &CancellationToken) {
        self.rouse();
        if let Some(running) = self.running {
            running.close(end, kill).await;
        }
    }
}

/// Why nothing can be handled.
fn hopeless(mut last: Failure) -> Failure {
    last.error = format!(
        "{MOST_USELESS} processes in a row were of no use before any had answered an item; {}",
        last.error
    );
    last
}

async fn rest(until: Option<Instant>) {
    if let Some(until) = until {
        tokio::time::sleep_until(until).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_given_up_when_nothing_of_use_comes_five_times_in_a_row() {
        let starts = Starts::default();
        for _ in 0..4 {
            starts.died(Told::Useless);
        }
        assert!(!starts.are_hopeless());
        // It can start, after all.
        starts.died(Told::Starts);
        for _ in 0..4 {
            starts.died(Told::Useless);
        }
        assert!(!starts.are_hopeless(), "not in a row");
        starts.died(Told::Useless);
        assert!(starts.are_hopeless());
    }

    #[test]
    fn a_program_that_ever_answered_is_never_given_up() {
        let starts = Starts::default();
        starts.answered();
        for _ in 0..9 {
            assert!(!starts.died(Told::Useless), "one has answered");
        }
        assert!(!starts.are_hopeless());
    }
}
