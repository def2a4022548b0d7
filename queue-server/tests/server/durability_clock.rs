//! The wall clock is put back and forth between two lives: no item and no lease suffers.

use std::time::Duration;

use queue_server::Machine;
use serde_json::{Value, json};

use crate::harness::Api;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn on(wall_clock: Duration) -> Machine {
    Machine {
        wall_clock,
        ..Machine::default()
    }
}

fn wall() -> Duration {
    Machine::default().wall_clock
}

fn millis(time: &Value) -> i64 {
    let time = time.as_str().expect("a time");
    let time: jiff::Timestamp = time.parse().expect("RFC 3339");
    time.as_millisecond()
}

#[tokio::test]
async fn a_clock_that_was_put_back_goes_on_where_the_log_ends() {
    let mut api = Api::start();
    api.load(json!({"lease_ms": 60_000}), &["a", "b"]).await;
    let a = api.take().await;
    api.one(&a, "ack", ()).await.is(200);
    let b = api.take().await;
    api.restart_on(on(wall() - 10 * DAY)).await;
    api.one(&b, "ack", ()).await.is(200);
    let joblog = api.get("/v1/queues/q/outcomes").await.is(200).text();
    let ended: Vec<i64> = joblog
        .lines()
        .map(|line| millis(&serde_json::from_str::<Value>(line).expect("JSON")["ended"]))
        .collect();
    assert!(ended[0] <= ended[1], "time went back: {joblog}");
    assert!(ended[1] - ended[0] < 60_000, "time leapt: {joblog}");
}

#[tokio::test]
async fn a_lease_outlives_a_clock_that_was_put_forward() {
    let mut api = Api::start();
    api.load(json!({"lease_ms": 60_000}), &["held"]).await;
    let held = api.take().await;
    api.restart_on(on(wall() + DAY)).await;
    // Ran out on the wall, and not for its holder, who could not renew it.
    assert_eq!(api.lease(json!({})).await["state"], "waiting");
    let settled = api.settle(json!({"lease": held.lease, "as": "ack"})).await;
    assert_eq!(settled["ok"], true, "{settled}");
}

#[tokio::test]
async fn what_is_delayed_is_due_when_the_clock_says_so_and_never_later_than_planned() {
    let mut api = Api::start();
    api.load(json!({}), &["a"]).await;
    let held = api.take().await;
    api.settle(json!({"lease": held.lease, "as": "nack", "delay_ms": 1_000}))
        .await;
    // Put back by ten days: it would wait for eleven.
    api.restart_on(on(wall() - 10 * DAY)).await;
    let again = api.take_with(json!({"wait_ms": 20_000})).await;
    api.settle(json!({"lease": again.lease, "as": "nack", "delay_ms": 3_600_000}))
        .await;
    assert_eq!(api.lease(json!({})).await["state"], "waiting");
    // Put forward by a day: its hour is over.
    api.restart_on(on(wall() + DAY)).await;
    let again = api.take().await;
    assert_eq!((again.id, again.attempt), (held.id, 3));
}

#[tokio::test]
async fn a_clock_that_goes_back_and_forth_at_every_start_loses_nothing() {
    let mut api = Api::start();
    api.load(json!({"lease_ms": 60_000}), &["a", "b", "c", "d"])
        .await;
    for days in [3_i32, -3, 5, -400] {
        let held = api.take().await;
        let clock = match days {
            0.. => wall() + DAY * days.unsigned_abs(),
            _ => wall() - DAY * days.unsigned_abs(),
        };
        api.restart_on(on(clock)).await;
        let settled = api.settle(json!({"lease": held.lease, "as": "ack"})).await;
        assert_eq!(settled["ok"], true, "{settled}");
    }
    assert_eq!(api.queue().await["totals"]["acked"], 4);
}
