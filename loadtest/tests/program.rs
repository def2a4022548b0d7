//! The program itself, with counts so small that they measure nothing: that it starts, ends, prints
//! its figures, and complains in a way that helps.

mod common;

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{server, server_with, stop, target};
use queue_server::Access;

/// Where the program may keep data, and leaves nothing behind.
const DATA: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/loadtest");

/// Runs the program beside a server that must go on answering meanwhile.
async fn memq_loadtest(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memq-loadtest"));
    command.args(args);
    for name in ["MEMQ_SERVER", "MEMQ_TOKEN", "MEMQ_TOKEN_FILE"] {
        command.env_remove(name);
    }
    let run = tokio::task::spawn_blocking(move || command.output());
    run.await.expect("it is waited for").expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn run_prints_its_figures_on_one_line() {
    let server = server().await;
    let url = server.url();
    let open = [
        "run",
        "--server",
        &url,
        "--op",
        "put",
        "--requests",
        "50",
        "--rate",
        "500",
    ];
    let output = memq_loadtest(&open).await;
    let (line, error) = (text(&output.stdout), text(&output.stderr));
    if output.status.success() {
        assert!(
            line.starts_with("v1: put: 50 requests due at 0.50 k/s"),
            "{line}"
        );
    } else {
        // On a busy machine the latencies would be the client's own.
        assert!(error.contains("the client could not keep up"), "{error}");
    }
    for (op, name) in [("put", "v1: put"), ("take", "v1: take and settle")] {
        let url = server.url();
        let args = [
            "run",
            "--server",
            &url,
            "--op",
            op,
            "--requests",
            "40",
            "--connections",
            "4",
        ];
        let output = memq_loadtest(&args).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        let line = text(&output.stdout);
        assert!(
            line.starts_with(&format!("{name}: 40 items in 40 requests")),
            "{line}"
        );
        assert!(line.contains("k items/s; latency p50"), "{line}");
    }
    stop(server).await;
}

#[tokio::test]
async fn bench_prints_a_row_for_each_operation() {
    let server = server().await;
    let url = server.url();
    let args = [
        "bench",
        "--server",
        &url,
        "--rounds",
        "1",
        "--requests",
        "50",
        "--connections",
        "2,3",
    ];
    let output = memq_loadtest(&args).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    let (table, goals) = table.split_once("Goals, ").expect("two tables");
    let lines = |text: &'static str| goals.lines().filter(move |line| line.contains(text));
    assert_eq!(lines("| P1 ").count(), 4, "{goals}");
    assert_eq!(lines("| P4 ").count(), 2, "{goals}");
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .collect();
    for (connections, rows) in [" 2 ", " 3 "].iter().zip(rows.chunks(6)) {
        assert_eq!(rows.len(), 6, "{table}");
        for (row, name) in rows.iter().zip([
            "MemQ API: put",
            "MemQ API: take",
            "v1: put",
            "v1: take and settle",
            "v1: put, 1000 a request",
            "v1: take and settle, 100 a request",
        ]) {
            let mut cells = row.split('|').map(str::trim).skip(1);
            assert_eq!(cells.next(), Some(name), "{table}");
            assert_eq!(cells.next(), Some(connections.trim()), "{table}");
        }
    }
    assert_eq!(rows.len(), 12, "{table}");
    let left = queue_client::Client::new(&url)
        .expect("a URL")
        .queues()
        .await
        .expect("a list");
    assert!(left.is_empty(), "the queues that were measured are deleted");
    stop(server).await;
}

#[tokio::test]
async fn a_server_that_asks_for_tokens_is_measured_with_one() {
    let token = "a-token-for-measuring";
    let file = |name: &str, text: String| {
        let path = format!("{}/{name}", env!("CARGO_TARGET_TMPDIR"));
        std::fs::write(&path, text).expect("a file");
        path
    };
    let tokens = file("tokens", format!("admin {token}\n"));
    let file = file("token", format!("{token}\n"));
    let access = Access {
        tokens: Some(tokens.into()),
        ..Access::default()
    };
    let server = server_with(access).await;
    let url = server.url();
    for op in ["put", "take"] {
        for api in ["v1", "memq"] {
            let run = [
                "run",
                "--server",
                &url,
                "--requests",
                "20",
                "--op",
                op,
                "--api",
                api,
            ];
            let output = memq_loadtest(&run).await;
            let said = text(&output.stderr);
            assert!(!output.status.success(), "{said}");
            let with = [&run[..], &["--token-file", &file]].concat();
            let output = memq_loadtest(&with).await;
            let said = text(&output.stderr);
            assert!(output.status.success(), "{op} {api}: {said}");
        }
    }
    stop(server).await;
}

#[tokio::test]
async fn what_cannot_be_measured_is_said_and_ends_with_1() {
    for (args, why) in [
        (
            &["run", "--op", "put", "--server", "http://127.0.0.1:1"][..],
            "cannot make queue",
        ),
        (
            &["run", "--op", "put", "--server", "http://192.0.2.1:80"],
            "--allow-remote",
        ),
        (
            &["run", "--op", "put", "--server", "localhost:8080"],
            "write it like http://",
        ),
        (
            &[
                "bench",
                "--server-bin",
                "/no/such/program",
                "--data-dir",
                DATA,
            ],
            "cannot start `/no/such/program`",
        ),
        (
            &[
                "waiters",
                "--server-bin",
                "true",
                "--waiters",
                "9",
                "--data-dir",
                DATA,
            ],
            "ended before it answered",
        ),
    ] {
        let output = memq_loadtest(args).await;
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(
            error.starts_with("memq-loadtest: ") && error.contains(why),
            "{why}: {error}"
        );
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_bench_that_is_stopped_takes_its_processes_with_it() {
    use rustix::process::{Pid, Signal, kill_process};

    let server = server().await;
    let mut bench = Command::new(env!("CARGO_BIN_EXE_memq-loadtest"))
        .args([
            "bench",
            "--requests",
            "100000000",
            "--server",
            &server.url(),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let pid = bench.id();
    let children = format!("/proc/{pid}/task/{pid}/children");
    let queues = queue_client::Client::new(&server.url()).expect("a URL");
    // A queue to measure shows that the floor is up and the signals are listened for.
    let begun = Instant::now();
    while queues.queues().await.expect("a list").is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never began");
        assert_eq!(
            bench.try_wait().expect("it is ours"),
            None,
            "it ended by itself"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let floor = std::fs::read_to_string(children).expect("its children are listed");
    let floor = format!("/proc/{}", floor.trim());
    assert!(
        std::path::Path::new(&floor).exists(),
        "the floor runs: {floor}"
    );

    let pid = Pid::from_raw(i32::try_from(pid).expect("a process id")).expect("not zero");
    kill_process(pid, Signal::TERM).expect("it can be told");
    let output = tokio::task::spawn_blocking(move || bench.wait_with_output());
    let output = output.await.expect("it is waited for").expect("it ends");
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        error.ends_with("told to stop before there were figures\n"),
        "{error}"
    );
    assert!(
        !std::path::Path::new(&floor).exists(),
        "the floor is left behind: {floor}"
    );
    stop(server).await;
}

#[tokio::test]
async fn an_item_reaches_one_waiter_and_the_end_reaches_all() {
    let server = server().await;
    let at = target(&server.url()).await;
    let watch = Duration::from_millis(100);
    let figures = loadtest::waiters::measure(&at, std::process::id(), 40, watch, 3).await;
    let figures = figures.expect("three items for forty waiters");
    assert_eq!((figures.waiters, figures.reached.len()), (40, 3));
    let lines = figures.lines();
    assert!(
        lines[0].starts_with("40 waiters parked: the server uses "),
        "{}",
        lines[0]
    );
    stop(server).await;
}
