//! Workers of a server that asks for tokens.

use std::path::{Path, PathBuf};

use queue_api::Finish;
use queue_client::{Client, Token};

use crate::bench::{Bench, Worker, until};

const ADMIN: &str = "a-token-for-all-things";
const WORK: &str = "a-token-for-working-1";
const NEXT: &str = "a-token-for-working-2";
const READ: &str = "a-token-for-looking-on";

/// A server with tokens, whose queue has these items, and the folder of its and the workers' files.
struct Guarded {
    bench: Bench,
    dir: tempfile::TempDir,
}

impl Guarded {
    async fn with(items: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tokens = write(dir.path(), "tokens", &known(WORK));
        let bench = Bench::guarded("{}", Some((&tokens, ADMIN))).await;
        for item in items {
            bench.add(item.as_bytes()).await;
        }
        Self { bench, dir }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        write(self.dir.path(), name, text)
    }

    fn worker(&self) -> Worker {
        self.bench.worker()
    }

    /// The server knows another token for working, and has taken note of it.
    async fn renew(&self) {
        self.write("tokens", &known(NEXT));
        until("the old token is refused", async || {
            let old = Token::from_text(WORK, "a test").unwrap();
            let client = Client::builder(&self.bench.url).token(Some(old)).build();
            client.unwrap().let_in().await.is_err()
        })
        .await;
    }
}

fn known(work: &str) -> String {
    format!("admin {ADMIN}\nwork {work}\nread {READ}\n")
}

fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    // Whole at once, as a mounted Secret changes.
    let (new, path) = (dir.join(format!("{name}.new")), dir.join(name));
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, &path).unwrap();
    path
}

#[tokio::test]
async fn a_worker_that_is_not_let_in_ends_with_77_and_says_what_is_lacking() {
    let guarded = Guarded::with(&["1"]).await;
    let wrong = guarded.write("wrong", "nobody-knows-this-token");
    let read = guarded.write("read", READ);
    for (file, said) in [
        (None, "the server asks for a token, and none was given"),
        (
            Some(&wrong),
            "the server does not know the token in the file",
        ),
        (Some(&read), "may not lease from queue q"),
    ] {
        let mut worker = guarded.worker();
        if let Some(file) = file {
            worker = worker.args(["--token-file", file.to_str().unwrap()]);
        }
        let mut worker = worker.sh("true").start();
        assert_eq!(worker.exit().await, 77, "{}", worker.log());
        let log = worker.log();
        assert!(log.contains(said), "{said}: {log}");
        for token in ["nobody-knows-this-token", READ] {
            assert!(!log.contains(token), "{log}");
        }
    }
    assert_eq!(guarded.bench.queue.show().await.unwrap().counts.ready, 1);
}

#[tokio::test]
async fn handlers_can_ask_the_server_as_their_worker_does() {
    // What the worker is told, in its variables and its arguments, and what its handler finds there.
    let script =
        r#"printf '%s %s' "$MEMQ_TOKEN" "$(test -z "$MEMQ_TOKEN_FILE" || cat "$MEMQ_TOKEN_FILE")""#;
    let guarded = Guarded::with(&["1", "2", "3"]).await;
    let file = guarded.write("token", &format!("{WORK}\n"));
    let path = file.to_str().unwrap();
    let of_variable = guarded.worker().env("MEMQ_TOKEN", WORK);
    let of_file = guarded.worker().env("MEMQ_TOKEN_FILE", path);
    let both = guarded.worker().env("MEMQ_TOKEN", "the-file-comes-first");
    let both = both.args(["--token-file", path]);
    let one = ["--max-dead", "0"];
    for worker in [of_variable, of_file, both] {
        let mut worker = worker.args(one).sh(script).start();
        assert_eq!(worker.exit().await, 0, "{}", worker.log());
        guarded.bench.add(b"another").await;
    }
    let outcomes = guarded.bench.outcomes().await;
    let results: Vec<_> = outcomes
        .iter()
        .filter_map(|o| o.result.as_deref())
        .collect();
    let in_file = format!(" {WORK}");
    assert_eq!(results[0], format!("{WORK} "));
    assert!(results.contains(&in_file.as_str()), "{results:?}");
    assert_eq!(results[4], format!("the-file-comes-first {WORK}"));
}

#[tokio::test]
async fn a_relative_file_is_found_by_handlers_in_other_folders() {
    let guarded = Guarded::with(&["1"]).await;
    let file = guarded.write("token", WORK);
    let here = std::env::current_dir().unwrap();
    let up = "../".repeat(here.components().count());
    let relative = format!("{up}{}", file.strip_prefix("/").unwrap().display());
    let worker = guarded.worker().args(["--token-file", &relative]);
    let mut worker = worker.sh(r#"cd / && cat "$MEMQ_TOKEN_FILE""#).start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    assert_eq!(guarded.bench.done().await.result.as_deref(), Some(WORK));
}

#[tokio::test]
async fn a_worker_goes_on_with_the_token_that_its_file_has_by_now() {
    let guarded = Guarded::with(&["1", "2"]).await;
    let file = guarded.write("token", WORK);
    let gate = guarded.dir.path().join("gate");
    let script = format!(
        r#"echo begun >&2; while test "$MEMQ_ITEM" = 1 && ! test -e {}; do sleep 0.05; done"#,
        gate.display()
    );
    let worker = guarded
        .worker()
        .args(["--token-file", file.to_str().unwrap()]);
    let mut worker = worker.sh(&script).start();
    worker.says("begun").await;
    guarded.renew().await;
    guarded.write("token", NEXT);
    std::fs::write(&gate, "").unwrap();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    let outcomes = guarded.bench.outcomes().await;
    let done = outcomes
        .iter()
        .filter(|o| o.state == Finish::Done && o.attempts == 1);
    assert_eq!(done.count(), 2, "{}", worker.log());
    let log = worker.log();
    assert!(
        log.contains("going on with the new token of the file"),
        "{log}"
    );
    assert!(!log.contains(NEXT), "{log}");
}

#[tokio::test]
async fn a_worker_waits_while_the_file_of_its_token_is_late() {
    let guarded = Guarded::with(&["1"]).await;
    let file = guarded.write("token", WORK);
    let forever = ["--until", "forever", "--token-file"];
    let worker = guarded
        .worker()
        .args(forever)
        .args([file.to_str().unwrap()]);
    let worker = worker.sh("true").start();
    worker.says("done").await;
    // Its parked call is ended, and what its file holds is refused.
    guarded.renew().await;
    worker.says("tokens may be changing").await;
    guarded.write("token", NEXT);
    guarded.bench.add(b"2").await;
    until("both items are done", async || {
        guarded.bench.outcomes().await.len() == 2
    })
    .await;
}

#[tokio::test]
async fn a_worker_whose_token_is_taken_away_ends_with_77() {
    let guarded = Guarded::with(&["1"]).await;
    let forever = ["--until", "forever"];
    let worker = guarded.worker().args(forever).env("MEMQ_TOKEN", WORK);
    let mut worker = worker.sh("true").start();
    worker.says("done").await;
    guarded.renew().await;
    guarded.bench.add(b"2").await;
    assert_eq!(worker.exit().await, 77, "{}", worker.log());
    let log = worker.log();
    assert!(log.contains("this worker needs a token"), "{log}");
}

#[tokio::test]
async fn a_file_without_a_token_is_78_and_a_set_up_that_is_named() {
    let bench = Bench::new("{}").await;
    let dir = tempfile::tempdir().unwrap();
    let empty = write(dir.path(), "empty", "\n");
    let missing = dir.path().join("missing");
    for (file, said) in [
        (&empty, "there is no token in the file"),
        (&missing, "cannot read the token file"),
    ] {
        let worker = bench
            .worker()
            .args(["--token-file", file.to_str().unwrap()]);
        let mut worker = worker.sh("true").start();
        assert_eq!(worker.exit().await, 78, "{}", worker.log());
        assert!(worker.log().contains(said), "{}", worker.log());
    }
}

#[tokio::test]
async fn kuards_keygen_shows_the_token_of_its_environment() {
    let guarded = Guarded::with(&["1"]).await;
    let server = format!("{}/memq/server", guarded.bench.url);
    let keygen = |server: &str| {
        Worker::bare().args([
            "--keygen-enable",
            "--keygen-exit-on-complete",
            "--keygen-memq-queue=q",
            &format!("--keygen-memq-server={server}"),
        ])
    };
    let without = keygen(&server).start();
    without.says("Error talking to server: ").await;
    without.says("asks for a token").await;
    drop(without);
    let mut with = keygen(&server).env("MEMQ_TOKEN", WORK).start();
    assert_eq!(with.exit().await, 0, "{}", with.log());
    let address = server.replace("http://", &format!("http://any:{WORK}@"));
    let shown = keygen(&address).start();
    shown.says("give a token by").await;
    assert!(!shown.log().contains(WORK), "{}", shown.log());
    assert_eq!(guarded.bench.queue.show().await.unwrap().totals.taken, 1);
}
