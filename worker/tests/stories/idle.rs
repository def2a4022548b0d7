//! Processes between two items, and those that never get as far as one.

use crate::bench::{Bench, noted_pid, until};
use crate::processes::process;

#[tokio::test]
async fn a_process_without_an_item_is_listened_to() {
    let bench = Bench::with("{}", &["1"]).await;
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("pid");
    // More than a pipe holds.
    let script = format!(
        "item; answer ack; seq 50000; echo idling >&2; echo $$ >{}; item; echo second; answer ack",
        note.display()
    );
    let worker = process(bench.worker().args(["--until", "forever"]), &script).start();
    noted_pid(&note).await;
    worker.says("idling").await;
    bench.add(b"2").await;
    until("the second item is done", async || {
        bench.outcomes().await.len() == 2
    })
    .await;
    let second = bench.outcomes().await[1].id;
    let url = format!("{}/v1/queues/q/items/{second}/log", bench.url);
    let kept = reqwest::get(url).await.unwrap().text().await.unwrap();
    assert_eq!(kept, "--- stdout\nsecond", "and nothing from before it");
}

#[tokio::test]
async fn a_handler_that_cannot_start_costs_no_item_an_attempt() {
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["x"; 20]).await;
    for concurrency in ["1", "4"] {
        let args = ["--concurrency", concurrency];
        let script = "echo no such library >&2; exit 3";
        let mut worker = process(bench.worker().args(args), script).start();
        assert_eq!(worker.exit().await, 78, "{}", worker.log());
        let log = worker.log();
        assert!(log.contains("no item can be handled"), "{log}");
        assert!(log.contains("the process exited with code 3"), "{log}");
        let counts = bench.queue.show().await.unwrap().counts;
        assert_eq!((counts.ready, counts.dead), (20, 0), "{log}");
    }
}

#[tokio::test]
async fn a_program_that_is_no_handler_does_not_eat_the_queue() {
    // One that is done after one item, one that talks nonsense, one that hangs up.
    for script in [
        "item",
        "item; echo done >&3; item",
        "item; exec 3>&-; item; true",
    ] {
        let bench = Bench::with(r#"{"max_attempts":1}"#, &["x"; 20]).await;
        let mut worker = process(bench.worker(), script).start();
        assert_eq!(worker.exit().await, 78, "{script}: {}", worker.log());
        let counts = bench.queue.show().await.unwrap().counts;
        let log = worker.log();
        assert_eq!((counts.ready, counts.dead), (16, 4), "{script}: {log}");
    }
}

#[tokio::test]
async fn items_that_kill_a_good_handler_are_to_blame_however_many_come_first() {
    let mut items = vec!["bad"; 7];
    items.push("good");
    for death in ["exit 3", "kill -9 $$"] {
        let bench = Bench::with(r#"{"max_attempts":1}"#, &items).await;
        let script = format!(r#"while item; do test "$body" = good || {death}; answer ack; done"#);
        let args = ["--concurrency", "2"];
        let mut worker = process(bench.worker().args(args), &script).start();
        assert_eq!(worker.exit().await, 0, "{death}: {}", worker.log());
        let counts = bench.queue.show().await.unwrap().counts;
        assert_eq!((counts.done, counts.dead), (1, 7), "{death}");
    }
}

#[tokio::test]
async fn a_handler_that_has_answered_is_not_given_up_for_what_kills_it() {
    let mut items = vec!["good"];
    items.extend(["bad"; 6]);
    let bench = Bench::with(r#"{"max_attempts":1}"#, &items).await;
    let script = r#"while item; do test "$body" = good || exit 3; answer ack; done"#;
    let mut worker = process(bench.worker(), script).start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    let counts = bench.queue.show().await.unwrap().counts;
    assert_eq!((counts.done, counts.dead), (1, 6));
}
