//! The file of tokens: what it may not be, how it changes, and what a crash leaves of it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use queue_log::faulty::FaultyDisk;
use rstest::rstest;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Answer, Api, OPERATOR, Program, Wire, until};

const OLD: &str = "token-of-yesterday";
const NEW: &str = "token-of-tomorrow";

/// A Secret as a kubelet puts it into a pod: the file is a link into a folder that a link names, and a new
/// version comes by turning that link.
struct Mounted {
    folder: TempDir,
    version: u32,
}

impl Mounted {
    fn new(tokens: &str) -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        symlink("..data/tokens", folder.path().join("tokens")).expect("a link");
        let mut mounted = Self { folder, version: 0 };
        mounted.replace(tokens);
        mounted
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("tokens")
    }

    fn replace(&mut self, tokens: &str) {
        self.version += 1;
        let version = format!("..{}", self.version);
        let place = |name: &str| self.folder.path().join(name);
        fs::create_dir(place(&version)).expect("a directory");
        fs::write(place(&version).join("tokens"), tokens).expect("written");
        symlink(&version, place("..data_tmp")).expect("a link");
        fs::rename(place("..data_tmp"), place("..data")).expect("renamed");
        if self.version > 1 {
            let gone = format!("..{}", self.version - 1);
            fs::remove_dir_all(place(&gone)).expect("it was there");
        }
    }
}

fn start(data_dir: &Path, tokens: &Path) -> (Program, Api) {
    let tokens = tokens.to_str().expect("text");
    let program = Program::start_in(data_dir, &["--tokens", tokens]);
    let api = Api::of(program.address());
    (program, api)
}

/// A call that any token may make.
async fn look(api: &Api, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    api.call_with("GET", "/v1/queues", &[("authorization", &bearer)], ())
        .await
}

async fn make(api: &Api, queue: &str, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let path = format!("/v1/queues/{queue}");
    api.call_with("PUT", &path, &[("authorization", &bearer)], ())
        .await
}

#[tokio::test]
async fn tokens_are_changed_while_the_server_runs() {
    let data = tempfile::tempdir().expect("a directory");
    let mut mounted = Mounted::new(&format!("admin {OLD}"));
    let (program, api) = start(data.path(), &mounted.path());
    make(&api, "a", OLD).await.is(201);
    look(&api, NEW).await.problem(401, "unauthenticated");

    // First the new one is made known beside the old, and used at once.
    mounted.replace(&format!("admin {OLD}\nread {NEW}"));
    until("the new token is known", async || {
        look(&api, NEW).await.status == 200
    })
    .await;
    make(&api, "b", NEW).await.problem(403, "forbidden");
    look(&api, OLD).await.is(200);

    // Then the old one is taken out; nobody need ask with a wrong one for that.
    mounted.replace(&format!("admin {NEW}"));
    until("the old token is out", async || {
        look(&api, OLD).await.status == 401
    })
    .await;
    make(&api, "b", NEW).await.is(201);

    program.signal(Signal::TERM);
    let logged = program.ended().await;
    logged.has("the file of tokens has changed");
}

#[tokio::test]
async fn a_file_that_turns_bad_takes_nobodys_token_away() {
    let data = tempfile::tempdir().expect("a directory");
    let mut mounted = Mounted::new(&format!("admin {OLD}"));
    let (program, api) = start(data.path(), &mounted.path());
    mounted.replace(&format!("admin {NEW}\nadministrator {OLD}"));
    // Each wrong token has the file looked at; none of them makes it good.
    let begin = std::time::Instant::now();
    until("the file was looked at", async || {
        look(&api, NEW).await.problem(401, "unauthenticated");
        begin.elapsed().as_millis() > 2_500
    })
    .await;
    make(&api, "a", OLD).await.is(201);
    mounted.replace(&format!("admin {NEW}"));
    until("the mended file is read", async || {
        look(&api, NEW).await.status == 200
    })
    .await;
    look(&api, OLD).await.problem(401, "unauthenticated");

    program.signal(Signal::TERM);
    let logged = program.ended().await;
    let faults = logged.lines.iter().filter(|line| line.contains("ERROR"));
    let faults: Vec<_> = faults.collect();
    assert_eq!(faults.len(), 1, "told once: {faults:#?}");
    assert!(
        faults[0].contains("line 2 does not begin with a role"),
        "{faults:?}"
    );
    assert!(
        !faults[0].contains(OLD) && !faults[0].contains(NEW),
        "{faults:?}"
    );
}

#[tokio::test]
async fn whoever_waits_or_reads_on_is_cut_off_when_the_token_is_taken_out() {
    let data = tempfile::tempdir().expect("a directory");
    let mut mounted = Mounted::new(&format!("admin {OLD}\nread {NEW}\n"));
    let (program, api) = start(data.path(), &mounted.path());
    make(&api, "q", OLD).await.is(201);
    let ask = async |token: &str, call: &str| {
        let mut wire = Wire::connect(program.address()).await;
        let head = format!("authorization: Bearer {token}\r\nconnection: close");
        wire.send(format!(
            "{call} HTTP/1.1\r\nhost: localhost\r\n{head}\r\ncontent-length: 0\r\n\r\n"
        ))
        .await;
        wire
    };
    let drained = "/v1/queues/q/wait?for=drained&wait_ms=300000";
    let parked = [
        ask(OLD, "POST /v1/queues/q/lease?wait_ms=300000").await,
        // A name that is written otherwise takes another way through the server.
        ask(OLD, "POST /v1/queues/%71/lease?wait_ms=300000").await,
        ask(OLD, &format!("GET {drained}")).await,
    ];
    let mut other = ask(NEW, &format!("GET {drained}")).await;
    let mut events = ask(OLD, "GET /v1/events").await;
    events.read_until("event: snapshot").await;
    let mut outcomes = ask(OLD, "GET /v1/queues/q/outcomes?follow=true").await;
    outcomes.read_until("200 OK").await;
    until("all of them wait", async || {
        let bearer = format!("Bearer {OLD}");
        let headers = [("authorization", &*bearer)];
        let metrics = api.call_with("GET", "/metrics", &headers, ()).await;
        metrics.text().contains("memq_parked_calls 4")
    })
    .await;

    mounted.replace(&format!("admin {NEW}\n"));
    for mut wire in parked {
        let answer = wire.read_to_end().await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(answer.contains("was taken out"), "{answer}");
        // So a client knows that its token was good, and asks again.
        assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    }
    for mut stream in [events, outcomes] {
        let rest = stream.read_to_end().await;
        assert!(!rest.ends_with("0\r\n\r\n"), "an end as if it was all");
    }
    // Whose token is there still waits on, and is told when it is time.
    let bearer = format!("Bearer {NEW}");
    let headers = [("authorization", &*bearer)];
    let seal = api.call_with("POST", "/v1/queues/q/seal", &headers, ());
    seal.await.is(200);
    let answer = other.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_parked_call_that_settled_something_is_told_of_it_when_the_token_is_taken_out() {
    let data = tempfile::tempdir().expect("a directory");
    let mut mounted = Mounted::new(&format!("admin {OLD}\nadmin {NEW}\n"));
    let (_program, api) = start(data.path(), &mounted.path());
    let [old, new] = [OLD, NEW].map(|token| format!("Bearer {token}"));
    make(&api, "q", OLD).await.is(201);
    let lease = async |path: &str, request: Value| {
        let headers = [("authorization", &*old)];
        api.call_with("POST", path, &headers, request.to_string())
            .await
    };
    let enter = async || {
        let headers = [("authorization", &*old)];
        api.call_with("POST", "/v1/queues/q/items", &headers, "a")
            .await
            .is(201);
    };
    // A name that is written otherwise takes another way through the server.
    let ways = ["/v1/queues/q/lease", "/v1/queues/%71/lease"];
    let mut parking = Vec::new();
    for path in ways {
        enter().await;
        let held = lease(path, json!({})).await.is(200).json();
        let token = held["items"][0]["lease"].clone();
        let nack = json!({"lease": token, "as": "nack", "delay_ms": 600_000});
        parking.push(lease(path, json!({"wait_ms": 300_000, "settle": [nack]})));
    }
    let answers = futures_util::future::join_all(parking);
    let change = async {
        until("both wait", async || {
            let headers = [("authorization", &*new)];
            let metrics = api.call_with("GET", "/metrics", &headers, ()).await;
            metrics.text().contains("memq_parked_calls 2")
        })
        .await;
        mounted.replace(&format!("admin {NEW}\n"));
    };
    let (answers, ()) = tokio::join!(answers, change);
    for answer in answers {
        let answer = answer.is(200).json();
        assert_eq!(answer["settled"][0]["ok"], true, "{answer}");
        assert_eq!(answer["items"], json!([]));
    }
    lease(ways[0], json!({}))
        .await
        .problem(401, "unauthenticated");
}

#[tokio::test]
async fn what_a_parked_call_was_given_is_answered_though_its_token_is_taken_out_meanwhile() {
    let mut mounted = Mounted::new(&format!("admin {OLD}\nadmin {OPERATOR}\n"));
    let disk = FaultyDisk::new();
    let api = Api::start_on_as(&disk, |config| config.access.tokens = Some(mounted.path()));
    let [old, new] = [OLD, OPERATOR].map(|token| [("authorization", format!("Bearer {token}"))]);
    let call = async |method: &str, path: &str, token: &[(&str, String)], body: &str| {
        let headers: Vec<_> = token
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        api.call_with(method, path, &headers, body).await
    };
    make(&api, "q", OLD).await.is(201);
    let waits = async |calls: usize| {
        until("so many wait", async || {
            let metrics = call("GET", "/metrics", &new, "").await;
            let waiting = format!("memq_queue_parked_calls{{queue=\"q\"}} {calls}\n");
            metrics.text().contains(&waiting)
        })
        .await;
    };
    let parked = call("POST", "/v1/queues/q/lease?wait_ms=300000", &old, "");
    let story = async {
        waits(1).await;
        // The lease is made and recorded; the disk takes its time.
        disk.slow_sync(Duration::from_secs(600));
        let enqueue = call("POST", "/v1/queues/q/items", &new, "a");
        let change = async {
            waits(0).await;
            mounted.replace(&format!("admin {OPERATOR}\n"));
            until("the old token is out", async || {
                call("GET", "/metrics", &old, "").await.status == 401
            })
            .await;
            disk.slow_sync(Duration::ZERO);
        };
        let (entered, ()) = tokio::join!(enqueue, change);
        entered.is(201);
    };
    let (answer, ()) = tokio::join!(parked, story);
    let answer = answer.is(200).json();
    assert_eq!(answer["items"][0]["body"], "a", "{answer}");
}

#[tokio::test]
async fn a_server_that_was_killed_asks_for_tokens_again_and_has_lost_nothing() {
    let data = tempfile::tempdir().expect("a directory");
    let mut mounted = Mounted::new(&format!("admin {OLD}"));
    let (program, api) = start(data.path(), &mounted.path());
    make(&api, "q", OLD).await.is(201);
    let old = format!("Bearer {OLD}");
    let old = [("authorization", &*old)];
    let items = "/v1/queues/q/items";
    api.call_with("POST", items, &old, "kept").await.is(201);
    api.call("POST", items, "refused")
        .await
        .problem(401, "unauthenticated");
    program.signal(Signal::KILL);
    program.ended().await;

    mounted.replace(&format!("work {NEW}"));
    let (_program, api) = start(data.path(), &mounted.path());
    api.post("/v1/queues/q/lease", ())
        .await
        .problem(401, "unauthenticated");
    let lease = api.call_with("POST", "/v1/queues/q/lease", &old, ()).await;
    lease.problem(401, "unauthenticated");
    let new = format!("Bearer {NEW}");
    let new = [("authorization", &*new)];
    let lease = api.call_with("POST", "/v1/queues/q/lease", &new, r#"{"max":10}"#);
    let lease = lease.await.is(200).json();
    let leased = lease["items"].as_array().expect("items");
    assert_eq!(leased.len(), 1, "{lease}");
    assert_eq!(leased[0]["body"], "kept");
}

#[rstest]
#[case::role(
    b"admin aaaaaaaaaaaaaaaa\nroot bbbbbbbbbbbbbbbb",
    "line 2 does not begin with a role: read, work or admin"
)]
#[case::short(
    b"\nwork aaaaaaaaaaaaaaa",
    "line 2: the token has 15 characters: give 16 to 256"
)]
#[case::binary(
    b"work aaaaaaaaaaaaaaaa\xff",
    "line 1: the token has characters that are not visible ASCII"
)]
#[case::none(b"# none yet\n", "there is no token")]
#[tokio::test]
async fn a_bad_file_is_told_before_anything_is_served(#[case] text: &[u8], #[case] why: &str) {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("tokens");
    fs::write(&path, text).expect("written");
    let said = refused(&path);
    assert!(said.contains(why), "{said}");
    assert!(!said.contains("aaaa") && !said.contains("bbbb"), "{said}");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_told_before_anything_is_served() {
    let folder = tempfile::tempdir().expect("a directory");
    let said = refused(&folder.path().join("tokens"));
    assert!(said.contains("cannot read the file of tokens"), "{said}");
    assert!(said.contains("No such file"), "{said}");
}

/// What a server says that does not start on this file, which it names.
fn refused(tokens: &Path) -> String {
    let shown = tokens.to_str().expect("text");
    let output = Program::command(&["--listen", "127.0.0.1:0", "--tokens", shown])
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.starts_with("error: --tokens: "), "{said}");
    assert!(said.contains(shown), "{said}");
    said
}
