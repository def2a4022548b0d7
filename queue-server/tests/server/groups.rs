//! Groups take turns, so that one that brings a thousand items does not keep out one that brings ten;
//! and limits on how many items are leased at once.

use std::collections::{BTreeMap, BTreeSet};

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{Api, Held};

/// 1,000 items in 10 groups: the greedy one brings 910 and is there first.
fn a_greedy_one_and_nine_others() -> String {
    let item = |group: usize| format!("{{\"body\":\"{group}\",\"group\":\"g{group}\"}}\n");
    let greedy = item(0).repeat(910);
    let others: String = (1..10).map(|group| item(group).repeat(10)).collect();
    greedy + &others
}

/// The groups of the next items of `q`, leased so many at a time.
async fn groups(api: &Api, at_a_time: usize, count: usize) -> Vec<String> {
    let mut groups = Vec::new();
    while groups.len() < count {
        let answer = api.lease(json!({"max": at_a_time})).await;
        let items = answer["items"].as_array().expect("a list");
        assert!(!items.is_empty(), "{answer}");
        let group = |item: &Value| item["group"].as_str().unwrap_or("none").to_owned();
        groups.extend(items.iter().map(group));
    }
    groups
}

#[rstest]
#[case::one_by_one(1)]
#[case::a_few(7)]
#[case::many(250)]
#[case::all(1_000)]
#[tokio::test]
async fn a_greedy_group_takes_turns_with_nine_others(#[case] at_a_time: usize) {
    let api = Api::start();
    api.make(json!({})).await;
    let lines = a_greedy_one_and_nine_others();
    api.ndjson("?ids=false", lines).await.is(201);
    let groups = groups(&api, at_a_time, 1_000).await;
    for (round, turn) in groups[..100].chunks(10).enumerate() {
        let different: BTreeSet<&String> = turn.iter().collect();
        assert_eq!(different.len(), 10, "round {round}: {turn:?}");
    }
    assert!(groups[100..].iter().all(|group| group == "g0"));
    assert_eq!(groups.len(), 1_000);
}

#[tokio::test]
async fn items_without_a_group_are_a_group_of_their_own() {
    let api = Api::start();
    api.make(json!({})).await;
    api.post("/v1/queues/q/items?lines=true", "1\n2\n3\n")
        .await
        .is(201);
    api.post("/v1/queues/q/items?lines=true&group=g", "1\n2\n3\n")
        .await
        .is(201);
    let order = groups(&api, 6, 6).await;
    for turn in order.chunks(2) {
        assert_ne!(turn[0], turn[1], "{order:?}");
    }
}

#[tokio::test]
async fn a_higher_priority_goes_before_the_turn_of_a_group() {
    let api = Api::start();
    api.make(json!({})).await;
    let lines = concat!(
        "{\"body\":\"1\",\"group\":\"a\"}\n",
        "{\"body\":\"2\",\"group\":\"b\"}\n",
        "{\"body\":\"3\",\"group\":\"a\",\"priority\":1}\n",
        "{\"body\":\"4\",\"group\":\"a\",\"priority\":1}\n",
    );
    api.ndjson("", lines).await.is(201);
    let answer = api.lease(json!({"max": 4})).await;
    let bodies: Vec<_> = (0..4).map(|at| &answer["items"][at]["body"]).collect();
    assert_eq!(bodies[..2], ["3", "4"]);
}

#[tokio::test]
async fn turns_go_on_where_they_were_after_a_restart() {
    let mut api = Api::start();
    api.make(json!({})).await;
    let item = |group: &str| format!("{{\"body\":1,\"group\":\"{group}\"}}\n").repeat(5);
    api.ndjson("", item("a") + &item("b") + &item("c"))
        .await
        .is(201);
    let before = groups(&api, 4, 4).await;
    assert_eq!(before, ["a", "b", "c", "a"]);
    api.restart().await;
    assert_eq!(groups(&api, 2, 4).await, ["b", "c", "a", "b"]);
}

#[tokio::test]
async fn a_group_has_no_more_in_work_than_it_may() {
    let api = Api::start();
    api.make(json!({"max_leased_per_group": 2})).await;
    let lines = "{\"body\":1,\"group\":\"a\"}\n".repeat(5) + "{\"body\":1,\"group\":\"b\"}\n";
    api.ndjson("", lines).await.is(201);
    api.post("/v1/queues/q/items?lines=true", "1\n2\n3\n4\n")
        .await
        .is(201);
    let answer = api.lease(json!({"max": 1000})).await;
    let mut leased: BTreeMap<&str, usize> = BTreeMap::new();
    for item in answer["items"].as_array().expect("a list") {
        *leased
            .entry(item["group"].as_str().unwrap_or("none"))
            .or_default() += 1;
    }
    let expected = [("a", 2), ("b", 1), ("none", 4)];
    assert_eq!(
        leased.into_iter().collect::<Vec<_>>(),
        expected,
        "items without a group are not bound"
    );
    assert_eq!(
        api.lease(json!({})).await,
        json!({"items": [], "state": "waiting"})
    );
    let of_a = answer["items"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|item| item["group"] == "a");
    let lease = of_a.expect("an item of a")["lease"]
        .as_str()
        .expect("a token")
        .to_owned();
    let parked = api.lease(json!({"wait_ms": 30_000, "max": 10}));
    let (next, ()) = tokio::join!(parked, async {
        api.until_parked(1).await;
        api.post(&format!("/v1/leases/{lease}/ack"), ())
            .await
            .is(200);
    });
    assert_eq!(
        next["items"].as_array().map(Vec::len),
        Some(1),
        "one for one: {next}"
    );
    assert_eq!(next["items"][0]["group"], "a");
}

#[tokio::test]
async fn a_queue_has_no_more_in_work_than_it_may() {
    let api = Api::start();
    api.load(json!({"max_leased": 2}), &["1", "2", "3", "4"])
        .await;
    let answer = api.lease(json!({"max": 1000})).await;
    assert_eq!(answer["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        api.lease(json!({})).await,
        json!({"items": [], "state": "waiting"})
    );
    api.post("/v1/queues/q/lease?raw=true", ()).await.is(204);
    let first = answer["items"][0]["lease"].as_str().expect("a token");
    let settle = json!({"settle": [{"lease": first, "as": "ack"}], "max": 10});
    let next = api.lease(settle).await;
    assert_eq!(next["settled"][0]["ok"], true);
    assert_eq!(
        Held::of(&next).body,
        "3",
        "the settlement that is carried makes room"
    );
}

#[tokio::test]
async fn a_limit_that_is_lifted_wakes_those_who_wait() {
    let api = Api::start();
    api.load(json!({"max_leased": 1}), &["1", "2"]).await;
    api.take().await;
    let parked = api.lease(json!({"wait_ms": 30_000}));
    let (answer, ()) = tokio::join!(parked, async {
        api.until_parked(1).await;
        api.put("/v1/queues/q", json!({"max_leased": null}))
            .await
            .is(200);
    });
    assert_eq!(Held::of(&answer).body, "2");
}

#[tokio::test]
async fn a_client_of_the_memq_api_finds_a_queue_at_its_limit_empty() {
    let api = Api::start();
    api.load(json!({"max_leased": 1}), &["1", "2"]).await;
    let held = api.take().await;
    let dequeue = "/memq/server/queues/q/dequeue";
    api.post(dequeue, ()).await.is(204);
    api.one(&held, "ack", ()).await.is(200);
    assert_eq!(api.post(dequeue, ()).await.is(200).json()["body"], "2");
}
