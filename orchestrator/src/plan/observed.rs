//! What has been seen of a run, and how news changes it.
//!
//! Plain facts; what to do about them is [`super::plan()`]'s business.

use std::time::Duration;

use super::restart::{Crash, judge};

/// What has been seen so far. Times are since the start of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// How far the loading is.
    pub load: Load,
    /// Since when the queue is known to be drained, with every outcome seen.
    pub drained: Option<Duration>,
    /// Items finished so far, done or dead: shows whether crashing workers get anywhere.
    pub finished: u64,
    /// One entry a worker.
    pub workers: Vec<Worker>,
    /// Why the run cannot go on, if it cannot.
    pub trouble: Option<String>,
    /// Signals received that ask the run to stop.
    pub interrupts: u32,
    /// What the first of them was.
    pub signal: Option<Signal>,
    /// Since when and why workers have been asked to stop.
    pub stopping: Option<(Duration, Why)>,
    /// Workers have been killed.
    pub killed: bool,
}

/// How far the loading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Items are going in.
    Running,
    /// All are in.
    Loaded,
    /// All are in, and the queue takes no more.
    Sealed,
}

/// One worker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Worker {
    /// How often it has been started.
    pub starts: u32,
    /// Failures in a row, without an item finished in between.
    pub failures: u32,
    /// Items the run had finished when it was last started.
    pub finished_before: u64,
    /// What it does now.
    pub life: Life,
}

/// What a worker does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Life {
    /// It was never started.
    #[default]
    Unborn,
    /// It runs.
    Running,
    /// It ended.
    Ended {
        /// When.
        at: Duration,
        /// How.
        exit: Exit,
    },
}

/// How a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It could not even be started.
    NotStarted,
}

/// A signal that asks the run to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// `kill`.
    Terminate,
    /// The terminal went away.
    Hangup,
}

/// Why the workers are asked to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// All is done, and a worker does not leave by itself.
    Drained,
    /// A signal.
    Signal(Signal),
    /// The time is up.
    TimedOut,
    /// The run cannot go on.
    Trouble(String),
    /// A worker does not stay up: its number and how it ended last.
    Worker(usize, Exit),
}

impl Observed {
    /// A run of so many workers, of which nothing has been seen yet.
    #[must_use]
    pub fn new(workers: u32) -> Self {
        Self {
            load: Load::Running,
            drained: None,
            finished: 0,
            workers: vec![Worker::default(); workers as usize],
            trouble: None,
            interrupts: 0,
            signal: None,
            stopping: None,
            killed: false,
        }
    }

    /// A worker has been started.
    pub fn started(&mut self, worker: usize) {
        let finished = self.finished;
        if let Some(worker) = self.workers.get_mut(worker) {
            worker.starts += 1;
            worker.finished_before = finished;
            worker.life = Life::Running;
        }
    }

    /// A worker has ended. Its failures are forgotten if the run got anywhere while it was up: an
    /// item that kills its worker must be able to spend its attempts.
    pub fn ended(&mut self, worker: usize, exit: Exit, at: Duration) {
        let finished = self.finished;
        if let Some(worker) = self.workers.get_mut(worker) {
            if finished > worker.finished_before {
                worker.failures = 0;
            }
            if judge(exit) != Crash::Left {
                worker.failures += 1;
            }
            worker.life = Life::Ended { at, exit };
        }
    }

    /// The run cannot go on; the first reason stays.
    pub fn in_trouble(&mut self, why: impl Into<String>) {
        self.trouble.get_or_insert_with(|| why.into());
    }

    /// A signal asks the run to stop.
    pub fn interrupted(&mut self, signal: Signal) {
        self.interrupts += 1;
        self.signal.get_or_insert(signal);
    }

    /// How many workers run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.workers
            .iter()
            .filter(|worker| worker.life == Life::Running)
            .count()
    }
}
