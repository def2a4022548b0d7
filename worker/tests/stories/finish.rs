//! When a worker ends by itself: when the queue is finished, and not a moment before.

use std::time::{Duration, Instant};

use queue_api::{Finish, SettingsPatch, Until};
use queue_client::{Client, EnqueueOptions};

use crate::bench::{Bench, LONG, Worker, until};
use crate::proxy::Proxy;

#[tokio::test]
async fn a_queue_that_nobody_seals_is_worked_off_and_left() {
    let bench = Bench::new("{}").await;
    let lines: String = (0..100).map(|n| format!("work-item-{n}\n")).collect();
    bench
        .queue
        .enqueue_lines(lines, EnqueueOptions::default())
        .await
        .unwrap();
    let mut worker = bench
        .worker()
        .args(["--concurrency", "4", "--name", "w1"])
        .sh("cat")
        .start();
    assert_eq!(worker.exit().await, 0);
    let outcomes = bench.outcomes().await;
    assert_eq!(outcomes.len(), 100);
    for outcome in outcomes {
        assert_eq!(outcome.state, Finish::Done);
        assert_eq!(outcome.result.as_deref(), outcome.body.as_text());
        assert_eq!(
            (outcome.attempts, outcome.worker.as_deref()),
            (1, Some("w1"))
        );
    }
    worker
        .says("the queue is finished: 100 acked, 0 nacked, 0 released, 0 lost")
        .await;
}

#[tokio::test]
async fn a_drained_queue_lets_all_its_workers_go() {
    // Never quiet within this test, so that only `drained` can end them.
    let bench = Bench::with(r#"{"quiet_ms":3600000}"#, &["1"]).await;
    let start = |until: &str| bench.worker().args(["--until", until]).sh("cat").start();
    let mut workers = [start("drained"), start("empty"), start("drained")];
    until("the item is done", async || {
        !bench.outcomes().await.is_empty()
    })
    .await;
    assert!(
        workers.iter_mut().all(|worker| worker.runs()),
        "more items may come"
    );
    bench.queue.seal().await.unwrap();
    let sealed = Instant::now();
    for worker in &mut workers {
        assert_eq!(worker.exit().await, 0, "{}", worker.log());
    }
    // A tenth of this is what a machine takes that has nothing else to do.
    assert!(
        sealed.elapsed() < Duration::from_secs(2),
        "{:?}",
        sealed.elapsed()
    );
}

#[tokio::test]
async fn an_empty_queue_does_not_end_a_worker_that_waits_for_drained() {
    let bench = Bench::with("{}", &["1"]).await;
    let mut worker = bench
        .worker()
        .args(["--until", "drained"])
        .sh("cat")
        .start();
    let empty = bench.queue.wait(Until::Empty, LONG).await.unwrap();
    assert!(empty.is_some());
    bench.add(b"2").await;
    until("the second item is done", async || {
        bench.outcomes().await.len() == 2
    })
    .await;
    assert!(worker.runs());
    bench.queue.seal().await.unwrap();
    assert_eq!(worker.exit().await, 0);
}

#[tokio::test]
async fn a_worker_for_ever_outlasts_a_drained_queue_and_does_not_press_it() {
    let bench = Bench::with("{}", &["1"]).await;
    let proxy = Proxy::to(&bench.url).await;
    let args = [
        "--server",
        &proxy.url(),
        "--queue",
        "q",
        "--until",
        "forever",
    ];
    let mut worker = Worker::bare().args(args).sh("cat").start();
    worker.says("done 1").await;
    bench.queue.seal().await.unwrap();
    bench.queue.wait(Until::Drained, LONG).await.unwrap();
    // The server answers at once that there is nothing, as often as it is asked.
    let before = proxy.sent();
    // What is counted is what is asked in this time.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let asked = proxy.sent() - before;
    assert!((1..12).contains(&asked), "{asked} pieces in 1.5 s");
    bench.queue.reopen().await.unwrap();
    bench.add(b"2").await;
    worker.says("done 2").await;
    assert!(worker.runs());
}

#[tokio::test]
async fn a_worker_stays_while_another_holds_an_item_and_takes_it_when_that_lease_ends() {
    let bench = Bench::with(r#"{"lease_ms":1500}"#, &["held", "1", "2"]).await;
    let held = bench.take().await;
    let mut worker = bench.worker().sh("cat").start();
    until("the others are done", async || {
        bench.outcomes().await.len() == 2
    })
    .await;
    assert!(worker.runs());
    assert_eq!(worker.exit().await, 0);
    let last = bench.outcomes().await.pop().unwrap();
    assert_eq!(
        (last.id, last.attempts, last.state),
        (held.id, 2, Finish::Done)
    );
}

#[tokio::test]
async fn a_worker_stays_for_an_item_that_waits_for_its_retry() {
    let bench = Bench::with(r#"{"backoff":{"min_ms":600,"max_ms":600}}"#, &["1"]).await;
    bench.run_sh(r#"test "$MEMQ_ATTEMPT" = 3"#).await;
    assert_eq!(bench.done().await.attempts, 3);
}

#[tokio::test]
async fn a_poison_item_dies_alone() {
    let bench = Bench::with(r#"{"max_attempts":3}"#, &["1", "poison", "2"]).await;
    let worker = bench
        .run_sh(r#"echo "to the log"; echo "bad: $MEMQ_ITEM" >&2; test "$MEMQ_ITEM" != poison"#);
    let worker = worker.await;
    let outcomes = bench.outcomes().await;
    let dead: Vec<_> = outcomes
        .iter()
        .filter(|o| o.state == Finish::Dead)
        .collect();
    assert_eq!((outcomes.len(), dead.len()), (3, 1));
    let error = "exited with code 1\n--- stderr\nbad: poison\n--- stdout\nto the log";
    assert_eq!(dead[0].error.as_deref(), Some(error));
    assert_eq!((dead[0].attempts, dead[0].exit_code), (3, Some(1)));
    assert!(
        worker.log().contains("2 acked, 3 nacked"),
        "{}",
        worker.log()
    );
}

#[tokio::test]
async fn a_queue_that_does_not_exist_yet_is_waited_for() {
    let bench = Bench::new("{}").await;
    let later = Client::new(&bench.url)
        .unwrap()
        .queue("later".parse().unwrap());
    let args = ["--server", &bench.url, "--queue", "later"];
    let mut worker = Worker::bare().args(args).sh("cat").start();
    worker.says("does not exist yet").await;
    let patch: SettingsPatch = serde_json::from_str(r#"{"quiet_ms":10}"#).unwrap();
    later.create(&patch).await.unwrap();
    later.enqueue("1", EnqueueOptions::default()).await.unwrap();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    assert_eq!(later.outcomes(0, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_queue_that_never_comes_to_be_is_given_up() {
    let bench = Bench::new("{}").await;
    let args = [
        "--server",
        &bench.url,
        "--queue",
        "never",
        "--wait-queue",
        "200ms",
    ];
    let mut worker = Worker::bare().args(args).sh("cat").start();
    assert_eq!(worker.exit().await, 69);
    assert!(
        worker.log().contains("never came to be"),
        "{}",
        worker.log()
    );
}

#[tokio::test]
async fn many_slots_share_calls_and_lose_nothing() {
    let bench = Bench::new("{}").await;
    let lines: String = (0..2_000).map(|n| format!("{n}\n")).collect();
    bench
        .queue
        .enqueue_lines(lines, EnqueueOptions::default())
        .await
        .unwrap();
    let args = ["--concurrency", "32", "--builtin", "echo"];
    let mut workers = [
        bench.worker().args(args).start(),
        bench.worker().args(args).start(),
    ];
    for worker in &mut workers {
        assert_eq!(worker.exit().await, 0);
    }
    let outcomes = bench.outcomes().await;
    let bodies: std::collections::HashSet<_> = outcomes.iter().map(|o| o.body.0.clone()).collect();
    assert_eq!((outcomes.len(), bodies.len()), (2_000, 2_000));
    let totals = bench.queue.show().await.unwrap().totals;
    assert_eq!(
        (totals.acked, totals.leased),
        (2_000, 2_000),
        "each was handled once"
    );
}

#[tokio::test]
async fn dead_items_are_told_of_at_the_end() {
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["poison", "fine", "void"]).await;
    let script = r#"case $MEMQ_ITEM in fine) ;; void) exit 65;; *) exit 1; esac"#;
    let mut worker = bench.worker().sh(script).start();
    assert_eq!(worker.exit().await, 0, "dead is finished too");
    worker
        .says("items of this queue are dead: `memq logs q --failed` shows why")
        .await;
    let said = worker.log();
    assert!(
        said.contains("1 acked, 1 nacked, 1 dead at once, 0 released, 0 lost"),
        "{said}"
    );
}
