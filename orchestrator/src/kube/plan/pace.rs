//! How often a status is written: each write is a change of the run, sent whole to all who watch.
//!
//! It does not know what the numbers mean, only which of them go on changing by themselves.
//!
//! 1. Whatever an action follows from, and whatever was decided, is written at once.
//! 2. Counts, and what sizing remembers, are written every [`COUNTS`]; clocks alone every [`CLOCKS`].
//! 3. What is not written is forgotten, so the next look finds it anew: sizing then works with samples
//!    [`COUNTS`] apart, and a wait of its begins that much later at most. The number of workers, what binds
//!    it and its condition are decisions, and never wait.

use std::time::Duration;

use jiff::Timestamp;

use super::agenda::{Agenda, later};
use crate::kube::status::{PoolStatus, RunStatus};

/// How old counts may become: as often as a queue is asked.
const COUNTS: Duration = Duration::from_secs(5);
/// How old terms may become in which nothing but the time has changed.
const CLOCKS: Duration = Duration::from_secs(30);

/// The status to keep: the former one while what is new can wait.
pub(super) fn keep(
    agenda: &mut Agenda,
    before: &RunStatus,
    new: RunStatus,
    now: Timestamp,
) -> RunStatus {
    if *before == new || decided(before) != decided(&new) {
        return new;
    }
    let wait = if counted(before) == counted(&new) {
        CLOCKS
    } else {
        COUNTS
    };
    // A pool that is not sized yet has nothing that can wait.
    let written = pools(before).map(|pool| pool.sized_at).min().flatten();
    let Some(over) = written.map(|written| later(written, wait)) else {
        return new;
    };
    if now >= over {
        return new;
    }
    agenda.look_at(over);
    before.clone()
}

fn pools(status: &RunStatus) -> impl Iterator<Item = &PoolStatus> {
    let steps = status
        .steps
        .iter()
        .filter(|step| !step.phase.has_ended() && step.ending.is_none());
    steps.filter_map(|step| step.pool.as_ref())
}

/// What was decided, without what was counted on the way.
fn decided(status: &RunStatus) -> RunStatus {
    let mut status = counted(status);
    (status.progress, status.eta) = Default::default();
    for pool in status
        .steps
        .iter_mut()
        .filter_map(|step| step.pool.as_mut())
    {
        (pool.total, pool.done, pool.dead) = (0, 0, 0);
        (pool.sizer, pool.moved_at, pool.startup_ms) = (None, None, None);
    }
    status
}

/// What does not change with the time alone.
fn counted(status: &RunStatus) -> RunStatus {
    let mut status = status.clone();
    status.eta.clear();
    for condition in &mut status.conditions {
        // It may tell a time that is left; its reason and since when it holds stay.
        condition.message.clear();
    }
    for pool in status
        .steps
        .iter_mut()
        .filter_map(|step| step.pool.as_mut())
    {
        pool.sized_at = None;
        if let Some(sizing) = &mut pool.sizing {
            (sizing.eta, sizing.next_look) = (None, Duration::ZERO);
            sizing.terms = crate::size::Terms::default();
        }
    }
    status
}
