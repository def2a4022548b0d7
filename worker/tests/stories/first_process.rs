//! A worker that is the first process of its container.

use rustix::process::Signal;

use crate::bench::{Bench, Worker, pid, until};

/// What starts a program as process 1 of a namespace of its own; tests that need it pass over where
/// the machine does not let them.
const UNSHARE: [&str; 5] = [
    "--user",
    "--map-root-user",
    "--pid",
    "--fork",
    "--kill-child",
];

fn as_first_process(bench: &Bench) -> Option<Worker> {
    let allowed = std::process::Command::new("unshare")
        .args(UNSHARE)
        .arg("true")
        .output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        eprintln!("passed over: this machine does not let one make a namespace");
        return None;
    }
    let program = env!("CARGO_BIN_EXE_memq-worker");
    let args = [program, "--server", &bench.url, "--queue", "q"];
    Some(Worker::of("unshare").args(UNSHARE).args(args))
}

/// The children of a process, and whether each is dead and unburied.
fn children(parent: i32) -> Vec<(u32, bool)> {
    let stats = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let number: u32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            let mut fields = stat.rsplit(')').next()?.split_whitespace();
            let (state, its_parent) = (fields.next()?, fields.next()?.parse::<i32>().ok()?);
            (its_parent == parent).then_some((number, state == "Z"))
        });
    stats.collect()
}

#[tokio::test]
async fn the_first_process_hands_signals_on_and_buries_orphans() {
    let bench = Bench::new("{}").await;
    let Some(worker) = as_first_process(&bench) else {
        return;
    };
    // Each item leaves an orphan that ends a moment later.
    let mut worker = worker
        .args(["--until", "forever"])
        .sh("(sleep 0.1 &) >/dev/null 2>&1")
        .start();
    worker.says("working").await;
    let (first, _) = children(worker.pid().as_raw_nonzero().get())[0];
    let below = || children(i32::try_from(first).unwrap());
    // Held up meanwhile, it hears of all their deaths at once.
    rustix::process::kill_process(pid(first), Signal::STOP).unwrap();
    for _ in 0..5 {
        bench.add(b"1").await;
    }
    until("the orphans are dead", async || below().len() == 6).await;
    until("all of them", async || {
        below().iter().filter(|(_, dead)| *dead).count() == 5
    })
    .await;
    rustix::process::kill_process(pid(first), Signal::CONT).unwrap();
    until("the orphans are buried", async || below().len() == 1).await;
    assert!(!below()[0].1, "the worker itself lives");
    rustix::process::kill_process(pid(first), Signal::TERM).unwrap();
    assert_eq!(worker.exit().await, 75, "{}", worker.log());
    worker.says("SIGTERM: stopping").await;
}

#[tokio::test]
async fn the_first_process_ends_as_the_worker_does() {
    let bench = Bench::with("{}", &["1"]).await;
    let Some(worker) = as_first_process(&bench) else {
        return;
    };
    let mut worker = worker.sh("cat").start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());

    let worker = as_first_process(&bench).unwrap();
    let mut worker = worker.args(["--until", "forever"]).sh("cat").start();
    worker.says("working").await;
    let (first, _) = children(worker.pid().as_raw_nonzero().get())[0];
    let (itself, _) = children(i32::try_from(first).unwrap())[0];
    rustix::process::kill_process(pid(itself), Signal::KILL).unwrap();
    assert_eq!(worker.exit().await, 128 + 9, "as a shell says it");
}
