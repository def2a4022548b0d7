//! Stories of people who run things in a cluster from outside of it. The test plays the controller.

mod of_bundles;

use std::path::Path;
use std::time::Duration;

use fake_kube::{FakeApi, Fault, NAMESPACE};
use kube::Client;
use queue_api::Finish;
use queue_server::{Config, Server, Storage};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::follow::{self, Following, Wish};
use super::order::{self, Order};
use super::records::{self, Form, Scope};
use super::stage::Stage;
use super::submit;
use super::verdict::{End, Report};
use crate::joblog::Joblog;
use crate::kube::object::CANCEL;
use crate::spec::{Document, Given};

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);
const KEYGEN: &str = "  - {name: keys, items: {count: 3}, builtin: keygen}\n";
const LINES: &str = "  - {name: keys, items: {lines: names.txt}, image: busybox, command: [cat]}\n";

fn ordered(steps: &str, dir: &Path) -> Order {
    let text = format!(
        "apiVersion: memq.dev/v1alpha1\nkind: Run\nmetadata: {{name: r}}\nspec:\n  steps:\n{steps}"
    );
    let document = Document::parse(&text, &dir.join("run.yaml"), dir).expect("a spec");
    let given = Given {
        params: &[],
        suffix: "",
    };
    order::order(&document, given, None, NAMESPACE).expect("an order")
}

/// Somebody who follows.
struct Follower {
    wishes: mpsc::Sender<Wish>,
    task: JoinHandle<anyhow::Result<Report>>,
}

impl Follower {
    async fn ended(self) -> Report {
        self.task.await.expect("it goes on").expect("a report")
    }
}

struct Extras {
    timeout: Option<Duration>,
    patience: Option<Duration>,
    joblog: Option<std::path::PathBuf>,
    server: Option<String>,
}

const PLAIN: Extras = Extras {
    timeout: None,
    patience: None,
    joblog: None,
    server: None,
};

async fn started(client: &Client, order: &Order, form: Form, extras: Extras) -> Follower {
    let made = submit::submit(client, order, form, "memq:1").await;
    let (record, brought) = made.expect("it is made");
    let (wishes, heard) = mpsc::channel(4);
    let joblog = extras.joblog.map(|path| {
        let (joblog, _) = Joblog::open(&path).expect("a joblog");
        (joblog, path)
    });
    let following = Following {
        client: client.clone(),
        record,
        brought,
        fills: order.fills.clone(),
        joblog,
        timeout: extras.timeout,
        patience: extras.patience,
        detach: false,
        token: None,
        trusted: None,
        server: extras.server,
    };
    let stage = Stage::new("r");
    let task = tokio::spawn(follow::follow(following, heard, stage));
    Follower { wishes, task }
}

/// What a controller writes down.
fn says(api: &FakeApi, status: Value) {
    api.change("runs", "r", |run| run["status"] = status);
}

fn running() -> Value {
    json!({"phase": "Running", "startedAt": "2026-01-01T00:00:00Z", "steps": [{"name": "keys", "phase": "Running"}]})
}

fn ended(phase: &str) -> Value {
    let of_step = if phase == "Succeeded" {
        phase
    } else {
        "Failed"
    };
    json!({"phase": phase, "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:09Z",
        "steps": [{"name": "keys", "phase": of_step}]})
}

async fn watched(api: &FakeApi, resource: &str, times: usize) {
    let what = format!("{resource} are watched {times} times");
    api.until(&what, |api| api.times("watch", resource) >= times)
        .await;
}

#[tokio::test]
async fn a_run_is_followed_to_its_end_through_cut_and_forgotten_watches() {
    let api = FakeApi::start().await;
    let order = ordered(KEYGEN, Path::new("."));
    api.fault(Fault::answer("list", "runs", 500, "InternalError").times(2));
    let follower = started(&api.client(), &order, Form::Installed, PLAIN).await;
    watched(&api, "runs", 1).await;
    says(&api, running());
    api.cut_watches();
    watched(&api, "runs", 2).await;
    api.forget();
    says(&api, ended("Succeeded"));
    let report = follower.ended().await;
    assert_eq!((report.end.clone(), report.verdict().0), (End::Over, 0));
    assert!(report.text().starts_with("r: "), "{}", report.text());
}

#[tokio::test]
async fn a_run_that_somebody_deletes_is_lost() {
    let api = FakeApi::start().await;
    let order = ordered(KEYGEN, Path::new("."));
    let follower = started(&api.client(), &order, Form::Installed, PLAIN).await;
    watched(&api, "runs", 1).await;
    api.delete("runs", "r");
    let report = follower.ended().await;
    assert_eq!(report.end, End::Lost("the run was deleted".into()));
    assert_eq!(report.verdict().0, 2);
}

#[tokio::test]
async fn whoever_leaves_lets_the_run_go_on() {
    let api = FakeApi::start().await;
    let order = ordered(KEYGEN, Path::new("."));
    let follower = started(&api.client(), &order, Form::Installed, PLAIN).await;
    follower.wishes.send(Wish::Leave).await.expect("heard");
    let report = follower.ended().await;
    assert_eq!(
        (report.end.clone(), report.verdict().0),
        (End::Detached, 130)
    );
    assert!(
        report.text().contains("memq wait r -n team"),
        "{}",
        report.text()
    );
    let run = api.get("runs", "r").expect("it is there");
    assert!(run["metadata"]["annotations"].get(CANCEL).is_none());
}

#[tokio::test]
async fn a_run_whose_time_is_up_is_told_to_stop_and_followed_until_it_has() {
    let api = FakeApi::start().await;
    let order = ordered(KEYGEN, Path::new("."));
    let extras = Extras {
        timeout: Some(Duration::ZERO),
        ..PLAIN
    };
    let follower = started(&api.client(), &order, Form::Installed, extras).await;
    let asked = |api: &FakeApi| {
        let run = api.get("runs", "r").unwrap_or_default();
        run["metadata"]["annotations"][CANCEL] == "its time is up"
    };
    api.until("it is told to stop", asked).await;
    says(&api, ended("Cancelled"));
    let report = follower.ended().await;
    assert_eq!((report.end.clone(), report.verdict().0), (End::TimedOut, 3));
}

#[tokio::test]
async fn whoever_waits_no_longer_gets_a_report_and_lets_the_run_go_on() {
    let api = FakeApi::start().await;
    let order = ordered(KEYGEN, Path::new("."));
    let extras = Extras {
        patience: Some(Duration::ZERO),
        ..PLAIN
    };
    let follower = started(&api.client(), &order, Form::Installed, extras).await;
    let report = follower.ended().await;
    assert_eq!(report.end, End::Unfinished(Duration::ZERO));
    let object = report.object();
    assert_eq!(
        (&object["verdict"], &object["exit_code"], &object["run"]),
        (&json!("unfinished"), &json!(3), &json!("r"))
    );
    assert!(
        report.text().contains("memq wait r -n team"),
        "{}",
        report.text()
    );
    let run = api.get("runs", "r").expect("it is there");
    assert!(run["metadata"]["annotations"].get(CANCEL).is_none());
}

#[tokio::test]
async fn a_right_that_is_missing_is_named_with_its_rule() {
    let api = FakeApi::start().await;
    let order = ordered(KEYGEN, Path::new("."));
    api.forbid("create", "runs");
    let refused = submit::submit(&api.client(), &order, Form::Installed, "memq:1").await;
    let told = refused.expect_err("it is not allowed").to_string();
    for word in [
        "cannot make run r",
        "cannot create resource \"runs\"",
        "- memq.dev",
        "namespace: team",
    ] {
        assert!(told.contains(word), "{word} in {told}");
    }
}

#[tokio::test]
async fn a_name_that_is_taken_is_said() {
    let api = FakeApi::start().await;
    let order = ordered(KEYGEN, Path::new("."));
    for form in [Form::Installed, Form::Ephemeral] {
        submit::submit(&api.client(), &order, form, "memq:1")
            .await
            .expect("the first");
        let refused = submit::submit(&api.client(), &order, form, "memq:1").await;
        let told = refused.expect_err("the second").to_string();
        assert!(told.contains("has a run of this name"), "{told}");
    }
}

#[tokio::test]
async fn runs_of_both_forms_are_listed_found_and_cancelled() {
    let api = FakeApi::start().await;
    let client = api.client();
    let order = ordered(KEYGEN, Path::new("."));
    submit::submit(&client, &order, Form::Installed, "memq:1")
        .await
        .expect("made");
    let mut other = order.clone();
    other.spec.name = "other".parse().expect("a name");
    other.object["metadata"]["name"] = json!("other");
    submit::submit(&client, &other, Form::Ephemeral, "memq:1")
        .await
        .expect("made");
    // Scripts lie in ConfigMaps with the same labels.
    api.put(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"script": "echo"},
        "metadata": {"name": "r-a-script", "labels": {"memq.dev/run": "r"}}}),
    );
    let scope = Scope::Namespace(NAMESPACE.into());
    let mut found = records::list(&client, &scope).await.expect("a list");
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let told: Vec<_> = found
        .iter()
        .map(|record| (record.name.as_str(), record.form))
        .collect();
    assert_eq!(told, [("other", Form::Ephemeral), ("r", Form::Installed)]);
    for record in &found {
        records::cancel(&client, record, "enough")
            .await
            .expect("asked");
        let found = records::find(&client, NAMESPACE, &record.name)
            .await
            .expect("read")
            .expect("there");
        assert_eq!(found.cancelled.as_deref(), Some("enough"));
    }
    assert_eq!(
        records::find(&client, NAMESPACE, "none")
            .await
            .expect("read"),
        None
    );
}

async fn queue_server() -> Server {
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        storage: Storage::Memory,
        ..Config::default()
    };
    Server::start(config).await.expect("a queue server")
}

#[tokio::test]
async fn items_of_this_machine_are_loaded_and_their_outcomes_come_back_into_the_joblog() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("names.txt"), "a\nb\n").expect("a file");
    let server = queue_server().await;
    let api = FakeApi::start().await;
    let order = ordered(LINES, dir.path());
    let joblog = dir.path().join("log.ndjson");
    let extras = Extras {
        server: Some(server.url()),
        joblog: Some(joblog.clone()),
        ..PLAIN
    };
    let follower = started(&api.client(), &order, Form::Installed, extras).await;
    // Whoever leaves now would leave the run without its items.
    follower.wishes.send(Wish::Leave).await.expect("heard");
    let queues = queue_client::Client::new(&server.url()).expect("a client");
    let queue = queues.queue("run.team.r.keys".parse().expect("a name"));
    let filled = async || queue.show().await.is_ok_and(|queue| queue.sealed);
    let filling = async {
        while !filled().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, filling)
        .await
        .expect("it is filled");
    assert_eq!(queue.show().await.expect("a queue").totals.enqueued, 2);
    let report = follower.ended().await;
    assert_eq!(report.end, End::Detached, "once they are loaded it leaves");

    let record = records::find(&api.client(), NAMESPACE, "r")
        .await
        .expect("read")
        .expect("there");
    let (_wishes, heard) = mpsc::channel(4);
    let (opened, _) = Joblog::open(&joblog).expect("a joblog");
    let following = Following {
        client: api.client(),
        record,
        brought: None,
        fills: Vec::new(),
        joblog: Some((opened, joblog.clone())),
        timeout: None,
        patience: None,
        detach: false,
        token: None,
        trusted: None,
        server: Some(server.url()),
    };
    let waiting = tokio::spawn(follow::follow(following, heard, Stage::new("r")));
    let pool =
        |done: u64| json!({"queue": "run.team.r.keys", "loaded": true, "total": 2, "done": done});
    let mut status = running();
    status["steps"][0]["pool"] = pool(0);
    says(&api, status);
    work(&queue).await;
    let mut status = ended("Succeeded");
    status["steps"][0]["pool"] = pool(2);
    says(&api, status);
    let report = waiting.await.expect("it goes on").expect("a report");
    assert_eq!((report.verdict().0, report.missing), (0, 0));
    assert!(report.text().contains("2 done of 2"), "{}", report.text());
    let lines = std::fs::read_to_string(&joblog).expect("a joblog");
    assert_eq!(
        lines
            .lines()
            .filter(|line| line.contains("\"done\""))
            .count(),
        2,
        "{lines}"
    );
}

/// Does all that lies in a queue.
async fn work(queue: &queue_client::QueueClient) {
    let request = queue_api::LeaseRequest {
        max: Some(10),
        ..queue_api::LeaseRequest::default()
    };
    let lent = queue.lease(&request).await.expect("a lease");
    let ack = |lease| queue_api::Settlement::new(lease, queue_api::SettleAs::Ack);
    let done = lent.items.iter().map(|item| ack(item.lease.clone()));
    queue.settle(done.collect()).await.expect("settled");
    let outcomes = queue.outcomes(0, 10).await.expect("outcomes");
    assert!(outcomes.iter().all(|outcome| outcome.state == Finish::Done));
}
