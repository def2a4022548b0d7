//! Workers that are killed, servers that go away, leases that are lost.

use queue_api::Finish;
use queue_client::EnqueueOptions;
use rustix::process::Signal;

use crate::bench::{Bench, Worker, gone, noted_pid, until};
use crate::proxy::Proxy;

#[tokio::test]
async fn one_of_two_workers_is_killed_and_nothing_is_lost() {
    let bench = Bench::new(r#"{"lease_ms":700}"#).await;
    let lines: String = (0..20).map(|n| format!("{n}\n")).collect();
    bench
        .queue
        .enqueue_lines(lines, EnqueueOptions::default())
        .await
        .unwrap();
    bench.queue.seal().await.unwrap();
    let args = ["--concurrency", "2", "--until", "drained"];
    let victim = bench.worker().args(args).sh("sleep 0.1; cat").start();
    let mut other = bench.worker().args(args).sh("sleep 0.1; cat").start();
    victim.says("done ").await;
    victim.signal(Signal::KILL);
    assert_eq!(other.exit().await, 0, "{}", other.log());
    let outcomes = bench.outcomes().await;
    assert_eq!(
        outcomes.iter().filter(|o| o.state == Finish::Done).count(),
        20
    );
    let queue = bench.queue.show().await.unwrap();
    assert!(queue.drained);
    assert!(
        queue.totals.lease_expired >= 1,
        "the victim held something: {:?}",
        queue.totals
    );
}

#[tokio::test]
async fn a_result_is_kept_while_the_server_is_out_of_reach() {
    let bench = Bench::with("{}", &["1"]).await;
    let proxy = Proxy::to(&bench.url).await;
    let args = ["--server", &proxy.url(), "--queue", "q"];
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("pid");
    let script = format!("echo $$ >{}; sleep 0.3; echo the result", note.display());
    let mut worker = Worker::bare().args(args).sh(&script).start();
    noted_pid(&note).await;
    proxy.cut();
    worker.says("done the result").await;
    worker.says("trying again").await;
    assert!(bench.outcomes().await.is_empty());
    proxy.mend();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    let done = bench.done().await;
    assert_eq!(
        (done.result.as_deref(), done.attempts),
        (Some("the result"), 1)
    );
}

#[tokio::test]
async fn a_server_that_stays_away_is_given_up() {
    let bench = Bench::with("{}", &["1"]).await;
    let proxy = Proxy::to(&bench.url).await;
    let args = [
        "--server",
        &proxy.url(),
        "--queue",
        "q",
        "--server-timeout",
        "700ms",
    ];
    let mut worker = Worker::bare()
        .args(args)
        .args(["--until", "forever"])
        .sh("cat")
        .start();
    worker.says("done 1").await;
    proxy.cut();
    assert_eq!(worker.exit().await, 69);
    assert!(worker.log().contains("out of reach"), "{}", worker.log());

    let args = [
        "--server",
        &proxy.url(),
        "--queue",
        "q",
        "--server-timeout",
        "200ms",
    ];
    let mut late = Worker::bare().args(args).sh("cat").start();
    assert_eq!(late.exit().await, 69, "it never was there");
}

#[tokio::test]
async fn a_handler_whose_lease_is_lost_is_killed_and_its_item_taken_again() {
    let bench = Bench::with(r#"{"lease_ms":500}"#, &["1"]).await;
    let proxy = Proxy::to(&bench.url).await;
    let args = ["--server", &proxy.url(), "--queue", "q"];
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("pid");
    let script = format!(
        r#"if [ "$MEMQ_ATTEMPT" = 1 ]; then echo $$ >{}; sleep 1000; fi; echo "$MEMQ_ATTEMPT""#,
        note.display()
    );
    let mut worker = Worker::bare().args(args).sh(&script).start();
    let handler = noted_pid(&note).await;
    proxy.cut();
    gone(handler).await;
    worker
        .says("the lease was lost while it ran; dropped")
        .await;
    proxy.mend();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    assert_eq!(bench.done().await.result.as_deref(), Some("2"));
    assert!(
        worker
            .log()
            .contains("1 acked, 0 nacked, 0 released, 1 lost"),
        "{}",
        worker.log()
    );
}

#[tokio::test]
async fn a_settlement_that_comes_too_late_is_a_warning() {
    let bench = Bench::with(r#"{"lease_ms":400}"#, &["1"]).await;
    let proxy = Proxy::to(&bench.url).await;
    let args = ["--server", &proxy.url(), "--queue", "q"];
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("pid");
    let script = format!("echo $$ >>{}; sleep 0.2; echo ours", note.display());
    let mut worker = Worker::bare().args(args).sh(&script).start();
    noted_pid(&note).await;
    proxy.cut();
    worker.says("done ours").await;
    // Meanwhile the lease ends and another worker does the item.
    until("the item is ready again", async || {
        bench.queue.show().await.unwrap().counts.ready == 1
    })
    .await;
    let mut other = bench.worker().sh("echo theirs").start();
    assert_eq!(other.exit().await, 0);
    proxy.mend();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    assert_eq!(bench.done().await.result.as_deref(), Some("theirs"));
    assert!(
        worker
            .log()
            .contains("the item is no longer ours to settle"),
        "{}",
        worker.log()
    );
}

#[tokio::test]
async fn a_deleted_queue_ends_its_workers() {
    let bench = Bench::with(r#"{"lease_ms":600}"#, &["busy"]).await;
    let script = r#"test "$MEMQ_ITEM" != busy || sleep 1000"#;
    let start = || {
        bench
            .worker()
            .args(["--until", "forever"])
            .sh(script)
            .start()
    };
    // One works and will hear of it when it renews its lease, one is parked.
    let busy = start();
    until("the first has an item", async || {
        bench.queue.show().await.unwrap().counts.leased == 1
    })
    .await;
    let idle = start();
    bench.add(b"quick").await;
    until("the second has done one", async || {
        !bench.outcomes().await.is_empty()
    })
    .await;
    bench.queue.delete(true).await.unwrap();
    for mut worker in [busy, idle] {
        assert_eq!(worker.exit().await, 77, "{}", worker.log());
        assert!(worker.log().contains("was deleted"), "{}", worker.log());
    }
}
