//! A run as a whole: the order of its steps, its conditions, its end, and what it says of itself.

use super::super::{failed_spec, why};
use super::forms::{after, at, completed, each, exited, failed, job, once, pool, queue, run};
use super::stage::{Stage, deleted, made};
use crate::flow::Phase;
use crate::kube::status::{RunPhase, RunStatus};
use crate::spec::When;

#[test]
fn steps_begin_when_those_before_them_have_ended_and_others_are_skipped() {
    let mut stage = Stage::new(run(vec![
        once("a"),
        after(once("b"), &["a"], When::Succeeded),
        after(once("sorry"), &["a"], When::Failed),
        after(once("always"), &["b", "sorry"], When::Always),
    ]));
    assert_eq!(made(&stage.look(0)), ["r-a-1"]);
    assert_eq!(stage.step("always").message, "waits for b, sorry");
    stage.sees(&[completed(job("r-a-1", "a", 1, at(0)))], &[]);
    assert_eq!(made(&stage.look(1)), ["r-b-1"]);
    assert_eq!(stage.step("sorry").phase, Phase::Skipped);
    assert_eq!(stage.step("always").message, "waits for b");
    let lost = failed(job("r-b-1", "b", 1, at(1)), "BackoffLimitExceeded");
    stage.seen.logs.insert("p".to_owned(), String::new());
    let pods = [exited("p", &lost, 2, "disk full", at(2))];
    stage.sees(&[lost], &pods);
    assert_eq!(made(&stage.look(2)), ["r-always-1"]);
    stage.sees(&[completed(job("r-always-1", "always", 1, at(2)))], &[]);
    stage.look(3);
    assert_eq!(stage.status.phase, RunPhase::Failed);
    assert_eq!(
        stage.status.message,
        "step b failed: BackoffLimitExceeded: pod p exited 2: disk full; `memq why r` tells more"
    );
    assert_eq!(stage.holds("Finished"), Some("Failed"));
    let told: Vec<_> = stage
        .told
        .iter()
        .filter(|told| **told != "StepStarted")
        .collect();
    assert_eq!(
        told,
        [
            &"StepSucceeded",
            &"StepFailed",
            &"StepSucceeded",
            &"RunFinished"
        ]
    );
}

#[test]
fn a_cancelled_run_takes_away_what_runs_and_begins_nothing() {
    let mut stage = Stage::new(run(vec![once("a"), after(once("b"), &["a"], When::Always)]));
    stage.look(0);
    stage.sees(&[job("r-a-1", "a", 1, at(0))], &[]);
    stage.look(1);
    stage.seen.cancelled = true;
    assert_eq!(deleted(&stage.look(2)), ["r-a-1"]);
    assert_eq!(stage.status.phase, RunPhase::Stopping);
    stage.sees(&[], &[]);
    stage.look(3);
    assert_eq!(made(&stage.look(8)), [""; 0]);
    assert_eq!(stage.status.phase, RunPhase::Cancelled);
    assert_eq!(stage.holds("Finished"), Some("Cancelled"));
    assert_eq!(stage.look(9), []);
}

#[test]
fn a_conditions_time_is_that_of_its_last_change() {
    let mut stage = Stage::new(run(vec![pool("keys", 1)]));
    stage.look(0);
    let away = |said: &str| super::super::QueueSeen::Unreachable(at(0), said.to_owned());
    for (seconds, said) in [(5, "refused"), (9, "timed out")] {
        stage.seen.queues.insert("keys".to_owned(), away(said));
        stage.look(seconds);
        let held = stage.condition("Blocked").expect("it holds");
        assert_eq!(held.last_transition_time, at(5));
        assert!(held.message.contains(said));
    }
    stage.sees_queue("keys", queue(3, 3));
    stage.look(12);
    let passed = stage.condition("Blocked").expect("it is listed");
    assert_eq!(
        (passed.status.as_str(), passed.last_transition_time),
        ("False", at(12))
    );
    let finished = stage.condition("Finished").expect("it is listed");
    assert_eq!(
        (finished.status.as_str(), finished.last_transition_time),
        ("False", at(0))
    );
}

#[test]
fn a_spec_that_cannot_be_carried_out_ends_its_run() {
    let status = failed_spec(
        &RunStatus::default(),
        Some(3),
        "line 4: no such field",
        at(1),
    );
    assert_eq!(
        (status.phase, status.reason.as_str()),
        (RunPhase::Failed, "InvalidSpec")
    );
    assert_eq!(status.observed_generation, Some(3));
    let finished = &status.conditions[0];
    assert_eq!(
        (finished.r#type.as_str(), finished.status.as_str()),
        ("Finished", "True")
    );
    assert_eq!(finished.message, "line 4: no such field");
}

#[test]
fn a_status_survives_being_written_and_read() {
    let mut stage = Stage::new(run(vec![pool("keys", 2), each("users", 3), once("a")]));
    stage.look(0);
    stage.sees_queue("keys", queue(9, 10));
    stage.look(1);
    let text = serde_json::to_string(&stage.status).expect("it is written");
    let read: RunStatus = serde_json::from_str(&text).expect("it is read");
    super::forms::same(&stage.status, &read, "what is read is what was written");
}

#[test]
fn why_says_what_is_waited_for() {
    assert_eq!(
        why(&RunStatus::default()),
        ["no controller has taken it up: does `memq controller` run here?"]
    );
    let mut stage = Stage::new(run(vec![
        pool("keys", 2),
        after(once("report"), &["keys"], When::Succeeded),
    ]));
    stage.look(0);
    stage.sees_queue("keys", queue(9, 10));
    let said = "quota".to_owned();
    let refusal = super::super::Refusal {
        code: 403,
        reason: "Forbidden".to_owned(),
        message: said,
        at: at(0),
    };
    stage.seen.refusals.insert("r-keys-1".to_owned(), refusal);
    stage.look(1);
    assert_eq!(
        why(&stage.status),
        [
            "step keys: Job r-keys-1 is refused: quota; `memq doctor` prints the rule that is missing \
             (Forbidden)",
            "step keys works: 1 of 10 items are through, with 2 workers (Max)",
            "step report waits for keys",
        ]
    );
}
