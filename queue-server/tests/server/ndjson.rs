//! Many items in one request, each on a line of JSON with its own options.

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::Api;

/// The items of `q` as they are leased in one call.
async fn leased(api: &Api) -> Vec<Value> {
    let answer = api.lease(json!({"max": 1000})).await;
    answer["items"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_body_is_text_or_json_or_bytes() {
    let api = Api::start();
    api.make(json!({})).await;
    let lines = concat!(
        "{\"body\":\"text\"}\n",
        "{\"body\":\"\"}\r\n",
        "\n   \n",
        "{\"body\":\"a\\n\\u00e9 \\\"\\ud83d\\ude00\\\"\"}\n",
        " {\"body\": {\"n\": 1.0, \"list\": [true, null]} }\n",
        "{\"body\":17}\n",
        "{\"body_base64\":\"aGk=\"}\n",
        "{\"body_base64\":\"//8=\", \"body\": null}",
    );
    let answer = api.ndjson("", lines).await.is(201).json();
    assert_eq!(answer["count"], 7);
    let ids: Vec<_> = answer["items"].as_array().expect("ids").iter().collect();
    let items = leased(&api).await;
    let bodies: Vec<_> = items.iter().map(|item| &item["body"]).collect();
    let json_text = "{\"n\": 1.0, \"list\": [true, null]}";
    let expected = ["text", "", "a\né \"😀\"", json_text, "17", "hi"];
    assert_eq!(bodies[..6], expected);
    assert_eq!(items[6]["body_base64"], "//8=");
    for (id, item) in ids.iter().zip(&items) {
        assert_eq!(id["id"], item["id"]);
        assert_eq!(id["duplicate"], false);
    }
}

#[tokio::test]
async fn each_line_has_its_own_options_and_the_query_speaks_for_the_rest() {
    let api = Api::start();
    api.make(json!({})).await;
    let lines = concat!(
        "{\"body\":\"as the query says\"}\n",
        "{\"body\":\"first\",\"priority\":9,\"key\":\"k\"}\n",
        "{\"body\":\"last\",\"priority\":-9,\"group\":\"other\"}\n",
        "{\"body\":\"later\",\"delay_ms\":3600000}\n",
        "{\"body\":\"null is absent\",\"priority\":null,\"group\":null,\"key\":null}\n",
    );
    api.ndjson("?priority=3&group=g", lines).await.is(201);
    let items = leased(&api).await;
    let shown = |item: &Value| {
        let text = |field: &str| item[field].as_str().unwrap_or("-").to_owned();
        let priority = item["priority"].as_i64();
        (text("body"), priority, text("group"), text("key"))
    };
    let row = |body: &str, priority: i64, group: &str, key: &str| {
        (body.into(), Some(priority), group.into(), key.into())
    };
    let expected: [(String, Option<i64>, String, String); 4] = [
        row("first", 9, "g", "k"),
        row("as the query says", 3, "g", "-"),
        row("null is absent", 3, "g", "-"),
        row("last", -9, "other", "-"),
    ];
    assert_eq!(items.iter().map(shown).collect::<Vec<_>>(), expected);
    assert_eq!(api.queue().await["counts"]["delayed"], 1);
}

#[rstest]
#[case::no_json("{\"body\":1}\nnonsense\n", "line 2")]
#[case::half_a_line("{\"body\":1}\n\n{\"body\":", "line 3")]
#[case::two_on_a_line("{\"body\":1} {\"body\":2}", "line 1")]
#[case::a_list("[\"body\"]", "line 1")]
#[case::a_text("\"body\"", "line 1")]
#[case::no_body("{\"body\":1}\n{}", "line 2")]
#[case::two_bodies("{\"body\":1,\"body_base64\":\"AA==\"}", "line 1")]
#[case::a_body_twice("{\"body\":1,\"body\":1}", "line 1")]
#[case::unknown_field("{\"body\":1,\"prio\":1}", "prio")]
#[case::bad_base64("{\"body\":1}\n{\"body_base64\":\"?\"}", "line 2")]
#[case::half_an_escape("{\"body\":\"\\ud800\"}", "line 1")]
#[case::priority_of_text("{\"body\":1,\"priority\":\"1\"}", "line 1")]
#[case::priority_too_high("{\"body\":1,\"priority\":32768}", "line 1")]
#[case::priority_too_low("{\"body\":1,\"priority\":-32769}", "line 1")]
#[case::delay_too_long("{\"body\":1,\"delay_ms\":315360000001}", "delay_ms")]
#[case::no_life("{\"body\":1}\n{\"body\":1,\"ttl_ms\":0}", "line 2")]
#[case::empty_key("{\"body\":1,\"key\":\"\"}", "key")]
#[case::control_in_a_group("{\"body\":1,\"group\":\"a\\u0000\"}", "group")]
#[tokio::test]
async fn a_wrong_line_is_named_and_nothing_enters(#[case] lines: &str, #[case] named: &str) {
    let api = Api::start();
    api.make(json!({})).await;
    let refused = api.ndjson("?seal=true", lines).await;
    let detail = refused.problem(400, "bad_request");
    assert!(detail.starts_with("line "), "{detail}");
    assert!(detail.contains(named), "{detail}");
    let queue = api.queue().await;
    assert_eq!(
        (&queue["totals"]["enqueued"], &queue["sealed"]),
        (&json!(0), &json!(false))
    );
}

#[tokio::test]
async fn a_line_that_is_not_utf8_is_named() {
    let api = Api::start();
    api.make(json!({})).await;
    let lines = b"{\"body\":\"a\"}\n{\"body\":\"\xff\"}\n".to_vec();
    let detail = api.ndjson("", lines).await.problem(400, "bad_request");
    assert!(detail.contains("line 2"), "{detail}");
}

#[tokio::test]
async fn one_line_over_the_limit_keeps_all_out() {
    let api = Api::start();
    api.make(json!({"max_body_bytes": 4})).await;
    let refused = api
        .ndjson("", "{\"body\":\"four\"}\n{\"body\":\"five!\"}")
        .await;
    let detail = refused.problem(413, "body_too_large");
    assert!(detail.contains("item 2"), "{detail}");
    assert_eq!(api.queue().await["totals"]["enqueued"], 0);
    // What counts is the body, not the JSON around it or the escapes in it.
    api.ndjson("", "{\"body\":\"\\u0061\\u0062\\u0063\\u0064\"}")
        .await
        .is(201);
}

#[tokio::test]
async fn more_lines_than_a_request_may_have_keep_all_out() {
    let api = Api::start();
    api.make(json!({})).await;
    let most = "{\"body\":1}\n".repeat(100_000);
    let refused = api.ndjson("", most.clone() + "{\"body\":1}").await;
    refused.problem(413, "body_too_large");
    assert_eq!(api.queue().await["totals"]["enqueued"], 0);
    let answer = api.ndjson("?ids=false", most).await.is(201).json();
    assert_eq!(answer, json!({"count": 100_000}));
}

#[tokio::test]
async fn a_queue_is_made_filled_and_sealed_in_one_step() {
    let api = Api::start();
    let refused = api
        .ndjson("?create=true&seal=true", "{\"body\":1}\n{}")
        .await;
    refused.problem(400, "bad_request");
    api.get("/v1/queues/q").await.problem(404, "no_such_queue");
    let lines = "{\"body\":\"a\",\"key\":\"1\"}\n{\"body\":\"b\",\"key\":\"1\"}\n";
    let answer = api.ndjson("?create=true&seal=true&ids=false", lines).await;
    assert_eq!(answer.is(201).json(), json!({"count": 2}));
    let queue = api.queue().await;
    assert_eq!(queue["sealed"], true);
    assert_eq!(queue["counts"]["ready"], 1, "the second is a duplicate");
    api.ndjson("", lines).await.problem(409, "queue_sealed");
}

#[rstest]
#[case::capitals("Application/X-NDJSON")]
#[case::with_a_parameter("application/x-ndjson; charset=utf-8")]
#[tokio::test]
async fn put_does_the_same_however_the_type_is_written(#[case] content_type: &str) {
    let api = Api::start();
    api.make(json!({})).await;
    let headers = [("content-type", content_type)];
    let line = "{\"body\":\"a\"}";
    api.call_with("PUT", "/v1/queues/q/items", &headers, line)
        .await
        .is(201);
    assert_eq!(api.take().await.body, "a");
}

#[tokio::test]
async fn a_request_is_either_lines_of_text_or_of_json() {
    let api = Api::start();
    api.make(json!({})).await;
    let refused = api.ndjson("?lines=true", "{\"body\":1}").await;
    refused.problem(400, "bad_request");
}

#[tokio::test]
async fn nothing_is_an_enqueue_too() {
    let api = Api::start();
    api.make(json!({})).await;
    let answer = api.ndjson("", "\n\n").await.is(201).json();
    assert_eq!(answer, json!({"count": 0}));
}
