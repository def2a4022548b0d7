//! What is not asked of the API server again for a while: changes that it refused, logs that cannot be had.
//!
//! The planner asks for what it wants at each look, and looks are many.

use std::collections::HashMap;
use std::mem::discriminant;
use std::time::Duration;

use tokio::time::Instant;

use super::plan::Action;

/// The wait after the first refusal; it doubles.
const FIRST: Duration = Duration::from_secs(10);
/// Longest wait.
const LONGEST: Duration = Duration::from_secs(300);
/// Changes that are held back at a time; beyond it the oldest memory is as good as none.
const MOST: usize = 1_000;
/// How often it is tried to read a log.
const LOG_TRIES: u32 = 4;

/// Refusals that may still hold.
#[derive(Debug, Default)]
pub(super) struct Held {
    changes: HashMap<String, Change>,
    logs: HashMap<String, u32>,
}

#[derive(Debug)]
struct Change {
    action: Action,
    wait: Duration,
    again: Instant,
}

impl Held {
    /// How long an action is still held back.
    pub(super) fn waits(&self, action: &Action) -> Option<Duration> {
        let held = self.changes.get(job(action)?)?;
        let same = discriminant(&held.action) == discriminant(action);
        let left = held.again.saturating_duration_since(Instant::now());
        (same && !left.is_zero()).then_some(left)
    }

    /// It was refused.
    pub(super) fn refused(&mut self, action: &Action) {
        let Some(job) = job(action) else {
            return;
        };
        let before = self.changes.get(job);
        let wait = before.map_or(FIRST, |before| LONGEST.min(before.wait * 2));
        if self.changes.len() >= MOST {
            self.changes.clear();
        }
        let change = Change {
            action: action.clone(),
            wait,
            again: Instant::now() + wait,
        };
        self.changes.insert(job.to_owned(), change);
    }

    /// It was done; whether a change of that Job had been refused.
    pub(super) fn mended(&mut self, action: &Action) -> bool {
        job(action).is_some_and(|job| self.changes.remove(job).is_some())
    }

    /// Whether a log that could not be read may be tried once more.
    pub(super) fn may_try(&mut self, pod: &str) -> bool {
        if self.logs.len() >= MOST {
            self.logs.clear();
        }
        let tries = self.logs.entry(pod.to_owned()).or_default();
        *tries += 1;
        *tries < LOG_TRIES
    }
}

fn job(action: &Action) -> Option<&str> {
    match action {
        Action::SetParallelism { job, .. }
        | Action::DeleteJob { job }
        | Action::Expire { job, .. } => Some(job),
        Action::Load { .. }
        | Action::RemoveQueue { .. }
        | Action::CreateJob { .. }
        | Action::ReadLog { .. }
        | Action::Tell(_) => None,
    }
}
