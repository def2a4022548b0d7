//! kuard's keygen workload: its flags, its lines, over its API.

use rustix::process::Signal;

use crate::bench::{Bench, Worker, until};

/// The lines without the date and time before each, which must be there.
fn lines(log: &str) -> Vec<String> {
    log.lines()
        .map(|line| {
            let (time, text) = line.split_at(20);
            let shape: String = time
                .chars()
                .map(|c| if c.is_ascii_digit() { '9' } else { c })
                .collect();
            assert_eq!(shape, "9999/99/99 99:99:99 ", "{line}");
            text.to_owned()
        })
        .collect()
}

fn assert_key(line: &str, before: &str) {
    let key = line
        .strip_prefix(before)
        .unwrap_or_else(|| panic!("`{line}` is not `{before}…`"));
    assert_eq!((key.len(), &key[..7]), (50, "SHA256:"), "{line}");
}

#[tokio::test]
async fn a_number_of_keys() {
    let flags = [
        "--keygen-enable",
        "--keygen-num-to-gen=2",
        "--keygen-exit-on-complete=true",
        "--keygen-exit-code",
        "7",
    ];
    let mut worker = Worker::bare().args(flags).start();
    assert_eq!(worker.exit().await, 7);
    let lines = lines(&worker.log());
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(lines[0], "(ID 0) Workload starting");
    assert_key(&lines[1], "(ID 0 1/2) Item done: ");
    assert_key(&lines[2], "(ID 0 2/2) Item done: ");
    assert_eq!(lines[3], "(ID 0) Workload exiting");
}

#[tokio::test]
async fn keys_for_a_time() {
    let flags = [
        "--keygen-enable",
        "--keygen-time-to-run",
        "1",
        "--keygen-exit-on-complete",
    ];
    let mut worker = Worker::bare().args(flags).start();
    assert_eq!(worker.exit().await, 0);
    let lines = lines(&worker.log());
    assert!(lines.len() >= 3, "{lines:?}");
    let first = &lines[1];
    assert!(
        first.starts_with("(ID 0 1/Inf ") && first.contains(") Item done: SHA256:"),
        "{first}"
    );
    let words = ["now)", "overdue)", "left)"];
    assert!(words.iter().any(|word| first.contains(word)), "{first}");
}

#[tokio::test]
async fn without_exit_on_complete_it_stays_until_it_is_told_to_go() {
    let flags = ["--keygen-enable", "--keygen-num-to-gen", "1"];
    let mut worker = Worker::bare().args(flags).start();
    worker.says("(ID 0) Workload exiting").await;
    assert!(worker.runs());
    worker.signal(Signal::TERM);
    assert_eq!(worker.exit().await, 75);
}

#[tokio::test]
async fn a_key_for_each_item_of_a_queue_and_then_the_end() {
    let bench = Bench::with("{}", &["1", "2"]).await;
    let server = format!("--keygen-memq-server={}/memq/server", bench.url);
    let flags = [
        "--keygen-enable",
        "--keygen-exit-on-complete",
        &server,
        "--keygen-memq-queue=q",
        "--keygen-num-to-gen=1",
    ];
    let mut worker = Worker::bare().args(flags).start();
    assert_eq!(worker.exit().await, 0);
    let lines = lines(&worker.log());
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[0], "MemQ Worker starting");
    assert_key(&lines[1], "Item done: ");
    assert_key(&lines[2], "Item done: ");
    assert_eq!(bench.queue.show().await.unwrap().totals.taken, 2);
}

#[tokio::test]
async fn an_empty_queue_and_a_missing_one_are_tried_again() {
    let bench = Bench::new("{}").await;
    let server = format!("{}/memq/server", bench.url);
    let flags = |queue| {
        [
            "--keygen-enable",
            "--keygen-memq-server",
            &server,
            "--keygen-memq-queue",
            queue,
        ]
    };
    let mut worker = Worker::bare().args(flags("q")).start();
    worker.says(" Queue is empty. Retrying after 1s.\n").await;
    bench.add(b"1").await;
    worker.says(" Item done: SHA256:").await;
    worker.signal(Signal::TERM);
    assert_eq!(worker.exit().await, 75);
    assert!(
        worker.log().ends_with(" MemQ Worker shutting down\n"),
        "{}",
        worker.log()
    );

    let other = Worker::bare().args(flags("no-such-queue")).start();
    until("the error", async || {
        let log = other.log();
        log.contains(" Error talking to server: ")
            && log.contains("does not exist. Retrying after 1s.\n")
    })
    .await;
}
