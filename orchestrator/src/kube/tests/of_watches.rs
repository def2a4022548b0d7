//! Watches that break, and lists that cannot be had.

use std::sync::Arc;

use fake_kube::{FakeApi, Fault, NAMESPACE};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::world::{World, items, once};
use crate::kube::cluster::{Bells, Cluster, RunKey, Scope};
use crate::kube::patience::patient;
use crate::kube::status::RunPhase;

#[tokio::test]
async fn a_run_goes_on_though_all_watches_break() {
    let breaks: [fn(&FakeApi); 3] = [FakeApi::forget, FakeApi::tear_watches, FakeApi::cut_watches];
    for breaks in breaks {
        let world = World::start().await;
        let _controller = world.controller("a");
        world.run("r", json!([once("one")]));
        world.job("r-one-1").await;
        breaks(&world.api);
        world.pods_run("r-one-1", 1);
        breaks(&world.api);
        world.pods_succeed("r-one-1");
        world
            .status_is("r", "it succeeded", |status| {
                status.phase == RunPhase::Succeeded
            })
            .await;
        world.run("later", json!([once("one")]));
        world.job("later-one-1").await;
    }
}

struct Watched {
    cluster: Cluster,
    _stop: tokio_util::sync::DropGuard,
}

async fn watched(api: &FakeApi) -> Watched {
    let stop = CancellationToken::new();
    let scope = Scope::Namespace(NAMESPACE.into());
    let bells = Arc::new(Bells::default());
    let client = patient(api.client());
    let cluster = Cluster::watch(&client, &scope, &bells, &TaskTracker::new(), &stop);
    cluster.listed().await.expect("both were listed");
    Watched {
        cluster,
        _stop: stop.drop_guard(),
    }
}

fn key() -> RunKey {
    RunKey {
        namespace: NAMESPACE.into(),
        name: "r".into(),
    }
}

fn job(name: &str) -> serde_json::Value {
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name,
        "labels": {"memq.dev/run": "r"}, "ownerReferences": [{"apiVersion": "x", "kind": "x", "name": "r", "uid": "u"}]}})
}

#[tokio::test]
async fn lists_that_cannot_be_had_are_not_fresh_until_they_can() {
    for harm in ["error", "silence"] {
        let api = FakeApi::start().await;
        api.put(job("j"));
        let watched = watched(&api).await;
        assert!(watched.cluster.fresh());
        assert_eq!(watched.cluster.jobs(&key(), "u").len(), 1);
        api.fault(match harm {
            "error" => Fault::answer("list", "jobs", 500, "InternalError").times(usize::MAX),
            _ => Fault::silence("list", "jobs"),
        });
        api.forget();
        api.delete("jobs", "j");
        api.until("nothing is believed", |_| !watched.cluster.fresh())
            .await;
        assert_eq!(
            watched.cluster.jobs(&key(), "u").len(),
            1,
            "the old is kept"
        );
        if harm == "error" {
            api.mend();
            api.until("it is believed again", |_| watched.cluster.fresh())
                .await;
            assert!(watched.cluster.jobs(&key(), "u").is_empty());
        }
    }
}

#[tokio::test]
async fn a_torn_watch_is_not_believed_before_all_was_listed_again() {
    let api = FakeApi::start().await;
    api.put(job("j"));
    let watched = watched(&api).await;
    api.fault(Fault::silence("watch", "jobs"));
    api.fault(Fault::silence("list", "jobs"));
    api.tear_watches();
    api.delete("jobs", "j");
    api.until("nothing is believed", |_| !watched.cluster.fresh())
        .await;
}

#[tokio::test]
async fn jobs_of_other_runs_and_other_owners_are_not_shown() {
    let api = FakeApi::start().await;
    let watched = watched(&api).await;
    api.put(job("mine"));
    let mut other = job("of-another-owner");
    other["metadata"]["ownerReferences"][0]["uid"] = "v".into();
    api.put(other);
    let mut other = job("of-another-run");
    other["metadata"]["labels"]["memq.dev/run"] = "s".into();
    api.put(other);
    let jobs = || watched.cluster.jobs(&key(), "u").len();
    api.until("it is seen", |_| jobs() == 1).await;
    api.delete("jobs", "mine");
    api.until("it is not seen any more", |_| jobs() == 0).await;
}

#[tokio::test]
async fn a_run_that_was_deleted_while_nobody_watched_is_not_kept_any_more() {
    let world = World::start().await;
    let _controller = world.controller("a");
    world.run("r", json!([items("keys", 3, 2)]));
    world.job("r-keys-1").await;
    world.pods_run("r-keys-1", 2);
    world
        .queue_is("run.team.r.keys", "it is sealed", |queue| queue.sealed)
        .await;
    world
        .api
        .fault(Fault::answer("list", "runs", 500, "InternalError"));
    world.api.forget();
    world.api.delete("runs", "r");
    world.queue_is_gone("run.team.r.keys").await;
}

#[tokio::test]
async fn a_run_that_was_made_anew_while_nobody_watched_begins_anew() {
    let world = World::start().await;
    let _controller = world.controller("a");
    world.run("r", json!([items("keys", 3, 2)]));
    world.job("r-keys-1").await;
    world
        .queue_is("run.team.r.keys", "it is sealed", |queue| queue.sealed)
        .await;
    world
        .api
        .fault(Fault::answer("list", "runs", 500, "InternalError"));
    world.api.forget();
    world.api.delete("runs", "r");
    world.run("r", json!([items("keys", 5, 2)]));
    world
        .queue_is("run.team.r.keys", "it has the new items", |queue| {
            queue.sealed && queue.totals.enqueued == 5
        })
        .await;
    world.job("r-keys-1").await;
}
