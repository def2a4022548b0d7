//! Trace context: it comes in with an item, stays with it, and is told to whoever gets it.

use std::path::Path;

use rstest::rstest;
use serde_json::{Value, json};

use crate::durability_formats::{fixtures, on_fixture};
use crate::harness::Api;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER: &str = "00-11111111111111111111111111111111-2222222222222222-00";
const TRACED: [(&str, &str); 2] = [("traceparent", PARENT), ("tracestate", "a=1,b=2")];

fn told(item: &Value) -> (Option<&str>, Option<&str>) {
    (item["traceparent"].as_str(), item["tracestate"].as_str())
}

#[tokio::test]
async fn a_trace_goes_with_its_item_wherever_that_is_shown() {
    let mut api = Api::start();
    api.make(json!({})).await;
    let items = "/v1/queues/q/items";
    api.call_with("POST", items, &TRACED, "a").await.is(201);
    api.enqueue("plain").await;
    // It is on disk like all else.
    api.restart().await;
    let page = api.get(items).await.is(200).json();
    assert_eq!(told(&page["items"][0]), (Some(PARENT), Some("a=1,b=2")));
    assert_eq!(told(&page["items"][1]), (None, None));
    let answer = api.lease(json!({"max": 2})).await;
    assert_eq!(told(&answer["items"][0]), (Some(PARENT), Some("a=1,b=2")));
    assert_eq!(told(&answer["items"][1]), (None, None));
    let (id, lease) = (&answer["items"][0]["id"], &answer["items"][0]["lease"]);
    let (id, lease) = (
        id.as_str().expect("an id"),
        lease.as_str().expect("a token"),
    );
    api.post(&format!("/v1/leases/{lease}/ack"), "done")
        .await
        .is(200);
    let item = api.get(&format!("{items}/{id}")).await.is(200).json();
    assert_eq!(
        (&item["state"], told(&item).0),
        (&json!("done"), Some(PARENT))
    );
}

#[tokio::test]
async fn a_shell_reads_a_trace_in_headers_and_kuards_api_takes_one() {
    let api = Api::start();
    api.make(json!({})).await;
    let memq = "/memq/server/queues/q/enqueue";
    api.call_with("POST", memq, &TRACED, "a").await.is(200);
    let answer = api.post("/v1/queues/q/lease?raw=true", ()).await.is(200);
    assert_eq!(answer.header("traceparent"), PARENT);
    assert_eq!(answer.header("tracestate"), "a=1,b=2");
    api.enqueue("plain").await;
    let answer = api.post("/v1/queues/q/lease?raw=true", ()).await.is(200);
    assert!(!answer.headers.contains_key("traceparent"));
}

#[tokio::test]
async fn a_line_may_be_part_of_another_trace_than_its_request() {
    let api = Api::start();
    api.make(json!({})).await;
    let lines = format!(
        "{{\"body\":1}}\n{{\"body\":2,\"traceparent\":\"{OTHER}\"}}\n{{\"body\":3,\"traceparent\":\"odd\"}}\n"
    );
    let ndjson = ("content-type", "application/x-ndjson");
    let headers = [ndjson, TRACED[0], TRACED[1]];
    api.call_with("POST", "/v1/queues/q/items", &headers, lines)
        .await
        .is(201);
    let page = api.get("/v1/queues/q/items").await.is(200).json();
    let found: Vec<_> = page["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(told)
        .collect();
    let request = (Some(PARENT), Some("a=1,b=2"));
    assert_eq!(found, [request, (Some(OTHER), None), request]);
}

#[rstest]
#[case::no_header("no trace")]
#[case::upper_case("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01")]
#[case::no_trace("00-00000000000000000000000000000000-b7ad6b7169203331-01")]
#[tokio::test]
async fn what_is_not_well_formed_counts_as_absent(#[case] header: &str) {
    let api = Api::start();
    api.make(json!({})).await;
    let headers = [("traceparent", header), ("tracestate", "a=1")];
    api.call_with("POST", "/v1/queues/q/items", &headers, "a")
        .await
        .is(201);
    let answer = api.lease(json!({})).await;
    assert_eq!(told(&answer["items"][0]), (None, None));
}

#[tokio::test]
async fn a_repeated_request_may_come_from_another_span() {
    let api = Api::start();
    api.make(json!({})).await;
    let items = "/v1/queues/q/items";
    let key = ("idempotency-key", "load-1");
    let first = api
        .call_with("POST", items, &[key, ("traceparent", PARENT)], "a")
        .await
        .is(201)
        .json();
    let again = api
        .call_with("POST", items, &[key, ("traceparent", OTHER)], "a")
        .await
        .is(201)
        .json();
    assert_eq!(first, again);
    let page = api.get(items).await.is(200).json();
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(told(&page["items"][0]).0, Some(PARENT));
}

/// Written by the first release that kept traces.
#[tokio::test]
async fn a_directory_with_traces_is_read() {
    let (mut api, told) = on_fixture("traces");
    for _ in ["as it was", "as this release goes on with it"] {
        let page = api.get("/v1/queues/q/items").await.is(200).json();
        let there = page["items"]
            .as_array()
            .expect("items")
            .iter()
            .zip(told["items"].as_array().expect("items"));
        for (found, told) in there {
            for field in ["id", "body", "traceparent", "tracestate", "key", "group"] {
                assert_eq!(found[field], told[field], "{field}");
            }
        }
        api.restart().await;
    }
}

/// Writes that directory, once and for all releases to come.
#[tokio::test]
#[ignore = "the directory is kept as it was written"]
async fn write_a_directory_with_traces() {
    let mut api = Api::start_with(|config| {
        if let queue_server::Storage::Disk(storage) = &mut config.storage {
            storage.segment_bytes = 32 * 1024;
        }
    });
    api.make(json!({})).await;
    let items = "/v1/queues/q/items";
    api.call_with("POST", items, &TRACED, "with a state")
        .await
        .is(201);
    api.call_with("POST", items, &TRACED[..1], "without")
        .await
        .is(201);
    api.call_with(
        "POST",
        &format!("{items}?lines=true"),
        &TRACED,
        "of\nthe\nsame",
    )
    .await
    .is(201);
    let all = format!("{items}?key=k&group=g&priority=3&delay_ms=1h");
    api.call_with("POST", &all, &TRACED, "with all else")
        .await
        .is(201);
    api.enqueue("plain").await;
    let page = api.get(items).await.is(200).json();
    api.tell_to_stop();
    api.stopped().await;
    let to = fixtures().join("traces");
    copy_all(api.data_dir(), &to);
    let text = serde_json::to_string_pretty(&page).expect("JSON");
    std::fs::write(fixtures().join("traces.json"), text + "\n").expect("a file");
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        if entry.file_name() != "lock" {
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
        }
    }
}
