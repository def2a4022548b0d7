//! A step that runs one thing once.

use super::agenda::Agenda;
use super::outcome::Outcome;
use super::tries::{self, Tried};
use super::view::View;
use super::{PodPhase, jobs, pods, text};
use crate::kube::status::{JobRecord, StepStatus};
use crate::spec::Step;

/// What is shown of a result.
const RESULT_BYTES: usize = 256;

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
        match tries::judge(view, agenda, step, status, record) {
            Tried::Open => None,
            Tried::Succeeded => Some(Outcome::succeeded("Completed", result(view, record))),
            Tried::Failed { reason, message } => Some(Outcome::failed(&reason, message)),
        }
    });
    status.jobs = records;
    outcome
}

/// What it left as its result, if anything.
fn result(view: &View<'_>, record: &JobRecord) -> String {
    let pods = view.pods(&record.name);
    let ends = pods.iter().filter(|pod| pod.phase == PodPhase::Succeeded);
    let mut results = ends.filter_map(|pod| Some(pod.end.as_ref()?.message.trim()));
    match results.find(|result| !result.is_empty()) {
        Some(result) => text::fit(result, RESULT_BYTES),
        None => "its Job completed".to_owned(),
    }
}
