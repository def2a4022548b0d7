//! A fake API server, a queue server, controllers, and hands that play Kubernetes and its workers.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use fake_kube::{Asked, FakeApi};
use kube::Client as Kube;
use queue_api::{LeaseRequest, Queue, SettleAs, Settlement};
use queue_client::{Client, QueueClient};
use queue_server::{Config, Server, Storage};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::kube::controller::{Ephemeral, Options, control};
use crate::kube::observe::JOB_LABEL;
use crate::kube::status::RunStatus;

/// How long a test waits for what it expects of the queue server or of a controller.
const PATIENCE: Duration = Duration::from_secs(30);
/// The pause between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Everything but controllers.
pub(super) struct World {
    pub(super) api: FakeApi,
    pub(super) queues: Client,
    pub(super) server: Server,
}

impl World {
    pub(super) async fn start() -> Self {
        let config = Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            storage: Storage::Memory,
            ..Config::default()
        };
        let mut server = Server::start(config).await.expect("a queue server");
        server.recovered().await.expect("it has nothing to recover");
        Self {
            api: FakeApi::start().await,
            queues: Client::new(&server.url()).expect("a client"),
            server,
        }
    }

    /// A controller by this name, in a process of its own as far as can be.
    pub(super) fn controller(&self, name: &str) -> Controller {
        self.controller_with(name, |_| {})
    }

    pub(super) fn controller_with(&self, name: &str, set: impl FnOnce(&mut Options)) -> Controller {
        let mut options = Options {
            namespace: "team".into(),
            all_namespaces: false,
            server: self.server.url(),
            image: "memq:test".into(),
            worker_account: None,
            token: None,
            worker_token: None,
            start_limit: Duration::from_secs(300),
            nodes: None,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            identity: name.into(),
            ephemeral: None,
        };
        set(&mut options);
        Controller::start(self.api.config(name), options)
    }

    /// The controller of one run alone.
    pub(super) fn ephemeral(&self, run: &str, config_map: &str) -> Controller {
        let one = Ephemeral {
            run: run.into(),
            config_map: config_map.into(),
            local_server: self.server.url(),
        };
        self.controller_with("one", |options| options.ephemeral = Some(one))
    }

    /// Somebody makes a run of these steps.
    pub(super) fn run(&self, name: &str, steps: Value) -> Value {
        self.run_of(name, json!({"steps": steps}))
    }

    pub(super) fn run_of(&self, name: &str, spec: Value) -> Value {
        self.api.put(json!({
            "apiVersion": "memq.dev/v1alpha1", "kind": "Run",
            "metadata": {"name": name}, "spec": spec,
        }))
    }

    /// The status of a run, an empty one before there is any.
    pub(super) fn status(&self, run: &str) -> RunStatus {
        let found = self.api.get("runs", run).unwrap_or_default();
        match found.get("status") {
            None | Some(Value::Null) => RunStatus::default(),
            Some(status) => serde_json::from_value(status.clone()).expect("a status"),
        }
    }

    /// Waits until the status of a run is so.
    pub(super) async fn status_is(
        &self,
        run: &str,
        what: &str,
        holds: impl Fn(&RunStatus) -> bool,
    ) {
        let so = |_: &FakeApi| holds(&self.status(run));
        self.api.until(&format!("{run}: {what}"), so).await;
    }

    pub(super) async fn job(&self, name: &str) {
        let there = |api: &FakeApi| api.get("jobs", name).is_some();
        self.api.until(&format!("Job {name} is made"), there).await;
    }

    /// Kubernetes starts so many pods of a Job.
    pub(super) fn pods_run(&self, job: &str, pods: usize) {
        for pod in 0..pods {
            let container = json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}});
            let ready = json!([{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
            self.pod(job, pod, "Running", &container, &ready);
        }
        self.api
            .change("jobs", job, |job| job["status"]["active"] = pods.into());
    }

    /// All pods of a Job exit 0, and it is complete.
    pub(super) fn pods_succeed(&self, job: &str) {
        let pods = self.pods(job);
        for pod in 0..pods {
            self.pod(job, pod, "Succeeded", &exited(0), &json!([]));
        }
        self.job_ends(job, "Complete", "");
        self.api
            .change("jobs", job, |job| job["status"]["succeeded"] = pods.into());
    }

    /// The first pod of a Job exits like this, and the Job fails.
    pub(super) fn pod_fails(&self, job: &str, code: i32) {
        self.pod(job, 0, "Failed", &exited(code), &json!([]));
        self.job_ends(job, "Failed", "BackoffLimitExceeded");
        self.api
            .change("jobs", job, |job| job["status"]["failed"] = 1.into());
    }

    fn job_ends(&self, job: &str, verdict: &str, reason: &str) {
        let conditions =
            json!([{"type": verdict, "status": "True", "reason": reason, "message": ""}]);
        self.api.change("jobs", job, |job| {
            job["status"] = json!({"active": 0, "conditions": conditions});
        });
    }

    fn pods(&self, job: &str) -> usize {
        let names = self.api.names("pods");
        let start = format!("{job}-pod-");
        names.iter().filter(|name| name.starts_with(&start)).count()
    }

    fn pod(&self, job: &str, number: usize, phase: &str, state: &Value, conditions: &Value) {
        let of = self.api.get("jobs", job).expect("the Job is there");
        let mut labels = of["spec"]["template"]["metadata"]["labels"].clone();
        labels[JOB_LABEL] = job.into();
        self.api.put(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": format!("{job}-pod-{number}"), "labels": labels,
                "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": of["metadata"]["uid"]}],
            },
            "status": {"phase": phase, "conditions": conditions, "containerStatuses": [{
                "name": "worker", "ready": phase == "Running", "restartCount": 0, "image": "x", "imageID": "",
                "state": state,
            }]},
        }));
    }

    pub(super) fn queue(&self, name: &str) -> QueueClient {
        self.queues.queue(name.parse().expect("a name"))
    }

    /// Waits until a queue is there and so.
    pub(super) async fn queue_is(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&Queue) -> bool,
    ) -> Queue {
        let look = async || self.queue(name).show().await.ok().filter(&holds);
        self.until(&format!("queue {name}: {what}"), look).await
    }

    /// Waits until the queue server has something to show.
    pub(super) async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let wait = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let found = tokio::time::timeout(PATIENCE, wait).await;
        found.unwrap_or_else(|_| panic!("{what}: not in {PATIENCE:?}"))
    }

    /// Waits until there is no such queue.
    pub(super) async fn queue_is_gone(&self, name: &str) {
        let is_gone = async || {
            let names = self.queue_names().await;
            (!names.iter().any(|there| there == name)).then_some(())
        };
        self.until(&format!("queue {name} is gone"), is_gone).await;
    }

    pub(super) async fn queue_names(&self) -> Vec<String> {
        let queues = self.queues.queues().await.expect("queues");
        queues.iter().map(|queue| queue.name.to_string()).collect()
    }

    /// Workers go through a queue until nothing is left; what they worked on.
    pub(super) async fn work_off(&self, queue: &str) -> Vec<String> {
        let queue = self.queue(queue);
        let mut done = Vec::new();
        loop {
            let request = LeaseRequest {
                max: Some(1_000),
                ..LeaseRequest::default()
            };
            let answer = queue.lease(&request).await.expect("a lease");
            if answer.items.is_empty() {
                return done;
            }
            let ack = |lease| Settlement::new(lease, SettleAs::Ack);
            let acks = answer.items.iter().map(|item| ack(item.lease.clone()));
            queue.settle(acks.collect()).await.expect("settled");
            done.extend(answer.items.iter().map(|item| format!("{:?}", item.body)));
        }
    }

    /// Reasons and notes of all events of runs, in the order they were made.
    pub(super) fn told(&self) -> Vec<(String, String)> {
        let mut names = self.api.names("events");
        names.sort_by_key(|name| name.rsplit('.').next().map(str::to_owned));
        let events = names.iter().filter_map(|name| self.api.get("events", name));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        events
            .filter(|event| event.get("regarding").is_some())
            .map(|event| (text(&event["reason"]), text(&event["note"])))
            .collect()
    }

    /// Whether somebody has been told this.
    pub(super) fn was_told(&self, reason: &str, part: &str) -> bool {
        let told = self.told();
        told.iter()
            .any(|(why, note)| why == reason && note.contains(part))
    }

    /// Where in the order of requests this one first came.
    pub(super) fn first(&self, verb: &str, resource: &str) -> Option<usize> {
        let asked = self.api.asked();
        let same = |asked: &Asked| asked.verb == verb && asked.resource == resource;
        asked.iter().position(same)
    }

    /// How often a controller asked anything but for its lease.
    pub(super) fn requests_of(&self, name: &str) -> usize {
        let asked = self.api.asked();
        let of = |asked: &&Asked| asked.by == name && asked.resource != "leases";
        asked.iter().filter(of).count()
    }

    /// Watches for so long that this does not come to be.
    pub(super) async fn never(
        &self,
        what: &str,
        within: Duration,
        happens: impl Fn(&Self) -> bool,
    ) {
        let end = tokio::time::Instant::now() + within;
        while tokio::time::Instant::now() < end {
            assert!(!happens(self), "{what}; told: {:?}", self.told());
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn exited(code: i32) -> Value {
    json!({"terminated": {
        "exitCode": code, "reason": if code == 0 { "Completed" } else { "Error" },
        "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:01Z",
    }})
}

/// A controller in a runtime of its own, so that it can be killed.
pub(super) struct Controller {
    runtime: Option<Runtime>,
    stop: CancellationToken,
    ended: watch::Receiver<Option<Result<(), String>>>,
}

impl Controller {
    fn start(config: kube::Config, options: Options) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let stop = CancellationToken::new();
        let (tell, ended) = watch::channel(None);
        let asked = stop.clone();
        runtime.spawn(async move {
            let kube = Kube::try_from(config).expect("a client");
            let end = control(kube, options, asked).await;
            tell.send_replace(Some(end.map_err(|error| format!("{error:#}"))));
        });
        Self {
            runtime: Some(runtime),
            stop,
            ended,
        }
    }

    /// It is gone from one moment to the next.
    pub(super) fn kill(mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// It is told to stop.
    pub(super) fn tell_to_stop(&self) {
        self.stop.cancel();
    }

    /// Waits for its end; how it ended.
    pub(super) async fn end(&mut self) -> Result<(), String> {
        let end = tokio::time::timeout(PATIENCE, self.ended.wait_for(Option::is_some)).await;
        let end = end.expect("it ends in time").expect("it did not panic");
        end.clone().expect("it has ended")
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A step with this many items.
pub(super) fn items(step: &str, count: u64, workers: u32) -> Value {
    json!({"name": step, "items": {"count": count, "format": "work-item-%d"}, "image": "x:1",
        "command": ["do"], "workers": workers})
}

/// A step that runs once.
pub(super) fn once(step: &str) -> Value {
    json!({"name": step, "image": "x:1", "command": ["do"]})
}
