//! What an item was given and what became of it, over restarts in order and by `kill -9`: keys, groups,
//! limits, requests that are repeated, and all ends that an item may come to.

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{Answer, Api, End, Held, Lives, lasting, until};

/// The id of the one item that an enqueue brought, and whether it is a duplicate.
fn entered(answer: Answer) -> (String, bool) {
    let answer = answer.is(201).json();
    assert_eq!(answer["count"], 1, "{answer}");
    let item = &answer["items"][0];
    let id = item["id"].as_str().expect("an id").to_owned();
    (id, item["duplicate"].as_bool().expect("a flag"))
}

/// Puts an item into `q` with this query.
async fn put(api: &Api, query: &str, body: &str) -> (String, bool) {
    let path = format!("/v1/queues/q/items{query}");
    entered(api.post(&path, body).await)
}

async fn put_new(api: &Api, query: &str, body: &str) -> String {
    let (id, is_duplicate) = put(api, query, body).await;
    assert!(!is_duplicate, "{body}");
    id
}

async fn repeatable(api: &Api, key: &str, query: &str, body: &str) -> Answer {
    let path = format!("/v1/queues/q/items{query}");
    let headers = [("idempotency-key", key)];
    api.call_with("POST", &path, &headers, body).await
}

/// A queue with items that were given everything, and one that came to each end there is.
pub(crate) struct WholeLife {
    ids: Vec<String>,
    queue: Value,
    items: Vec<Value>,
    logs: Vec<String>,
    joblog: String,
    leased: Held,
    revoked: Held,
    repeated: Value,
}

/// The body of each item of a whole life, in their order, and the state it is left in.
const LEFT: [(&str, &str); 8] = [
    ("done", "done"),
    ("revoked", "cancelled"),
    ("dead", "dead"),
    ("redriven", "ready"),
    ("leased", "leased"),
    ("cancelled", "cancelled"),
    ("expired", "expired"),
    ("given everything", "delayed"),
];

impl WholeLife {
    /// Lives it on a server without queues, in the queue `q`.
    pub(crate) async fn live(api: &Api) -> Self {
        api.make(json!({
            "lease_ms": 600_000, "max_attempts": 3, "key_window_ms": 3_600_000, "max_leased": 2,
            "max_leased_per_group": 1, "rate_per_s": 1000.25, "burst": 50, "max_body_bytes": 1234,
        }))
        .await;
        let first = repeatable(api, "request", "?key=done", "done").await;
        let repeated = first.is(201).json();
        let done = api.take_with(json!({"worker": "ada"})).await;
        let ack =
            json!({"lease": done.lease, "as": "ack", "result": "its result", "log": "printed"});
        assert_eq!(api.settle(ack).await["ok"], true);

        let revoked_id = put_new(api, "?key=revoked", "revoked").await;
        let revoked = api.take_with(json!({"worker": "bob"})).await;
        cancel(api, &revoked_id).await.is(204);

        let dead_id = put_new(api, "?group=g", "dead").await;
        bury(api, "for good").await;
        let redriven_id = put_new(api, "?group=g&key=redriven", "redriven").await;
        bury(api, "no such host").await;
        let which = json!({"ids": [redriven_id]});
        let redriven = api.post("/v1/queues/q/redrive", which).await.is(200).json();
        assert_eq!(redriven["affected"], 1);

        let leased_id = put_new(api, "?group=h&priority=5&key=leased&ttl_ms=2h", "leased").await;
        let leased = api.take_with(json!({"worker": "ada"})).await;
        assert_eq!(leased.id, leased_id);
        let cancelled_id = put_new(api, "?group=h", "cancelled").await;
        cancel(api, &cancelled_id).await.is(204);
        let expired_id = put_new(api, "?ttl_ms=1", "expired").await;
        until("it has expired", async || {
            api.queue().await["totals"]["item_expired"] == 1
        })
        .await;
        let all = "?priority=-7&group=g&key=k%20%C3%A4&delay_ms=1h&ttl_ms=2h";
        let everything_id = put_new(api, all, "given everything").await;

        let ids = vec![
            done.id,
            revoked_id,
            dead_id,
            redriven_id,
            leased_id,
            cancelled_id,
            expired_id,
            everything_id,
        ];
        let life = Self {
            queue: api.queue().await,
            items: items(api, &ids).await,
            logs: logs(api, &ids).await,
            joblog: joblog(api).await,
            ids,
            leased,
            revoked,
            repeated,
        };
        for ((body, state), item) in LEFT.iter().zip(&life.items) {
            assert_eq!(
                (&item["body"], &item["state"]),
                (&json!(body), &json!(state))
            );
        }
        assert_eq!(life.logs[0], "printed");
        assert_eq!(life.logs[2], "for good");
        life
    }

    /// One that was lived elsewhere, as it was told.
    pub(crate) fn of(told: &Value) -> Self {
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let texts = |name: &str| -> Vec<String> {
            let list = told[name].as_array().expect("a list");
            list.iter().map(text).collect()
        };
        Self {
            ids: texts("ids"),
            queue: told["queue"].clone(),
            items: told["items"].as_array().expect("a list").clone(),
            logs: texts("logs"),
            joblog: text(&told["joblog"]),
            leased: Held::of(&told["leased"]),
            revoked: Held::of(&told["revoked"]),
            repeated: told["repeated"].clone(),
        }
    }

    /// A server tells what was told before it was restarted, or of what it was restored from, and the
    /// queue does as it would have done.
    pub(crate) async fn assert_goes_on(&self, api: &Api) {
        assert_eq!(lasting(&api.queue().await), lasting(&self.queue));
        assert_eq!(items(api, &self.ids).await, self.items);
        assert_eq!(logs(api, &self.ids).await, self.logs);
        assert_eq!(joblog(api).await, self.joblog);

        let again = repeatable(api, "request", "?key=done", "done").await;
        assert_eq!(again.is(201).json(), self.repeated);
        repeatable(api, "request", "", "another")
            .await
            .problem(422, "idempotency_mismatch");
        for (key, at) in [
            ("done", 0),
            ("redriven", 3),
            ("leased", 4),
            ("k%20%C3%A4", 7),
        ] {
            let (id, is_duplicate) = put(api, &format!("?key={key}"), "another").await;
            assert_eq!(
                (id.as_str(), is_duplicate),
                (self.ids[at].as_str(), true),
                "{key}"
            );
        }
        api.one(&self.revoked, "ack", "late")
            .await
            .problem(409, "lease_lost");
        cancel(api, &self.ids[1]).await.is(204);
        cancel(api, &self.ids[6])
            .await
            .problem(409, "item_finished");
        // Of its group one is leased, and of the queue two may be.
        put_new(api, "?group=h&priority=9", "held back").await;
        assert_eq!(api.take().await.id, self.ids[3]);
        let limited = api.lease(json!({})).await;
        assert_eq!(
            (&limited["items"], &limited["state"]),
            (&json!([]), &json!("waiting"))
        );
        api.one(&self.leased, "ack", ()).await.is(200);
        assert_eq!(api.take().await.body, "held back");
        put_new(api, "?key=revoked", "freed when it was cancelled").await;
    }
}

async fn cancel(api: &Api, id: &str) -> Answer {
    api.delete(&format!("/v1/queues/q/items/{id}")).await
}

async fn bury(api: &Api, error: &str) {
    let held = api.take_with(json!({"worker": "bob"})).await;
    let dead = json!({"lease": held.lease, "as": "dead", "error": error, "exit_code": 9});
    assert_eq!(api.settle(dead).await["ok"], true);
}

/// Items as they are looked at, beside the end of a lease, which a restart puts off.
async fn items(api: &Api, ids: &[String]) -> Vec<Value> {
    let mut items = Vec::new();
    for id in ids {
        let mut item = api.item(id).await;
        if let Some(lease) = item.get_mut("lease").and_then(Value::as_object_mut) {
            lease.remove("lease_ms");
            lease.remove("lease_expires");
        }
        items.push(item);
    }
    items
}

async fn logs(api: &Api, ids: &[String]) -> Vec<String> {
    let mut logs = Vec::new();
    for id in ids {
        let path = format!("/v1/queues/q/items/{id}/log");
        logs.push(api.get(&path).await.is(200).text());
    }
    logs
}

async fn joblog(api: &Api) -> String {
    api.get("/v1/queues/q/outcomes").await.is(200).text()
}

#[rstest]
#[case::told_to_stop(End::Told)]
#[case::killed(End::Killed)]
#[tokio::test]
async fn a_whole_life_goes_on_where_it_was(#[case] end: End) {
    let mut lives = Lives::begin();
    let life = WholeLife::live(&lives.api).await;
    lives.again(end).await;
    life.assert_goes_on(lives.again(end).await).await;
}

#[rstest]
#[case::told_to_stop(End::Told)]
#[case::killed(End::Killed)]
#[tokio::test]
async fn a_key_is_held_over_a_restart_and_free_after_its_window(#[case] end: End) {
    let mut lives = Lives::begin();
    let window = Duration::from_secs(4);
    lives
        .api
        .make(json!({"key_window_ms": window.as_millis() as u64}))
        .await;
    let begin = Instant::now();
    let first = put_new(&lives.api, "?key=k", "first").await;
    let held = lives.api.take().await;
    lives.api.one(&held, "ack", ()).await.is(200);
    let api = lives.again(end).await;
    assert_eq!(put(api, "?key=k", "second").await, (first.clone(), true));
    let mut last = None;
    until("its window is over", async || {
        let (id, is_duplicate) = put(api, "?key=k", "third").await;
        last = Some(id);
        !is_duplicate
    })
    .await;
    assert!(begin.elapsed() >= window, "{:?}", begin.elapsed());
    assert_ne!(last, Some(first));
    assert_eq!(api.queue().await["counts"]["ready"], 1);
}

/// Nobody can know of a request that was under way whether it came in: whoever says it again need not.
#[tokio::test]
async fn whatever_is_repeated_after_a_kill_comes_in_once() {
    let mut lives = Lives::begin();
    lives.api.make(json!({})).await;
    let requests = 40;
    let path = "/v1/queues/q/items?lines=true";
    let mut answered = 0;
    for life in 0..3 {
        let address = lives.api.address();
        let sending: Vec<_> = (0..requests)
            .map(|n| {
                let (key, body) = (format!("{life}-{n}"), format!("{life}-{n}-a\n{life}-{n}-b"));
                // Fails with the server, if that is killed before it answers.
                tokio::spawn(async move {
                    let api = Api::of(address);
                    let headers = [("idempotency-key", key.as_str())];
                    api.call_with("POST", path, &headers, body).await.is(201);
                })
            })
            .collect();
        until("some came in", async || {
            lives.api.queue().await["counts"]["ready"]
                .as_u64()
                .is_some_and(|ready| ready > life * requests * 2)
        })
        .await;
        lives.again(End::Killed).await;
        for sent in sending {
            answered += u64::from(sent.await.is_ok());
        }
        for n in 0..requests {
            let (key, body) = (format!("{life}-{n}"), format!("{life}-{n}-a\n{life}-{n}-b"));
            repeatable(&lives.api, &key, "?lines=true", &body)
                .await
                .is(201);
        }
    }
    assert!(answered > 0, "some were answered before the kill");
    let queue = lives.api.queue().await;
    assert_eq!(queue["totals"]["enqueued"], 3 * requests * 2);
    let all = lives.api.lease(json!({"max": 1000})).await;
    let mut bodies: Vec<_> = all["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| item["body"].as_str().expect("text"))
        .collect();
    bodies.sort_unstable();
    bodies.dedup();
    assert_eq!(bodies.len() as u64, 3 * requests * 2, "each once");
}

#[rstest]
#[case::told_to_stop(End::Told)]
#[case::killed(End::Killed)]
#[tokio::test]
async fn groups_go_on_taking_turns(#[case] end: End) {
    let mut lives = Lives::begin();
    lives.api.make(json!({})).await;
    for group in ["a", "a", "a", "b", "b", "c"] {
        put_new(&lives.api, &format!("?group={group}"), group).await;
    }
    let mut order = Vec::new();
    for _ in 0..6 {
        order.push(lives.api.take().await.body);
        lives.again(end).await;
    }
    assert_eq!(order, ["a", "b", "c", "a", "b", "a"]);
}

#[rstest]
#[case::told_to_stop(End::Told)]
#[case::killed(End::Killed)]
#[tokio::test]
async fn a_rate_gives_no_burst_for_a_restart(#[case] end: End) {
    let mut lives = Lives::begin();
    let settings = json!({"rate_per_s": 0.001, "burst": 3});
    lives.api.load(settings, &["1", "2", "3", "4"]).await;
    for _ in 0..3 {
        lives.api.take().await;
    }
    let api = lives.again(end).await;
    let refused = api.post("/v1/queues/q/lease", ()).await;
    refused.problem(429, "rate_limited");
    let seconds: u64 = refused.header("retry-after").parse().expect("a number");
    assert!((900..=1_000).contains(&seconds), "{seconds}");
    assert_eq!(api.queue().await["counts"]["ready"], 1);
}

#[rstest]
#[case::told_to_stop(End::Told)]
#[case::killed(End::Killed)]
#[tokio::test]
async fn children_come_into_a_sealed_queue_while_their_parents_lease_lives(#[case] end: End) {
    let mut lives = Lives::begin();
    lives
        .api
        .load(json!({"lease_ms": 600_000}), &["parent"])
        .await;
    let parent = lives.api.take().await;
    lives.api.post("/v1/queues/q/seal", ()).await.is(200);
    let query = format!("?lease={}", parent.lease);
    let path = format!("/v1/queues/q/items{query}");
    let first = put_new(&lives.api, &query, "first").await;
    let api = lives.again(end).await;
    put_new(api, &query, "second").await;
    api.post("/v1/queues/q/items", "anybody's")
        .await
        .problem(409, "queue_sealed");
    api.one(&parent, "ack", ()).await.is(200);
    assert_eq!(api.take().await.id, first);
    let api = lives.again(end).await;
    api.post(&path, "late").await.problem(409, "lease_lost");
    assert_eq!(api.queue().await["totals"]["enqueued"], 3);
}
