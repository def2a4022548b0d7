//! A step that runs one thing for each element: so many Jobs at a time, counted in ranges.
//!
//! Their order is the flow's business: an element runs from its first try to the end of its last, the
//! waits between them included, here as on one machine.
//!
//! 1. An element has one Job at a time, and none once it is counted.
//! 2. Never more at a time than the step allows.

use std::collections::BTreeSet;

use super::agenda::Agenda;
use super::outcome::Outcome;
use super::ranges::Ranges;
use super::tries::{self, Tried};
use super::view::View;
use super::{jobs, pods, text};
use crate::flow::{Next, Phase, Rules, Verdict, next_elements};
use crate::kube::status::{EachStatus, JobRecord, StepStatus};
use crate::spec::{ForEach, Step};

/// Failed elements that a message names.
const NAMED: usize = 3;

/// Takes the step on.
pub(super) fn advance(
    view: &View<'_>,
    agenda: &mut Agenda,
    step: &Step,
    each: &ForEach,
    status: &mut StepStatus,
) -> Option<Outcome> {
    let before = status.each.take().unwrap_or_default();
    let total = u32::try_from(each.elements.len()).unwrap_or(u32::MAX);
    let mut count = Count {
        succeeded: Ranges::read(&before.succeeded, total),
        failed: Ranges::read(&before.failed, total),
    };
    let mut records = std::mem::take(&mut status.jobs);
    pods::note_capacity(view, agenda, &step.name);
    let invalid = records
        .iter()
        .find_map(|record| jobs::invalid(view, record));
    judge_all(view, agenda, (step, each), status, &mut records, &mut count);
    let verdict = begin(view, agenda, (step, each), &mut records, &count);
    status.jobs = records;
    status.each = Some(EachStatus {
        total,
        succeeded: count.succeeded.to_string(),
        failed: count.failed.to_string(),
    });
    if let Some(message) = invalid {
        return Some(Outcome::failed("InvalidObject", message));
    }
    Some(match verdict? {
        Verdict::Succeeded => Outcome::succeeded("Completed", format!("all {total} elements")),
        Verdict::Failed => Outcome::failed("ElementsFailed", summary(each, status, &count)),
    })
}

/// How many elements of a step succeeded, and how many failed for good.
pub(in crate::kube) fn elements_through(each: &EachStatus) -> (u32, u32) {
    let count = |ranges: &str| Ranges::read(ranges, each.total).len();
    (count(&each.succeeded), count(&each.failed))
}

struct Count {
    succeeded: Ranges,
    failed: Ranges,
}

impl Count {
    fn holds(&self, element: u32) -> bool {
        self.succeeded.holds(element) || self.failed.holds(element)
    }

    /// Where each element is; one that is given up runs until its Job is gone.
    fn phases(&self, total: usize, records: &[JobRecord]) -> Vec<Phase> {
        let running: BTreeSet<u32> = records.iter().filter_map(|job| job.element).collect();
        let phase = |element: u32| match element {
            element if self.succeeded.holds(element) => Phase::Succeeded,
            element if self.failed.holds(element) => Phase::Failed,
            element if running.contains(&element) => Phase::Running,
            _ => Phase::Pending,
        };
        (0..).take(total).map(phase).collect()
    }
}

fn judge_all(
    view: &View<'_>,
    agenda: &mut Agenda,
    (step, each): (&Step, &ForEach),
    status: &mut StepStatus,
    records: &mut Vec<JobRecord>,
    count: &mut Count,
) {
    for record in records.iter_mut() {
        let Some(element) = record.element else {
            continue;
        };
        match tries::judge(view, agenda, step, status, record) {
            Tried::Open => {}
            Tried::Succeeded => count.succeeded.insert(element),
            Tried::Failed { message, .. } => {
                count.failed.insert(element);
                status.message = text::fit(&format!("{}: {message}", key(each, element)), 240);
            }
        }
    }
    records.retain(|record| record.element.is_some_and(|element| !count.holds(element)));
}

/// Begins what may be begun; how it ended, once nothing runs or will.
fn begin(
    view: &View<'_>,
    agenda: &mut Agenda,
    (step, each): (&Step, &ForEach),
    records: &mut Vec<JobRecord>,
    count: &Count,
) -> Option<Verdict> {
    let rules = Rules {
        max_parallel: each.max_parallel,
        fail_fast: each.fail_fast,
    };
    let phases = count.phases(each.elements.len(), records);
    for next in next_elements(rules, &phases, false) {
        match next {
            Next::Begin(element) if agenda.room > 0 => {
                let element = u32::try_from(element).unwrap_or(u32::MAX);
                let run = view.run.name.as_str();
                records.push(tries::first(run, &step.name, Some(element), view.now));
                agenda.room -= 1;
            }
            // It is begun when there is room, or never.
            Next::Begin(_) | Next::Skip(_) => {}
            Next::Finish(verdict) => return Some(verdict),
        }
    }
    None
}

fn key(each: &ForEach, element: u32) -> String {
    let key = each.elements.get(element as usize).map(|each| &each.key);
    text::fit(key.map_or("", String::as_str), 40)
}

fn summary(each: &ForEach, status: &StepStatus, count: &Count) -> String {
    let (failed, total) = (count.failed.len(), each.elements.len());
    let named: Vec<_> = count
        .failed
        .iter()
        .take(NAMED)
        .map(|e| key(each, e))
        .collect();
    let named = named.join(", ");
    let more = if count.failed.len() as usize > NAMED {
        ", …"
    } else {
        ""
    };
    let last = &status.message;
    format!("{failed} of {total} elements failed: {named}{more}; the last, {last}")
}
