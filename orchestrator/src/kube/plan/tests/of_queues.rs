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
