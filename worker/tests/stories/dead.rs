//! A worker that was told how many dead items its queue may have.

use rustix::process::Signal;

use crate::bench::{Bench, Running, Worker, until};
use crate::proxy::Proxy;

/// Fails every item whose text begins with x, and takes its time for the others.
const SCRIPT: &str = r#"case "$MEMQ_ITEM" in x*) exit 65;; esac; sleep 0.05"#;

#[tokio::test]
async fn a_worker_gives_up_when_too_many_items_are_dead() {
    let mut items = vec!["x"; 3];
    items.extend(["ok"; 200]);
    let bench = Bench::with("{}", &items).await;
    let mut worker = bench.worker().args(["--max-dead", "2"]).sh(SCRIPT).start();
    assert_eq!(worker.exit().await, 65, "{}", worker.log());
    let log = worker.log();
    assert!(
        log.contains(
            "3 of 203 items of queue q are dead, more than --max-dead 2 allows; giving up"
        ),
        "{log}"
    );
    let counts = bench.queue.show().await.unwrap().counts;
    assert_eq!(counts.leased, 0, "what it had is finished or given back");
    assert!(counts.ready > 100, "it went on: {counts:?}");
}

#[tokio::test]
async fn as_many_dead_as_allowed_are_no_reason_to_give_up() {
    let bench = Bench::with("{}", &["x", "x", "ok", "ok"]).await;
    for most in ["2", "50%"] {
        let mut worker = bench.worker().args(["--max-dead", most]).sh(SCRIPT).start();
        assert_eq!(worker.exit().await, 0, "{}", worker.log());
    }
    assert_eq!(bench.queue.show().await.unwrap().counts.done, 2);
}

#[tokio::test]
async fn the_last_item_counts_as_well() {
    let bench = Bench::with("{}", &["ok", "x"]).await;
    let mut worker = bench
        .worker()
        .args(["--max-dead", "49%"])
        .sh(SCRIPT)
        .start();
    assert_eq!(worker.exit().await, 65, "{}", worker.log());
}

#[tokio::test]
async fn dead_items_of_other_workers_count_as_well() {
    let bench = Bench::with("{}", &["x"]).await;
    let mut other = bench.worker().sh(SCRIPT).start();
    assert_eq!(other.exit().await, 0, "{}", other.log());
    bench.add(b"ok").await;
    // It never fails an item of its own, and would not end by itself.
    let args = ["--max-dead", "0", "--until", "forever"];
    let mut worker = bench.worker().args(args).sh(SCRIPT).start();
    assert_eq!(worker.exit().await, 65, "{}", worker.log());
}

#[tokio::test]
async fn an_item_that_runs_when_its_worker_gives_up_may_finish() {
    let bench = Bench::with("{}", &["slow", "x"]).await;
    let script = r#"case "$MEMQ_ITEM" in x) exit 65;; esac; sleep 1; echo finished"#;
    let args = ["--max-dead", "0", "--concurrency", "2"];
    let mut worker = bench.worker().args(args).sh(script).start();
    until("it gives up", async || worker.log().contains("giving up")).await;
    assert_eq!(worker.exit().await, 65, "{}", worker.log());
    let counts = bench.queue.show().await.unwrap().counts;
    assert_eq!((counts.done, counts.dead), (1, 1));
}

/// A worker that has done its item and waits for its process to tidy up, so that the server can go
/// before the last look at the dead.
async fn tidying_up(proxy: &Proxy, timeout: &str) -> Running {
    let script = r#"read -r line; id=${line#*'"id":"'} id=${id%%'"'*}
        printf '{"id":"%s","as":"dead"}\n' "$id" >&3; read -r end; sleep 1"#;
    let url = proxy.url();
    let worker = Worker::bare()
        .args(["--server", &url, "--queue", "q", "--max-dead", "0%"])
        .args(["--server-timeout", timeout, "--process"]);
    let worker = worker.sh(script).start();
    worker.says("waiting for 1 process to end").await;
    proxy.cut();
    worker
}

#[tokio::test]
async fn a_worker_that_cannot_count_the_dead_does_not_say_that_all_is_well() {
    let bench = Bench::with("{}", &["x"]).await;
    let proxy = Proxy::to(&bench.url).await;
    let mut worker = tidying_up(&proxy, "1s").await;
    assert_eq!(worker.exit().await, 69, "{}", worker.log());
    let line = "cannot count the dead items of queue q";
    assert!(worker.log().contains(line), "{}", worker.log());
}

#[tokio::test]
async fn a_server_that_comes_back_is_asked_for_its_dead_items() {
    let bench = Bench::with("{}", &["x"]).await;
    let proxy = Proxy::to(&bench.url).await;
    let mut worker = tidying_up(&proxy, "10m").await;
    worker.says("the queue is finished").await;
    proxy.mend();
    assert_eq!(worker.exit().await, 65, "{}", worker.log());
}

#[tokio::test]
async fn a_worker_that_counts_the_dead_can_be_told_to_stop() {
    let bench = Bench::with("{}", &["x"]).await;
    let proxy = Proxy::to(&bench.url).await;
    let mut worker = tidying_up(&proxy, "10m").await;
    worker.says("the queue is finished").await;
    worker.signal(Signal::TERM);
    assert_eq!(worker.exit().await, 75, "{}", worker.log());
}
