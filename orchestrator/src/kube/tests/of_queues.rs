//! The queues of runs: removed with them, and never those of others.

use std::time::{Duration, Instant};

use queue_api::{LeaseRequest, SettingsPatch};
use queue_client::EnqueueOptions;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::world::{World, items, once};
use crate::kube::object::CANCEL;
use crate::kube::status::RunPhase;

async fn make(world: &World, name: &str, leased: bool) {
    let queue = world.queue(name);
    queue
        .create(&SettingsPatch::default())
        .await
        .expect("a queue");
    queue
        .enqueue("item", EnqueueOptions::default())
        .await
        .expect("an item");
    if leased {
        queue
            .lease(&LeaseRequest::default())
            .await
            .expect("a lease");
    }
}

#[tokio::test]
async fn finished_queues_of_runs_that_are_gone_are_swept_and_no_others() {
    let world = World::start().await;
    let first = world.controller("a");
    world.run("r", json!([items("keys", 3, 2)]));
    world.job("r-keys-1").await;
    let sealed = |queue: &queue_api::Queue| queue.sealed;
    world
        .queue_is("run.team.r.keys", "it is sealed", sealed)
        .await;
    first.kill();
    for name in [
        "mine",
        "run.other.gone.keys",
        "run.team.leased.keys",
        "run.team.ready.keys",
        "run.teams.gone.keys",
    ] {
        make(&world, name, name.contains("leased")).await;
    }
    for name in ["run.team.gone.keys", "run.team.r.old-step"] {
        make(&world, name, false).await;
        world.queue(name).purge().await.expect("nothing is left");
    }
    let _second = world.controller("a");
    world.queue_is_gone("run.team.gone.keys").await;
    world.queue_is_gone("run.team.r.old-step").await;
    let mut names = world.queue_names().await;
    names.sort();
    let stay = [
        "mine",
        "run.other.gone.keys",
        "run.team.leased.keys",
        "run.team.r.keys",
        "run.team.ready.keys",
        "run.teams.gone.keys",
    ];
    assert_eq!(names, stay);
    let kept = world.queue("run.team.r.keys").show().await;
    assert_eq!(kept.expect("it is there").totals.enqueued, 3);
}

#[tokio::test]
async fn a_run_that_is_deleted_takes_its_queue_with_it_and_is_not_kept_any_more() {
    let world = World::start().await;
    let _controller = world.controller("a");
    make(&world, "mine", false).await;
    world.run(
        "r",
        json!([items("keys", 3, 2), {"name": "given", "items": {"queue": "mine"}, "image": "x:1",
        "command": ["do"], "workers": 1}]),
    );
    world.job("r-keys-1").await;
    world.pods_run("r-keys-1", 2);
    world
        .queue_is("run.team.r.keys", "it is sealed", |queue| queue.sealed)
        .await;
    let held = world
        .queue("run.team.r.keys")
        .lease(&LeaseRequest::default())
        .await;
    assert_eq!(held.expect("a lease").items.len(), 1);
    world.api.delete("runs", "r");
    world.queue_is_gone("run.team.r.keys").await;
    assert_eq!(world.queue_names().await, ["mine"]);
    let requests = world.requests_of("a");
    world
        .never("it is still kept", Duration::from_secs(6), |world| {
            world.requests_of("a") > requests
        })
        .await;
}

#[tokio::test]
async fn a_run_that_is_deleted_and_made_again_at_once_begins_anew() {
    let world = World::start().await;
    let _controller = world.controller("a");
    for round in 1..=5_u64 {
        world.run("r", json!([items("keys", 1_000 + round, 2)]));
        world
            .queue_is("run.team.r.keys", "it has the items of this run", |queue| {
                queue.sealed && queue.totals.enqueued == 1_000 + round
            })
            .await;
        world.job("r-keys-1").await;
        world.api.delete("runs", "r");
    }
    world.queue_is_gone("run.team.r.keys").await;
}

#[tokio::test]
async fn what_is_loaded_for_a_run_that_is_deleted_meanwhile_does_not_stay() {
    let world = World::start().await;
    let _controller = world.controller("a");
    world.run("r", json!([items("keys", 50_000, 2)]));
    world
        .queue_is("run.team.r.keys", "something is in", |queue| {
            queue.totals.enqueued > 0
        })
        .await;
    world.api.delete("runs", "r");
    world.queue_is_gone("run.team.r.keys").await;
    world.run("s", json!([once("one")]));
    world.job("s-one-1").await;
    assert!(world.queue_names().await.is_empty());
}

/// An address where connections are taken and nothing is ever answered.
async fn silent_server() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    (url, listener)
}

fn eight_pools() -> Value {
    (0..8).map(|n| items(&format!("s{n}"), 3, 1)).collect()
}

#[tokio::test]
async fn a_queue_server_that_hangs_is_told_of_and_holds_up_nothing_else() {
    let world = World::start().await;
    let (url, _listener) = silent_server().await;
    world.run("r", eight_pools());
    world.run("deleted", eight_pools());
    let _controller = world.controller_with("a", |options| options.server = url);
    let blocked = |status: &crate::kube::status::RunStatus| {
        status
            .conditions
            .iter()
            .any(|c| c.reason == "ServerUnreachable")
    };
    world.status_is("r", "it is told of", blocked).await;
    let began = Instant::now();
    world.api.delete("runs", "deleted");
    world.run("once", json!([once("one")]));
    world.job("once-one-1").await;
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    world.api.change("runs", "r", |run| {
        run["metadata"]["annotations"] = json!({CANCEL: ""});
    });
    world
        .status_is("r", "it was cancelled", |status| {
            status.phase == RunPhase::Cancelled
        })
        .await;
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
}
