//! A server that is killed in the middle of a drain, and started again where it was.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Parser;
use queue_api::{Finish, SettingsPatch};
use queue_client::{Client, EnqueueOptions};
use rustix::process::Signal;

use crate::bench::{Running, Worker, until};

/// Tells this program to be a server: with these arguments, a line each.
const SERVE: &str = "MEMQ_STORIES_SERVE";

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    args: queue_server::Args,
}

/// The server of the story below, as a process that can be killed. In a run of the tests it is none.
#[test]
fn serves_if_told_to() {
    if let Ok(told) = std::env::var(SERVE) {
        let args = Cli::parse_from(std::iter::once("memq-server").chain(told.lines())).args;
        let _killed = queue_server::run(args);
    }
}

/// A server on this address with its log in this directory; it serves.
async fn serve(address: &str, data_dir: &Path) -> (Running, String) {
    let told = format!("--listen\n{address}\n--data-dir\n{}", data_dir.display());
    let this = std::env::current_exe().unwrap();
    let server = Worker::of(this.to_str().unwrap())
        .args(["--exact", "crash::serves_if_told_to", "--nocapture"])
        .env(SERVE, &told)
        .start();
    server.says("ready").await;
    let log = server.log();
    let (_, rest) = log.split_once("address=").unwrap();
    let address = rest.lines().next().unwrap().trim().to_owned();
    (server, address)
}

#[tokio::test]
async fn a_server_killed_three_times_and_started_again_loses_and_doubles_nothing() {
    const ITEMS: usize = 300;
    let dir = tempfile::tempdir().unwrap();
    let (mut server, address) = serve("127.0.0.1:0", dir.path()).await;
    let url = format!("http://{address}");
    let queue = Client::new(&url).unwrap().queue("q".parse().unwrap());
    // A lease whose answer was lost with the server comes back after this.
    let settings: SettingsPatch = serde_json::from_str(r#"{"lease_ms":1000}"#).unwrap();
    queue.create(&settings).await.unwrap();
    let lines: String = (0..ITEMS).map(|n| format!("{n}\n")).collect();
    let seal = EnqueueOptions {
        seal: true,
        ..EnqueueOptions::default()
    };
    queue.enqueue_lines(lines, seal).await.unwrap();

    let worker = || {
        let args = ["--server", &url, "--queue", "q", "--until", "drained"];
        let more = ["--concurrency", "2"];
        Worker::bare().args(args).args(more).sh("cat").start()
    };
    let workers = [worker(), worker()];
    for kill in 1..=3 {
        let done = async || queue.show().await.unwrap().counts.done;
        let before = done().await;
        until("some more are done", async || done().await >= before + 40).await;
        assert!(
            done().await < ITEMS as u64,
            "kill {kill} is in the middle of it"
        );
        server.signal(Signal::KILL);
        assert_eq!(server.exit().await, -1);
        (server, _) = serve(&address, dir.path()).await;
    }
    for mut worker in workers {
        assert_eq!(worker.exit().await, 0, "{}", worker.log());
    }

    let outcomes = queue.outcomes(0, 10_000).await.unwrap();
    let results: BTreeSet<_> = outcomes.iter().map(|o| o.result.clone()).collect();
    assert_eq!((outcomes.len(), results.len()), (ITEMS, ITEMS));
    assert!(outcomes.iter().all(|o| o.state == Finish::Done));
    let queue = queue.show().await.unwrap();
    assert!(queue.drained);
    let totals = queue.totals;
    assert_eq!(
        (totals.enqueued, totals.acked),
        (ITEMS as u64, ITEMS as u64)
    );
}
