//! A run from its beginning to its end: which steps begin, what is said of each, and when it is over.
//!
//! The order of steps is the flow's business, the steps' own course theirs.

use jiff::Timestamp;

use super::agenda::{Agenda, later};
use super::outcome::{Outcome, conclude, part};
use super::view::View;
use super::{conditions, each, jobs, once, pool, progress, text};
use crate::flow::{self, Next, Node, Phase, Verdict};
use crate::kube::status::{RunPhase, RunStatus, StepStatus};
use crate::spec::{Step, Work};

/// Jobs at a time at which a run begins no more elements: each stands in its status, which has bounds.
pub(super) const MOST_JOBS: usize = 300;

/// Takes a run on.
pub(super) fn advance(view: &View<'_>, agenda: &mut Agenda, status: &mut RunStatus) {
    take_up(view, status);
    if view.seen.cancelled && status.phase == RunPhase::Running {
        status.phase = RunPhase::Stopping;
        status.reason = "Cancelled".to_owned();
        status.message = "it was asked to stop, and what runs is taken away".to_owned();
    }
    for (index, step) in view.run.steps.iter().enumerate() {
        take_on(
            view,
            agenda,
            (index, step),
            &mut status.steps[index],
            status.phase,
        );
    }
    let nodes = Node::of(&view.run.steps);
    let finished = loop {
        let phases: Vec<_> = status.steps.iter().map(|step| step.phase).collect();
        let stopping = status.phase == RunPhase::Stopping;
        let mut began = false;
        let mut finished = None;
        for next in flow::next(&nodes, &phases, stopping) {
            match next {
                Next::Begin(index) => {
                    began = true;
                    let step = &view.run.steps[index];
                    begin(view, agenda, step, &mut status.steps[index]);
                    take_on(
                        view,
                        agenda,
                        (index, step),
                        &mut status.steps[index],
                        status.phase,
                    );
                }
                Next::Skip(index) => skip(&mut status.steps[index], stopping, view.now),
                Next::Finish(verdict) => finished = Some(verdict),
            }
        }
        if !began {
            break finished;
        }
    };
    for (index, step) in status.steps.iter().enumerate() {
        jobs::carry_out(view, agenda, index, step);
        jobs::expire(view, agenda, step);
    }
    wait_words(view, status);
    match finished {
        Some(verdict) => finish(view, agenda, status, verdict),
        None if status.phase == RunPhase::Running => {
            (status.reason, status.message) = ("Running".to_owned(), now_running(status));
        }
        None => {}
    }
    progress::show(view, status);
    conditions::show(status, &agenda.troubles, view.now);
}

/// Goes on noting what is left of a run that has ended.
pub(super) fn look_after(view: &View<'_>, agenda: &mut Agenda, status: &mut RunStatus) {
    fit_steps(view, status);
    for (index, step) in status.steps.iter_mut().enumerate() {
        jobs::observe(view, agenda, step);
        part(view, agenda, step);
        jobs::carry_out(view, agenda, index, step);
        jobs::expire(view, agenda, step);
    }
}

fn take_up(view: &View<'_>, status: &mut RunStatus) {
    status.observed_generation = view.context.generation;
    if status.phase == RunPhase::Pending {
        status.phase = RunPhase::Running;
        status.started_at = Some(view.now);
        status.server.clone_from(&view.context.server);
    }
    fit_steps(view, status);
}

/// One entry a step, whatever the status held.
fn fit_steps(view: &View<'_>, status: &mut RunStatus) {
    let names = view.run.steps.iter().map(|step| &step.name);
    if names.eq(status.steps.iter().map(|step| &step.name)) {
        return;
    }
    let mut before = std::mem::take(&mut status.steps);
    status.steps = view
        .run
        .steps
        .iter()
        .map(|step| {
            let known = before.iter_mut().find(|known| known.name == step.name);
            known.map(std::mem::take).unwrap_or_else(|| StepStatus {
                name: step.name.clone(),
                ..StepStatus::default()
            })
        })
        .collect();
}

fn begin(view: &View<'_>, agenda: &mut Agenda, step: &Step, status: &mut StepStatus) {
    status.phase = Phase::Running;
    status.started_at = Some(view.now);
    status.message.clear();
    agenda.tell(false, "StepStarted", format!("step {} begins", step.name));
}

fn skip(status: &mut StepStatus, stopping: bool, now: Timestamp) {
    status.phase = Phase::Skipped;
    status.finished_at = Some(now);
    let (reason, message) = if stopping {
        ("Cancelled", "the run was stopped before it began")
    } else {
        (
            "WhenNotMet",
            "the steps before it did not end as its `when` asks",
        )
    };
    (status.reason, status.message) = (reason.to_owned(), message.to_owned());
}

/// Takes one step on.
fn take_on(
    view: &View<'_>,
    agenda: &mut Agenda,
    (index, step): (usize, &Step),
    status: &mut StepStatus,
    phase: RunPhase,
) {
    jobs::observe(view, agenda, status);
    if status.phase == Phase::Running {
        if status.ending.is_none()
            && let Some(outcome) = outcome(view, agenda, (index, step), status, phase)
        {
            conclude(view, status, outcome);
        }
        jobs::note_again(view, agenda, status);
        if status.ending.is_some() {
            part(view, agenda, status);
            tell_end(agenda, step, status);
        }
    } else if status.phase.has_ended() {
        part(view, agenda, status);
    }
}

fn outcome(
    view: &View<'_>,
    agenda: &mut Agenda,
    (index, step): (usize, &Step),
    status: &mut StepStatus,
    phase: RunPhase,
) -> Option<Outcome> {
    if phase == RunPhase::Stopping {
        return Some(Outcome::failed("Cancelled", "the run was cancelled"));
    }
    let outcome = match &step.work {
        Work::Items(pool) => pool::advance(view, agenda, (index, step, pool), status),
        Work::Each(each) => each::advance(view, agenda, step, each, status),
        Work::Once => once::advance(view, agenda, step, status),
    };
    // What has ended in time has not timed out, however late anybody looks.
    let over = later(
        status.started_at?,
        step.timeout.unwrap_or(std::time::Duration::MAX),
    );
    if outcome.is_some() || step.timeout.is_none() {
        return outcome;
    }
    if view.now < over {
        agenda.look_at(over);
        return None;
    }
    let drained = status
        .pool
        .as_ref()
        .is_some_and(|pool| pool.drained_at.is_some());
    let limit = progress::rough(step.timeout.unwrap_or_default());
    let message = format!("it was not through within its timeout of {limit}");
    // Of a drained queue nothing is left to be done but to see its workers off.
    (!drained).then(|| Outcome::failed("TimedOut", message))
}

fn tell_end(agenda: &mut Agenda, step: &Step, status: &StepStatus) {
    let (name, message) = (&step.name, &status.message);
    match status.phase {
        Phase::Succeeded => {
            agenda.tell(false, "StepSucceeded", format!("step {name}: {message}"));
        }
        Phase::Failed => {
            let note = format!("step {name}: {}: {message}", status.reason);
            agenda.tell(true, "StepFailed", note);
        }
        _ => {}
    }
}

/// Says of steps that wait what they wait for.
fn wait_words(view: &View<'_>, status: &mut RunStatus) {
    let ended = |name: &String| {
        let step = status.steps.iter().find(|step| step.name == *name);
        step.is_some_and(|step| step.phase.has_ended())
    };
    let words: Vec<_> = view
        .run
        .steps
        .iter()
        .map(|step| {
            let waits = step.after.iter().filter(|name| !ended(name));
            let waits: Vec<_> = waits.map(String::as_str).collect();
            text::fit(&format!("waits for {}", waits.join(", ")), 240)
        })
        .collect();
    for (step, words) in status.steps.iter_mut().zip(words) {
        if step.phase == Phase::Pending {
            step.message = words;
        }
    }
}

fn now_running(status: &RunStatus) -> String {
    let running = status.steps.iter().filter(|s| s.phase == Phase::Running);
    let names: Vec<_> = running.map(|step| step.name.as_str()).collect();
    text::fit(&format!("at step {}", names.join(", ")), 240)
}

fn finish(view: &View<'_>, agenda: &mut Agenda, status: &mut RunStatus, verdict: Verdict) {
    let failed = status.steps.iter().find(|step| step.phase == Phase::Failed);
    let (phase, message) = match (status.phase, verdict) {
        (RunPhase::Stopping, _) => (RunPhase::Cancelled, "it was cancelled".to_owned()),
        (_, Verdict::Succeeded) => (RunPhase::Succeeded, "no step failed".to_owned()),
        (_, Verdict::Failed) => (
            RunPhase::Failed,
            failed.map_or(String::new(), |step| {
                format!(
                    "step {} failed: {}: {}; `memq why {}` tells more",
                    step.name, step.reason, step.message, view.run.name
                )
            }),
        ),
    };
    end(status, phase, message, view.now);
    agenda.tell(
        phase != RunPhase::Succeeded,
        "RunFinished",
        format!("{phase:?}: {}", status.message),
    );
}

/// Ends a run.
pub(super) fn end(status: &mut RunStatus, phase: RunPhase, message: String, now: Timestamp) {
    status.phase = phase;
    status.reason = format!("{phase:?}");
    status.message = message;
    status.finished_at = Some(now);
    status.eta.clear();
}
