//! What the API server refuses, says too late, or never says.

use std::time::Duration;

use fake_kube::{FakeApi, Fault};
use serde_json::{Value, json};

use super::world::{World, items, once};
use crate::kube::object::CANCEL;
use crate::kube::status::{Condition, RunPhase};

fn condition(world: &World, run: &str, kind: &str) -> Option<Condition> {
    let status = world.status(run);
    status.conditions.into_iter().find(|c| c.r#type == kind)
}

fn blocked(world: &World, run: &str) -> Option<(String, String)> {
    let found = condition(world, run, "Blocked").filter(|c| c.status == "True");
    found.map(|c| (c.reason, c.message))
}

async fn is_blocked(world: &World, run: &str, reason: &str) -> String {
    let so = |_: &FakeApi| blocked(world, run).is_some_and(|(why, _)| why == reason);
    world
        .api
        .until(&format!("{run} is blocked: {reason}"), so)
        .await;
    blocked(world, run)
        .map(|(_, message)| message)
        .unwrap_or_default()
}

fn cancel(world: &World, run: &str) {
    world.api.change("runs", run, |run| {
        run["metadata"]["annotations"] = json!({CANCEL: ""});
    });
}

#[tokio::test]
async fn a_run_that_was_changed_in_between_is_read_again() {
    let world = World::start().await;
    world
        .api
        .fault(Fault::answer("patch", "runs/status", 409, "Conflict").times(2));
    let _controller = world.controller("a");
    world.run("r", json!([once("one")]));
    world.job("r-one-1").await;
    world.api.change("runs", "r", |run| {
        run["metadata"]["annotations"] = json!({"somebody": "was here"});
    });
    world.pods_run("r-one-1", 1);
    world.pods_succeed("r-one-1");
    world
        .status_is("r", "it succeeded", |status| {
            status.phase == RunPhase::Succeeded
        })
        .await;
    assert_eq!(world.api.names("jobs"), ["r-one-1"]);
}

#[tokio::test]
async fn a_missing_right_is_told_in_the_servers_words_and_passes() {
    let world = World::start().await;
    world.api.forbid("create", "jobs");
    let _controller = world.controller("a");
    world.run("r", json!([once("one")]));
    let message = is_blocked(&world, "r", "Forbidden").await;
    assert!(
        message.contains("cannot create resource \"jobs\""),
        "{message}"
    );
    world.api.permit_all();
    world.job("r-one-1").await;
    world.pods_run("r-one-1", 1);
    world
        .status_is("r", "nothing is in its way", |_| {
            blocked(&world, "r").is_none()
        })
        .await;
}

#[tokio::test]
async fn a_right_that_is_missing_for_a_change_is_told_and_asked_for_seldom() {
    let world = World::start().await;
    let _controller = world.controller("a");
    world.run("r", json!([items("keys", 1_000, 2)]));
    world.job("r-keys-1").await;
    world.pods_run("r-keys-1", 2);
    world
        .status_is("r", "its Job was seen", |status| {
            status.steps[0].jobs[0].seen
        })
        .await;
    world.api.forbid("patch", "jobs");
    world.api.change("jobs", "r-keys-1", |job| {
        job["spec"]["parallelism"] = 1.into();
    });
    is_blocked(&world, "r", "Forbidden").await;
    world
        .never(
            "it is asked for again and again",
            Duration::from_secs(7),
            |world| world.api.times("patch", "jobs") > 2,
        )
        .await;
    world.api.permit_all();
    let mended = |api: &FakeApi| {
        api.get("jobs", "r-keys-1")
            .is_some_and(|job| job["spec"]["parallelism"] == 2)
    };
    world.api.until("the Job has its two workers", mended).await;
    world
        .status_is("r", "nothing is in its way", |_| {
            blocked(&world, "r").is_none()
        })
        .await;
}

#[tokio::test]
async fn somebody_elses_job_of_that_name_is_told_of_and_left_alone() {
    let world = World::start().await;
    world.api.put(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "r-one-1"}, "spec": {}}));
    let _controller = world.controller("a");
    world.run("r", json!([once("one")]));
    let message = is_blocked(&world, "r", "NameTaken").await;
    assert!(message.contains("belongs to something else"), "{message}");
    cancel(&world, "r");
    world
        .status_is("r", "it was cancelled", |status| {
            status.phase == RunPhase::Cancelled
        })
        .await;
    assert_eq!(
        world.api.names("jobs"),
        ["r-one-1"],
        "it is somebody else's"
    );
}

#[tokio::test]
async fn a_job_that_is_gone_already_need_not_be_deleted() {
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
        .fault(Fault::answer("delete", "jobs", 404, "NotFound"));
    cancel(&world, "r");
    let asked = |api: &FakeApi| api.times("delete", "jobs") > 0;
    world.api.until("it is to be deleted", asked).await;
    world.api.delete("jobs", "r-one-1");
    world
        .status_is("r", "it was cancelled", |status| {
            status.phase == RunPhase::Cancelled
        })
        .await;
}

#[tokio::test]
async fn a_request_that_is_never_answered_is_made_again() {
    for (verb, resource) in [
        ("create", "jobs"),
        ("patch", "runs/status"),
        ("get", "runs"),
    ] {
        let world = World::start().await;
        world.api.fault(Fault::silence(verb, resource));
        let _controller = world.controller("a");
        world.run("r", json!([once("one")]));
        let asked = |api: &FakeApi| api.times(verb, resource) > 0;
        world.api.until("it is asked", asked).await;
        world.api.mend();
        world.job("r-one-1").await;
    }
}

#[tokio::test]
async fn what_a_quota_leaves_bounds_the_workers() {
    let world = World::start().await;
    world.api.put(json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"},
        "spec": {"hard": {"pods": "10"}}, "status": {"hard": {"pods": "10"}, "used": {"pods": "9"}},
    }));
    let _controller = world.controller("a");
    world.run("r", json!([items("keys", 1_000, 5)]));
    world.job("r-keys-1").await;
    let job: Value = world.api.get("jobs", "r-keys-1").expect("a Job");
    assert_eq!(job["spec"]["parallelism"], 1);
}

#[tokio::test]
async fn a_pod_that_a_quota_refuses_is_told_of_and_an_older_refusal_is_not() {
    let world = World::start().await;
    for (job, time) in [
        ("r-one-1", "2099-01-01T00:00:00Z"),
        ("old-one-1", "2020-01-01T00:00:00Z"),
    ] {
        world.api.put(json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": job},
            "involvedObject": {"kind": "Job", "name": job}, "reason": "FailedCreate",
            "message": "pods is forbidden: exceeded quota: team", "lastTimestamp": time,
        }));
    }
    let _controller = world.controller("a");
    for run in ["r", "old"] {
        world.run(run, json!([once("one")]));
    }
    let message = is_blocked(&world, "r", "QuotaExceeded").await;
    assert!(message.contains("exceeded quota: team"), "{message}");
    world
        .status_is("old", "its Job was seen", |status| {
            status
                .steps
                .first()
                .is_some_and(|step| step.jobs.first().is_some_and(|job| job.seen))
        })
        .await;
    assert_eq!(blocked(&world, "old"), None);
}

#[tokio::test]
async fn the_events_of_many_jobs_are_asked_for_together() {
    let world = World::start().await;
    let _controller = world.controller("a");
    let each: Vec<_> = (0..40).map(|n| n.to_string()).collect();
    world.run(
        "r",
        json!([{"name": "one", "forEach": each, "image": "x:1", "command": ["do"]}]),
    );
    let all = |api: &FakeApi| api.names("jobs").len() == 40;
    world.api.until("all Jobs are made", all).await;
    let seen =
        |status: &crate::kube::status::RunStatus| status.steps[0].jobs.iter().all(|job| job.seen);
    world.status_is("r", "all were seen", seen).await;
    assert!(
        world.api.times("list", "events") <= 3,
        "{}",
        world.api.times("list", "events")
    );
}
