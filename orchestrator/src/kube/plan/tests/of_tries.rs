//! Steps that run one thing, once or for each element: tries, waits, limits.

use super::super::{Action, PodPhase};
use super::forms::{at, completed, each, exited, failed, job, once, pod, run};
use super::stage::{Stage, deleted, made};
use crate::flow::Phase;
use crate::kube::status::RunPhase;
use crate::spec::{Step, Work};

fn begun(step: Step) -> Stage {
    let mut stage = Stage::new(run(vec![step]));
    stage.look(0);
    stage
}

/// A Job of the only step failed with this code.
fn fails(stage: &mut Stage, name: &str, code: i32, seconds: i64) {
    let step = stage.run.steps[0].name.clone();
    let ended = failed(job(name, &step, 1, at(0)), "BackoffLimitExceeded");
    let pod_name = format!("{name}-p");
    let pods = [exited(&pod_name, &ended, code, "boom", at(seconds))];
    stage.seen.logs.insert(pod_name, "line\nboom\n".to_owned());
    stage.sees(&[ended], &pods);
}

#[test]
fn a_job_that_completes_is_a_success() {
    let mut stage = begun(once("build"));
    assert_eq!(stage.step("build").jobs[0].name, "r-build-1");
    stage.sees(&[completed(job("r-build-1", "build", 1, at(0)))], &[]);
    assert_eq!(stage.look(5), []);
    assert_eq!(stage.status.phase, RunPhase::Succeeded);
    assert_eq!(stage.status.progress, "1/1");
}

#[test]
fn what_a_pod_left_as_its_result_is_shown() {
    let mut stage = begun(once("build"));
    let done = completed(job("r-build-1", "build", 1, at(0)));
    let pods = [exited("p", &done, 0, "144 requests\n", at(4))];
    stage.sees(&[done], &pods);
    stage.look(5);
    assert_eq!(stage.step("build").message, "144 requests");
}

#[test]
fn a_job_that_fails_is_tried_again_as_often_as_the_step_says_after_longer_and_longer_waits() {
    let mut step = once("build");
    step.retries = 2;
    let mut stage = begun(step);
    fails(&mut stage, "r-build-1", 3, 10);
    assert_eq!(stage.look(10), []);
    assert_eq!(made(&stage.look(19)), [""; 0]);
    assert_eq!(made(&stage.look(20)), ["r-build-2"]);
    fails(&mut stage, "r-build-2", 3, 30);
    stage.look(30);
    assert_eq!(made(&stage.look(49)), [""; 0]);
    assert_eq!(made(&stage.look(50)), ["r-build-3"]);
    fails(&mut stage, "r-build-3", 4, 60);
    stage.look(60);
    assert_eq!(stage.status.phase, RunPhase::Failed);
    let step = stage.step("build");
    assert_eq!(step.reason, "BackoffLimitExceeded");
    assert_eq!(step.message, "try 3 of 3: pod r-build-3-p exited 4: boom");
    assert_eq!(step.failed_pods, 3);
    assert_eq!(step.failures.len(), 3);
    assert_eq!(step.failures[2].log.as_deref(), Some("line\nboom\n"));
}

#[test]
fn a_job_that_somebody_deleted_is_a_failed_try() {
    let mut stage = begun(once("build"));
    stage.sees(&[job("r-build-1", "build", 1, at(0))], &[]);
    stage.look(1);
    stage.sees(&[], &[]);
    stage.look(2);
    assert_eq!(stage.status.phase, RunPhase::Running);
    stage.look(7);
    assert_eq!(stage.status.phase, RunPhase::Failed);
    assert!(stage.step("build").message.contains("somebody deleted it"));
}

#[test]
fn a_step_that_takes_too_long_is_taken_away_and_failed() {
    let mut step = once("build");
    step.timeout = Some(std::time::Duration::from_secs(60));
    let mut stage = begun(step);
    let open = job("r-build-1", "build", 1, at(0));
    stage.sees(
        std::slice::from_ref(&open),
        &[pod("p", &open, PodPhase::Running)],
    );
    assert_eq!(stage.look(59), []);
    assert_eq!(deleted(&stage.look(60)), ["r-build-1"]);
    assert_eq!(
        stage.step("build").phase,
        Phase::Running,
        "until it is gone"
    );
    stage.sees(&[], &[]);
    stage.look(61);
    stage.look(66);
    assert_eq!(stage.step("build").reason, "TimedOut");
    assert_eq!(stage.status.phase, RunPhase::Failed);
}

#[test]
fn what_cannot_be_taken_away_does_not_hold_a_run_for_ever() {
    let mut step = once("build");
    step.timeout = Some(std::time::Duration::from_secs(60));
    let mut stage = begun(step);
    stage.sees(&[job("r-build-1", "build", 1, at(0))], &[]);
    stage.look(60);
    stage.look(179);
    assert_eq!(stage.status.phase, RunPhase::Running);
    assert_eq!(deleted(&stage.look(180)), ["r-build-1"]);
    assert_eq!(stage.status.phase, RunPhase::Failed);
    assert_eq!(
        deleted(&stage.look(181)),
        ["r-build-1"],
        "and it is tried on"
    );
}

#[test]
fn what_does_not_start_and_cannot_be_taken_away_is_a_failure_all_the_same() {
    for step in [once("build"), each("build", 1)] {
        let mut stage = begun(step);
        let name = stage.step("build").jobs[0].name.clone();
        let stuck = job(&name, "build", 1, at(0));
        let mut waits = pod("p", &stuck, PodPhase::Pending);
        waits.waiting = Some(("InvalidImageName".to_owned(), "no".to_owned()));
        stage.sees(&[stuck], &[waits]);
        stage.look(0);
        assert_eq!(deleted(&stage.look(300)), [name.as_str()]);
        assert_eq!(deleted(&stage.look(419)), [name.as_str()]);
        assert_eq!(stage.status.phase, RunPhase::Running);
        stage.look(420);
        assert_eq!(stage.status.phase, RunPhase::Failed);
        assert!(stage.step("build").message.contains("InvalidImageName"));
    }
}

#[test]
fn an_ended_job_expires_only_when_its_pods_and_their_logs_are_recorded() {
    let mut step = once("build");
    step.retries = 1;
    let mut stage = begun(step);
    stage.run.ttl = Some(std::time::Duration::from_secs(7));
    let ended = failed(job("r-build-1", "build", 1, at(0)), "BackoffLimitExceeded");
    stage.sees(std::slice::from_ref(&ended), &[]);
    assert_eq!(stage.look(10), [], "its pod was not seen yet");
    let pods = [exited("p", &ended, 1, "", at(9))];
    stage.sees(std::slice::from_ref(&ended), &pods);
    assert_eq!(
        stage.look(11),
        [Action::ReadLog {
            pod: "p".to_owned()
        }]
    );
    stage.seen.logs.insert("p".to_owned(), String::new());
    let expire = Action::Expire {
        job: "r-build-1".to_owned(),
        after: std::time::Duration::from_secs(7),
    };
    assert_eq!(stage.look(12), std::slice::from_ref(&expire));
    assert_eq!(stage.look(13), [expire], "until it is seen");
    let mut expiring = ended;
    expiring.expires = true;
    stage.sees(&[expiring], &pods);
    assert_eq!(stage.look(14), []);
    stage.sees(&[], &[]);
    assert_eq!(
        made(&stage.look(20)),
        ["r-build-2"],
        "that it went is no second failure"
    );
}

#[test]
fn so_many_elements_at_a_time_and_ranges_of_what_is_done() {
    let mut step = each("users", 4);
    if let Work::Each(each) = &mut step.work {
        each.max_parallel = Some(2);
    }
    let mut stage = Stage::new(run(vec![step]));
    assert_eq!(made(&stage.look(0)), ["r-users-0-1", "r-users-1-1"]);
    let done = completed(job("r-users-0-1", "users", 1, at(0)));
    let open = job("r-users-1-1", "users", 1, at(0));
    stage.sees(&[done, open.clone()], &[]);
    assert_eq!(made(&stage.look(5)), ["r-users-2-1"]);
    // One that waits for its next try keeps its place, as it does on one machine.
    stage.run.steps[0].retries = 1;
    let lost = failed(open, "BackoffLimitExceeded");
    let pods = [exited("p", &lost, 1, "boom", at(6))];
    stage.seen.logs.insert("p".to_owned(), String::new());
    let third = job("r-users-2-1", "users", 1, at(5));
    stage.sees(&[lost.clone(), third.clone()], &pods);
    assert_eq!(made(&stage.look(6)), [""; 0]);
    assert_eq!(made(&stage.look(16)), ["r-users-1-2"]);
    stage.sees(&[lost.clone(), completed(third)], &pods);
    assert_eq!(made(&stage.look(20)), ["r-users-1-2", "r-users-3-1"]);
    let fourth = completed(job("r-users-3-1", "users", 1, at(20)));
    stage.sees(&[lost, fourth], &pods);
    stage.look(21);
    assert_eq!(
        stage
            .step("users")
            .each
            .as_ref()
            .expect("elements")
            .succeeded,
        "0,2-3"
    );
    let last = failed(
        job("r-users-1-2", "users", 1, at(21)),
        "BackoffLimitExceeded",
    );
    let pods = [exited("q", &last, 1, "boom", at(22))];
    stage.seen.logs.insert("q".to_owned(), String::new());
    stage.sees(&[last], &pods);
    stage.look(22);
    let step = stage.step("users");
    assert_eq!(step.reason, "ElementsFailed");
    assert_eq!(
        step.message,
        "1 of 4 elements failed: e1; the last, e1: try 2 of 2: pod q exited 1: boom"
    );
}

#[test]
fn after_a_failure_a_step_that_fails_fast_begins_nothing_more() {
    let mut step = each("users", 5);
    step.retries = 3;
    if let Work::Each(each) = &mut step.work {
        (each.max_parallel, each.fail_fast) = (Some(2), true);
    }
    let mut stage = begun(step);
    // The first fails for good: its pod does not start.
    let stuck = job("r-users-0-1", "users", 1, at(0));
    let mut waits = pod("p", &stuck, PodPhase::Pending);
    waits.waiting = Some(("InvalidImageName".to_owned(), "no".to_owned()));
    let other = job("r-users-1-1", "users", 1, at(0));
    stage.sees(&[stuck, other.clone()], &[waits]);
    stage.look(0);
    assert_eq!(deleted(&stage.look(300)), ["r-users-0-1"]);
    stage.sees(std::slice::from_ref(&other), &[]);
    assert_eq!(made(&stage.look(301)), [""; 0]);
    stage.sees(&[completed(other)], &[]);
    stage.look(302);
    assert_eq!(stage.status.phase, RunPhase::Failed);
    let counts = stage.step("users").each.clone().expect("elements");
    assert_eq!(
        (counts.succeeded.as_str(), counts.failed.as_str()),
        ("1", "0")
    );
}

#[test]
fn a_step_that_fails_fast_lets_what_runs_go_on_with_all_its_tries() {
    let mut step = each("users", 3);
    step.retries = 1;
    if let Work::Each(each) = &mut step.work {
        (each.max_parallel, each.fail_fast) = (Some(2), true);
    }
    let mut stage = begun(step);
    let stuck = job("r-users-0-1", "users", 1, at(0));
    let mut waits = pod("p", &stuck, PodPhase::Pending);
    waits.waiting = Some(("InvalidImageName".to_owned(), "no".to_owned()));
    let other = job("r-users-1-1", "users", 1, at(0));
    stage.sees(&[stuck, other.clone()], &[waits]);
    stage.look(0);
    stage.look(300);
    let lost = failed(other, "BackoffLimitExceeded");
    let pods = [exited("q", &lost, 1, "boom", at(305))];
    stage.seen.logs.insert("q".to_owned(), String::new());
    stage.sees(&[lost], &pods);
    stage.look(306);
    assert_eq!(made(&stage.look(316)), ["r-users-1-2"]);
    stage.sees(&[completed(job("r-users-1-2", "users", 1, at(316)))], &[]);
    stage.look(317);
    assert_eq!(stage.status.phase, RunPhase::Failed);
    let counts = stage.step("users").each.clone().expect("elements");
    assert_eq!(
        (counts.succeeded.as_str(), counts.failed.as_str()),
        ("1", "0"),
        "and the third never began"
    );
}
