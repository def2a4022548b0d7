//! Limits that refuse something say so in the metrics, each under its own name.

use std::fs;

use queue_server::{Config, Storage};
use serde_json::{Value, json};

use crate::auth_browsers::ask;
use crate::harness::{Api, OPERATOR};
use crate::metrics::{scraped, value};

/// How often this limit refused something, and that no other did.
async fn only(api: &Api, limit: &str) -> f64 {
    let scrape = scraped(api).await;
    let hits = scrape.having("memq_limits_hit_total", &[]);
    let others = hits.filter(|hit| hit.labels["limit"] != limit && hit.value > 0.0);
    let others: Vec<_> = others.map(|hit| hit.labels["limit"].as_str()).collect();
    assert_eq!(others, Vec::<&str>::new(), "beside {limit}");
    value(&scrape, "memq_limits_hit_total", &[("limit", limit)])
}

fn started(change: impl FnOnce(&mut Config)) -> Api {
    Api::start_with(|config| {
        config.storage = Storage::Memory;
        change(config);
    })
}

async fn refused(api: &Api, path: &str, body: Value) {
    let answer = api.post(path, body).await;
    assert_eq!(answer.status, 429, "{answer:?}");
}

#[tokio::test]
async fn a_full_queue() {
    let api = started(|_| {});
    api.load(json!({"max_items": 1}), &["a"]).await;
    refused(&api, "/v1/queues/q/items", json!("b")).await;
    refused(&api, "/memq/server/queues/q/enqueue", json!("b")).await;
    assert_eq!(only(&api, "queue_full").await, 2.0);
}

#[tokio::test]
async fn a_queue_at_its_rate() {
    let api = started(|_| {});
    let settings = json!({"rate_per_s": 0.01, "burst": 1});
    api.load(settings, &["a", "b"]).await;
    api.take().await;
    refused(&api, "/v1/queues/q/lease", json!({})).await;
    assert_eq!(only(&api, "rate_limited").await, 1.0);
    api.lease(json!({"wait_ms": 50})).await;
    assert_eq!(
        only(&api, "rate_limited").await,
        2.0,
        "a call that waits, too"
    );
    api.post("/memq/server/queues/q/dequeue", ()).await.is(204);
    assert_eq!(only(&api, "rate_limited").await, 3.0, "and kuard's");
}

#[tokio::test]
async fn a_queue_with_as_many_leases_as_it_may_have() {
    let api = started(|_| {});
    api.load(json!({"max_leased": 1}), &["a", "b"]).await;
    api.take().await;
    assert_eq!(only(&api, "max_leased").await, 0.0);
    api.lease(json!({})).await;
    assert_eq!(only(&api, "max_leased").await, 1.0);
    api.put("/v1/queues/none", ()).await.is(201);
    api.post("/v1/queues/none/lease", ()).await.is(200);
    assert_eq!(
        only(&api, "max_leased").await,
        1.0,
        "an empty queue is no limit"
    );
}

#[tokio::test]
async fn a_server_with_as_many_queues_items_and_bytes_as_it_may_hold() {
    let api = started(|config| config.max_queues = 1);
    api.load(json!({}), &["a"]).await;
    refused(&api, "/v1/queues/other/items?create=true", json!("b")).await;
    assert_eq!(only(&api, "max_queues").await, 1.0);

    let api = started(|config| config.max_items = 1);
    api.load(json!({}), &["a"]).await;
    refused(&api, "/v1/queues/q/items", json!("b")).await;
    assert_eq!(only(&api, "max_items").await, 1.0);

    let api = started(|config| config.max_bytes = Some(1));
    api.load(json!({}), &["a"]).await;
    refused(&api, "/v1/queues/q/items", json!("b")).await;
    assert_eq!(only(&api, "max_bytes").await, 1.0);
}

#[tokio::test]
async fn a_server_with_as_many_parked_calls_as_it_may_have() {
    let api = started(|config| config.max_waiters = 1);
    api.make(json!({})).await;
    let parked = api.post("/v1/queues/q/lease", json!({"wait_ms": 30_000}));
    let other = async {
        api.until_parked(1).await;
        refused(&api, "/v1/queues/q/lease", json!({"wait_ms": 30_000})).await;
        assert_eq!(only(&api, "waiters").await, 1.0);
        api.enqueue("a").await;
    };
    let (answer, ()) = tokio::join!(parked, other);
    answer.is(200);
}

#[tokio::test]
async fn calls_without_a_token_that_is_known_or_with_too_little_a_role() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("tokens");
    let reader = "a-reader-of-the-tests";
    fs::write(&path, format!("admin {OPERATOR}\nread {reader}\n")).expect("it is written");
    let api = started(|config| config.access.tokens = Some(path));
    let bearer = |token: &str| format!("Bearer {token}");
    let (wrong, reader, admin) = (
        bearer("wrong-wrong-wrong"),
        bearer(reader),
        bearer(OPERATOR),
    );
    let call = async |token: &str, method: &str| {
        let headers = [("authorization", token)];
        api.call_with(method, "/v1/queues/q", &headers, ())
            .await
            .status
    };
    assert_eq!(call(&wrong, "PUT").await, 401);
    assert_eq!(api.get("/v1/queues").await.status, 401);
    assert_eq!(call(&reader, "PUT").await, 403);
    let headers = [("authorization", admin.as_str())];
    let answer = api.call_with("GET", "/metrics", &headers, ()).await.is(200);
    let scrape = metrics::check::Scrape::read(&answer.text()).expect("the format");
    for (limit, count) in [
        ("unauthenticated", 2.0),
        ("forbidden", 1.0),
        ("foreign_site", 0.0),
    ] {
        let hits = value(&scrape, "memq_limits_hit_total", &[("limit", limit)]);
        assert_eq!(hits, count, "{limit}");
    }
}

#[tokio::test]
async fn a_page_of_another_site() {
    let api = started(|_| {});
    let headers = [("sec-fetch-site", "cross-site")];
    let answer = api.call_with("PUT", "/v1/queues/q", &headers, ()).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(only(&api, "foreign_site").await, 1.0);
}

#[tokio::test]
async fn a_name_that_is_none_of_the_servers() {
    let api = started(|_| {});
    let answer = ask(&api, "GET /v1/queues", "elsewhere.example").await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert_eq!(only(&api, "unknown_host").await, 1.0);
}
