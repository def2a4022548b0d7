//! What a run in a cluster does next: a pure function of its spec, its status, what is seen, and the time.
//!
//! It speaks to no API and reads no clock. Whoever carries the actions out writes the status first,
//! carries them out in their order, and asks again when something changed or [`Plan::wake`] is over.
//!
//! 1. The status says what is meant to be before anything is done, and names derive from it: after a
//!    crash anywhere the same is asked for again, and doing it twice makes one Job.
//! 2. The same facts at the same time give the same actions, until they are seen done; news is told
//!    once, where the status changes.
//! 3. A step with items is judged by its queue alone, whatever its Jobs say.
//! 4. Never more workers than are wanted, over all rounds of a step together.
//! 5. A Job expires only after all that is kept of it is in the status.
//! 6. Nothing is concluded from absence while the lists of Jobs and pods may be old.

mod action;
mod agenda;
mod bounds;
mod conditions;
mod each;
mod jobs;
pub mod names;
mod once;
mod outcome;
mod pace;
mod pods;
mod pool;
mod progress;
mod ranges;
mod rounds;
mod run;
mod seen;
mod supply;
mod text;
mod tries;
mod view;
mod why;

use std::time::Duration;

use jiff::Timestamp;

pub use action::{Action, News};
pub(super) use each::elements_through;
pub(super) use pods::ON_THE_WAY;
pub use seen::{JobSeen, LoadSeen, PodEnd, PodPhase, PodSeen, QueueSeen, QuotaSeen, Refusal, Seen};

pub use why::why;

use super::status::{RunPhase, RunStatus};
use crate::spec::RunSpec;
use agenda::Agenda;
use view::View;

/// How long a Job's first pod may wait to start for a reason of its own before its step fails.
pub const START_LIMIT: Duration = Duration::from_secs(300);

/// What a run must know of where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The namespace of the run.
    pub namespace: String,
    /// The queue server, as its workers reach it.
    pub server: String,
    /// The generation of the spec.
    pub generation: Option<i64>,
    /// How long a Job's first pod may wait to start for a reason of its own before its step fails.
    pub start_limit: Duration,
}

impl Context {
    /// A namespace and a queue server, with limits as they usually are.
    pub fn new(namespace: impl Into<String>, server: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            server: server.into(),
            generation: None,
            start_limit: START_LIMIT,
        }
    }
}

/// What is kept from now on, what to do, and when to ask again though nothing happened.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// To be written before any action is carried out.
    pub status: RunStatus,
    /// What to do, in this order.
    pub actions: Vec<Action>,
    /// When to ask again, from now; absent: when something changes.
    pub wake: Option<Duration>,
}

/// Says what is kept from now on, and what to do.
#[must_use]
pub fn plan(
    run: &RunSpec,
    context: &Context,
    status: &RunStatus,
    seen: &Seen,
    now: Timestamp,
) -> Plan {
    // Milliseconds are enough, and what is kept stays short.
    let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
    let view = View::new(run, context, seen, now);
    let before = status;
    let mut status = status.clone();
    let open: usize = status.steps.iter().map(|step| step.jobs.len()).sum();
    let mut agenda = Agenda::new(now, run::MOST_JOBS.saturating_sub(open));
    match status.phase {
        RunPhase::Succeeded | RunPhase::Failed | RunPhase::Cancelled => {
            run::look_after(&view, &mut agenda, &mut status);
        }
        RunPhase::Pending | RunPhase::Running | RunPhase::Stopping => {
            run::advance(&view, &mut agenda, &mut status);
        }
    }
    bounds::keep(&mut status);
    let status = pace::keep(&mut agenda, before, status, now);
    let wake = agenda.wake();
    let mut actions = agenda.actions;
    actions.extend(agenda.news.into_iter().map(Action::Tell));
    Plan {
        status,
        actions,
        wake,
    }
}

/// The status of a run whose spec cannot be carried out, as `message` says.
#[must_use]
pub fn failed_spec(
    status: &RunStatus,
    generation: Option<i64>,
    message: &str,
    now: Timestamp,
) -> RunStatus {
    let mut status = status.clone();
    status.observed_generation = generation;
    let message = text::fit(message, super::status::KEPT_MESSAGE_BYTES);
    run::end(&mut status, RunPhase::Failed, message, now);
    status.reason = "InvalidSpec".to_owned();
    conditions::show(&mut status, &[], now);
    status
}

#[cfg(test)]
mod tests;
