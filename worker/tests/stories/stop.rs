//! Being told to stop.

use rustix::process::Signal;

use crate::bench::{Bench, Worker, gone, noted_pid, until};
use crate::proxy::Proxy;

#[tokio::test]
async fn an_idle_worker_stops_at_once() {
    let bench = Bench::new("{}").await;
    for signal in [Signal::TERM, Signal::INT] {
        let mut worker = bench
            .worker()
            .args(["--until", "forever"])
            .sh("cat")
            .start();
        worker.says("working").await;
        bench.add(b"1").await;
        worker.says("done 1").await;
        worker.signal(signal);
        assert_eq!(worker.exit().await, 75, "{}", worker.log());
    }
    // Its parked call is gone with it: an item that comes now is ready for others.
    bench.add(b"2").await;
    assert_eq!(bench.take().await.body.as_text(), Some("2"));
}

#[tokio::test]
async fn a_running_item_is_finished_and_no_other_begun() {
    let bench = Bench::with("{}", &["1", "2", "3"]).await;
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("pid");
    let script = format!("echo $$ >{}; sleep 0.5; cat", note.display());
    let mut worker = bench.worker().sh(&script).start();
    noted_pid(&note).await;
    worker.signal(Signal::TERM);
    assert_eq!(worker.exit().await, 75, "{}", worker.log());
    assert_eq!(bench.done().await.result.as_deref(), Some("1"));
    assert_eq!(bench.queue.show().await.unwrap().counts.ready, 2);
}

#[tokio::test]
async fn an_item_that_outlasts_the_grace_is_given_back_unspent() {
    let bench = Bench::with("{}", &["1"]).await;
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("pid");
    let script = format!("echo $$ >{}; sleep 1000", note.display());
    let mut worker = bench
        .worker()
        .args(["--grace", "200ms"])
        .sh(&script)
        .start();
    let handler = noted_pid(&note).await;
    worker.signal(Signal::TERM);
    assert_eq!(worker.exit().await, 75, "{}", worker.log());
    gone(handler).await;
    let queue = bench.queue.show().await.unwrap();
    assert_eq!((queue.counts.ready, queue.totals.released), (1, 1));
    assert_eq!(bench.take().await.attempt, 1, "the attempt is not spent");
}

#[tokio::test]
async fn an_item_past_its_own_limit_has_failed_even_so() {
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["1"]).await;
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("pid");
    let script = format!("echo $$ >{}; sleep 1000", note.display());
    let args = ["--grace", "30s", "--item-timeout", "500ms"];
    let mut worker = bench.worker().args(args).sh(&script).start();
    noted_pid(&note).await;
    worker.signal(Signal::TERM);
    assert_eq!(worker.exit().await, 75);
    assert!(bench.dead().await.error.unwrap().contains("time limit"));
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let bench = Bench::with("{}", &["1"]).await;
    let dir = tempfile::tempdir().unwrap();
    let (note, late) = (dir.path().join("pid"), dir.path().join("late"));
    // Asked to end, it would take its time.
    let script = format!(
        "trap 'sleep 0.5; echo >{}; exit' TERM; echo $$ >{}; sleep 1000 & wait",
        late.display(),
        note.display()
    );
    let mut worker = bench.worker().args(["--grace", "10m"]).sh(&script).start();
    let handler = noted_pid(&note).await;
    worker.signal(Signal::TERM);
    worker.says("taking no more items").await;
    worker.signal(Signal::TERM);
    assert_eq!(worker.exit().await, 75, "{}", worker.log());
    gone(handler).await;
    assert!(!late.exists(), "it was killed before it had taken its time");
    assert_eq!(bench.queue.show().await.unwrap().totals.released, 1);
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_a_server_that_is_away() {
    let bench = Bench::with("{}", &["1"]).await;
    let proxy = Proxy::to(&bench.url).await;
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("pid");
    let script = format!("echo $$ >{}; sleep 1000", note.display());
    let args = ["--server", &proxy.url(), "--queue", "q", "--grace", "10m"];
    let mut worker = Worker::bare().args(args).sh(&script).start();
    let handler = noted_pid(&note).await;
    proxy.cut();
    worker.signal(Signal::INT);
    worker.says("taking no more items").await;
    worker.signal(Signal::INT);
    assert_eq!(worker.exit().await, 75, "{}", worker.log());
    gone(handler).await;
    assert!(
        worker.log().contains("never reached the server"),
        "{}",
        worker.log()
    );
}

#[tokio::test]
async fn a_worker_does_not_outlive_its_parent_if_told_so() {
    let bench = Bench::new("{}").await;
    let args = ["--until", "forever", "--stop-with-stdin"];
    let mut worker = bench.worker().args(args).sh("cat").start();
    bench.add(b"1").await;
    until("it works", async || !bench.outcomes().await.is_empty()).await;
    worker.close_stdin();
    assert_eq!(worker.exit().await, 75, "{}", worker.log());

    let mut heedless = bench
        .worker()
        .args(["--until", "forever"])
        .sh("cat")
        .start();
    heedless.close_stdin();
    bench.add(b"2").await;
    heedless.says("done 2").await;
    assert!(heedless.runs());
}
