//! Controllers that are killed at the worst moment, and others that go on.
//!
//! The second has the name of the first and so need not wait for its lease.

use fake_kube::{FakeApi, Fault};
use serde_json::json;

use super::world::{World, items};
use crate::kube::status::RunPhase;

async fn ends_well_with_one_job(world: &World) {
    world.job("r-keys-1").await;
    world.pods_run("r-keys-1", 2);
    world
        .queue_is("run.team.r.keys", "it is sealed", |queue| queue.sealed)
        .await;
    world.work_off("run.team.r.keys").await;
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
    let rounds = world.status("r").steps[0]
        .pool
        .as_ref()
        .map(|pool| pool.round);
    assert_eq!(rounds, Some(1), "there never was a second Job");
    let names = world.api.names("jobs");
    assert!(names.iter().all(|name| name == "r-keys-1"), "{names:?}");
}

#[tokio::test]
async fn killed_between_the_status_and_the_job_it_is_followed_by_one_that_makes_the_job() {
    let world = World::start().await;
    world.api.fault(Fault::silence("create", "jobs").from("a"));
    let first = world.controller("a");
    world.run("r", json!([items("keys", 3, 2)]));
    let asked = |api: &FakeApi| api.times("create", "jobs") > 0;
    world.api.until("a Job is asked for", asked).await;
    first.kill();
    assert_eq!(world.status("r").steps[0].jobs[0].name, "r-keys-1");
    world.api.mend();
    let _second = world.controller("a");
    ends_well_with_one_job(&world).await;
}

#[tokio::test]
async fn killed_after_the_job_was_made_it_is_followed_by_one_that_makes_no_second() {
    let world = World::start().await;
    world.api.fault(Fault::silence_after("create", "jobs"));
    let first = world.controller("a");
    world.run("r", json!([items("keys", 3, 2)]));
    world.job("r-keys-1").await;
    first.kill();
    world.api.mend();
    let _second = world.controller("a");
    ends_well_with_one_job(&world).await;
}

#[tokio::test]
async fn killed_before_its_status_was_written_it_has_done_nothing() {
    let world = World::start().await;
    world.api.fault(Fault::silence("patch", "runs/status"));
    let first = world.controller("a");
    world.run("r", json!([items("keys", 3, 2)]));
    let asked = |api: &FakeApi| api.times("patch", "runs/status") > 0;
    world.api.until("a status is to be written", asked).await;
    first.kill();
    assert!(world.api.names("jobs").is_empty() && world.queue_names().await.is_empty());
    world.api.mend();
    let _second = world.controller("a");
    ends_well_with_one_job(&world).await;
}

#[tokio::test]
async fn killed_in_the_middle_of_loading_it_is_followed_by_one_that_goes_on_there() {
    let world = World::start().await;
    let first = world.controller("a");
    let mut step = items("keys", 50_000, 2);
    step["items"]["format"] = format!("{}-%05d", "x".repeat(200)).into();
    world.run("r", json!([step]));
    let queue = "run.team.r.keys";
    let before = world
        .queue_is(queue, "something is in", |queue| queue.totals.enqueued > 0)
        .await;
    first.kill();
    assert!(before.totals.enqueued < 50_000, "it was killed too late");
    let _second = world.controller("a");
    let all = world
        .queue_is(queue, "it is sealed", |queue| queue.sealed)
        .await;
    assert_eq!(all.totals.enqueued, 50_000);
    let mut items = world.work_off(queue).await;
    items.sort();
    items.dedup();
    assert_eq!(items.len(), 50_000, "nothing is in twice");
}

#[tokio::test]
async fn a_status_whose_answer_was_lost_is_read_again() {
    let world = World::start().await;
    world
        .api
        .fault(Fault::lose_answer("patch", "runs/status").times(2));
    let _controller = world.controller("a");
    world.run("r", json!([items("keys", 3, 2)]));
    ends_well_with_one_job(&world).await;
}
