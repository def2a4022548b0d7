//! Runs from their beginning to their end, whatever people ask of them meanwhile.

use std::time::Duration;

use fake_kube::{FakeApi, Fault};
use serde_json::json;

use super::world::{World, items, once};
use crate::flow::Phase;
use crate::kube::object::CANCEL;
use crate::kube::status::RunPhase;

#[tokio::test]
async fn a_run_goes_from_its_creation_to_success() {
    let world = World::start().await;
    let _controller = world.controller("a");
    let run = world.run("r", json!([items("keys", 3, 2)]));
    world.job("r-keys-1").await;
    let written = world.first("patch", "runs/status");
    assert!(written < world.first("create", "jobs"), "written first");
    let job = world.api.get("jobs", "r-keys-1").expect("a Job");
    let owner = &job["metadata"]["ownerReferences"][0];
    assert_eq!(
        (&owner["uid"], &owner["controller"]),
        (&run["metadata"]["uid"], &json!(true))
    );
    let queue = world
        .queue_is("run.team.r.keys", "it is sealed", |queue| queue.sealed)
        .await;
    assert_eq!(queue.totals.enqueued, 3);
    world.pods_run("r-keys-1", 2);
    assert_eq!(world.work_off("run.team.r.keys").await.len(), 3);
    world
        .status_is("r", "it is known to be drained", |status| {
            status.steps[0]
                .pool
                .as_ref()
                .is_some_and(|pool| pool.drained_at.is_some())
        })
        .await;
    world.pods_succeed("r-keys-1");
    world
        .status_is("r", "it succeeded", |status| {
            status.phase == RunPhase::Succeeded
        })
        .await;
    let told = |_: &FakeApi| {
        let told: Vec<_> = world.told().into_iter().map(|(reason, _)| reason).collect();
        told == [
            "StepStarted",
            "RoundStarted",
            "StepSucceeded",
            "RunFinished",
        ]
    };
    world.api.until("it was told of", told).await;
    assert_eq!(world.api.names("jobs"), ["r-keys-1"]);
}

#[tokio::test]
async fn each_step_is_told_of_by_its_own_words() {
    let world = World::start().await;
    let _controller = world.controller("a");
    world.run(
        "r",
        json!([once("one"), {"name": "two", "after": ["one"], "image": "x:1", "command": ["do"]}]),
    );
    for job in ["r-one-1", "r-two-1"] {
        world.job(job).await;
        world.pods_run(job, 1);
        world.pods_succeed(job);
    }
    world
        .status_is("r", "it succeeded", |status| {
            status.phase == RunPhase::Succeeded
        })
        .await;
    let told = |_: &FakeApi| {
        let told =
            |step| world.was_told("StepStarted", step) && world.was_told("StepSucceeded", step);
        told("one") && told("two")
    };
    world.api.until("both were told of", told).await;
}

#[tokio::test]
async fn the_end_of_a_failed_pods_log_is_kept() {
    let world = World::start().await;
    let _controller = world.controller("a");
    world.run("r", json!([once("one")]));
    world.job("r-one-1").await;
    world.api.log("r-one-1-pod-0", "first\nit broke\n");
    world.pod_fails("r-one-1", 3);
    world
        .status_is("r", "it failed and its log is kept", |status| {
            let failures = status.steps[0].failures.first();
            let log = failures.and_then(|failure| failure.log.as_deref());
            status.phase == RunPhase::Failed && log == Some("first\nit broke")
        })
        .await;
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_given_up() {
    let world = World::start().await;
    let _controller = world.controller("a");
    let often = Fault::answer("get", "pods/log", 500, "InternalError").times(usize::MAX);
    world.api.fault(often);
    world.run_of("r", json!({"steps": [once("one")], "ttl": "1s"}));
    world.job("r-one-1").await;
    world.pod_fails("r-one-1", 3);
    let gone = |api: &FakeApi| api.get("runs", "r").is_none();
    world.api.until("the run's time is over", gone).await;
    assert!(world.api.times("get", "pods/log") < 10);
}

#[tokio::test]
async fn one_unreadable_run_does_not_keep_others_from_going_on() {
    let world = World::start().await;
    world.run_of("bad-spec", json!({"steps": "none", "ttl": "1h"}));
    world.run("bad-status", json!([once("one")]));
    world.api.change("runs", "bad-status", |run| {
        run["status"] = json!({"phase": 7});
    });
    let _controller = world.controller("a");
    world.run("good", json!([once("one")]));
    world.job("good-one-1").await;
    world
        .status_is("bad-spec", "it failed", |status| {
            status.phase == RunPhase::Failed
        })
        .await;
    let status = world.status("bad-spec");
    assert_eq!(status.reason, "InvalidSpec");
    world
        .never(
            "a run that has ended is written again",
            Duration::from_secs(5),
            |world| world.status("bad-spec") != status,
        )
        .await;
    let told = world.told();
    let invalid = told.iter().filter(|(reason, _)| reason == "InvalidSpec");
    assert_eq!(invalid.count(), 1, "{told:?}");
}

#[tokio::test]
async fn a_run_that_has_ended_stays_as_it_is_when_its_spec_becomes_unreadable() {
    let world = World::start().await;
    world.run_of("r", json!({"steps": "none", "ttl": "1h"}));
    world.api.change("runs", "r", |run| {
        run["status"] = json!({"phase": "Succeeded", "finishedAt": "2026-01-01T00:00:00Z"});
    });
    let _controller = world.controller("a");
    world.run("other", json!([once("one")]));
    world.job("other-one-1").await;
    world
        .never("its end is another", Duration::from_secs(2), |world| {
            world.status("r").phase != RunPhase::Succeeded
        })
        .await;
}

#[tokio::test]
async fn a_run_is_cancelled_by_its_annotation_though_the_server_has_a_bad_moment() {
    let world = World::start().await;
    let _controller = world.controller("a");
    world.run("r", json!([once("one")]));
    world.job("r-one-1").await;
    world.pods_run("r-one-1", 1);
    world
        .status_is("r", "its Job was seen", |status| {
            status.steps[0].jobs[0].seen
        })
        .await;
    world
        .api
        .fault(Fault::answer("get", "runs", 500, "InternalError").times(2));
    world.api.change("runs", "r", |run| {
        run["metadata"]["annotations"] = json!({CANCEL: "enough"});
    });
    world
        .status_is("r", "it was cancelled", |status| {
            status.phase == RunPhase::Cancelled
        })
        .await;
    assert!(world.api.names("jobs").is_empty());
}

#[tokio::test]
async fn a_cancelled_run_is_cancelled_however_busy_its_keeper_is() {
    let world = World::start().await;
    let _controller = world.controller("a");
    world.run("r", json!([items("keys", 3, 2)]));
    world.job("r-keys-1").await;
    world.pods_run("r-keys-1", 1);
    world
        .status_is("r", "its Job was seen", |status| {
            status.steps[0].jobs[0].seen
        })
        .await;
    // A queue that is drained just then wakes the keeper while it gathers changes.
    world.api.change("runs", "r", |run| {
        run["metadata"]["annotations"] = json!({CANCEL: ""});
    });
    world.work_off("run.team.r.keys").await;
    world
        .status_is("r", "it was cancelled", |status| {
            status.phase == RunPhase::Cancelled
        })
        .await;
}

#[tokio::test]
async fn a_run_goes_after_its_time_and_its_jobs_before_it() {
    let world = World::start().await;
    let _controller = world.controller("a");
    world.run_of("r", json!({"steps": [once("one")], "ttl": "2s"}));
    world.job("r-one-1").await;
    world.pods_run("r-one-1", 1);
    world.pods_succeed("r-one-1");
    world
        .status_is("r", "it succeeded", |status| {
            status.phase == RunPhase::Succeeded
        })
        .await;
    assert!(world.api.get("runs", "r").is_some(), "it has two seconds");
    let gone = |api: &FakeApi| api.get("runs", "r").is_none();
    world.api.until("the run's time is over", gone).await;
    let expired = world
        .first("patch", "jobs")
        .expect("its Job was let expire");
    assert!(Some(expired) < world.first("delete", "runs"));
}

#[tokio::test]
async fn steps_that_fail_and_steps_after_them_are_told_apart() {
    let world = World::start().await;
    let _controller = world.controller("a");
    let after = |name: &str, when: &str| json!({"name": name, "after": ["one"], "when": when, "image": "x:1", "command": ["do"]});
    world.run(
        "r",
        json!([
            once("one"),
            after("ok", "succeeded"),
            after("tidy", "failed")
        ]),
    );
    world.job("r-one-1").await;
    world.pod_fails("r-one-1", 1);
    world.job("r-tidy-1").await;
    world.pods_run("r-tidy-1", 1);
    world.pods_succeed("r-tidy-1");
    world
        .status_is("r", "it failed", |status| status.phase == RunPhase::Failed)
        .await;
    let phases: Vec<_> = world
        .status("r")
        .steps
        .iter()
        .map(|step| step.phase)
        .collect();
    assert_eq!(phases, [Phase::Failed, Phase::Skipped, Phase::Succeeded]);
}
