//! When a worker that ended is started again, and when it is given up.

use std::time::Duration;

use super::{Exit, Life, Worker};

/// Failures in a row after which a worker is given up. With the waits below that is about a minute
/// in which no item was finished.
pub const RESTARTS: u32 = 10;
/// Wait after the first failure; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// Longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What the end of a worker says about starting it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// It left because its work is over, or was asked to: no failure.
    Left,
    /// It crashed, and may do better next time.
    Again,
    /// It will end like this every time.
    Hopeless,
}

/// What an exit means. The codes are the worker's: 64 usage, 69 the server cannot be reached, 77
/// refused or the queue is gone, 78 configuration, 75 told to stop.
#[must_use]
pub fn judge(exit: Exit) -> Crash {
    match exit {
        Exit::Code(0 | 75) => Crash::Left,
        Exit::Code(64 | 69 | 77 | 78) => Crash::Hopeless,
        Exit::Code(_) | Exit::Signal(_) | Exit::NotStarted => Crash::Again,
    }
}

/// Whether a worker that ended like this is given up.
pub(super) fn hopeless(worker: &Worker, exit: Exit) -> bool {
    match judge(exit) {
        Crash::Left => false,
        Crash::Again => worker.failures >= RESTARTS,
        Crash::Hopeless => true,
    }
}

/// When a worker is to be started.
pub(super) enum Due {
    At(Duration),
    Never,
}

pub(super) fn due(worker: &Worker) -> Due {
    match worker.life {
        Life::Unborn => Due::At(Duration::ZERO),
        Life::Running => Due::Never,
        // One that left in peace is started again too: the queue is not drained, or this would not
        // be asked. Waiting a second leaves time for the news that it is.
        Life::Ended { at, exit } => Due::At(at + wait(worker.failures, exit)),
    }
}

fn wait(failures: u32, exit: Exit) -> Duration {
    match judge(exit) {
        Crash::Left => Duration::from_secs(1),
        Crash::Again | Crash::Hopeless => {
            let doublings = failures.saturating_sub(1).min(16);
            (FIRST_WAIT * 2_u32.pow(doublings)).min(LONGEST_WAIT)
        }
    }
}
