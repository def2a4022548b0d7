//! The program is put where a container of another image can run it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::bench::{Bench, Worker};

fn install(into: &Path) -> Worker {
    Worker::bare().args(["install", into.to_str().unwrap()])
}

#[tokio::test]
async fn the_installed_program_works_as_the_one_it_came_from() {
    let volume = tempfile::tempdir().unwrap();
    // What a pod sets for workers does not stand in the way of it.
    let mut worker = install(volume.path()).env("MEMQ_QUEUE", "q").start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    let copy = volume.path().join("memq-worker");
    assert!(worker.log().contains(copy.to_str().unwrap()));
    let mode = std::fs::metadata(&copy).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o755);

    let bench = Bench::with("{}", &["from elsewhere"]).await;
    let mut worker = Worker::of(copy.to_str().unwrap())
        .args(["--server", &bench.url, "--queue", "q"])
        .sh("cat")
        .start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    assert_eq!(bench.done().await.result.as_deref(), Some("from elsewhere"));
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_78() {
    let volume = tempfile::tempdir().unwrap();
    let mut worker = install(&volume.path().join("missing")).start();
    assert_eq!(worker.exit().await, 78);
    worker.says("there is no such directory").await;
}

#[tokio::test]
async fn a_full_volume_is_78_and_holds_no_half_of_it() {
    let volume = tempfile::tempdir().unwrap();
    let path = volume.path().to_str().unwrap();
    let unshare = ["--user", "--map-root-user", "--mount"];
    let small = "mount -t tmpfs -o size=64k none \"$1\"";
    let script =
        format!("{small} && \"$2\" install \"$1\"; echo \"code $?\" >&2; ls -A \"$1\" | wc -l >&2");
    let program = env!("CARGO_BIN_EXE_memq-worker");
    let allowed = std::process::Command::new("unshare")
        .args(unshare)
        .args(["sh", "-c", small, "sh", path])
        .output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        eprintln!("passed over: this machine does not let one mount a folder");
        return;
    }
    let mut shell = Worker::of("unshare")
        .args(unshare)
        .args(["sh", "-c", &script, "sh", path, program])
        .start();
    shell.exit().await;
    let log = shell.log();
    assert!(log.contains("no room for "), "{log}");
    assert!(log.ends_with("code 78\n0\n"), "{log}");
}
