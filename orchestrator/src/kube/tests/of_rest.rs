//! What a run costs, and what is told of the controller itself.

use std::net::TcpListener;
use std::time::Duration;

use metrics::check::{Scrape, declarations};
use queue_api::{LeaseRequest, Leased, SettleAs, Settlement};
use serde_json::json;

use super::world::{World, items, once};
use crate::kube::metrics::CATALOG;
use crate::kube::status::RunPhase;

#[tokio::test]
async fn a_run_at_which_nothing_happens_costs_next_to_nothing() {
    let world = World::start().await;
    let _controller = world.controller("a");
    world.run("pool", json!([items("keys", 100, 2)]));
    world.run("once", json!([once("one")]));
    for (job, pods) in [("pool-keys-1", 2), ("once-one-1", 1)] {
        world.job(job).await;
        world.pods_run(job, pods);
    }
    world
        .never("it settles", Duration::from_secs(3), |_| false)
        .await;
    let (before, writes) = (
        world.requests_of("a"),
        world.api.times("patch", "runs/status"),
    );
    world
        .never("it keeps asking", Duration::from_secs(15), |world| {
            let asked = world.requests_of("a") - before;
            let written = world.api.times("patch", "runs/status") - writes;
            asked > 14 || written > 5
        })
        .await;
}

async fn requests_for(count: u64) -> usize {
    let world = World::start().await;
    let _controller = world.controller("a");
    world.run("r", json!([items("keys", count, 2)]));
    world.job("r-keys-1").await;
    world.pods_run("r-keys-1", 2);
    world
        .queue_is("run.team.r.keys", "it is sealed", |queue| queue.sealed)
        .await;
    world.work_off("run.team.r.keys").await;
    world
        .status_is("r", "it is known to be drained", |status| {
            status.steps[0]
                .pool
                .as_ref()
                .is_some_and(|pool| pool.drained_at.is_some())
        })
        .await;
    world.pods_succeed("r-keys-1");
    world
        .status_is("r", "it succeeded", |status| {
            status.phase == RunPhase::Succeeded
        })
        .await;
    world.requests_of("a")
}

#[tokio::test]
async fn ten_thousand_items_cost_the_api_server_what_ten_do() {
    let (few, many) = (requests_for(10).await, requests_for(10_000).await);
    assert!(
        many.abs_diff(few) <= 10,
        "{few} requests for 10, {many} for 10000"
    );
}

#[tokio::test]
async fn health_and_metrics_are_answered() {
    let world = World::start().await;
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = free.expect("a free port");
    let _controller = world.controller_with("a", |options| options.listen = address);
    world.run("r", json!([once("one")]));
    world.job("r-one-1").await;
    let get = async |path: &str| {
        let address = format!("http://{address}{path}");
        let uri = address.parse::<axum::http::Uri>().expect("an address");
        ask(&uri).await
    };
    assert!(get("/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(get("/readyz").await.starts_with("HTTP/1.1 200"));
    let metrics = get("/metrics").await;
    for line in ["memq_controller_leader 1", "memq_controller_runs 1"] {
        assert!(metrics.contains(line), "{metrics}");
    }
    world.pods_run("r-one-1", 1);
    world.pods_succeed("r-one-1");
    world
        .status_is("r", "it succeeded", |status| {
            status.phase == RunPhase::Succeeded
        })
        .await;
    let ended = async || {
        let metrics = get("/metrics").await;
        let none = metrics.contains("memq_controller_runs 0") && !metrics.contains("memq_runs{");
        let told = metrics.contains("memq_runs_total{result=\"succeeded\",spec=\"r\"} 1");
        (none && told).then_some(())
    };
    world.until("no run is kept any more", ended).await;
}

#[tokio::test]
async fn a_controller_tells_all_that_is_declared_and_nothing_else() {
    let world = World::start().await;
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = free.expect("a free port");
    let _controller = world.controller_with("a", |options| options.listen = address);
    world.run("ended", json!([once("one")]));
    world.job("ended-one-1").await;
    world.pods_run("ended-one-1", 1);
    world.pods_succeed("ended-one-1");
    // Its items take a while, so that a speed is known and the run goes on.
    world.run("r", json!([items("keys", 30, 2)]));
    world.job("r-keys-1").await;
    world.pods_run("r-keys-1", 2);
    let queue = world.queue_is("run.team.r.keys", "it is sealed", |queue| queue.sealed);
    queue.await;
    let request = LeaseRequest {
        max: Some(25),
        ..LeaseRequest::default()
    };
    let queue = world.queue("run.team.r.keys");
    let leased = queue.lease(&request).await.expect("a lease");
    let ack = |item: &Leased| Settlement::new(item.lease.clone(), SettleAs::Ack);
    let acks = leased.items.iter().map(ack).collect();
    queue.settle(acks).await.expect("settled");
    let uri = format!("http://{address}/metrics");
    let uri = uri.parse::<axum::http::Uri>().expect("an address");
    let all = async || {
        let answer = ask(&uri).await;
        let (_, text) = answer.split_once("\r\n\r\n").expect("a body");
        let scrape = Scrape::read(text).expect("what Prometheus reads");
        assert_eq!(scrape.undeclared(&CATALOG), Vec::<String>::new());
        scrape.missing(&CATALOG).is_empty().then_some(scrape)
    };
    let scrape = world.until("every family is there", all).await;
    let left = [("spec", "r"), ("step", "keys"), ("state", "left")];
    assert!(
        scrape
            .value("memq_step_items", &left)
            .is_some_and(|left| left >= 5.0)
    );
    let made = [("method", "POST"), ("status", "2xx")];
    let made = scrape.value("memq_controller_api_requests_total", &made);
    assert!(made.is_some_and(|made| made >= 2.0), "two Jobs: {made:?}");
}

#[test]
fn every_family_is_declared_by_the_rules() {
    assert_eq!(declarations(&CATALOG), Vec::<String>::new());
}

/// The whole answer to a GET.
async fn ask(uri: &axum::http::Uri) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let authority = uri.authority().expect("a host");
    let mut stream = tokio::net::TcpStream::connect(authority.as_str())
        .await
        .expect("it listens");
    let request = format!(
        "GET {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        uri.path()
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}
