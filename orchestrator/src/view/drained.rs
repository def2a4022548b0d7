//! How a step that has items ended: its exit code, its word, and why.

use crate::plan::{Crash, End, Exit, Signal, Why, judge};
use crate::spec::Tolerate;
use crate::tally::Tally;

/// All items have an outcome, and no more died than is tolerated.
pub(crate) const DONE: u8 = 0;
/// More items died than is tolerated, or some were taken away.
pub(crate) const DEAD: u8 = 1;
/// The run could not go on: server, workers, disk.
pub(crate) const INFRASTRUCTURE: u8 = 2;
/// The time was up.
pub(crate) const TIMED_OUT: u8 = 3;

/// What came of a step that has items.
#[derive(Debug)]
pub(crate) struct Drained {
    /// How it ended.
    pub(crate) end: End,
    /// How far it came.
    pub(crate) tally: Tally,
    /// Dead items that are no failure.
    pub(crate) tolerate: Tolerate,
}

impl Drained {
    /// Whether no more are dead than is tolerated.
    pub(crate) fn tolerated(&self) -> bool {
        self.tolerate.allows(self.tally.dead, self.tally.total)
    }

    /// The exit code and the verdict's word.
    pub(crate) fn verdict(&self) -> (u8, &'static str) {
        match &self.end {
            End::Complete if self.tally.left() > 0 => (DEAD, "incomplete"),
            End::Complete if self.tolerated() => (DONE, "done"),
            End::Complete => (DEAD, "dead"),
            End::Stopped(Why::Signal(signal)) => (128 + signal_number(*signal), "stopped"),
            End::Stopped(Why::TimedOut) => (TIMED_OUT, "timed_out"),
            End::Stopped(Why::Trouble(_) | Why::Worker(..)) => (INFRASTRUCTURE, "failed"),
            End::Stopped(Why::Drained) => (DONE, "done"),
        }
    }

    /// Why it ended before all was done.
    pub(crate) fn reason(&self) -> Option<String> {
        let End::Stopped(why) = &self.end else {
            return None;
        };
        Some(match why {
            Why::Drained => return None,
            Why::Signal(signal) => stopped_by(*signal).into(),
            Why::TimedOut => "its time is up".into(),
            Why::Trouble(trouble) => trouble.clone(),
            Why::Worker(worker, exit) => {
                let what = match judge(*exit) {
                    Crash::Hopeless => "cannot work",
                    Crash::Again | Crash::Left => "does not stay up",
                };
                format!("worker {} {what}: {}", worker + 1, how(*exit))
            }
        })
    }

    /// Whether there is something for the next run to do.
    pub(crate) fn left_over(&self) -> bool {
        self.tally.left() > 0 || !self.tolerated()
    }
}

/// A signal's number.
pub(crate) fn signal_number(signal: Signal) -> u8 {
    match signal {
        Signal::Hangup => 1,
        Signal::Interrupt => 2,
        Signal::Terminate => 15,
    }
}

/// That a signal ended it, in words.
pub(crate) fn stopped_by(signal: Signal) -> &'static str {
    match signal {
        Signal::Interrupt => "stopped by Ctrl-C",
        Signal::Terminate => "stopped by SIGTERM",
        Signal::Hangup => "stopped because its terminal closed",
    }
}

/// How a process ended, in words.
pub(crate) fn how(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("it exited with {code}"),
        Exit::Signal(signal) => format!("it was killed by signal {signal}"),
        Exit::NotStarted => "it could not be started".into(),
    }
}
