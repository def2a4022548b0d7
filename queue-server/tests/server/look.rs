//! Looking at items without taking them: where each is, what was tried, what it printed.

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{Api, until};

async fn page(api: &Api, query: &str) -> Value {
    api.get(&format!("/v1/queues/q/items{query}"))
        .await
        .is(200)
        .json()
}

fn bodies(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("a list");
    items
        .iter()
        .map(|item| item["body"].as_str().expect("text"))
        .collect()
}

/// One item in each state, named after it.
async fn one_of_each(api: &Api) {
    api.make(json!({})).await;
    for body in ["done", "dead", "leased", "cancelled"] {
        let id = api.enqueue(body).await;
        match body {
            "cancelled" => {
                api.delete(&format!("/v1/queues/q/items/{id}"))
                    .await
                    .is(204);
            }
            "leased" => {
                api.take_with(json!({"worker": "w"})).await;
            }
            ended => {
                let held = api.take_with(json!({"worker": "w"})).await;
                let verdict = if ended == "done" { "ack" } else { "dead" };
                api.one(&held, verdict, "said").await.is(200);
            }
        }
    }
    api.post("/v1/queues/q/items?ttl_ms=1", "expired")
        .await
        .is(201);
    until("it expired", async || {
        api.queue().await["totals"]["item_expired"] == 1
    })
    .await;
    api.post("/v1/queues/q/items?delay_ms=1h", "delayed")
        .await
        .is(201);
    api.enqueue("ready").await;
}

const STATES: [&str; 7] = [
    "done",
    "dead",
    "leased",
    "cancelled",
    "expired",
    "delayed",
    "ready",
];

#[tokio::test]
async fn all_items_are_listed_in_the_order_they_came_in() {
    let api = Api::start();
    one_of_each(&api).await;
    let all = page(&api, "").await;
    assert_eq!(bodies(&all), STATES);
    assert_eq!(all.get("next"), None);
    for item in all["items"].as_array().expect("a list") {
        assert_eq!(item["state"], item["body"], "{item}");
        assert_eq!(item.get("history"), None);
    }
    assert_eq!(
        api.queue().await["totals"]["leased"],
        3,
        "looking takes nothing"
    );
}

#[rstest]
#[case("ready")]
#[case("leased")]
#[case("delayed")]
#[case("dead")]
#[case("done")]
#[case("expired")]
#[case("cancelled")]
#[tokio::test]
async fn a_state_is_asked_for(#[case] state: &str) {
    let api = Api::start();
    one_of_each(&api).await;
    let found = page(&api, &format!("?state={state}")).await;
    assert_eq!(bodies(&found), [state]);
}

#[tokio::test]
async fn an_item_shows_only_what_it_has() {
    let api = Api::start();
    one_of_each(&api).await;
    let all = page(&api, "").await;
    let fields = |state: &str| -> Vec<String> {
        let items = all["items"].as_array().expect("a list");
        let item = items
            .iter()
            .find(|item| item["state"] == state)
            .expect(state);
        item.as_object().expect("an item").keys().cloned().collect()
    };
    let plain = ["attempts", "body", "enqueued", "id", "state"];
    let with = |more: &[&str]| {
        let mut all = [&plain[..], more].concat();
        all.sort_unstable();
        all.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(fields("ready"), with(&[]));
    assert_eq!(fields("delayed"), with(&["due"]));
    assert_eq!(fields("leased"), with(&["lease"]));
    assert_eq!(fields("done"), with(&["ended", "result"]));
    assert_eq!(fields("dead"), with(&["ended", "error"]));
    assert_eq!(fields("cancelled"), with(&["ended"]));
    assert_eq!(fields("expired"), with(&["ended", "expires"]));
}

#[tokio::test]
async fn an_item_ended_when_its_outcome_says() {
    let mut api = Api::start();
    one_of_each(&api).await;
    let taken = api.post("/memq/server/queues/q/dequeue", ()).await;
    assert_eq!(taken.is(200).json()["body"], "ready");
    for restarted in [false, true] {
        if restarted {
            api.restart().await;
        }
        let outcomes = api.outcomes().await;
        assert_eq!(outcomes.len(), 5);
        for line in outcomes {
            let item = api.item(line["id"].as_str().expect("an id")).await;
            assert_eq!(item["ended"], line["ended"], "{item}");
        }
    }
}

#[tokio::test]
async fn the_token_of_a_lease_is_shown_to_nobody() {
    let api = Api::start();
    api.load(json!({"lease_ms": 60_000}), &["a"]).await;
    let held = api.take_with(json!({"worker": "w"})).await;
    let one = api.item(&held.id).await;
    let all = page(&api, "").await;
    assert!(!format!("{one}{all}").contains(&held.lease));
    assert_eq!(
        (&one["lease"]["worker"], &one["attempts"]),
        (&json!("w"), &json!(1))
    );
    let left = one["lease"]["lease_ms"].as_u64().expect("a number");
    assert!((1..=60_000).contains(&left), "{one}");
    for time in ["started", "lease_expires"] {
        assert!(one["lease"][time].is_string(), "{one}");
    }
}

#[tokio::test]
async fn pages_follow_one_another_to_the_end() {
    let api = Api::start();
    api.make(json!({})).await;
    let lines: Vec<String> = (0..25).map(|number| number.to_string()).collect();
    api.post("/v1/queues/q/items?lines=true", lines.join("\n"))
        .await
        .is(201);
    let mut found = Vec::new();
    let mut query = "?limit=10".to_owned();
    let mut sizes = Vec::new();
    loop {
        let page = page(&api, &query).await;
        sizes.push(bodies(&page).len());
        found.extend(bodies(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        query = format!("?limit=10&after={next}");
    }
    assert_eq!(found, lines);
    assert_eq!(sizes, [10, 10, 5]);
}

#[tokio::test]
async fn a_page_goes_on_after_an_item_that_is_gone() {
    let api = Api::start();
    api.make(json!({"done_retention_items": 0})).await;
    let first = api.enqueue("a").await;
    api.enqueue("b").await;
    let held = api.take().await;
    api.one(&held, "ack", ()).await.is(200);
    api.get(&format!("/v1/queues/q/items/{first}"))
        .await
        .problem(404, "no_such_item");
    let rest = page(&api, &format!("?after={first}")).await;
    assert_eq!(bodies(&rest), ["b"]);
}

#[tokio::test]
async fn a_page_of_large_items_ends_after_a_mebibyte() {
    let api = Api::start();
    api.make(json!({})).await;
    for _ in 0..4 {
        api.enqueue("x".repeat(600 * 1024)).await;
    }
    let first = page(&api, "").await;
    assert_eq!(bodies(&first).len(), 2, "the second passes it");
    let next = first["next"].as_str().expect("more");
    let second = page(&api, &format!("?after={next}")).await;
    assert_eq!((bodies(&second).len(), second.get("next")), (2, None));
}

#[tokio::test]
async fn a_group_is_asked_for() {
    let api = Api::start();
    api.make(json!({})).await;
    let lines = concat!(
        "{\"body\":\"1\",\"group\":\"a\"}\n",
        "{\"body\":\"2\"}\n",
        "{\"body\":\"3\",\"group\":\"b\"}\n",
        "{\"body\":\"4\",\"group\":\"a\",\"delay_ms\":3600000,\"priority\":5,\"key\":\"k\"}\n",
    );
    api.ndjson("", lines).await.is(201);
    let found = page(&api, "?group=a").await;
    assert_eq!(bodies(&found), ["1", "4"]);
    let last = &found["items"][1];
    assert_eq!(
        (&last["priority"], &last["key"], &last["group"]),
        (&json!(5), &json!("k"), &json!("a"))
    );
    assert_eq!(bodies(&page(&api, "?group=a&state=ready").await), ["1"]);
    assert_eq!(page(&api, "?group=none").await, json!({"items": []}));
}

#[tokio::test]
async fn bytes_that_are_no_text_are_base64() {
    let api = Api::start();
    api.make(json!({})).await;
    let id = api.enqueue(vec![0xff, 0xfe]).await;
    let item = api.item(&id).await;
    assert_eq!(
        (&item["body_base64"], item.get("body")),
        (&json!("//4="), None)
    );
}

#[tokio::test]
async fn the_history_tells_what_was_tried() {
    let api = Api::start();
    api.load(json!({"lease_ms": 100}), &["a"]).await;
    let held = api.take_with(json!({"worker": "first"})).await;
    api.one(&held, "release", "not now").await.is(200);
    let held = api.take_with(json!({"worker": "second"})).await;
    api.one(&held, "nack?delay_ms=0&exit_code=3", "failed")
        .await
        .is(200);
    api.take_with(json!({"worker": "third", "wait_ms": 30_000}))
        .await;
    let held = api
        .take_with(json!({"worker": "fourth", "wait_ms": 30_000, "lease_ms": 60_000}))
        .await;
    let settlement = json!({"lease": held.lease, "as": "ack", "result": {"n": 1}, "log": "line\n"});
    api.settle(settlement).await;
    let item = api.item(&held.id).await;
    assert_eq!(item["state"], "done");
    let history = item["history"].as_array().expect("a list");
    let told = |field: &str| -> Vec<Value> {
        history
            .iter()
            .map(|attempt| attempt[field].clone())
            .collect()
    };
    assert_eq!(told("as"), ["release", "nack", "expired", "ack"]);
    assert_eq!(told("worker"), ["first", "second", "third", "fourth"]);
    assert_eq!(told("attempt"), [1, 2, 3, 4]);
    assert_eq!(item["attempts"], 3, "one was given back unspent");
    assert_eq!(told("error")[..2], ["not now", "failed"]);
    assert_eq!(told("exit_code")[1], 3);
    assert_eq!(
        (&told("result")[3], &told("log_bytes")[3]),
        (&json!("{\"n\":1}"), &json!(5))
    );
    // Without its Z a time that has fewer digits is the earlier one.
    let time = |attempt: &Value, field: &str| -> Option<String> {
        Some(attempt[field].as_str()?.trim_end_matches('Z').to_owned())
    };
    for attempt in history {
        assert!(
            time(attempt, "started") <= time(attempt, "ended"),
            "{attempt}"
        );
    }
    assert_eq!(item["result"], "{\"n\":1}");
}

#[tokio::test]
async fn the_log_of_each_attempt_is_kept() {
    let mut api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take().await;
    let path = format!("/v1/queues/q/items/{}/log", held.id);
    assert_eq!(
        api.get(&path).await.is(200).text(),
        "",
        "nothing is printed yet"
    );
    api.one(&held, "nack?delay_ms=0", "only an error")
        .await
        .is(200);
    let held = api.take().await;
    api.settle(json!({"lease": held.lease, "as": "ack", "log": "é\nsecond\n"}))
        .await;
    for restarted in [false, true] {
        if restarted {
            api.restart().await;
        }
        let last = api.get(&path).await.is(200);
        assert_eq!(last.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(last.header("x-content-type-options"), "nosniff");
        assert_eq!(last.text(), "é\nsecond\n");
        let first = api.get(&format!("{path}?attempt=1")).await.is(200);
        assert_eq!(first.text(), "only an error");
        let second = api.get(&format!("{path}?attempt=2")).await.is(200);
        assert_eq!(second.text(), "é\nsecond\n");
    }
    api.get(&format!("{path}?attempt=0"))
        .await
        .problem(404, "no_such_item");
    api.get(&format!("{path}?attempt=3"))
        .await
        .problem(404, "no_such_item");
    api.get(&format!("{path}?attempt=x"))
        .await
        .problem(400, "bad_request");
}

#[tokio::test]
async fn a_long_log_is_cut_and_not_refused() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take().await;
    let log = "é".repeat(100_000);
    api.settle(json!({"lease": held.lease, "as": "ack", "log": log}))
        .await;
    let kept = api
        .get(&format!("/v1/queues/q/items/{}/log", held.id))
        .await
        .is(200);
    assert!(
        kept.body.len() <= 132 * 1024 && kept.body.len() > 131 * 1024,
        "{}",
        kept.body.len()
    );
    assert!(
        kept.text().chars().all(|c| c == 'é'),
        "cut between two characters"
    );
}

#[rstest]
#[case::state(
    "?state=waiting",
    "`waiting`: give one of ready, leased, delayed, dead, done, expired, cancelled"
)]
#[case::two_states("?state=ready,dead", "ready,dead")]
#[case::no_limit("?limit=0", "limit")]
#[case::too_many("?limit=1001", "limit")]
#[case::cursor("?after=x", "item id")]
#[case::group("?group=", "group")]
#[case::unknown("?offset=1", "offset")]
#[tokio::test]
async fn a_question_that_makes_no_sense_is_refused(#[case] query: &str, #[case] named: &str) {
    let api = Api::start();
    api.make(json!({})).await;
    let refused = api.get(&format!("/v1/queues/q/items{query}")).await;
    let detail = refused.problem(400, "bad_request");
    assert!(detail.contains(named), "{detail}");
}

#[tokio::test]
async fn a_thousand_items_make_a_page() {
    let api = Api::start();
    api.make(json!({})).await;
    api.post(
        "/v1/queues/q/items?lines=true&ids=false",
        "x\n".repeat(1_001),
    )
    .await
    .is(201);
    assert_eq!(bodies(&page(&api, "").await).len(), 100, "unless one says");
    assert_eq!(bodies(&page(&api, "?limit=1000").await).len(), 1_000);
    assert_eq!(bodies(&page(&api, "?limit=1").await).len(), 1);
}

#[tokio::test]
async fn what_is_not_there_is_not_shown() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    let missing = "0".repeat(32);
    for path in ["", "/log"] {
        let unknown = format!("/v1/queues/q/items/{missing}{path}");
        api.get(&unknown).await.problem(404, "no_such_item");
        let nonsense = format!("/v1/queues/q/items/xyz{path}");
        api.get(&nonsense).await.problem(400, "bad_request");
        let nowhere = format!("/v1/queues/nowhere/items/{missing}{path}");
        api.get(&nowhere).await.problem(404, "no_such_queue");
    }
    api.get("/v1/queues/nowhere/items")
        .await
        .problem(404, "no_such_queue");
    let elsewhere = api
        .get(&format!("/v1/queues/q/items?after={missing}"))
        .await;
    elsewhere.problem(400, "bad_request");
}
