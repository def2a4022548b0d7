//! Queues that are given to a step: what they had behind them, and items that never come.

use super::forms::{pool, queue, run};
use super::stage::{Stage, made};
use crate::flow::Phase;
use crate::kube::status::RunPhase;
use crate::spec::{Items, Tolerate, Work};

fn given(name: &str) -> Stage {
    let mut stage = Stage::new(run(vec![pool("keys", 2)]));
    if let Work::Items(pool) = &mut stage.run.steps[0].work {
        pool.items = Items::Queue(name.parse().expect("a name"));
    }
    stage
}

/// Twenty items that are through, five of them dead, and so many more of this run.
fn with_a_past(ready: u64, done: u64, dead: u64) -> queue_api::Queue {
    let mut queue = queue(ready, 20 + ready + done + dead);
    (queue.counts.done, queue.counts.dead) = (15 + done, 5 + dead);
    queue
}

#[test]
fn what_became_of_items_before_the_step_began_is_none_of_its_business() {
    for (dead, tolerate, phase) in [
        (0, Tolerate::Items(0), Phase::Succeeded),
        (1, Tolerate::Items(0), Phase::Failed),
        (1, Tolerate::Percent(10.0), Phase::Succeeded),
        (1, Tolerate::Percent(9.0), Phase::Failed),
    ] {
        let mut stage = given("mine");
        if let Work::Items(pool) = &mut stage.run.steps[0].work {
            pool.tolerate = tolerate;
        }
        stage.look(0);
        stage.sees_queue("keys", with_a_past(10, 0, 0));
        assert_eq!(made(&stage.look(1)), ["r-keys-1"]);
        assert_eq!(stage.status.progress, "0/10");
        stage.sees_queue("keys", with_a_past(6, 4, 0));
        stage.look(10);
        assert_eq!(stage.status.progress, "4/10");
        // Its Job was never seen, and is not waited for long.
        stage.sees_queue("keys", with_a_past(0, 10 - dead, dead));
        for seconds in 11..60 {
            stage.look(seconds);
        }
        let step = stage.step("keys");
        assert_eq!(step.phase, phase, "{dead} {tolerate:?}: {}", step.message);
    }
}

#[test]
fn old_items_that_are_let_try_again_count_when_they_are_through() {
    let mut stage = given("mine");
    stage.look(0);
    stage.sees_queue("keys", with_a_past(0, 0, 0));
    let mut again = with_a_past(5, 0, 0);
    (again.counts.dead, again.totals.enqueued) = (0, 20);
    stage.sees_queue("keys", again.clone());
    stage.look(1);
    assert_eq!(stage.status.phase, RunPhase::Running);
    again.counts.done += 5;
    (again.counts.ready, again.unfinished, again.drained) = (0, 0, true);
    stage.sees_queue("keys", again);
    for seconds in 2..60 {
        stage.look(seconds);
    }
    assert_eq!(stage.status.phase, RunPhase::Succeeded);
    assert_eq!(stage.step("keys").message, "5 of 5 items done");
}

#[test]
fn items_that_whoever_made_the_run_does_not_bring_are_waited_for_ten_minutes() {
    let own = "run.team.r.keys";
    let mut stage = given(own);
    let mut some = queue(0, 0);
    (some.sealed, some.drained) = (false, false);
    // No queue, then an empty one, and nobody who fills it.
    stage.look(0);
    stage.look(300);
    stage.sees_queue("keys", some.clone());
    stage.look(301);
    stage.look(599);
    assert_eq!(stage.holds("Blocked"), Some("WaitsForItems"));
    stage.look(600);
    assert_eq!(stage.status.phase, RunPhase::Failed);
    let step = stage.step("keys");
    assert_eq!(step.reason, "ItemsNeverCame");
    assert!(step.message.starts_with("none of its items came"));
    assert!(step.message.ends_with("run it again"), "{}", step.message);

    // Some came, and the last of them was through at 400 s.
    let mut stage = given(own);
    stage.look(0);
    for (seconds, ready) in [(100, 9), (400, 0)] {
        let mut some = queue(ready, 9);
        (some.sealed, some.drained) = (false, false);
        stage.sees_queue("keys", some);
        stage.look(seconds);
    }
    stage.look(999);
    assert_eq!(stage.step("keys").ending, None);
    stage.look(1_000);
    let ending = stage.step("keys").ending.clone().expect("an end");
    assert_eq!(ending.reason, "ItemsNeverCame");
    assert!(ending.message.starts_with("no item came after the first 9"));
}

#[test]
fn neither_a_sealed_queue_nor_one_that_somebody_named_nor_an_outage_is_given_up() {
    let away = super::super::QueueSeen::Unreachable(super::forms::at(1), "refused".to_owned());
    for (name, sealed, away) in [
        ("run.team.r.keys", true, None),
        ("mine", false, None),
        ("run.team.r.keys", false, Some(away)),
    ] {
        let mut stage = given(name);
        let mut some = queue(9, 9);
        some.sealed = sealed;
        stage.look(0);
        stage.sees_queue("keys", some.clone());
        stage.look(1);
        if let Some(away) = away {
            stage.seen.queues.insert("keys".to_owned(), away);
            stage.look(2);
            stage.look(4_998);
            stage.sees_queue("keys", some);
            stage.look(4_999);
        }
        stage.look(5_000);
        assert_eq!(stage.step("keys").ending, None, "{name}");
    }
}
