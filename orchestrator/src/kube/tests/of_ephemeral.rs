//! The controller of one run that lies in a ConfigMap.

use std::time::Duration;

use serde_json::json;

use super::world::{World, items, once};
use crate::kube::object::CANCEL;
use crate::kube::status::{RunPhase, RunStatus};

/// What `memq run --kube` leaves where the kind Run is not installed.
fn bring(world: &World, run: &str, steps: serde_json::Value) {
    let job = world.api.put(
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": run}, "spec": {}}),
    );
    let object = json!({"apiVersion": "memq.dev/v1alpha1", "kind": "Run", "metadata": {"name": run}, "spec": {"steps": steps}});
    world.api.put(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "kept", "ownerReferences": [
            {"apiVersion": "batch/v1", "kind": "Job", "name": run, "uid": job["metadata"]["uid"], "controller": true}]},
        "data": {"run.json": object.to_string()},
    }));
}

fn status(world: &World) -> RunStatus {
    let map = world.api.get("configmaps", "kept").unwrap_or_default();
    let text = map["data"]["status.json"].as_str();
    text.map_or_else(RunStatus::default, |text| {
        serde_json::from_str(text).expect("a status")
    })
}

#[tokio::test]
async fn it_runs_lingers_and_ends_when_its_config_map_goes() {
    let world = World::start().await;
    bring(&world, "r", json!([items("keys", 3, 2)]));
    let mut controller = world.ephemeral("r", "kept");
    world.job("r-keys-1").await;
    let (own, made) = (
        world.api.get("jobs", "r"),
        world.api.get("jobs", "r-keys-1"),
    );
    let (own, made) = own.zip(made).expect("both Jobs");
    assert_eq!(
        made["metadata"]["ownerReferences"][0]["uid"],
        own["metadata"]["uid"]
    );
    world.pods_run("r-keys-1", 2);
    world
        .queue_is("run.team.r.keys", "it is sealed", |queue| queue.sealed)
        .await;
    world.work_off("run.team.r.keys").await;
    let drained = |status: &RunStatus| {
        status.steps[0]
            .pool
            .as_ref()
            .is_some_and(|p| p.drained_at.is_some())
    };
    world
        .api
        .until("it is known to be drained", |_| drained(&status(&world)))
        .await;
    world.pods_succeed("r-keys-1");
    world
        .api
        .until("it succeeded", |_| {
            status(&world).phase == RunPhase::Succeeded
        })
        .await;
    assert!(
        world.api.get("configmaps", "kept").expect("it is there")["data"]["run.json"].is_string()
    );
    world
        .never("it ends at once", Duration::from_secs(3), |_| {
            controller.has_ended()
        })
        .await;
    world.api.delete("configmaps", "kept");
    assert_eq!(controller.end().await, Ok(()));
}

#[tokio::test]
async fn it_is_cancelled_by_an_annotation_of_its_config_map() {
    let world = World::start().await;
    bring(&world, "r", json!([once("one")]));
    let controller = world.ephemeral("r", "kept");
    world.job("r-one-1").await;
    world.pods_run("r-one-1", 1);
    world
        .api
        .until("its Job was seen", |_| {
            status(&world)
                .steps
                .iter()
                .any(|s| s.jobs.iter().any(|j| j.seen))
        })
        .await;
    world.api.change("configmaps", "kept", |map| {
        map["metadata"]["annotations"] = json!({CANCEL: ""});
    });
    world
        .api
        .until("it was cancelled", |_| {
            status(&world).phase == RunPhase::Cancelled
        })
        .await;
    drop(controller);
}

#[tokio::test]
async fn it_ends_when_its_config_map_goes_in_the_middle() {
    let world = World::start().await;
    bring(&world, "r", json!([once("one")]));
    let mut controller = world.ephemeral("r", "kept");
    world.job("r-one-1").await;
    world.pods_run("r-one-1", 1);
    world.api.delete("jobs", "r");
    assert_eq!(controller.end().await, Ok(()));
}
