//! What the queue server is told of runs, and what becomes of that.

use queue_api::{RunPhase, RunReport, SettingsPatch, StepPhase};
use serde_json::{Value, json};

use super::world::{World, items, once};
use crate::kube::object::CANCEL;

impl World {
    /// Waits until the server was told this of a run.
    async fn told_of(
        &self,
        run: &str,
        what: &str,
        holds: impl Fn(&RunReport) -> bool,
    ) -> RunReport {
        let name = run.parse().expect("a name");
        self.until(&format!("{run}: {what}"), async || {
            let told = self.queues.run(&name).await.ok()?;
            holds(&told).then_some(told)
        })
        .await
    }

    /// Waits until the server knows of no run.
    async fn nothing_told(&self) {
        self.until("no run is known", async || {
            let told = self.queues.runs().await.ok()?;
            told.is_empty().then_some(())
        })
        .await;
    }

    fn run_named(&self, metadata: Value, steps: Value) {
        self.api.put(json!({
            "apiVersion": "memq.dev/v1alpha1", "kind": "Run", "metadata": metadata, "spec": {"steps": steps},
        }));
    }
}

#[tokio::test]
async fn the_server_is_told_of_a_run_from_its_beginning_to_its_end() {
    let world = World::start().await;
    let _controller = world.controller("a");
    let steps = json!([items("keys", 3, 2), {"name": "after", "after": ["keys"], "image": "x:1", "command": ["do"]}]);
    world.run_named(
        json!({"name": "keygen-abcde", "generateName": "keygen-"}),
        steps,
    );
    world.job("keygen-abcde-keys-1").await;
    world.pods_run("keygen-abcde-keys-1", 2);
    let told = world
        .told_of("keygen-abcde", "its workers are known", |told| {
            let workers = told.steps[0].workers;
            workers.is_some_and(|workers| workers.busy + workers.idle == 2)
        })
        .await;
    assert_eq!(
        (told.spec.as_str(), told.namespace.as_deref()),
        ("keygen", Some("team"))
    );
    assert_eq!((told.phase, told.ended), (RunPhase::Running, None));
    let keys = &told.steps[0];
    assert_eq!(
        (keys.phase, keys.total, keys.done),
        (StepPhase::Running, 3, 0)
    );
    assert_eq!(keys.queues[0].as_str(), "run.team.keygen-abcde.keys");
    assert!(keys.binding.is_some() && keys.started.is_some());
    assert_eq!(
        (told.steps[1].phase, told.steps[1].total),
        (StepPhase::Pending, 1)
    );

    assert_eq!(world.work_off("run.team.keygen-abcde.keys").await.len(), 3);
    world.pods_succeed("keygen-abcde-keys-1");
    world.job("keygen-abcde-after-1").await;
    world.pods_run("keygen-abcde-after-1", 1);
    world.pod_fails("keygen-abcde-after-1", 3);
    let told = world
        .told_of("keygen-abcde", "it has ended", |told| told.ended.is_some())
        .await;
    assert_eq!(told.phase, RunPhase::Failed);
    let figures = |at: usize| {
        let step = &told.steps[at];
        (step.phase, step.done, step.failed, step.total)
    };
    assert_eq!(figures(0), (StepPhase::Succeeded, 3, 0, 3));
    assert_eq!(figures(1), (StepPhase::Failed, 0, 1, 1));
    assert!(told.steps.iter().all(|step| step.workers.is_none()));
    let status = world.status("keygen-abcde");
    assert_eq!(told.message, Some(status.message));
}

#[tokio::test]
async fn runs_that_two_namespaces_call_the_same_are_told_apart_and_go_with_their_objects() {
    let world = World::start().await;
    let _controller = world.controller_with("a", |options| options.all_namespaces = true);
    for namespace in ["team", "others"] {
        let metadata = json!({"name": "nightly", "namespace": namespace});
        world.run_named(metadata, json!([once("one")]));
    }
    for namespace in ["team", "others"] {
        let told = world
            .told_of(&format!("{namespace}.nightly"), "it runs", |told| {
                told.phase == RunPhase::Running
            })
            .await;
        assert_eq!(told.namespace.as_deref(), Some(namespace));
        assert_eq!(told.spec, "nightly");
    }
}

#[tokio::test]
async fn what_was_told_of_a_run_goes_with_it() {
    let world = World::start().await;
    let _controller = world.controller("a");
    world.run("r", json!([once("one")]));
    world
        .told_of("team.r", "it runs", |told| told.phase == RunPhase::Running)
        .await;
    world.api.delete("runs", "r");
    world.nothing_told().await;
}

#[tokio::test]
async fn a_run_that_is_cancelled_and_one_that_cannot_be_read_are_told_as_such() {
    let world = World::start().await;
    let _controller = world.controller("a");
    world.run_of("bad", json!({"steps": "none"}));
    let bad = world
        .told_of("team.bad", "it has ended", |told| told.phase.has_ended())
        .await;
    assert_eq!((bad.phase, bad.steps.len()), (RunPhase::Failed, 0));
    assert!(bad.message.is_some_and(|said| said.contains("steps")));
    world.run("r", json!([once("one")]));
    world.job("r-one-1").await;
    world.api.change("runs", "r", |run| {
        run["metadata"]["annotations"] = json!({CANCEL: "enough"});
    });
    let cancelled = world
        .told_of("team.r", "it has ended", |told| told.phase.has_ended())
        .await;
    assert_eq!(cancelled.phase, RunPhase::Cancelled);
}

#[tokio::test]
async fn a_run_that_is_held_up_is_told_with_what_it_waits_for() {
    let world = World::start().await;
    let _controller = world.controller("a");
    let given =
        json!({"name": "s", "items": {"queue": "given"}, "image": "x:1", "command": ["do"]});
    world.run("r", json!([given]));
    let says = |words: &'static str| {
        move |told: &RunReport| {
            told.message
                .as_deref()
                .is_some_and(|said| said.contains(words))
        }
    };
    let told = world
        .told_of(
            "team.r",
            "it waits for its queue",
            says("there is no queue given"),
        )
        .await;
    assert_eq!(told.phase, RunPhase::Running);
    let queue = world.queues.queue("given".parse().expect("a name"));
    let settings = SettingsPatch::default();
    queue.create(&settings).await.expect("it is made");
    world
        .told_of(
            "team.r",
            "it waits for the seal",
            says("queue given has nothing left"),
        )
        .await;
    queue.seal().await.expect("it is sealed");
    world
        .told_of("team.r", "it has ended", |told| {
            told.phase == RunPhase::Succeeded
        })
        .await;
}

#[tokio::test]
async fn a_server_that_hears_nothing_holds_up_no_run() {
    let world = World::start().await;
    let _controller = world.controller_with("a", |options| {
        // Nobody listens there.
        options.server = "http://127.0.0.1:1".into();
    });
    world.run("r", json!([once("one")]));
    world.job("r-one-1").await;
    world.pods_run("r-one-1", 1);
    world.pods_succeed("r-one-1");
    world
        .status_is("r", "it succeeded", |status| {
            status.phase == crate::kube::status::RunPhase::Succeeded
        })
        .await;
}
