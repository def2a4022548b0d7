//! Items leased before their turn, where that is asked for.

use rustix::process::Signal;

use crate::bench::{Bench, Worker, noted_pid, until};
use crate::proxy::Proxy;

/// A worker that does an item in half a second, after writing down that it has begun.
fn slow(bench: &Bench, note: &std::path::Path, ahead: &str) -> Worker {
    let script = format!("echo $$ >{}; sleep 0.5; cat", note.display());
    bench.worker().args(["--prefetch", ahead]).sh(&script)
}

#[tokio::test]
async fn nothing_is_leased_before_its_turn_unless_asked_for() {
    let bench = Bench::with("{}", &["1", "2", "3", "4", "5"]).await;
    let dir = tempfile::tempdir().unwrap();
    for (ahead, leased) in [("0", 1), ("2", 3)] {
        let note = dir.path().join(ahead);
        let mut worker = slow(&bench, &note, ahead).start();
        noted_pid(&note).await;
        until("it holds what it should", async || {
            bench.queue.show().await.unwrap().counts.leased == leased
        })
        .await;
        worker.signal(Signal::TERM);
        assert_eq!(worker.exit().await, 75, "{}", worker.log());
    }
}

#[tokio::test]
async fn a_worker_told_to_stop_gives_back_unspent_what_it_has_not_begun() {
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["1", "2", "3"]).await;
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("pid");
    let mut worker = slow(&bench, &note, "2").start();
    noted_pid(&note).await;
    worker.signal(Signal::TERM);
    assert_eq!(worker.exit().await, 75, "{}", worker.log());
    assert_eq!(bench.done().await.result.as_deref(), Some("1"));
    let queue = bench.queue.show().await.unwrap();
    assert_eq!((queue.counts.ready, queue.totals.released), (2, 2));
    assert_eq!(bench.take().await.attempt, 1, "the attempt is not spent");
}

#[tokio::test]
async fn leases_are_renewed_while_items_wait_for_their_turn() {
    let bench = Bench::with(r#"{"lease_ms":500}"#, &["1", "2", "3"]).await;
    let dir = tempfile::tempdir().unwrap();
    let mut worker = slow(&bench, &dir.path().join("pid"), "2").start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    let totals = bench.queue.show().await.unwrap().totals;
    assert_eq!((totals.acked, totals.lease_expired), (3, 0));
    assert_eq!(totals.leased, 3);
}

#[tokio::test]
async fn an_item_whose_attempt_would_end_before_its_turn_is_given_back() {
    let bench = Bench::with(
        r#"{"lease_ms":900,"max_lease_ms":1200,"max_attempts":1}"#,
        &["1", "2"],
    )
    .await;
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("pid");
    let script = format!(
        "test $MEMQ_ITEM = 1 && echo $$ >{} && sleep 1.1; cat",
        note.display()
    );
    let mut worker = bench.worker().args(["--prefetch", "1"]).sh(&script).start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    let totals = bench.queue.show().await.unwrap().totals;
    assert_eq!(
        (totals.acked, totals.lease_expired),
        (2, 0),
        "{}",
        worker.log()
    );
    assert!(totals.released >= 1, "{totals:?}");
    assert!(
        worker.log().contains("2 acked, 0 nacked"),
        "{}",
        worker.log()
    );
}

#[tokio::test]
async fn an_item_lost_before_its_turn_is_not_begun() {
    let bench = Bench::with(r#"{"lease_ms":400}"#, &["1", "2"]).await;
    let proxy = Proxy::to(&bench.url).await;
    let dir = tempfile::tempdir().unwrap();
    let begun = dir.path().join("begun");
    // The first item ends by itself once the other's lease is over, too.
    let script = format!("echo $$ >>{}; sleep 1; cat", begun.display());
    let args = ["--server", &proxy.url(), "--queue", "q", "--prefetch", "1"];
    let mut worker = Worker::bare().args(args).sh(&script).start();
    noted_pid(&begun).await;
    until("it holds both", async || {
        bench.queue.show().await.unwrap().counts.leased == 2
    })
    .await;
    proxy.cut();
    worker
        .says("the lease was lost before the item's turn came")
        .await;
    proxy.mend();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    assert_eq!(bench.queue.show().await.unwrap().counts.done, 2);
}
