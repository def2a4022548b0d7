//! A step that runs one thing once.

use super::agenda::Agenda;
use super::outcome::Outcome;
use super::tries::{self, Again, Tried};
use super::view::View;
use super::{jobs, pods};
use crate::kube::status::StepStatus;
use crate::spec::Step;

/// Takes the step on.
pub(super) fn advance(
    view: &View<'_>,
    agenda: &mut Agenda,
    step: &Step,
    status: &mut StepStatus,
) -> Option<Outcome> {
    if status.jobs.is_empty() {
        let run = view.run.name.as_str();
        status
            .jobs
            .push(tries::first(run, &step.name, None, view.now));
    }
    pods::note_capacity(view, agenda, &step.name);
    let mut records = std::mem::take(&mut status.jobs);
    let outcome = records.iter_mut().find_map(|record| {
        if let Some(message) = jobs::invalid(view, record) {
            return Some(Outcome::failed("InvalidObject", message));
        }
        match tries::judge(view, agenda, step, status, record, Again::Now) {
            Tried::Open => None,
            Tried::Succeeded => Some(Outcome::succeeded("Completed", "its Job completed")),
            Tried::Failed { reason, message } => Some(Outcome::failed(&reason, message)),
        }
    });
    status.jobs = records;
    outcome
}
