//! A step that runs one thing for each element: so many Jobs at a time, counted in ranges.
//!
//! 1. An element has one Job at a time, and none once it is counted.
//! 2. Never more at a time than the step allows.

use super::agenda::Agenda;
use super::outcome::Outcome;
use super::ranges::Ranges;
use super::tries::{self, Again, Tried};
use super::view::View;
use super::{jobs, pods, text};
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
    begin(view, agenda, (step, each), &mut records, &count);
    status.jobs = records;
    status.each = Some(EachStatus {
        total,
        succeeded: count.succeeded.to_string(),
        failed: count.failed.to_string(),
    });
    if let Some(message) = invalid {
        return Some(Outcome::failed("InvalidObject", message));
    }
    if !status.jobs.is_empty() {
        return None;
    }
    let failed = count.failed.len();
    if failed == 0 {
        let all = count.succeeded.len() == total;
        return all.then(|| Outcome::succeeded("Completed", format!("all {total} elements")));
    }
    let through = each.fail_fast || count.succeeded.len() + failed == total;
    through.then(|| Outcome::failed("ElementsFailed", summary(each, status, &count)))
}

struct Count {
    succeeded: Ranges,
    failed: Ranges,
}

impl Count {
    fn holds(&self, element: u32) -> bool {
        self.succeeded.holds(element) || self.failed.holds(element)
    }
}

fn running(records: &[JobRecord]) -> usize {
    // One that is given up holds its place until it is gone.
    let runs = |job: &&JobRecord| job.ended.is_none() || job.leaving.is_some();
    records.iter().filter(runs).count()
}

fn judge_all(
    view: &View<'_>,
    agenda: &mut Agenda,
    (step, each): (&Step, &ForEach),
    status: &mut StepStatus,
    records: &mut Vec<JobRecord>,
    count: &mut Count,
) {
    let most = each.max_parallel.map_or(usize::MAX, |most| most as usize);
    for index in 0..records.len() {
        let again = match () {
            () if each.fail_fast && count.failed.len() > 0 => Again::Never,
            () if running(records) < most => Again::Now,
            () => Again::Later,
        };
        let Some(element) = records[index].element else {
            continue;
        };
        match tries::judge(view, agenda, step, status, &mut records[index], again) {
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

fn begin(
    view: &View<'_>,
    agenda: &mut Agenda,
    (step, each): (&Step, &ForEach),
    records: &mut Vec<JobRecord>,
    count: &Count,
) {
    if each.fail_fast && count.failed.len() > 0 {
        return;
    }
    let most = each.max_parallel.map_or(usize::MAX, |most| most as usize);
    let mut runs = running(records);
    for element in (0..).take(each.elements.len()) {
        if runs >= most || agenda.room == 0 {
            return;
        }
        let open = records.iter().any(|job| job.element == Some(element));
        if open || count.holds(element) {
            continue;
        }
        let run = view.run.name.as_str();
        records.push(tries::first(run, &step.name, Some(element), view.now));
        agenda.room -= 1;
        runs += 1;
    }
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
