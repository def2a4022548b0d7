//! The workers of a step with items: rounds one after the other and side by side, and those that never come.

use super::super::{Action, PodPhase, QuotaSeen, Refusal};
use super::forms::{at, completed, exited, failed, job, pod, pool, queue, run};
use super::stage::{Stage, at_work, deleted, made, running, scaled};
use crate::kube::status::RunPhase;
use crate::spec::Work;

#[test]
fn a_job_that_ends_before_the_queue_is_drained_is_followed_by_a_round_after_a_while() {
    for ended in [
        completed(job("r-keys-1", "keys", 2, at(10))),
        failed(job("r-keys-1", "keys", 2, at(10)), "BackoffLimitExceeded"),
    ] {
        let mut stage = at_work(2, 9);
        let code = i32::from(ended.failed > 0);
        let pods = [exited("w0", &ended, code, "", at(19))];
        stage.seen.logs.insert("w0".to_owned(), String::new());
        stage.sees(&[ended], &pods);
        assert_eq!(made(&stage.look(20)), [""; 0]);
        assert_eq!(made(&stage.look(29)), [""; 0]);
        assert_eq!(made(&stage.look(30)), ["r-keys-2"]);
        assert_eq!(stage.told.last(), Some(&"RoundStarted"));
    }
}

#[test]
fn six_rounds_without_an_item_finished_are_given_up_and_progress_counts_anew() {
    let mut stage = at_work(2, 100);
    let (mut now, mut done) = (20, 0);
    let mut rounds = 1;
    while stage.status.phase == RunPhase::Running {
        assert!(rounds < 20, "it is given up");
        let name = format!("r-keys-{rounds}");
        let ended = failed(job(&name, "keys", 2, at(now)), "BackoffLimitExceeded");
        let pods = [exited(&format!("w{rounds}"), &ended, 1, "boom", at(now))];
        stage.seen.logs.insert(format!("w{rounds}"), String::new());
        if rounds == 3 {
            done = 1;
            stage.sees_queue("keys", queue(100 - done, 100));
        }
        stage.sees(&[ended], &pods);
        stage.look(now);
        stage.look(now + 299);
        now += 300;
        stage.look(now);
        rounds += 1;
    }
    assert_eq!(rounds, 3 + 7, "six after the one that got somewhere");
    let step = stage.step("keys");
    assert_eq!(step.reason, "WorkersFail");
    assert_eq!(done, step.pool.as_ref().expect("a pool").done);
    assert_eq!(
        step.message,
        "6 rounds of workers finished no item; the last: pod w9 exited 1: boom"
    );
}

#[test]
fn a_job_that_somebody_deleted_is_followed_by_a_round_once_it_stays_away() {
    let mut stage = at_work(2, 9);
    running(&mut stage, 2);
    stage.look(20);
    stage.sees(&[], &[]);
    stage.seen.fresh = false;
    assert_eq!(stage.look(80), []);
    assert_eq!(stage.look(100), []);
    assert_eq!(
        stage.step("keys").jobs[0].ended,
        None,
        "old lists say nothing"
    );
    stage.seen.fresh = true;
    assert_eq!(stage.look(101), []);
    stage.look(106);
    assert_eq!(made(&stage.look(116)), ["r-keys-2"]);
}

#[test]
fn exits_that_no_other_worker_would_mend_fail_the_step_at_once() {
    for code in [64, 65, 77, 78] {
        let mut stage = at_work(2, 9);
        let open = job("r-keys-1", "keys", 2, at(10));
        stage.sees(
            std::slice::from_ref(&open),
            &[exited("w0", &open, code, "no such handler", at(19))],
        );
        stage.look(20);
        let ending = stage.step("keys").ending.clone().expect("an end");
        assert_eq!(ending.reason, "WorkerFailed");
        let said =
            format!("pod w0 exited {code}: no such handler; another worker would do no better");
        assert_eq!(ending.message, said);
        stage.seen.logs.insert("w0".to_owned(), "log".to_owned());
        assert_eq!(
            deleted(&stage.look(21)),
            ["r-keys-1"],
            "once its log is read"
        );
    }
}

#[test]
fn a_worker_that_gives_up_is_quoted_with_its_error_and_not_with_its_farewell() {
    let mut stage = at_work(2, 9);
    let open = job("r-keys-1", "keys", 2, at(10));
    let log = "2026-01-01T00:00:01.5Z  INFO working\n2026-01-01T00:00:02.5Z ERROR this worker needs a token\n\
               2026-01-01T00:00:02.6Z  WARN ended before the queue was finished";
    stage.sees(
        std::slice::from_ref(&open),
        &[exited("w0", &open, 77, log, at(19))],
    );
    stage.look(20);
    let ending = stage.step("keys").ending.clone().expect("an end");
    assert_eq!(
        ending.message,
        "pod w0 exited 77: this worker needs a token; another worker would do no better"
    );
}

#[test]
fn missing_workers_make_a_round_beside_that_gets_what_the_old_one_leaves() {
    let mut stage = at_work(5, 90);
    let mut old = job("r-keys-1", "keys", 5, at(10));
    let two = [
        pod("w0", &old, PodPhase::Running),
        pod("w1", &old, PodPhase::Running),
    ];
    stage.sees(std::slice::from_ref(&old), &two);
    assert_eq!(stage.look(20), []);
    assert_eq!(stage.look(79), [], "it may be Kubernetes' own wait");
    assert_eq!(scaled(&stage.look(80)), [("r-keys-1", 2)]);
    assert_eq!(made(&stage.look(89)), [""; 0]);
    old.parallelism = 2;
    stage.sees(std::slice::from_ref(&old), &two);
    let beside = Action::CreateJob {
        step: 0,
        name: "r-keys-2".to_owned(),
        element: None,
        number: 2,
        parallelism: 3,
    };
    assert_eq!(stage.look(90), [beside]);
    // One of the old one's workers goes: the new one gets its place.
    let new = job("r-keys-2", "keys", 3, at(90));
    stage.sees(&[old.clone(), new.clone()], &two[..1]);
    assert_eq!(
        scaled(&stage.look(95)),
        [("r-keys-1", 1)],
        "first the old one is told"
    );
    old.parallelism = 1;
    stage.sees(&[old.clone(), new.clone()], &two[..1]);
    assert_eq!(scaled(&stage.look(96)), [("r-keys-2", 4)]);
    stage.sees(&[old, new], &[]);
    assert_eq!(deleted(&stage.look(97)), ["r-keys-1"]);
}

#[test]
fn workers_that_a_quota_or_a_rule_keeps_out_make_no_round_and_are_told_of() {
    let mut stage = at_work(5, 90);
    let mut job = job("r-keys-1", "keys", 5, at(10));
    let two = [
        pod("w0", &job, PodPhase::Running),
        pod("w1", &job, PodPhase::Running),
    ];
    stage.sees(std::slice::from_ref(&job), &two);
    stage.seen.quota = Some(QuotaSeen {
        more_pods: 0,
        binding: "team/pods".to_owned(),
    });
    stage.look(20);
    assert_eq!(made(&stage.look(300)), [""; 0]);
    assert!(
        stage
            .step("keys")
            .pool
            .as_ref()
            .expect("a pool")
            .short_since
            .is_none()
    );
    stage.seen.quota = None;
    // One from before its pods is none any more.
    job.pods_refused = Some((at(9), "exceeded quota: team".to_owned()));
    stage.sees(std::slice::from_ref(&job), &two);
    stage.look(300);
    assert_eq!(stage.holds("Blocked"), None);
    job.pods_refused = Some((at(300), "exceeded quota: team".to_owned()));
    stage.sees(&[job], &two);
    stage.look(301);
    stage.look(400);
    assert_eq!(stage.holds("Blocked"), Some("QuotaExceeded"));
    assert!(
        stage
            .step("keys")
            .pool
            .as_ref()
            .expect("a pool")
            .short_since
            .is_none()
    );
}

#[test]
fn pools_side_by_side_share_what_a_quota_leaves() {
    let mut stage = Stage::new(run(vec![pool("keys", 3), pool("more", 3)]));
    stage.look(0);
    stage.sees_queue("keys", queue(9, 9));
    stage.sees_queue("more", queue(9, 9));
    stage.seen.quota = Some(QuotaSeen {
        more_pods: 4,
        binding: "team/pods".to_owned(),
    });
    stage.look(1);
    let asked = |name: &str| {
        let jobs = stage.step(name).jobs.iter();
        jobs.map(|job| job.parallelism).sum::<u32>()
    };
    assert_eq!((asked("keys"), asked("more")), (3, 1));
}

#[test]
fn a_suspended_job_is_waited_for_and_told_of() {
    let mut stage = at_work(2, 9);
    let mut held = job("r-keys-1", "keys", 2, at(10));
    held.suspended = true;
    stage.sees(&[held], &[]);
    stage.look(20);
    assert_eq!(stage.look(5_000), []);
    assert_eq!(stage.holds("Blocked"), Some("Suspended"));
}

#[test]
fn a_refused_job_is_tried_again_with_longer_and_longer_waits() {
    let mut stage = at_work(2, 9);
    let refuse = |stage: &mut Stage, seconds| {
        let refusal = Refusal {
            code: 403,
            reason: "Forbidden".to_owned(),
            message: "User \"x\" cannot create resource \"jobs\"".to_owned(),
            at: at(seconds),
        };
        stage.seen.refusals.insert("r-keys-1".to_owned(), refusal);
    };
    for (from, to) in [(10, 20), (20, 40), (40, 80), (80, 160)] {
        refuse(&mut stage, from);
        assert_eq!(stage.look(to - 1), []);
        assert_eq!(made(&stage.look(to)), ["r-keys-1"]);
    }
    assert_eq!(stage.holds("Blocked"), Some("Forbidden"));
    let message = &stage.condition("Blocked").expect("a condition").message;
    assert!(
        message.contains("cannot create resource \"jobs\""),
        "{message}"
    );
    stage.seen.refusals.clear();
    running(&mut stage, 2);
    stage.look(161);
    assert_eq!(stage.holds("Blocked"), None);
}

#[test]
fn an_object_that_kubernetes_does_not_take_fails_the_step() {
    let mut stage = at_work(2, 9);
    let refusal = Refusal {
        code: 422,
        reason: "Invalid".to_owned(),
        message: "spec.template.spec.containers[0].image: Required value".to_owned(),
        at: at(10),
    };
    stage.seen.refusals.insert("r-keys-1".to_owned(), refusal);
    assert_eq!(stage.look(11), []);
    assert_eq!(stage.status.phase, RunPhase::Failed);
    assert_eq!(stage.step("keys").reason, "InvalidObject");
}

#[test]
fn a_pod_that_does_not_start_fails_the_step_with_its_own_words_and_one_without_a_node_does_not() {
    let mut stage = at_work(1, 9);
    let open = job("r-keys-1", "keys", 1, at(10));
    let mut stuck = pod("w0", &open, PodPhase::Pending);
    stuck.waiting = Some((
        "ImagePullBackOff".to_owned(),
        "Back-off pulling image \"x\"".to_owned(),
    ));
    stage.sees(std::slice::from_ref(&open), std::slice::from_ref(&stuck));
    stage.look(10);
    assert_eq!(deleted(&stage.look(309)), [""; 0]);
    assert_eq!(stage.holds("Blocked"), Some("ImagePullBackOff"));
    assert_eq!(deleted(&stage.look(310)), ["r-keys-1"]);
    let ending = stage.step("keys").ending.clone().expect("an end");
    assert_eq!(ending.reason, "ImagePullBackOff");
    assert_eq!(
        ending.message,
        "pod w0 does not start: ImagePullBackOff: Back-off pulling image \"x\""
    );

    let mut stage = at_work(1, 9);
    stuck.waiting = None;
    stuck.unschedulable = Some((at(11), "0/3 nodes are available".to_owned()));
    stage.sees(&[open], &[stuck]);
    stage.look(100);
    assert_eq!(stage.holds("CapacityBlocked"), Some("Unschedulable"));
    stage.look(10_000);
    assert_eq!(stage.status.phase, RunPhase::Running);
}

#[test]
fn a_pod_that_could_not_begin_before_has_all_its_time_to_start() {
    let open = job("r-keys-1", "keys", 1, at(10));
    let mut stuck = pod("w0", &open, PodPhase::Pending);
    let no_image = Some(("ErrImagePull".to_owned(), "no".to_owned()));
    // Suspended for an hour.
    let mut stage = at_work(1, 9);
    let mut held = open.clone();
    held.suspended = true;
    stage.sees(&[held], &[]);
    stage.look(3_000);
    stuck.created = at(3_610);
    stuck.waiting.clone_from(&no_image);
    stage.sees(std::slice::from_ref(&open), std::slice::from_ref(&stuck));
    assert_eq!(deleted(&stage.look(3_611)), [""; 0]);
    assert_eq!(deleted(&stage.look(3_910)), [""; 0]);
    assert_eq!(deleted(&stage.look(3_911)), ["r-keys-1"]);
    // Without a node for an hour, then a mistake; and one that was slow before that.
    for (reason, from) in [("ErrImagePull", 3_600), ("ContainerCreating", 400)] {
        let mut stage = at_work(1, 9);
        (stuck.created, stuck.waiting) = (at(10), None);
        stuck.unschedulable = Some((at(11), "0/3 nodes are available".to_owned()));
        stage.sees(std::slice::from_ref(&open), std::slice::from_ref(&stuck));
        stage.look(from - 1);
        stuck.unschedulable = None;
        stuck.waiting = Some((reason.to_owned(), String::new()));
        stage.sees(std::slice::from_ref(&open), std::slice::from_ref(&stuck));
        assert_eq!(deleted(&stage.look(from)), [""; 0], "{reason}");
        stuck.waiting.clone_from(&no_image);
        stage.sees(std::slice::from_ref(&open), std::slice::from_ref(&stuck));
        assert_eq!(deleted(&stage.look(3_610)), [""; 0], "{reason}");
        assert_eq!(deleted(&stage.look(3_910)), ["r-keys-1"], "{reason}");
    }
}

#[test]
fn a_large_image_may_take_its_time() {
    let mut stage = at_work(1, 9);
    let open = job("r-keys-1", "keys", 1, at(10));
    let mut slow = pod("w0", &open, PodPhase::Pending);
    slow.waiting = Some(("ContainerCreating".to_owned(), String::new()));
    stage.sees(&[open], &[slow]);
    stage.look(10);
    assert_eq!(stage.wake, Some(std::time::Duration::from_secs(5)));
    assert_eq!(stage.step("keys").jobs[0].held_up, None, "as most do");
    stage.look(310);
    stage.look(1_809);
    assert_eq!(stage.holds("Blocked"), None);
    stage.look(1_810);
    assert_eq!(
        stage.step("keys").ending.as_ref().expect("an end").reason,
        "ContainerCreating"
    );
}

#[test]
fn workers_that_leave_one_after_the_other_without_an_item_are_no_accident() {
    for (code, reason) in [(69, "ServerUnreachable"), (75, "WorkersFail")] {
        let mut stage = at_work(1, 9);
        let open = job("r-keys-1", "keys", 1, at(10));
        let mut pods = Vec::new();
        for n in 0..7 {
            assert_eq!(stage.step("keys").ending, None, "{code} {n}");
            stage.seen.logs.insert(format!("w{n}"), String::new());
            pods.push(exited(&format!("w{n}"), &open, code, "", at(20 + n)));
            stage.sees(std::slice::from_ref(&open), &pods);
            stage.look(20 + n);
        }
        assert_eq!(
            stage.step("keys").ending.as_ref().expect("an end").reason,
            reason
        );

        // The same pods, preempted: Kubernetes' own doing.
        let mut stage = at_work(1, 9);
        for pod in &mut pods {
            pod.disrupted = Some("PreemptionByScheduler".to_owned());
            stage.seen.logs.insert(pod.name.clone(), String::new());
        }
        stage.sees(&[open], &pods);
        stage.look(30);
        assert_eq!(stage.step("keys").ending, None);
    }
}

#[test]
fn the_number_of_workers_follows_sizing_and_is_told() {
    let mut stage = at_work(2, 90);
    running(&mut stage, 2);
    stage.look(20);
    if let Work::Items(pool) = &mut stage.run.steps[0].work {
        (pool.workers.min, pool.workers.max) = (4, 4);
    }
    assert_eq!(scaled(&stage.look(30)), [("r-keys-1", 4)]);
    assert_eq!(stage.told.last(), Some(&"WorkersScaled"));
    assert_eq!(
        scaled(&stage.look(31)),
        [("r-keys-1", 4)],
        "until it is seen"
    );
    let wake = stage.wake.expect("it looks again by itself");
    assert!(wake <= std::time::Duration::from_secs(5));
}
