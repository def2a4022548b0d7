//! What to do next: a pure function of the job, of what has been seen, and of the time.
//!
//! It starts no process and speaks to no server; it cannot even read a clock. Whoever carries the
//! actions out reports what came of them by changing [`Observed`], and asks again. Each action is
//! named so that doing it twice is harmless.
//!
//! 1. A worker is started only while items may be left and nothing has asked the run to stop.
//! 2. The queue is sealed once, after the last item is in.
//! 3. Once the run is stopping, for whatever reason, the reason no longer changes.
//! 4. `Finish` is said only when no worker runs.

mod observed;
mod restart;
mod tries;

use std::time::Duration;

pub use observed::{Exit, Life, Load, Observed, Signal, Why, Worker};
pub use restart::{Crash, RESTARTS, judge};
pub use tries::wait_after;

/// What the planner must know of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// Workers to keep running.
    pub workers: u32,
    /// The time the run may take.
    pub timeout: Option<Duration>,
    /// How long workers that were asked to stop may take before they are killed.
    pub grace: Duration,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start a worker for the so-manyeth time; nothing if that has been done.
    Start {
        /// The worker, from 0.
        worker: usize,
        /// The start, from 1.
        start: u32,
    },
    /// Seal the queue.
    Seal,
    /// Stop loading and ask all workers to stop.
    Stop(Why),
    /// Kill all workers.
    Kill,
    /// The run is over; no worker runs.
    Finish(End),
}

/// How a run is over. Whether its dead items are tolerated is for the summary to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Every item has its outcome.
    Complete,
    /// It was stopped before.
    Stopped(Why),
}

/// What to do now, and when to ask again though nothing happened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// What to do, in this order.
    pub actions: Vec<Action>,
    /// When to ask again.
    pub wake: Option<Duration>,
}

/// How long a worker may take to notice that its queue is drained. It is told at once by the call
/// it is parked on; past this it hangs.
const WIND_DOWN: Duration = Duration::from_secs(10);

/// Says what to do.
#[must_use]
pub fn plan(job: &Job, seen: &Observed, now: Duration) -> Plan {
    let running = seen
        .workers
        .iter()
        .any(|worker| worker.life == Life::Running);
    if let Some((since, why)) = &seen.stopping {
        return stopping(job, seen, now, running, *since, why);
    }
    if let Some(drained) = seen.drained {
        return match (running, seen.interrupts, drained + WIND_DOWN) {
            (false, ..) => act(Action::Finish(End::Complete)),
            (true, 0, end) if now < end => Plan {
                actions: Vec::new(),
                wake: Some(end),
            },
            (true, ..) => act(Action::Stop(Why::Drained)),
        };
    }
    if let Some(why) = reason_to_stop(job, seen, now) {
        return act(Action::Stop(why));
    }
    let mut plan = Plan {
        actions: Vec::new(),
        wake: job.timeout,
    };
    if seen.load == Load::Loaded {
        plan.actions.push(Action::Seal);
    }
    for (index, worker) in seen.workers.iter().enumerate().take(job.workers as usize) {
        match restart::due(worker) {
            restart::Due::At(due) if due <= now => plan.actions.push(Action::Start {
                worker: index,
                start: worker.starts + 1,
            }),
            restart::Due::At(due) => {
                plan.wake = Some(plan.wake.map_or(due, |wake| wake.min(due)));
            }
            restart::Due::Never => {}
        }
    }
    plan
}

fn stopping(
    job: &Job,
    seen: &Observed,
    now: Duration,
    running: bool,
    since: Duration,
    why: &Why,
) -> Plan {
    if !running {
        return act(Action::Finish(match why {
            Why::Drained => End::Complete,
            _ => End::Stopped(why.clone()),
        }));
    }
    let end = since + job.grace;
    // The signal that began the stop is the first; one more says: now.
    let first = u32::from(matches!(why, Why::Signal(_)));
    if seen.killed {
        Plan::default()
    } else if now >= end || seen.interrupts > first {
        act(Action::Kill)
    } else {
        Plan {
            actions: Vec::new(),
            wake: Some(end),
        }
    }
}

fn reason_to_stop(job: &Job, seen: &Observed, now: Duration) -> Option<Why> {
    if let Some(signal) = seen.signal.filter(|_| seen.interrupts > 0) {
        return Some(Why::Signal(signal));
    }
    if let Some(trouble) = &seen.trouble {
        return Some(Why::Trouble(trouble.clone()));
    }
    if job.timeout.is_some_and(|timeout| now >= timeout) {
        return Some(Why::TimedOut);
    }
    seen.workers
        .iter()
        .enumerate()
        .find_map(|(index, worker)| match worker.life {
            Life::Ended { exit, .. } if restart::hopeless(worker, exit) => {
                Some(Why::Worker(index, exit))
            }
            _ => None,
        })
}

fn act(action: Action) -> Plan {
    Plan {
        actions: vec![action],
        wake: None,
    }
}

#[cfg(test)]
mod tests;
