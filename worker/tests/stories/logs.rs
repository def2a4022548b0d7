//! What handlers print: in the worker's own log, within bounds, and kept with the attempt.

use queue_api::ItemId;

use crate::bench::Bench;

/// What the server kept of the last attempt of an item.
async fn kept(bench: &Bench, item: ItemId) -> String {
    let url = format!("{}/v1/queues/q/items/{item}/log", bench.url);
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap()
}

#[tokio::test]
async fn the_output_of_an_item_that_is_done_is_kept_unless_told_not_to() {
    let script = "echo to the result; echo a warning >&2";
    for (choice, expected) in [
        ("all", "--- stderr\na warning\n--- stdout\nto the result"),
        ("failed", ""),
    ] {
        let bench = Bench::with("{}", &["1"]).await;
        let args = ["--keep-logs", choice];
        let mut worker = bench.worker().args(args).sh(script).start();
        assert_eq!(worker.exit().await, 0, "{}", worker.log());
        assert_eq!(kept(&bench, bench.done().await.id).await, expected);
    }
}

#[tokio::test]
async fn the_output_of_an_item_that_failed_is_kept_in_any_case() {
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["1"]).await;
    let args = ["--keep-logs", "failed"];
    let mut worker = bench.worker().args(args).sh("echo why >&2; exit 1").start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    let dead = bench.dead().await;
    let error = "exited with code 1\n--- stderr\nwhy";
    assert_eq!(dead.error.as_deref(), Some(error));
    assert_eq!(kept(&bench, dead.id).await, error);
}

#[tokio::test]
async fn a_talkative_item_is_kept_at_both_ends() {
    let bench = Bench::with("{}", &["1"]).await;
    let mut worker = bench
        .worker()
        .env("MEMQ_LOG", "warn")
        .sh("echo first; seq 100000; echo last")
        .start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    let log = kept(&bench, bench.done().await.id).await;
    assert!(
        log.starts_with("--- stdout\nfirst\n1\n2\n"),
        "{}",
        &log[..80]
    );
    assert!(
        log.ends_with("\n100000\nlast"),
        "{}",
        &log[log.len() - 80..]
    );
    assert!(log.contains("bytes left out]"));
}

#[tokio::test]
async fn the_last_words_of_an_item_that_prints_no_text_are_kept() {
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["1"]).await;
    let script = r"for stream in 2 1; do
        { head -c 100000 /dev/zero | tr '\0' '\377'; echo; echo last words; } >&$stream
        done; exit 1";
    let mut worker = bench.worker().env("MEMQ_LOG", "warn").sh(script).start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    let error = bench.dead().await.error.unwrap();
    assert_eq!(error.matches("last words").count(), 2, "{}", error.len());
    assert!(error.ends_with("last words"));
}

#[tokio::test]
async fn the_log_of_the_worker_takes_no_more_of_an_item_than_its_share() {
    let bench = Bench::with("{}", &["1", "2"]).await;
    let script = r#"test "$MEMQ_ITEM" = 2 || seq 200000; echo "the end of $MEMQ_ITEM""#;
    let mut worker = bench.worker().sh(script).start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    let log = worker.log();
    // A line of the log is a few times as long as the number in it.
    assert!(log.len() < 256 * 1024 * 20, "{}", log.len());
    assert!(log.contains("it says more than 262144 bytes"));
    let left_out = 1_288_895 + "the end of 1\n".len() - 256 * 1024;
    let told = log
        .lines()
        .find_map(|line| {
            line.split_once(" bytes were left out of this log")?
                .0
                .rsplit(' ')
                .next()
        })
        .expect("how much is missing");
    let told: usize = told.parse().unwrap();
    assert!(
        told >= left_out && told < left_out + 20,
        "{told} {left_out}"
    );
    // The next item has its own share, and no output is missing from the result.
    let results: Vec<_> = bench
        .outcomes()
        .await
        .into_iter()
        .map(|o| o.result)
        .collect();
    assert_eq!(
        results,
        [Some("the end of 1".into()), Some("the end of 2".into())]
    );
    for (end, times) in [("the end of 1", 0), ("the end of 2", 1)] {
        let printed = |line: &&str| line.contains(end) && line.contains("stream=");
        assert_eq!(log.lines().filter(printed).count(), times, "{end}");
    }
}
