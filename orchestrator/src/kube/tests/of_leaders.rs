//! Several controllers, of which one leads.

use std::time::{Duration, Instant};

use fake_kube::{FakeApi, Fault};
use serde_json::json;

use super::world::{World, once};

#[tokio::test]
async fn one_of_two_leads_and_the_other_begins_as_soon_as_it_stops() {
    let world = World::start().await;
    let mut first = world.controller("a");
    world.run("r", json!([once("one")]));
    world.job("r-one-1").await;
    let second = world.controller("b");
    let waits = |api: &FakeApi| api.asked().iter().any(|asked| asked.by == "b");
    world
        .api
        .until("the second looks at the lease", waits)
        .await;
    world
        .never("the second leads too", Duration::from_secs(5), |world| {
            world.requests_of("b") > 0
        })
        .await;
    first.tell_to_stop();
    assert_eq!(first.end().await, Ok(()));
    let done = world.requests_of("a");
    let stopped = Instant::now();
    world.run("s", json!([once("one")]));
    world.job("s-one-1").await;
    assert!(
        stopped.elapsed() < Duration::from_secs(6),
        "{:?}",
        stopped.elapsed()
    );
    assert_eq!(world.requests_of("a"), done, "the first has stopped");
    assert!(!second.has_ended());
}

#[tokio::test]
async fn a_leader_that_cannot_renew_has_stopped_before_another_begins() {
    let world = World::start().await;
    let mut first = world.controller("a");
    world.run("r", json!([once("one")]));
    world.job("r-one-1").await;
    let _second = world.controller("b");
    world.api.fault(Fault::silence("get", "leases").from("a"));
    world
        .api
        .fault(Fault::silence("update", "leases").from("a"));
    // Its other requests go through, some of them never to be answered: it is kept busy.
    world
        .api
        .fault(Fault::silence_after("create", "configmaps").from("a"));
    let lost = Instant::now();
    let mut runs = 0;
    while world.requests_of("b") == 0 {
        assert!(lost.elapsed() < Duration::from_secs(40), "nobody leads");
        runs += 1;
        let script = json!([{"name": "one", "image": "x:1", "script": "#!/bin/sh\ntrue\n"}]);
        world.run(
            &format!("busy-{runs}"),
            if runs % 2 == 0 {
                script
            } else {
                json!([once("one")])
            },
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(
        first.has_ended(),
        "the first has ended before the second began"
    );
    let end = first.end().await.expect_err("it could not go on");
    assert!(end.contains("lost the lease"), "{end}");
    let asked = world.api.asked();
    let begins = asked
        .iter()
        .position(|asked| asked.by == "b" && asked.resource != "leases");
    let late = asked[begins.unwrap_or(0)..]
        .iter()
        .find(|asked| asked.by == "a");
    assert_eq!(late, None, "it was its time no more");
    let last = format!("busy-{runs}-one-1");
    world.job(&last).await;
    assert_eq!(
        world
            .api
            .names("jobs")
            .iter()
            .filter(|name| **name == last)
            .count(),
        1
    );
}

#[tokio::test]
async fn a_controller_that_reaches_nobody_ends_and_the_next_goes_on() {
    let world = World::start().await;
    let mut first = world.controller("a");
    world.run("r", json!([once("one")]));
    world.job("r-one-1").await;
    world.api.fault(Fault::silence("*", "*"));
    world.api.tear_watches();
    let gone = Instant::now();
    first.end().await.expect_err("it could not go on");
    assert!(
        gone.elapsed() < Duration::from_secs(15),
        "{:?}",
        gone.elapsed()
    );
    world.api.mend();
    world.pods_run("r-one-1", 1);
    world.pods_succeed("r-one-1");
    let _next = world.controller("a");
    world
        .status_is("r", "it has ended", |status| status.phase.has_ended())
        .await;
}
