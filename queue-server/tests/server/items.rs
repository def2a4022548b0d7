//! Enqueueing: one item, many lines, what is refused, and that it is all or nothing.

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{Api, IntoBody};

const MIB: usize = 1024 * 1024;

/// The bodies of all ready items, leased in one call.
async fn bodies(api: &Api) -> Vec<String> {
    let answer = api.lease(json!({"max": 1000})).await;
    let items = answer["items"].as_array().expect("a list");
    items
        .iter()
        .map(|item| item["body"].as_str().expect("text").to_owned())
        .collect()
}

#[tokio::test]
async fn a_raw_body_is_one_item() {
    let api = Api::start();
    api.make(json!({})).await;
    let answer = api
        .post("/v1/queues/q/items", "hello\nworld\r\n")
        .await
        .is(201)
        .json();
    let id = answer["items"][0]["id"].as_str().expect("an id");
    assert!(
        id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')),
        "{id}"
    );
    assert_eq!(
        answer,
        json!({"items": [{"id": id, "duplicate": false}], "count": 1})
    );
    let held = api.take().await;
    assert_eq!(
        (held.body.as_str(), held.id.as_str()),
        ("hello\nworld\r\n", id)
    );
}

#[tokio::test]
async fn put_enqueues_as_post_does() {
    let api = Api::start();
    api.make(json!({})).await;
    assert_eq!(
        api.put("/v1/queues/q/items", "a").await.is(201).json()["count"],
        1
    );
    assert_eq!(
        api.put("/v1/queues/q/items?lines=true", "b\nc")
            .await
            .is(201)
            .json()["count"],
        2
    );
    assert_eq!(bodies(&api).await, ["a", "b", "c"]);
}

#[rstest]
#[case::curl("application/x-www-form-urlencoded")]
#[case::json("application/json")]
#[case::text("text/plain")]
#[case::nonsense("no/such; type")]
#[tokio::test]
async fn the_content_type_of_a_raw_item_does_not_matter(#[case] content_type: &str) {
    let api = Api::start();
    api.make(json!({})).await;
    let headers = [("content-type", content_type)];
    api.call_with("POST", "/v1/queues/q/items", &headers, "a=b&c=%20")
        .await
        .is(201);
    assert_eq!(bodies(&api).await, ["a=b&c=%20"]);
}

#[rstest]
#[case::ended("a\nb\n", &["a", "b"])]
#[case::open_end("a\nb", &["a", "b"])]
#[case::from_windows("a\r\nb\r\n", &["a", "b"])]
#[case::one_cr_only("a\r\r\nb\r", &["a\r", "b"])]
#[case::cr_inside("a\rb\n", &["a\rb"])]
#[case::empty_lines("\n\na\n\r\n\nb\n\n", &["a", "b"])]
#[case::blanks_are_items(" \n\t\n", &[" ", "\t"])]
#[case::none("", &[])]
#[case::none_but_ends("\n\r\n\n", &[])]
#[tokio::test]
async fn each_text_line_is_an_item(#[case] lines: &str, #[case] expected: &[&str]) {
    let api = Api::start();
    api.make(json!({})).await;
    let answer = api
        .post("/v1/queues/q/items?lines=true", lines)
        .await
        .is(201)
        .json();
    assert_eq!(answer["count"], expected.len());
    assert_eq!(
        answer["items"].as_array().map_or(0, Vec::len),
        expected.len()
    );
    assert_eq!(bodies(&api).await, expected);
}

#[tokio::test]
async fn ids_are_left_out_where_nobody_wants_them() {
    let api = Api::start();
    api.make(json!({})).await;
    let answer = api
        .post("/v1/queues/q/items?lines=true&ids=false", "a\nb\n")
        .await
        .is(201)
        .json();
    assert_eq!(answer, json!({"count": 2}));
    assert_eq!(
        api.post("/v1/queues/q/items?ids=false", "c")
            .await
            .is(201)
            .json(),
        json!({"count": 1})
    );
}

#[tokio::test]
async fn ids_are_in_the_order_of_the_lines() {
    let api = Api::start();
    api.make(json!({})).await;
    let answer = api
        .post("/v1/queues/q/items?lines=true", "a\nb\nc\n")
        .await
        .is(201)
        .json();
    let leased = api.lease(json!({"max": 3})).await;
    for n in 0..3 {
        assert_eq!(answer["items"][n]["id"], leased["items"][n]["id"]);
    }
}

#[tokio::test]
async fn an_enqueue_may_make_its_queue_and_seal_it() {
    let api = Api::start();
    api.post("/v1/queues/q/items", "a")
        .await
        .problem(404, "no_such_queue");
    api.post("/v1/queues/q/items?create=false", "a")
        .await
        .problem(404, "no_such_queue");
    api.post("/v1/queues/q/items?create=true", "a")
        .await
        .is(201);
    api.post(
        "/v1/queues/q/items?create=true&lines=true&seal=true",
        "b\nc\n",
    )
    .await
    .is(201);
    assert_eq!(api.queue().await["sealed"], true);
    api.post("/v1/queues/q/items?create=true", "d")
        .await
        .problem(409, "queue_sealed");
    assert_eq!(bodies(&api).await, ["a", "b", "c"]);
}

#[tokio::test]
async fn sealing_with_no_items_is_a_seal() {
    let api = Api::start();
    api.post("/v1/queues/q/items?create=true&lines=true&seal=true", "")
        .await
        .is(201);
    let queue = api.queue().await;
    assert_eq!(
        (&queue["sealed"], &queue["drained"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(queue.get("outcome"), None, "nothing was enqueued");
}

#[rstest]
#[case::misspelt("sael=true", "sael")]
#[case::no_flag("seal=maybe", "")]
#[case::of_a_settlement("exit_code=3", "exit_code")]
#[tokio::test]
async fn an_option_that_is_not_one_is_refused(#[case] query: &str, #[case] named: &str) {
    let api = Api::start();
    api.make(json!({})).await;
    let refused = api.post(&format!("/v1/queues/q/items?{query}"), "a").await;
    assert!(refused.problem(400, "bad_request").contains(named));
    assert_eq!(api.queue().await["totals"]["enqueued"], 0);
}

#[tokio::test]
async fn an_item_may_be_as_large_as_its_queue_allows_and_no_larger() {
    let api = Api::start();
    api.make(json!({})).await;
    api.enqueue("x".repeat(MIB)).await;
    let refused = api.post("/v1/queues/q/items", "x".repeat(MIB + 1)).await;
    assert!(
        refused.problem(413, "body_too_large").contains("1048576"),
        "names the limit"
    );
    api.put("/v1/queues/q", json!({"max_body_bytes": 3}))
        .await
        .is(200);
    api.enqueue("abc").await;
    api.post("/v1/queues/q/items", "abcd")
        .await
        .problem(413, "body_too_large");
}

#[tokio::test]
async fn lines_are_taken_all_or_none() {
    let api = Api::start();
    api.make(json!({"max_body_bytes": 3})).await;
    let refused = api
        .post("/v1/queues/q/items?lines=true&seal=true", "abc\nabcd\nab\n")
        .await;
    let detail = refused.problem(413, "body_too_large");
    assert!(detail.contains('2'), "names the line: {detail}");
    let queue = api.queue().await;
    assert_eq!(
        (&queue["totals"]["enqueued"], &queue["sealed"]),
        (&json!(0), &json!(false))
    );
}

#[tokio::test]
async fn a_request_may_be_16_mib_and_no_larger() {
    let api = Api::start();
    api.make(json!({"max_body_bytes": 16 * MIB})).await;
    let mut body = vec![b'x'; 16 * MIB];
    api.post("/v1/queues/q/items", body.clone()).await.is(201);
    body.push(b'x');
    api.post("/v1/queues/q/items", body.clone())
        .await
        .problem(413, "body_too_large");
    api.post("/v1/queues/q/items?lines=true", body)
        .await
        .problem(413, "body_too_large");
    assert_eq!(api.queue().await["totals"]["enqueued"], 1);
}

#[rstest]
#[case::items(json!({"max_items": 3}))]
#[case::bytes(json!({"max_bytes": 30}))]
#[tokio::test]
async fn a_full_queue_refuses_until_there_is_room(#[case] settings: Value) {
    let api = Api::start();
    api.load(settings, &["0123456789", "0123456789"]).await;
    let two = "0123456789\n0123456789\n";
    let refused = api.post("/v1/queues/q/items?lines=true", two).await;
    assert!(refused.problem(429, "queue_full").contains("`q`"));
    assert_eq!(api.queue().await["counts"]["ready"], 2, "none of the two");
    api.enqueue("0123456789").await;
    api.post("/v1/queues/q/items", "0123456789")
        .await
        .problem(429, "queue_full");

    let held = api.take().await;
    api.post("/v1/queues/q/items", "0123456789")
        .await
        .problem(429, "queue_full");
    api.one(&held, "dead", ()).await.is(200);
    api.post("/v1/queues/q/items", "0123456789")
        .await
        .problem(429, "queue_full");
    let held = api.take().await;
    api.one(&held, "ack", ()).await.is(200);
    api.enqueue("0123456789").await;
}

#[rstest]
#[case::not_utf8(&[0xff, 0xfe, 0x00, 0x80], "//4AgA==")]
#[case::cut_utf8(&[b'a', 0xc3], "YcM=")]
#[tokio::test]
async fn a_body_that_is_not_text_comes_back_byte_for_byte(
    #[case] body: &[u8],
    #[case] base64: &str,
) {
    let api = Api::start();
    api.make(json!({})).await;
    api.enqueue(body.to_vec()).await;
    api.post("/v1/queues/q/items?lines=true", [body, b"\n"].concat())
        .await
        .is(201);
    let leased = api.lease(json!({"max": 2})).await;
    for item in leased["items"].as_array().expect("a list") {
        assert_eq!(item["body_base64"], base64);
        assert_eq!(item.get("body"), None);
        api.settle(json!({"lease": item["lease"], "as": "ack"}))
            .await;
    }
    let outcomes = api.get("/v1/queues/q/outcomes").await.is(200).text();
    assert_eq!(
        outcomes
            .matches(&format!("\"body_base64\":\"{base64}\""))
            .count(),
        2,
        "{outcomes}"
    );
}

#[rstest]
#[case::nothing("")]
#[case::nul("\0")]
#[case::all_of_json("\"\\\u{7f}\u{1}<>&\u{2028}é💥")]
#[case::a_line_end("\n")]
#[tokio::test]
async fn text_comes_back_as_it_was(#[case] body: &str) {
    let api = Api::start();
    api.make(json!({})).await;
    api.enqueue(body).await;
    assert_eq!(api.take().await.body, body);
}

#[tokio::test]
async fn many_who_enqueue_at_once_lose_nothing() {
    let api = Api::start();
    api.make(json!({})).await;
    let calls = (0..20).map(|n| {
        let lines: String = (0..50).map(|line| format!("{n}-{line}\n")).collect();
        api.post(
            "/v1/queues/q/items?lines=true&ids=false",
            lines.into_body().to_vec(),
        )
    });
    for answer in futures_util::future::join_all(calls).await {
        answer.is(201);
    }
    let mut all = bodies(&api).await;
    assert_eq!(all.len(), 1000);
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 1000);
}

#[tokio::test]
async fn a_request_has_so_many_lines_and_not_one_more() {
    let api = Api::start();
    api.make(json!({})).await;
    let path = "/v1/queues/q/items?lines=true&ids=false";
    let most = "x\n".repeat(100_000);
    api.post(path, most.clone() + "y")
        .await
        .problem(413, "body_too_large");
    let answer = api.post(path, most).await.is(201).json();
    assert_eq!(answer, json!({"count": 100_000}));
}

#[tokio::test]
async fn a_lease_of_many_large_items_stops_at_so_many_bytes() {
    let api = Api::start();
    api.make(json!({})).await;
    for _ in 0..6 {
        let body = "x".repeat(MIB);
        api.post("/v1/queues/q/items", body).await.is(201);
    }
    assert_eq!(bodies(&api).await.len(), 4);
    assert_eq!(bodies(&api).await.len(), 2);
}
