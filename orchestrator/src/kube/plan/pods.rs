//! Pods of a step: what those that failed leave behind, and why others do not start.
//!
//! It does not know what follows from that for the step.

use std::time::Duration;

use jiff::Timestamp;

use super::agenda::{Agenda, later};
use super::view::View;
use super::{Action, PodPhase, PodSeen, text};
use crate::kube::status::{
    HeldUp, JobRecord, KEPT_FAILURES, KEPT_LOG_BYTES, KEPT_MESSAGE_BYTES, PodFailure, StepStatus,
};

/// Bytes of a reason: one word.
const REASON_BYTES: usize = 64;
/// What a container waits for that is a step of every start and no mistake, unless it lasts: an image may take
/// its time.
pub(in crate::kube) const ON_THE_WAY: [&str; 2] = ["ContainerCreating", "PodInitializing"];
/// How many times longer than other reasons these may last.
const ON_THE_WAY_PATIENCE: u32 = 6;
/// How long a pod may find no node before a person is told, as sizing has it.
pub(super) const PATIENCE_FOR_A_NODE: Duration = crate::size::FREEZE_AFTER;

/// Exit of a worker that cannot reach its queue server.
pub(super) const UNAVAILABLE: i32 = 69;
/// Exit of a worker that was told to stop.
pub(super) const TOLD_TO_STOP: i32 = 75;

/// Notes the pods that failed, the newest, and asks for their logs.
pub(super) fn note_failures(view: &View<'_>, agenda: &mut Agenda, status: &mut StepStatus) {
    let known = |status: &StepStatus, pod: &PodSeen| {
        status.failures.iter().any(|known| known.pod == pod.name)
    };
    let name = status.name.clone();
    for pod in view.pods_of(&name).filter(|pod| has_failed(pod)) {
        if !known(status, pod) {
            status.failures.push(failure(view, pod));
        }
    }
    let kept = kept_failures(view.run.steps.len());
    status
        .failures
        .sort_by(|a, b| (a.at, &a.pod).cmp(&(b.at, &b.pod)));
    let surplus = status.failures.len().saturating_sub(kept);
    status.failures.drain(..surplus);
    for failure in &mut status.failures {
        if failure.log.is_some() {
            continue;
        }
        let there = view.seen.pods.iter().any(|pod| pod.name == failure.pod);
        match view.seen.logs.get(&failure.pod) {
            Some(log) => failure.log = Some(text::tail(log, KEPT_LOG_BYTES).to_owned()),
            None if there => agenda.act(Action::ReadLog {
                pod: failure.pod.clone(),
            }),
            None if view.seen.fresh => failure.log = Some(String::new()),
            None => {}
        }
    }
}

/// Failed pods that are kept of each step, when there are so many steps: a status has bounds.
fn kept_failures(steps: usize) -> usize {
    const OF_A_RUN: usize = 60;
    (OF_A_RUN / steps.max(1)).clamp(1, KEPT_FAILURES)
}

fn has_failed(pod: &PodSeen) -> bool {
    // A worker that is no longer wanted leaves with 75: that is no failure.
    let sent_away = pod.deleting && pod.exit() == Some(TOLD_TO_STOP);
    pod.phase == PodPhase::Failed && !sent_away
}

fn failure(view: &View<'_>, pod: &PodSeen) -> PodFailure {
    let end = pod.end.as_ref();
    let reason = end.map_or("", |end| end.reason.as_str());
    PodFailure {
        pod: pod.name.clone(),
        job: pod.job.clone(),
        at: end.map_or(view.now, |end| end.at),
        exit_code: end.and_then(|end| end.exit_code),
        reason: text::fit(
            pod.disrupted
                .as_deref()
                .filter(|_| reason.is_empty() || reason == "Error")
                .unwrap_or(reason),
            REASON_BYTES,
        ),
        message: text::fit(end.map_or("", |end| &end.message), KEPT_MESSAGE_BYTES),
        log: None,
    }
}

/// Whether a log of this Job's pods is still being waited for.
pub(super) fn wants_logs(status: &StepStatus, job: &str) -> bool {
    status
        .failures
        .iter()
        .any(|failure| failure.job == job && failure.log.is_none())
}

/// How the last pod of a Job that failed ended, in words; none if nothing is known of one.
pub(super) fn last_words(status: &StepStatus, job: &str) -> Option<String> {
    let failure = status.failures.iter().rfind(|f| f.job == job)?;
    Some(words(failure))
}

/// What a failed pod left behind, in words.
pub(super) fn words(failure: &PodFailure) -> String {
    let PodFailure { pod, reason, .. } = failure;
    let how = match failure.exit_code {
        Some(code) if reason.is_empty() || reason == "Error" => format!("exited {code}"),
        Some(code) => format!("exited {code} ({reason})"),
        None if reason.is_empty() => "failed".to_owned(),
        None => format!("failed ({reason})"),
    };
    let said = text::fit(last_said(&failure.message), 200);
    let mark = if said.is_empty() { "" } else { ": " };
    format!("pod {pod} {how}{mark}{said}")
}

/// What a program said went wrong: the last that its log calls an error, as our workers' do, else its last line.
fn last_said(message: &str) -> &str {
    let mut lines = message.trim().lines().rev();
    let error = lines.clone().find_map(|line| {
        let (time, said) = line.split_once(" ERROR ")?;
        time.ends_with('Z').then_some(said)
    });
    error.or_else(|| lines.next()).unwrap_or_default()
}

/// Why a Job does not start: a reason and a sentence.
pub(super) struct NotStarted {
    pub(super) reason: String,
    pub(super) message: String,
    /// It has lasted too long.
    pub(super) too_long: bool,
}

/// Why no pod of this Job has ever started, if that has a cause of its own. Having no node is none, and
/// what a Job waited before, suspended or without a node, is not held against it.
pub(super) fn not_started(
    view: &View<'_>,
    agenda: &mut Agenda,
    record: &mut JobRecord,
) -> Option<NotStarted> {
    let Some(cause) = cause(view, &record.name) else {
        // Old lists say nothing.
        if view.seen.fresh && view.job(&record.name).is_some() {
            record.held_up = None;
        }
        return None;
    };
    let limit = view.context.start_limit;
    if cause.on_its_way && view.now < later(cause.began, limit) {
        // So starts every pod: nothing to keep yet.
        record.held_up = None;
        agenda.look_at(later(cause.began, limit));
        return None;
    }
    let held = record
        .held_up
        .filter(|held| held.on_its_way == cause.on_its_way);
    let held = held.unwrap_or(HeldUp {
        since: view.now,
        on_its_way: cause.on_its_way,
    });
    record.held_up = Some(held);
    let limit = if cause.on_its_way {
        limit * (ON_THE_WAY_PATIENCE - 1)
    } else {
        limit
    };
    let over = later(held.since, limit);
    let too_long = view.now >= over;
    if !too_long {
        agenda.look_at(over);
        if cause.on_its_way {
            return None;
        }
    }
    Some(NotStarted {
        reason: text::fit(&cause.reason, REASON_BYTES),
        message: text::fit(&cause.message, KEPT_MESSAGE_BYTES),
        too_long,
    })
}

/// What keeps the pods of a Job from starting.
struct Cause {
    reason: String,
    message: String,
    on_its_way: bool,
    /// When its pod was made.
    began: Timestamp,
}

fn cause(view: &View<'_>, job: &str) -> Option<Cause> {
    let seen = view.job(job)?;
    let pods = view.pods(job);
    let started = |pod: &&PodSeen| pod.started.is_some() || pod.phase != PodPhase::Pending;
    let begun = seen.succeeded > 0 || seen.failed > 0 || seen.ended.is_some();
    if pods.iter().any(started) || begun || seen.suspended {
        return None;
    }
    let waits = pods.iter().filter_map(|pod| {
        let (reason, message) = pod.waiting.as_ref()?;
        let on_its_way = ON_THE_WAY.contains(&reason.as_str());
        pod.unschedulable.is_none().then(|| Cause {
            message: format!("pod {} does not start: {reason}: {message}", pod.name),
            reason: reason.clone(),
            on_its_way,
            began: pod.created,
        })
    });
    // A mistake says more than what is on its way.
    if let Some(cause) = waits.min_by_key(|cause| (cause.on_its_way, cause.began)) {
        return Some(cause);
    }
    let said = view.pods_refused(seen)?;
    (pods.is_empty() && !is_quota(said)).then(|| Cause {
        reason: "PodsRefused".to_owned(),
        message: format!("no pod of Job {job} is let in: {said}"),
        on_its_way: false,
        began: seen.created,
    })
}

/// Whether this is a quota speaking.
pub(super) fn is_quota(message: &str) -> bool {
    message.contains("exceeded quota")
}

/// Tells of pods that no node takes.
pub(super) fn note_capacity(view: &View<'_>, agenda: &mut Agenda, step: &str) {
    let waits = view.pods_of(step).filter(|pod| pod.stays());
    let waits = waits.filter_map(|pod| pod.unschedulable.as_ref());
    let Some((since, text)) = waits.min_by_key(|(since, _)| *since) else {
        return;
    };
    let told = later(*since, PATIENCE_FOR_A_NODE);
    if view.now < told {
        return agenda.look_at(told);
    }
    let message = format!("step {step}: no node takes its pod: {text}");
    agenda.trouble(
        super::agenda::Kind::CapacityBlocked,
        "Unschedulable",
        message,
    );
}
