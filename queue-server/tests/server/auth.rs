//! Tokens and roles: who may make which call.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rstest::rstest;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Api, OPERATOR, Program};

const READER: &str = "reader-of-the-tests";
const WORKER: &str = "worker-of-the-tests";
/// As long as a token, and none.
const NOBODY: &str = "nobody-of-the-tests";

/// Every call, and the role it needs; none where it needs no token.
const CALLS: [(&str, &str, Option<&str>); 46] = [
    ("GET", "/healthz", None),
    ("GET", "/readyz", None),
    ("GET", "/healthy", None),
    ("GET", "/ready", None),
    ("GET", "/openapi.json", None),
    ("GET", "/metrics", Some("read")),
    ("GET", "/v1/queues", Some("read")),
    ("GET", "/v1/queues/{queue}", Some("read")),
    ("PUT", "/v1/queues/{queue}", Some("admin")),
    ("DELETE", "/v1/queues/{queue}", Some("admin")),
    ("GET", "/v1/queues/{queue}/items", Some("read")),
    ("POST", "/v1/queues/{queue}/items", Some("work")),
    ("PUT", "/v1/queues/{queue}/items", Some("work")),
    ("GET", "/v1/queues/{queue}/items/{id}", Some("read")),
    ("DELETE", "/v1/queues/{queue}/items/{id}", Some("admin")),
    ("GET", "/v1/queues/{queue}/items/{id}/log", Some("read")),
    ("POST", "/v1/queues/{queue}/lease", Some("work")),
    ("POST", "/v1/queues/{queue}/settle", Some("work")),
    ("POST", "/v1/queues/{queue}/extend", Some("work")),
    ("POST", "/v1/leases/{lease}/ack", Some("work")),
    ("POST", "/v1/leases/{lease}/nack", Some("work")),
    ("POST", "/v1/leases/{lease}/release", Some("work")),
    ("POST", "/v1/leases/{lease}/dead", Some("work")),
    ("POST", "/v1/leases/{lease}/extend", Some("work")),
    ("POST", "/v1/queues/{queue}/seal", Some("work")),
    ("POST", "/v1/queues/{queue}/reopen", Some("admin")),
    ("POST", "/v1/queues/{queue}/pause", Some("admin")),
    ("POST", "/v1/queues/{queue}/resume", Some("admin")),
    ("POST", "/v1/queues/{queue}/purge", Some("admin")),
    ("POST", "/v1/queues/{queue}/redrive", Some("admin")),
    ("GET", "/v1/queues/{queue}/wait", Some("read")),
    ("GET", "/v1/queues/{queue}/outcomes", Some("read")),
    ("GET", "/v1/events", Some("read")),
    ("GET", "/v1/backup", Some("admin")),
    ("POST", "/v1/restore", Some("admin")),
    ("GET", "/v1/runs", Some("read")),
    ("GET", "/v1/runs/{run}", Some("read")),
    ("PUT", "/v1/runs/{run}", Some("work")),
    ("DELETE", "/v1/runs/{run}", Some("work")),
    ("GET", "/memq/server/stats", Some("read")),
    ("PUT", "/memq/server/queues/{queue}", Some("work")),
    ("DELETE", "/memq/server/queues/{queue}", Some("admin")),
    ("POST", "/memq/server/queues/{queue}/enqueue", Some("work")),
    ("POST", "/memq/server/queues/{queue}/dequeue", Some("work")),
    ("POST", "/memq/server/queues/{queue}/drain", Some("admin")),
    // No call at all: not even that is told to anybody.
    ("GET", "/v1/nowhere", Some("read")),
];

/// A server with a token of each role.
fn guarded() -> (TempDir, Api) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("tokens");
    let lines = format!("# of the tests\nread {READER}\nwork {WORKER}\nadmin {OPERATOR}\n");
    std::fs::write(&path, lines).expect("written");
    let api = Api::start_with(|config| config.access.tokens = Some(path));
    (directory, api)
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// A call that a role may make, with its names filled in.
fn path_of(template: &str) -> String {
    let id = "0".repeat(32);
    let path = template.replace("{queue}", "q").replace("{id}", &id);
    path.replace("{lease}", "l").replace("{run}", "r")
}

#[test]
fn the_description_names_the_role_of_every_call_and_there_is_no_other() {
    let document: Value = serde_json::from_str(&queue_server::openapi()).expect("JSON");
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let call = format!("{method} {path}");
            let security = operation["security"].as_array().expect(&call);
            let roles: BTreeSet<_> = security
                .iter()
                .flat_map(|way| way.as_object().expect("a way").values())
                .map(|roles| roles[0].as_str().expect("a role"))
                .collect();
            assert!(roles.len() <= 1, "{call}: {security:?}");
            let role = roles.first().copied();
            assert_eq!(security.len(), if role.is_some() { 2 } else { 0 }, "{call}");
            let responses = &operation["responses"];
            assert_eq!(responses["401"].is_object(), role.is_some(), "{call}");
            assert!(responses["403"].is_object(), "{call}");
            described.insert((method.to_uppercase(), path.as_str(), role));
        }
    }
    let known = CALLS.iter().filter(|call| call.1 != "/v1/nowhere");
    let known: BTreeSet<_> = known
        .map(|(method, path, role)| ((*method).to_owned(), *path, *role))
        .collect();
    assert_eq!(described, known);
    for scheme in ["bearer", "basic"] {
        assert_eq!(
            document["components"]["securitySchemes"][scheme]["scheme"],
            scheme
        );
    }
}

#[tokio::test]
async fn a_call_is_made_for_the_role_it_needs_and_those_above_and_for_nobody_else() {
    let (_tokens, api) = guarded();
    for (method, template, needs) in CALLS {
        let path = path_of(template);
        let call = format!("{method} {path}");
        let status = async |token: Option<&str>| {
            let bearer = token.map(bearer);
            let headers: Vec<_> = bearer
                .iter()
                .map(|value| ("authorization", &**value))
                .collect();
            api.status_of(method, &path, &headers).await
        };
        let Some(needs) = needs else {
            assert_eq!(status(None).await, 200, "{call} needs no token");
            assert_eq!(status(Some(NOBODY)).await, 200, "{call} looks at no token");
            continue;
        };
        assert_eq!(status(None).await, 401, "{call} without a token");
        assert_eq!(status(Some(NOBODY)).await, 401, "{call} with a wrong one");
        let roles = [("read", READER), ("work", WORKER), ("admin", OPERATOR)];
        let least = roles.iter().position(|(role, _)| *role == needs);
        for (at, (role, token)) in roles.into_iter().enumerate() {
            let status = status(Some(token)).await;
            let refused = Some(at) < least;
            assert_eq!(status == 403, refused, "{call} as {role}: {status}");
            assert_ne!(status, 401, "{call} as {role}");
        }
        if method == "GET" {
            assert_eq!(api.status_of("HEAD", &path, &[]).await, 401, "HEAD {path}");
        }
    }
}

#[tokio::test]
async fn the_page_is_shown_to_everybody_and_what_it_shows_is_not() {
    let (_tokens, api) = guarded();
    api.get("/").await.is(200);
    api.get("/ui/app.js").await.is(200);
    for path in ["/v1/queues", "/v1/events", "/ui", "/index.html"] {
        api.get(path).await.problem(401, "unauthenticated");
    }
}

#[rstest]
#[case::no_token(None, "send `Authorization: Bearer TOKEN`")]
#[case::wrong(Some(bearer(NOBODY)), "none of this server's")]
#[case::part(Some(bearer(&OPERATOR[..16])), "none of this server's")]
#[case::more(Some(bearer(&format!("{OPERATOR}1"))), "none of this server's")]
#[case::empty(Some("Bearer ".into()), "holds no token")]
#[case::bare(Some(OPERATOR.into()), "holds no token")]
#[case::other_scheme(Some(format!("Token {OPERATOR}")), "holds no token")]
#[tokio::test]
async fn whoever_has_no_valid_token_is_told_to_send_one(
    #[case] authorization: Option<String>,
    #[case] told: &str,
) {
    let (_tokens, api) = guarded();
    let headers: Vec<_> = authorization
        .iter()
        .map(|value| ("authorization", &**value))
        .collect();
    // By way of the router, and of the calls that need none.
    for (method, path) in [
        ("GET", "/v1/queues"),
        ("POST", "/v1/queues/q/items?create=true"),
    ] {
        let refused = api.call_with(method, path, &headers, "x").await;
        let detail = refused.problem(401, "unauthenticated");
        assert!(detail.contains(told), "{detail}");
        assert!(!detail.contains(OPERATOR), "{detail}");
        assert_eq!(refused.header("www-authenticate"), "Bearer realm=\"memq\"");
    }
    let enqueue = "/memq/server/queues/q/enqueue";
    for (method, path) in [("GET", "/memq/server/stats"), ("POST", enqueue)] {
        let refused = api.call_with(method, path, &headers, "x").await.is(401);
        assert!(refused.text().contains(told), "{}", refused.text());
        assert_eq!(refused.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(refused.header("www-authenticate"), "Bearer realm=\"memq\"");
    }
    let reader = bearer(READER);
    let reader = [("authorization", &*reader)];
    let queues = api.call_with("GET", "/v1/queues", &reader, ());
    assert_eq!(queues.await.is(200).json()["queues"], json!([]));
}

#[tokio::test]
async fn whoever_has_too_little_a_role_is_told_which_it_takes() {
    let (_tokens, api) = guarded();
    let reader = bearer(READER);
    let reader = [("authorization", &*reader)];
    for (method, path, needs) in [
        ("POST", "/v1/queues/q/lease", "work"),
        ("POST", "/v1/queues/q/seal", "work"),
        ("DELETE", "/v1/queues/q", "admin"),
    ] {
        let refused = api.call_with(method, path, &reader, ()).await;
        let detail = refused.problem(403, "forbidden");
        assert!(detail.contains("`read`"), "{detail}");
        assert!(detail.contains(&format!("needs `{needs}`")), "{detail}");
    }
    let drain = "/memq/server/queues/q/drain";
    let refused = api.call_with("POST", drain, &reader, ()).await.is(403);
    assert!(
        refused.text().contains("needs `admin`"),
        "{}",
        refused.text()
    );
    assert_eq!(refused.header("content-type"), "text/plain; charset=utf-8");
}

#[tokio::test]
async fn a_token_may_come_as_a_password() {
    let (_tokens, api) = guarded();
    for user in ["", "x", "kuard"] {
        let pair = BASE64_STANDARD.encode(format!("{user}:{WORKER}"));
        let basic = format!("Basic {pair}");
        let basic = [("authorization", &*basic)];
        let queue = format!("/memq/server/queues/of-{user}");
        api.call_with("PUT", &queue, &basic, ()).await.is(200);
        let enqueue = format!("{queue}/enqueue");
        api.call_with("POST", &enqueue, &basic, "a").await.is(200);
        let dequeue = format!("{queue}/dequeue");
        let taken = api.call_with("POST", &dequeue, &basic, ()).await.is(200);
        assert_eq!(taken.json()["body"], "a");
    }
}

#[tokio::test]
async fn a_loader_that_has_no_token_reads_why_though_it_still_sends() {
    let (_tokens, api) = guarded();
    let refused = api.post("/v1/queues/q/items?lines=true", "x\n".repeat(2_000_000));
    refused.await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_server_without_tokens_lets_everybody_do_everything() {
    let api = Api::start();
    for headers in [&[][..], &[("authorization", "Bearer whatever")]] {
        let q = "/v1/queues/q";
        api.call_with("PUT", q, headers, ()).await.is(201);
        api.call_with("GET", "/metrics", headers, ()).await.is(200);
        api.call_with("DELETE", q, headers, ()).await.is(204);
    }
}

#[tokio::test]
async fn no_token_stands_in_the_log() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("tokens");
    std::fs::write(&path, format!("admin {OPERATOR}")).expect("written");
    let mut command = Program::command(&["--listen", "127.0.0.1:0"]);
    command.env("MEMQ_LOG", "trace").env("MEMQ_TOKENS", &path);
    let program = Program::spawn(command);
    let api = Api::of(program.address());
    for token in [OPERATOR, NOBODY] {
        let bearer = bearer(token);
        let headers = [("authorization", &*bearer)];
        api.call_with("GET", "/v1/queues", &headers, ()).await;
        api.call_with("POST", "/v1/queues/q/lease", &headers, ())
            .await;
    }
    program.signal(Signal::TERM);
    let logged = program.ended().await;
    logged.has("calls need a token");
    for token in [OPERATOR, NOBODY] {
        let shown = logged.lines.iter().find(|line| line.contains(token));
        assert_eq!(shown, None);
    }
}
