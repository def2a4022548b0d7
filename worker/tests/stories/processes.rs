//! Long-lived processes as handlers: what passes between them and the worker, and how they die.

use std::collections::BTreeSet;
use std::path::Path;

use queue_api::Finish;
use queue_client::EnqueueOptions;
use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::bench::{Bench, Running, Worker, gone, noted_pid, pid, until};
use crate::proxy::Proxy;

/// What a shell needs to be a handler: `item` reads the next one, `answer` answers it.
const SHELL: &str = r#"
item() {
    read -r line || return 1
    id=${line#*'"id":"'} id=${id%%'"'*}
    body=${line#*'"body":"'} body=${body%%'"'*}
}
answer() { printf '%s\n' "{\"id\":\"$id\",\"as\":\"$1\"$2}" >&3; }
"#;

/// A worker whose handler is a process: this shell script.
pub(crate) fn process(worker: Worker, script: &str) -> Worker {
    worker.args(["--process", "--", "sh", "-c", &format!("{SHELL}{script}")])
}

/// Runs such a worker to its end, which must be 0.
async fn run(bench: &Bench, script: &str) -> Running {
    let mut worker = process(bench.worker(), script).start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    worker
}

/// An item that fails in one attempt.
async fn failing(item: &str) -> Bench {
    Bench::with(r#"{"max_attempts":1}"#, &[item]).await
}

/// Process ids that handlers wrote down, a line each.
fn noted(file: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

#[tokio::test]
async fn one_process_handles_item_after_item() {
    let bench = Bench::with("{}", &["a", "b", "c"]).await;
    let script = r#"n=0; while item; do n=$((n+1)); answer ack ",\"result\":\"$body $n\""; done"#;
    let worker = run(&bench, script).await;
    let results: Vec<_> = bench
        .outcomes()
        .await
        .into_iter()
        .map(|o| o.result.unwrap())
        .collect();
    assert_eq!(results, ["a 1", "b 2", "c 3"]);
    assert_eq!(worker.log().matches("started a process").count(), 1);
}

#[tokio::test]
async fn an_item_is_a_line_of_json_with_all_that_is_known_of_it() {
    let bench = Bench::new("{}").await;
    let body = "two\nlines, \"quoted\" é";
    bench.add(body.as_bytes()).await;
    bench.add(b"\xff\0").await;
    let script = r#"while item; do answer ack ",\"result\":$line"; done"#;
    let mut worker = process(bench.worker().args(["--run", "r1", "--step", "s1"]), script)
        .env("MEMQ_ITEM", "of an outer worker")
        .start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    let outcomes = bench.outcomes().await;
    let seen = |at: usize| -> Value {
        serde_json::from_str(outcomes[at].result.as_deref().unwrap()).unwrap()
    };
    let (text, bytes) = (seen(0), seen(1));
    assert_eq!(text["id"], outcomes[0].id.to_string());
    assert_eq!(text["body"], body);
    assert_eq!(bytes["body_base64"], "/wA=");
    assert_eq!(
        (&text["attempt"], &text["priority"]),
        (&1.into(), &0.into())
    );
    for (field, value) in [("queue", "q"), ("run", "r1"), ("step", "s1")] {
        assert_eq!(text[field], value);
    }
}

#[tokio::test]
async fn each_answer_says_what_becomes_of_the_item() {
    let bench = Bench::with(
        r#"{"max_attempts":2,"backoff":{"min_ms":60000,"max_ms":60000}}"#,
        &["dead", "nack", "release"],
    )
    .await;
    // The second time around all is well, which comes soon only because the answer asks for it.
    let script = r#"while item; do
        case "$line" in *'"attempt":1'*) seen=$seen,$body;; esac
        case "$body$seen" in
        dead*) answer dead ',"error":"never","exit_code":7';;
        nack,dead,nack) seen=$seen,; answer nack ',"error":"not yet","delay_ms":20';;
        release,dead,nack,,release) seen=$seen,; answer release ',"delay_ms":20';;
        *) answer ack ',"result":{"a":1}';;
        esac; done"#;
    run(&bench, script).await;
    let mut outcomes = bench.outcomes().await;
    let dead = outcomes.remove(0);
    assert_eq!((dead.state, dead.exit_code), (Finish::Dead, Some(7)));
    assert_eq!(dead.error.as_deref(), Some("never"));
    outcomes.sort_by_key(|outcome| std::cmp::Reverse(outcome.attempts));
    let ends: Vec<_> = outcomes
        .iter()
        .map(|o| (o.state, o.attempts, o.result.as_deref()))
        .collect();
    let done = Finish::Done;
    let result = Some(r#"{"a":1}"#);
    assert_eq!(ends, [(done, 2, result), (done, 1, result)]);
    let totals = bench.queue.show().await.unwrap().totals;
    assert_eq!((totals.nacked, totals.released), (1, 1));
}

#[tokio::test]
async fn what_it_prints_is_not_an_answer_and_belongs_to_its_item() {
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["1", "2"]).await;
    let script = r#"while item; do
        echo "{\"id\":\"$id\",\"as\":\"dead\"} $body"; echo "warning $body" >&2; answer nack; done"#;
    let mut worker = process(bench.worker().args(["--log-format", "json"]), script).start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    let log = worker.log();
    for outcome in bench.outcomes().await {
        let error = outcome.error.unwrap();
        let id = outcome.id.to_string();
        let number = if error.contains("warning 1") { 1 } else { 2 };
        let printed = format!(
            "the process answered nack\n--- stderr\nwarning {number}\n--- stdout\n{{\"id\":\"{id}\",\"as\":\"dead\"}} {number}"
        );
        assert_eq!(error, printed);
        let line = log
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .find(|line| line["message"] == format!("warning {number}"))
            .unwrap();
        assert_eq!(
            (&line["item.id"], &line["handler.stream"]),
            (&id.into(), &"stderr".into())
        );
    }
}

#[tokio::test]
async fn a_process_that_dies_fails_its_item_and_is_started_again() {
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["good", "bad", "fine"]).await;
    let script = r#"while item; do
        if [ "$body" = bad ]; then echo "no good" >&2; exit 3; fi; answer ack; done"#;
    let worker = run(&bench, script).await;
    let outcomes = bench.outcomes().await;
    let states: Vec<_> = outcomes.iter().map(|o| o.state).collect();
    assert_eq!(states, [Finish::Done, Finish::Dead, Finish::Done]);
    let bad = &outcomes[1];
    assert_eq!(bad.exit_code, Some(3));
    assert_eq!(
        bad.error.as_deref(),
        Some("the process exited with code 3\n--- stderr\nno good")
    );
    assert_eq!(worker.log().matches("started a process").count(), 2);
}

#[tokio::test]
async fn a_process_that_dies_again_and_again_is_given_a_rest() {
    let bench = Bench::with(r#"{"max_attempts":4}"#, &["1"]).await;
    let start = std::time::Instant::now();
    let worker = run(&bench, "item; exit 1").await;
    assert_eq!(bench.dead().await.attempts, 4);
    assert_eq!(worker.log().matches("started a process").count(), 4);
    // 100, 200 and 400 ms between the four.
    assert!(start.elapsed().as_millis() >= 700, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_process_that_answers_and_ends_has_done_its_item() {
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["1", "2", "3"]).await;
    run(&bench, "item; answer ack; exit 9").await;
    let outcomes = bench.outcomes().await;
    assert!(
        outcomes.iter().all(|o| o.state == Finish::Done),
        "{outcomes:?}"
    );
}

#[tokio::test]
async fn a_process_that_dies_while_it_is_idle_costs_no_item_an_attempt() {
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["1"]).await;
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("pids");
    let script = format!(
        "echo $$ >>{}; while item; do answer ack; done",
        note.display()
    );
    let forever = bench.worker().args(["--until", "forever"]);
    let worker = process(forever, &script).start();
    worker.says("done").await;
    let idle = pid(noted(&note)[0]);
    kill_process(idle, Signal::KILL).unwrap();
    gone(idle).await;
    bench.add(b"2").await;
    until("the second item is done", async || {
        bench.outcomes().await.len() == 2
    })
    .await;
    assert_eq!(bench.outcomes().await[1].state, Finish::Done);
    assert_eq!(noted(&note).len(), 2);
    worker
        .says("error.message=\"the process was killed by signal 9\"")
        .await;
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_fails_the_item_and_ends_the_process() {
    for (answer, complaint) in [
        ("echo done >&3", "its answer makes no sense"),
        (r#"echo "{\"id\":\"$id\"}" >&3"#, "missing field `as`"),
        (
            r#"id=ffffffffffffffffffffffffffffffff; answer ack"#,
            "it answered for item ffffffffffffffffffffffffffffffff instead",
        ),
        (
            "head -c 2000000 /dev/zero | tr '\\0' x >&3",
            "its answer is longer than 1048576 bytes",
        ),
        (
            "exec 3>&-; sleep 1000",
            "closed its standard input or file descriptor 3",
        ),
    ] {
        let bench = failing("1").await;
        let dir = tempfile::tempdir().unwrap();
        let note = dir.path().join("pid");
        let script = format!("echo $$ >{}; item; {answer}; item", note.display());
        run(&bench, &script).await;
        let error = bench.dead().await.error.unwrap();
        assert!(error.contains(complaint), "{error}");
        gone(noted_pid(&note).await).await;
    }
}

#[tokio::test]
async fn an_answer_nobody_asked_for_harms_no_item() {
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["1", "2"]).await;
    let worker = run(&bench, "while item; do answer ack; answer ack; done").await;
    let outcomes = bench.outcomes().await;
    assert!(
        outcomes.iter().all(|o| o.state == Finish::Done),
        "{outcomes:?}"
    );
    assert_eq!(worker.log().matches("started a process").count(), 2);
}

#[tokio::test]
async fn an_item_as_large_as_a_queue_takes_passes_through_a_talking_process() {
    let bench = Bench::new("{}").await;
    let large = "x".repeat(1024 * 1024);
    bench.add(large.as_bytes()).await;
    // It talks before it reads: both pipes are full, and neither side waits for the other for ever.
    let script = r#"seq 100000; while item; do answer ack ",\"result\":\"${#body}\""; done"#;
    let mut worker = process(bench.worker().env("MEMQ_LOG", "warn"), script).start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    assert_eq!(bench.done().await.result.as_deref(), Some("1048576"));
}

#[tokio::test]
async fn a_process_past_the_time_limit_is_killed_with_all_it_started() {
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["slow", "quick"]).await;
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("pid");
    let script = format!(
        r#"trap '' TERM; while item; do
        if [ "$body" = slow ]; then echo begun; sleep 1000 & echo $! >{}; wait; fi
        answer ack; done"#,
        note.display()
    );
    let mut worker = process(bench.worker().args(["--item-timeout", "500ms"]), &script).start();
    let grandchild = noted_pid(&note).await;
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    gone(grandchild).await;
    let outcomes = bench.outcomes().await;
    assert_eq!(
        outcomes[0].error.as_deref(),
        Some("stopped at its time limit of 0.5 s\n--- stdout\nbegun")
    );
    assert_eq!(outcomes[1].state, Finish::Done);
}

#[tokio::test]
async fn a_process_whose_lease_is_lost_is_killed_and_its_item_taken_again() {
    let bench = Bench::with(r#"{"lease_ms":500}"#, &["1"]).await;
    let proxy = Proxy::to(&bench.url).await;
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("pid");
    let script = format!(
        r#"while item; do
        case "$line" in *'"attempt":1'*) echo $$ >{}; sleep 1000;; esac; answer ack; done"#,
        note.display()
    );
    let args = ["--server", &proxy.url(), "--queue", "q"];
    let mut worker = process(Worker::bare().args(args), &script).start();
    let first = noted_pid(&note).await;
    proxy.cut();
    gone(first).await;
    worker
        .says("the lease was lost while it ran; dropped")
        .await;
    proxy.mend();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    assert_eq!(bench.done().await.attempts, 2);
}

#[tokio::test]
async fn a_process_hears_of_the_end_by_its_standard_input_and_may_tidy_up() {
    let bench = Bench::with("{}", &["1"]).await;
    let worker = run(
        &bench,
        "while item; do answer ack; done; sleep 0.3; echo tidied up",
    )
    .await;
    assert!(worker.log().contains("tidied up"), "{}", worker.log());
}

#[tokio::test]
async fn a_process_that_does_not_end_is_asked_and_then_killed() {
    let bench = Bench::with("{}", &["1"]).await;
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("pid");
    let script = format!(
        "trap 'echo asked to end' TERM; echo $$ >{}; while item; do answer ack; done; while :; do sleep 0.1; done",
        note.display()
    );
    let mut worker = process(bench.worker().args(["--grace", "300ms"]), &script).start();
    let handler = noted_pid(&note).await;
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    gone(handler).await;
    for line in [
        "went on although its standard input was closed",
        "asked to end",
    ] {
        assert!(worker.log().contains(line), "{}", worker.log());
    }
}

#[tokio::test]
async fn a_worker_told_to_stop_lets_its_process_finish_the_item() {
    let bench = Bench::with("{}", &["1", "2"]).await;
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("pid");
    let script = format!(
        "while item; do echo $$ >{}; sleep 0.4; answer ack; done; echo tidied up",
        note.display()
    );
    let mut worker = process(bench.worker(), &script).start();
    let handler = noted_pid(&note).await;
    worker.signal(Signal::TERM);
    assert_eq!(worker.exit().await, 75, "{}", worker.log());
    gone(handler).await;
    assert_eq!(bench.done().await.attempts, 1);
    assert_eq!(bench.queue.show().await.unwrap().counts.ready, 1);
    assert!(worker.log().contains("tidied up"), "{}", worker.log());
}

#[tokio::test]
async fn a_second_signal_kills_a_process_that_takes_its_time() {
    let bench = Bench::with("{}", &["1"]).await;
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("pid");
    let script = format!(
        "trap '' TERM; item; answer ack; echo $$ >{}; sleep 1000",
        note.display()
    );
    let mut worker = process(bench.worker().args(["--grace", "10m"]), &script).start();
    let handler = noted_pid(&note).await;
    worker.says("waiting for 1 process to end").await;
    worker.signal(Signal::TERM);
    worker.says("SIGTERM: stopping").await;
    worker.signal(Signal::TERM);
    worker.exit().await;
    gone(handler).await;
}

#[tokio::test]
async fn ten_thousand_items_pass_processes_that_are_killed_and_none_is_lost() {
    const ITEMS: usize = 10_000;
    const KILLS: usize = 20;
    let bench = Bench::new(r#"{"max_attempts":100}"#).await;
    let lines: String = (0..ITEMS).map(|n| format!("{n}\n")).collect();
    let seal = EnqueueOptions {
        seal: true,
        ..EnqueueOptions::default()
    };
    bench.queue.enqueue_lines(lines, seal).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("pids");
    // Whether a kill from outside meets an item is chance. One dies with an item for certain.
    let script = format!(
        "echo $$ >>{}; while item; do \
         if [ \"$body\" = 5000 ] && mkdir {} 2>/dev/null; then kill -9 $$; fi; \
         answer ack \",\\\"result\\\":\\\"$body\\\"\"; done",
        note.display(),
        dir.path().join("killed").display()
    );
    let args = ["--concurrency", "4", "--until", "drained"];
    let quiet = bench.worker().args(args).env("MEMQ_LOG", "warn");
    let mut worker = process(quiet, &script).start();
    let done = async || bench.queue.show().await.unwrap().counts.done as usize;
    for kill in 1..=KILLS {
        let goal = ITEMS * kill / (KILLS + 5);
        until("some more are done", async || done().await >= goal).await;
        let victim = pid(*noted(&note).last().unwrap());
        // It may have been killed before, and not started anew yet.
        let _ = kill_process(victim, Signal::KILL);
    }
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    let outcomes = bench.outcomes().await;
    let results: BTreeSet<_> = outcomes.iter().map(|o| o.result.clone()).collect();
    assert_eq!((outcomes.len(), results.len()), (ITEMS, ITEMS));
    assert!(outcomes.iter().all(|o| o.state == Finish::Done));
    let totals = bench.queue.show().await.unwrap().totals;
    assert!(totals.nacked > 0, "some had an item when they were killed");
}
