//! What handlers print: in the worker's own log, within bounds.

use crate::bench::Bench;

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
