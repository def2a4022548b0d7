//! What other tests rely on when they rely on this server.

use futures_util::StreamExt as _;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{DeleteParams, LogParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher as watch};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use crate::*;

fn runs(api: &FakeApi) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("memq.dev", "v1alpha1", "Run");
    Api::namespaced_with(api.client(), NAMESPACE, &ApiResource::from_gvk(&kind))
}

fn run(name: &str) -> DynamicObject {
    let object = json!({
        "apiVersion": "memq.dev/v1alpha1", "kind": "Run",
        "metadata": {"name": name}, "spec": {"steps": []}, "status": {"phase": "Running"},
    });
    serde_json::from_value(object).expect("a run")
}

fn code(error: kube::Error) -> u16 {
    match error {
        kube::Error::Api(status) => status.code,
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_status_is_written_by_its_own_path_and_guarded_by_the_version_that_was_read() {
    let api = FakeApi::start().await;
    let runs = runs(&api);
    let made = runs
        .create(&PostParams::default(), &run("a"))
        .await
        .expect("made");
    assert_eq!(
        made.data.get("status"),
        None,
        "a status is not made with its object"
    );
    let again = runs.create(&PostParams::default(), &run("a")).await;
    assert_eq!(again.map_err(code).err(), Some(409));
    let version = made.resource_version().expect("it has a version");
    let patch = |version: &str, status: Value| {
        json!({"apiVersion": "memq.dev/v1alpha1", "kind": "Run",
            "metadata": {"name": "a", "resourceVersion": version}, "status": status})
    };
    let apply = PatchParams::apply("memq").force();
    let first = Patch::Apply(patch(&version, json!({"phase": "Running", "eta": "2m"})));
    let written = runs
        .patch_status("a", &apply, &first)
        .await
        .expect("written");
    assert_eq!(written.metadata.generation, Some(1), "the spec is the same");
    let stale = runs.patch_status("a", &apply, &first).await;
    assert_eq!(stale.map_err(code).err(), Some(409));
    let version = written.resource_version().expect("it has a version");
    let second = Patch::Apply(patch(&version, json!({"phase": "Failed"})));
    let written = runs
        .patch_status("a", &apply, &second)
        .await
        .expect("written");
    assert_eq!(
        written.data["status"],
        json!({"phase": "Failed"}),
        "what is not applied any more goes"
    );
}

#[tokio::test]
async fn a_watch_tells_changes_and_goes_on_after_a_cut_and_after_its_place_was_forgotten() {
    let api = FakeApi::start().await;
    let runs = runs(&api);
    let mut events = std::pin::pin!(watch(runs, watcher::Config::default()).default_backoff());
    let mut told = std::collections::BTreeSet::new();
    for (name, harm) in [("a", 0), ("b", 1), ("c", 2)] {
        match harm {
            1 => api.cut_watches(),
            2 => api.forget(),
            _ => {}
        }
        api.put(serde_json::to_value(run(name)).expect("a run"));
        while !told.contains(name) {
            match events.next().await {
                Some(Ok(Event::Apply(run) | Event::InitApply(run))) => {
                    told.insert(run.name_any());
                }
                Some(_) => {}
                None => panic!("a watcher ended"),
            }
        }
    }
}

#[tokio::test]
async fn what_belongs_to_a_deleted_object_goes_with_it() {
    let api = FakeApi::start().await;
    let job = api.put(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}}));
    let owner = json!([{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": job["metadata"]["uid"]}]);
    for (name, owners) in [("mine", owner), ("other", json!([]))] {
        api.put(json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "ownerReferences": owners}}));
    }
    let jobs = Api::<Job>::namespaced(api.client(), NAMESPACE);
    jobs.delete("j", &DeleteParams::background())
        .await
        .expect("deleted");
    assert_eq!(api.names("configmaps"), ["other"]);
}

#[tokio::test]
async fn a_lost_answer_is_a_thing_done_and_a_lost_request_is_not() {
    let api = FakeApi::start().await;
    let maps = Api::<ConfigMap>::namespaced(api.client(), NAMESPACE);
    let map = |name: &str| {
        let object = json!({"metadata": {"name": name}});
        serde_json::from_value::<ConfigMap>(object).expect("a map")
    };
    api.fault(Fault::lose_request("create", "configmaps"));
    maps.create(&PostParams::default(), &map("a"))
        .await
        .expect_err("it was lost");
    assert!(api.names("configmaps").is_empty());
    api.fault(Fault::lose_answer("create", "configmaps"));
    maps.create(&PostParams::default(), &map("a"))
        .await
        .expect_err("its answer was lost");
    assert_eq!(api.names("configmaps"), ["a"]);
    api.forbid("delete", "configmaps");
    let refused = maps.delete("a", &DeleteParams::default()).await;
    assert_eq!(refused.map_err(code).err(), Some(403));
}

#[tokio::test]
async fn a_pod_has_the_log_that_a_test_gives_it() {
    let api = FakeApi::start().await;
    api.put(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}));
    api.log("p", "one\ntwo\n");
    let pods = Api::<Pod>::namespaced(api.client(), NAMESPACE);
    let read = async |name| pods.logs(name, &LogParams::default()).await;
    assert_eq!(read("p").await.expect("a log"), "one\ntwo\n");
    assert_eq!(read("q").await.map_err(code).err(), Some(404));
}

#[tokio::test]
async fn another_program_reaches_it_by_its_kubeconfig() {
    let api = FakeApi::start().await;
    api.put(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}));
    let file = Kubeconfig::from_yaml(&api.kubeconfig()).expect("a kubeconfig");
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(file, &options).await;
    let client = Client::try_from(config.expect("a configuration")).expect("a client");
    let maps = Api::<ConfigMap>::default_namespaced(client);
    assert!(maps.get("a").await.is_ok(), "it is found where it lies");
}
