//! A step with items: loading, rounds, the drained queue's word, and what no Job can say.

use std::time::Duration;

use super::super::{Action, LoadSeen, PodPhase, QueueSeen};
use super::forms::{at, completed, exited, failed, job, pod, pool, queue, run};
use super::stage::{Stage, at_work, deleted, made, running, scaled};
use crate::flow::Phase;
use crate::kube::status::RunPhase;
use crate::spec::{Items, Tolerate, Work};

#[test]
fn the_job_begins_when_something_is_loaded() {
    let mut stage = Stage::new(run(vec![pool("keys", 3)]));
    assert_eq!(stage.look(0), [Action::Load { step: 0 }]);
    stage
        .seen
        .queues
        .insert("keys".to_owned(), QueueSeen::Missing);
    assert_eq!(stage.look(1), [Action::Load { step: 0 }]);
    let mut half = queue(5, 5);
    half.sealed = false;
    stage.sees_queue("keys", half);
    stage
        .seen
        .loads
        .insert("keys".to_owned(), LoadSeen::Loading(5));
    let actions = stage.look(2);
    assert!(actions.contains(&Action::Load { step: 0 }));
    let begins = Action::CreateJob {
        step: 0,
        name: "r-keys-1".to_owned(),
        element: None,
        number: 1,
        parallelism: 3,
    };
    assert!(actions.contains(&begins), "{actions:?}");
    stage.sees_queue("keys", queue(10, 10));
    assert!(
        !stage.look(3).contains(&Action::Load { step: 0 }),
        "the seal says that all are in"
    );
}

#[test]
fn what_an_earlier_run_of_this_name_left_is_removed_before_anything_is_loaded() {
    let mut stage = Stage::new(run(vec![pool("keys", 3)]));
    stage.seen.queues.clear();
    assert_eq!(
        stage.look(0),
        [],
        "the status says what is meant to be first"
    );
    let wake = stage.wake.expect("it looks again by itself");
    assert!(wake <= Duration::from_secs(1));
    stage.sees_queue("keys", queue(0, 9));
    let remove = Action::RemoveQueue {
        queue: "run.team.r.keys".to_owned(),
    };
    assert_eq!(stage.look(1), std::slice::from_ref(&remove));
    let away = QueueSeen::Unreachable(at(2), "refused".to_owned());
    stage.seen.queues.insert("keys".to_owned(), away);
    assert_eq!(stage.look(2), []);
    assert_eq!(stage.holds("Blocked"), Some("ServerUnreachable"));
    stage.sees_queue("keys", queue(0, 9));
    assert_eq!(stage.look(3), [remove], "until it is gone");
    stage
        .seen
        .queues
        .insert("keys".to_owned(), QueueSeen::Missing);
    assert_eq!(stage.look(4), [Action::Load { step: 0 }]);
    stage.sees_queue("keys", queue(9, 9));
    assert_eq!(made(&stage.look(5)), ["r-keys-1"]);
}

#[test]
fn a_job_is_asked_for_until_it_is_seen_and_never_again() {
    let mut stage = at_work(2, 9);
    assert_eq!(made(&stage.look(11)), ["r-keys-1"]);
    running(&mut stage, 2);
    assert_eq!(stage.look(12), []);
}

#[test]
fn no_items_need_no_job() {
    let mut stage = Stage::new(run(vec![pool("keys", 3)]));
    stage.look(0);
    stage.sees_queue("keys", queue(0, 0));
    assert_eq!(stage.look(1), []);
    assert_eq!(stage.status.phase, RunPhase::Succeeded);
    assert_eq!(stage.step("keys").message, "0 of 0 items done");
}

#[test]
fn at_drained_pending_pods_are_trimmed_and_the_step_ends_with_its_job() {
    let mut stage = at_work(3, 9);
    let open = job("r-keys-1", "keys", 3, at(10));
    let pods = [
        pod("w0", &open, PodPhase::Running),
        pod("w1", &open, PodPhase::Running),
        pod("w2", &open, PodPhase::Pending),
    ];
    stage.sees(std::slice::from_ref(&open), &pods);
    stage.look(20);
    stage.sees_queue("keys", queue(0, 9));
    assert_eq!(scaled(&stage.look(30)), [("r-keys-1", 2)]);
    assert_eq!(stage.step("keys").phase, Phase::Running, "its Job is open");
    let ended = [
        exited("w0", &open, 0, "", at(40)),
        exited("w1", &open, 0, "", at(40)),
    ];
    stage.sees(&[completed(open)], &ended);
    assert_eq!(stage.look(41), []);
    assert_eq!(stage.status.phase, RunPhase::Succeeded);
    assert_eq!(
        stage.told,
        [
            "StepStarted",
            "RoundStarted",
            "StepSucceeded",
            "RunFinished"
        ]
    );
}

#[test]
fn a_queue_that_is_drained_before_its_worker_starts_leaves_the_job_to_end_by_itself() {
    let mut stage = at_work(1, 9);
    let open = job("r-keys-1", "keys", 1, at(10));
    stage.sees_queue("keys", queue(0, 9));
    stage.sees(std::slice::from_ref(&open), &[]);
    assert_eq!(deleted(&stage.look(11)), [""; 0], "its pod is on its way");
    let mut starts = pod("w0", &open, PodPhase::Pending);
    stage.sees(std::slice::from_ref(&open), std::slice::from_ref(&starts));
    assert_eq!(deleted(&stage.look(12)), [""; 0]);
    // So says every pod until its kubelet has told that it runs, and a short queue is drained by then.
    starts.waiting = Some(("ContainerCreating".to_owned(), String::new()));
    stage.sees(std::slice::from_ref(&open), std::slice::from_ref(&starts));
    assert_eq!(deleted(&stage.look(13)), [""; 0]);
    let done = exited("w0", &open, 0, "", at(14));
    stage.sees(&[completed(open)], &[done]);
    stage.look(15);
    assert_eq!(stage.step("keys").message, "9 of 9 items done");
}

#[test]
fn a_drained_queue_does_not_wait_for_a_worker_that_no_node_takes() {
    let mut stage = at_work(1, 9);
    let open = job("r-keys-1", "keys", 1, at(10));
    let mut stuck = pod("w0", &open, PodPhase::Pending);
    stuck.unschedulable = Some((at(10), "0/1 nodes are available".to_owned()));
    stage.sees_queue("keys", queue(0, 9));
    stage.sees(&[open], &[stuck]);
    assert_eq!(deleted(&stage.look(12)), ["r-keys-1"]);
    stage.sees(&[], &[]);
    stage.look(13);
    stage.look(18);
    assert_eq!(stage.step("keys").message, "9 of 9 items done");
}

#[test]
fn workers_that_left_before_their_job_counted_them_end_it_by_themselves() {
    let mut stage = at_work(2, 9);
    running(&mut stage, 2);
    stage.look(20);
    stage.sees_queue("keys", queue(0, 9));
    let open = job("r-keys-1", "keys", 2, at(10));
    let left = [
        exited("w0", &open, 0, "", at(30)),
        exited("w1", &open, 0, "", at(30)),
    ];
    stage.sees(&[open], &left);
    assert_eq!(deleted(&stage.look(31)), [""; 0]);
}

#[test]
fn a_job_that_is_still_open_30_s_after_drained_is_deleted() {
    let mut stage = at_work(2, 9);
    running(&mut stage, 2);
    stage.look(20);
    stage.sees_queue("keys", queue(0, 9));
    assert_eq!(stage.look(30), []);
    assert_eq!(stage.look(59), []);
    assert_eq!(deleted(&stage.look(60)), ["r-keys-1"]);
    stage.sees(&[], &[]);
    stage.look(61);
    stage.look(66);
    assert_eq!(stage.status.phase, RunPhase::Succeeded);
}

#[test]
fn a_drained_step_ends_though_its_job_cannot_be_deleted() {
    let mut stage = at_work(2, 9);
    running(&mut stage, 2);
    stage.look(20);
    stage.sees_queue("keys", queue(0, 9));
    stage.look(30);
    assert_eq!(deleted(&stage.look(60)), ["r-keys-1"]);
    // Whatever is said to that, it stays.
    assert_eq!(deleted(&stage.look(179)), ["r-keys-1"]);
    assert_eq!(stage.status.phase, RunPhase::Running);
    assert_eq!(deleted(&stage.look(180)), ["r-keys-1"]);
    assert_eq!(stage.status.phase, RunPhase::Succeeded);
    assert_eq!(
        deleted(&stage.look(181)),
        ["r-keys-1"],
        "and it is tried on"
    );
}

#[test]
fn a_job_that_completes_while_it_is_to_be_deleted_is_not_waited_for() {
    let mut stage = at_work(2, 9);
    running(&mut stage, 2);
    stage.look(20);
    stage.sees_queue("keys", queue(0, 9));
    stage.look(30);
    assert_eq!(deleted(&stage.look(60)), ["r-keys-1"]);
    let mut done = completed(job("r-keys-1", "keys", 2, at(10)));
    done.deleting = true;
    stage.sees(&[done], &[]);
    stage.look(61);
    assert_eq!(stage.status.phase, RunPhase::Succeeded);
}

#[test]
fn a_drained_queue_is_a_success_whatever_its_job_says() {
    let mut stage = at_work(2, 9);
    running(&mut stage, 2);
    stage.look(20);
    stage.sees_queue("keys", queue(0, 9));
    let open = job("r-keys-1", "keys", 2, at(10));
    let lost = exited("w0", &open, 137, "", at(30));
    stage.sees(&[failed(open, "BackoffLimitExceeded")], &[lost]);
    stage.look(31);
    stage
        .seen
        .logs
        .insert("w0".to_owned(), "out of memory".to_owned());
    stage.look(32);
    let step = stage.step("keys");
    assert_eq!(step.phase, Phase::Succeeded);
    assert_eq!(
        step.message,
        "9 of 9 items done; Job r-keys-1 ended Failed (BackoffLimitExceeded), but it is the queue that counts"
    );
    assert_eq!(step.failures[0].log.as_deref(), Some("out of memory"));
    assert_eq!(step.failed_pods, 1);
}

#[test]
fn dead_items_are_a_failure_only_beyond_what_is_tolerated() {
    for (tolerate, phase) in [
        (Tolerate::Items(1), Phase::Failed),
        (Tolerate::Items(2), Phase::Succeeded),
        (Tolerate::Percent(19.0), Phase::Failed),
        (Tolerate::Percent(20.0), Phase::Succeeded),
    ] {
        let mut stage = at_work(2, 10);
        if let Work::Items(pool) = &mut stage.run.steps[0].work {
            pool.tolerate = tolerate;
        }
        let mut drained = queue(0, 10);
        (drained.counts.done, drained.counts.dead) = (8, 2);
        stage.sees_queue("keys", drained);
        let open = job("r-keys-1", "keys", 2, at(10));
        stage.sees(&[completed(open)], &[]);
        stage.look(20);
        assert_eq!(stage.step("keys").phase, phase, "{tolerate:?}");
        if phase == Phase::Failed {
            assert_eq!(stage.step("keys").reason, "DeadItems");
        }
    }
}

#[test]
fn while_the_server_is_away_everything_waits_and_a_lost_queue_is_the_end() {
    let mut stage = at_work(3, 9);
    let away = QueueSeen::Unreachable(at(15), "connection refused".to_owned());
    stage.seen.queues.insert("keys".to_owned(), away);
    let open = job("r-keys-1", "keys", 3, at(10));
    let left: Vec<_> = (0..30)
        .map(|n| exited(&format!("w{n}"), &open, 69, "", at(20)))
        .collect();
    for pod in &left {
        stage.seen.logs.insert(pod.name.clone(), String::new());
    }
    stage.sees(&[open], &left);
    assert_eq!(stage.look(20), []);
    assert_eq!(stage.look(2_000), []);
    assert_eq!(stage.holds("Blocked"), Some("ServerUnreachable"));
    stage.sees_queue("keys", queue(9, 9));
    stage.look(2_001);
    assert_eq!(
        stage.step("keys").ending,
        None,
        "they left for want of the server"
    );
    stage
        .seen
        .queues
        .insert("keys".to_owned(), QueueSeen::Missing);
    stage.look(2_002);
    assert_eq!(
        stage.step("keys").ending.as_ref().expect("an end").reason,
        "QueueLost"
    );
}

#[test]
fn a_given_queue_is_neither_loaded_nor_sealed_and_its_seal_is_asked_for() {
    let mut stage = Stage::new(run(vec![pool("keys", 2)]));
    if let Work::Items(pool) = &mut stage.run.steps[0].work {
        pool.items = Items::Queue("mine".parse().expect("a name"));
    }
    assert_eq!(stage.look(0), []);
    assert_eq!(
        stage.step("keys").pool.as_ref().expect("a pool").queue,
        "mine"
    );
    let mut open = queue(0, 5);
    (open.sealed, open.drained) = (false, false);
    stage.sees_queue("keys", open);
    assert_eq!(stage.look(1), [], "nothing is left that a worker could do");
    assert_eq!(stage.holds("Blocked"), Some("QueueNotSealed"));
    stage.sees_queue("keys", queue(0, 5));
    stage.look(2);
    assert_eq!(stage.status.phase, RunPhase::Succeeded);
}

#[test]
fn a_queue_that_whoever_made_the_run_fills_is_waited_for() {
    let mut stage = Stage::new(run(vec![pool("keys", 2)]));
    stage.look(0);
    let own = stage
        .step("keys")
        .pool
        .as_ref()
        .expect("a pool")
        .queue
        .clone();
    let mut stage = Stage::new(run(vec![pool("keys", 2)]));
    if let Work::Items(pool) = &mut stage.run.steps[0].work {
        pool.items = Items::Queue(own.parse().expect("a name"));
    }
    stage
        .seen
        .queues
        .insert("keys".to_owned(), QueueSeen::Missing);
    assert_eq!(stage.look(0), []);
    assert_eq!(stage.holds("Blocked"), Some("WaitsForItems"));
    assert_eq!(stage.wake, Some(Duration::from_secs(1)));
    let mut open = queue(0, 0);
    (open.sealed, open.drained) = (false, false);
    open.name = own.parse().expect("a name");
    stage.sees_queue("keys", open.clone());
    assert_eq!(stage.look(1), []);
    assert_eq!(stage.holds("Blocked"), Some("WaitsForItems"));
    (open.sealed, open.drained) = (true, true);
    stage.sees_queue("keys", open);
    stage.look(2);
    assert_eq!(stage.status.phase, RunPhase::Succeeded);
}

#[test]
fn what_can_never_be_loaded_fails_the_step_and_what_may_be_is_waited_for() {
    let mut stage = Stage::new(run(vec![pool("keys", 2)]));
    stage.look(0);
    let mut load = |hopeless| {
        let message = "items.txt is not there".to_owned();
        stage
            .seen
            .loads
            .insert("keys".to_owned(), LoadSeen::Failed { message, hopeless });
        stage.look(1);
        (
            stage.status.phase,
            stage.holds("Blocked").map(str::to_owned),
        )
    };
    assert_eq!(
        load(false),
        (RunPhase::Running, Some("LoadFailed".to_owned()))
    );
    assert_eq!(load(true), (RunPhase::Failed, None));
}

#[test]
fn a_queue_that_is_lost_after_it_was_drained_takes_nothing_back() {
    for after in [
        QueueSeen::Missing,
        QueueSeen::Unreachable(at(31), "refused".to_owned()),
    ] {
        let mut stage = at_work(2, 9);
        running(&mut stage, 2);
        stage.look(20);
        stage.sees_queue("keys", queue(0, 9));
        stage.look(30);
        stage.seen.queues.insert("keys".to_owned(), after);
        stage.look(31);
        stage.sees(&[completed(job("r-keys-1", "keys", 2, at(10)))], &[]);
        stage.look(32);
        assert_eq!(stage.status.phase, RunPhase::Succeeded);
        assert_eq!(stage.step("keys").message, "9 of 9 items done");
    }
}
