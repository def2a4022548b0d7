//! Options of an enqueue: what may stand in a query, and what a leased item shows of it.

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{Api, until};

#[tokio::test]
async fn a_leased_item_shows_what_it_was_given() {
    let api = Api::start();
    api.make(json!({})).await;
    let query = "?priority=-7&key=caf%C3%A9+1&group=g";
    api.post(&format!("/v1/queues/q/items{query}"), "a")
        .await
        .is(201);
    api.enqueue("plain").await;
    let answer = api.lease(json!({"max": 2})).await;
    let plain = answer["items"][0].as_object().expect("an item");
    let fields: Vec<&str> = plain.keys().map(String::as_str).collect();
    let all = [
        "attempt",
        "body",
        "enqueued",
        "id",
        "lease",
        "lease_expires",
        "lease_ms",
    ];
    assert_eq!(fields, all, "what was not given is not shown");
    let item = &answer["items"][1];
    assert_eq!(item["priority"], -7);
    assert_eq!(
        (&item["key"], &item["group"]),
        (&json!("café 1"), &json!("g"))
    );
}

#[tokio::test]
async fn a_shell_reads_them_in_headers() {
    let api = Api::start();
    api.make(json!({})).await;
    api.post("/v1/queues/q/items?key=k-1&group=g", "a")
        .await
        .is(201);
    let answer = api.post("/v1/queues/q/lease?raw=true", ()).await.is(200);
    assert_eq!(answer.header("memq-item-key"), "k-1");
    assert_eq!(answer.header("memq-item-group"), "g");
    api.enqueue("plain").await;
    let answer = api.post("/v1/queues/q/lease?raw=true", ()).await.is(200);
    assert!(!answer.headers.contains_key("memq-item-key"));
    assert!(!answer.headers.contains_key("memq-item-group"));
}

#[rstest]
#[case::as_milliseconds("?delay_ms=3600000")]
#[case::as_people_write_it("?delay_ms=1h")]
#[tokio::test]
async fn a_delayed_item_is_not_lent_before_its_time(#[case] query: &str) {
    let api = Api::start();
    api.make(json!({})).await;
    api.post(&format!("/v1/queues/q/items{query}"), "a")
        .await
        .is(201);
    let answer = api.lease(json!({})).await;
    assert_eq!(answer, json!({"items": [], "state": "waiting"}));
    let queue = api.queue().await;
    assert_eq!(
        (&queue["counts"]["delayed"], &queue["backlog"]),
        (&json!(1), &json!(0))
    );
}

#[tokio::test]
async fn one_who_waits_gets_a_delayed_item_when_its_time_comes() {
    let api = Api::start();
    api.make(json!({})).await;
    let lines = "{\"body\":\"later\",\"delay_ms\":200}\n{\"body\":\"sooner\",\"delay_ms\":50}\n";
    api.ndjson("", lines).await.is(201);
    let wait = json!({"wait_ms": 30_000});
    assert_eq!(api.take_with(wait.clone()).await.body, "sooner");
    assert_eq!(api.take_with(wait).await.body, "later");
}

#[tokio::test]
async fn the_options_of_the_query_hold_for_all_text_lines() {
    let api = Api::start();
    api.make(json!({})).await;
    api.post("/v1/queues/q/items?lines=true&priority=2&group=g", "a\nb\n")
        .await
        .is(201);
    let answer = api.lease(json!({"max": 2})).await;
    for item in answer["items"].as_array().expect("a list") {
        assert_eq!(
            (&item["priority"], &item["group"]),
            (&json!(2), &json!("g"))
        );
    }
}

#[tokio::test]
async fn each_option_is_taken_at_its_limit() {
    let api = Api::start();
    api.make(json!({})).await;
    let key = "k".repeat(255);
    let group = "%C3%A9".repeat(127);
    for query in [
        "priority=32767",
        "priority=-32768",
        "delay_ms=315360000000",
        "delay_ms=0",
        "ttl_ms=315360000000",
        "ttl_ms=3650d",
        &format!("key={key}"),
        &format!("group={group}"),
    ] {
        api.post(&format!("/v1/queues/q/items?{query}"), "a")
            .await
            .is(201);
    }
}

#[rstest]
#[case::priority("priority=32768", "priority")]
#[case::priority_below("priority=-32769", "priority")]
#[case::priority_of_words("priority=high", "priority")]
#[case::delay("delay_ms=315360000001", "duration")]
#[case::ttl("ttl_ms=3651d", "duration")]
#[case::no_ttl("ttl_ms=0", "ttl_ms")]
#[case::negative_ttl("ttl_ms=-1", "duration")]
#[case::no_key("key=", "key")]
#[case::control_in_a_key("key=a%00b", "key")]
#[case::control_in_a_group("group=%C2%85", "group")]
#[case::no_lease("lease=", "lease token")]
#[case::unknown("prio=1", "prio")]
#[case::twice("priority=1&priority=2", "priority")]
#[tokio::test]
async fn one_past_its_limit_is_refused_by_name(#[case] query: &str, #[case] named: &str) {
    let api = Api::start();
    api.make(json!({})).await;
    let refused = api.post(&format!("/v1/queues/q/items?{query}"), "a").await;
    let detail = refused.problem(400, "bad_request");
    assert!(detail.contains(named), "{detail}");
    assert_eq!(api.queue().await["totals"]["enqueued"], 0);
}

#[rstest]
#[case::key("key", 256)]
#[case::group("group", 256)]
#[tokio::test]
async fn a_text_one_byte_too_long_is_refused(#[case] option: &str, #[case] bytes: usize) {
    let api = Api::start();
    api.make(json!({})).await;
    let path = format!("/v1/queues/q/items?{option}={}", "x".repeat(bytes));
    let detail = api.post(&path, "a").await.problem(400, "bad_request");
    assert!(
        detail.contains(option) && detail.contains("255"),
        "{detail}"
    );
}

#[rstest]
#[case::lines("/v1/queues/q/items?lines=true&key=k", "text/plain")]
#[case::ndjson("/v1/queues/q/items?key=k", "application/x-ndjson")]
#[tokio::test]
async fn many_items_do_not_share_a_key(#[case] path: &str, #[case] content_type: &str) {
    let api = Api::start();
    api.make(json!({})).await;
    let headers = [("content-type", content_type)];
    let refused = api.call_with("POST", path, &headers, "{\"body\":1}").await;
    assert!(refused.problem(400, "bad_request").contains("key"));
}

#[tokio::test]
async fn what_an_item_was_given_is_there_after_a_restart() {
    let mut api = Api::start();
    api.make(json!({})).await;
    let lines = concat!(
        "{\"body\":\"b\",\"priority\":1,\"group\":\"g\",\"key\":\"k\",\"ttl_ms\":3600000}\n",
        "{\"body\":\"c\",\"delay_ms\":3600000}\n",
    );
    let made = api.ndjson("", lines).await.is(201).json();
    let ids: Vec<&str> = (0..2)
        .map(|at| made["items"][at]["id"].as_str().expect("an id"))
        .collect();
    let shown =
        async |api: &Api| -> Vec<Value> { vec![api.item(ids[0]).await, api.item(ids[1]).await] };
    let before = shown(&api).await;
    api.restart().await;
    assert_eq!(shown(&api).await, before);
    until("the queue is as it was", async || {
        api.queue().await["counts"]["ready"] == 1
    })
    .await;
}
