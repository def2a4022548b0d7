//! Handlers that need no program.

use std::collections::HashSet;

use crate::bench::Bench;

async fn run(bench: &Bench, builtin: &str) {
    let mut worker = bench.worker().args(["--builtin", builtin]).start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
}

#[tokio::test]
async fn keygen_names_each_key_by_its_fingerprint() {
    let bench = Bench::with("{}", &["1", "2", "3"]).await;
    run(&bench, "keygen").await;
    let outcomes = bench.outcomes().await;
    let keys: HashSet<_> = outcomes.into_iter().map(|o| o.result.unwrap()).collect();
    assert_eq!(keys.len(), 3);
    for key in keys {
        let text = key.strip_prefix("SHA256:").expect(&key);
        let base64 = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '/';
        assert!(text.len() == 43 && text.chars().all(base64), "{key}");
    }
}

#[tokio::test]
async fn leases_are_renewed_while_all_cores_make_keys() {
    // A machine that is busy with other things may starve even a renewal in time, and makes its keys slower by as much.
    for lease_ms in [200, 400, 800, 1_600, 3_200, 6_400] {
        // More keys than there are threads to renew.
        let bench = Bench::with(&format!(r#"{{"lease_ms":{lease_ms}}}"#), &["key"; 10]).await;
        let args = ["--builtin", "keygen", "--concurrency", "4"];
        let mut worker = bench.worker().args(args).start();
        assert_eq!(worker.exit().await, 0, "{}", worker.log());
        let expired = bench.queue.show().await.unwrap().totals.lease_expired;
        let longer = bench.outcomes().await.iter().any(|key| {
            let took = key.ended.duration_since(key.started.unwrap());
            took > jiff::SignedDuration::from_millis(lease_ms)
        });
        if expired == 0 && longer {
            return;
        }
        eprintln!("leases of {lease_ms} ms: {expired} ran out, some key took longer: {longer}");
    }
    panic!("no key outlived its lease by renewals");
}

#[tokio::test]
async fn echo_gives_the_item_back_as_its_result() {
    let bench = Bench::with("{}", &["what goes in\ncomes out "]).await;
    run(&bench, "echo").await;
    assert_eq!(
        bench.done().await.result.as_deref(),
        Some("what goes in\ncomes out ")
    );
}

#[tokio::test]
async fn sleep_takes_as_long_as_the_item_says() {
    let bench = Bench::with("{}", &["300ms\n"]).await;
    run(&bench, "sleep").await;
    let done = bench.done().await;
    let took = done.ended.duration_since(done.started.unwrap());
    assert!(took.as_millis() >= 300, "{took:?}");

    let bench = Bench::with("{}", &["a while"]).await;
    run(&bench, "sleep").await;
    let dead = bench.dead().await;
    assert!(dead.error.unwrap().contains("`a while` is not a duration"));
    assert_eq!(dead.attempts, 1, "trying again would not help");
}

#[tokio::test]
async fn fail_fails_with_the_item_as_its_error() {
    let bench = Bench::with(r#"{"max_attempts":2}"#, &["no such luck"]).await;
    run(&bench, "fail").await;
    let dead = bench.dead().await;
    assert_eq!(
        (dead.error.as_deref(), dead.attempts),
        (Some("no such luck"), 2)
    );
}

#[tokio::test]
async fn a_builtin_has_a_time_limit_as_well() {
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["1h"]).await;
    let args = ["--builtin", "sleep", "--item-timeout", "100ms"];
    let mut worker = bench.worker().args(args).start();
    assert_eq!(worker.exit().await, 0);
    let error = bench.dead().await.error.unwrap();
    assert_eq!(error, "stopped at its time limit of 0.1 s");
}
