//! What the image asks for: items on a volume if there is one, and kuard's probes.

use std::path::Path;

use rustix::process::Signal;

use crate::harness::{Api, Program};

/// A server that looks for itself where to keep items.
fn choosing(data_dir: &Path) -> Program {
    let mut command = Program::command(&["--listen", "127.0.0.1:0"]);
    command
        .env("MEMQ_STORAGE", "auto")
        .env("MEMQ_DATA_DIR", data_dir);
    Program::spawn(command)
}

#[tokio::test]
async fn without_a_volume_items_are_kept_in_memory_and_the_log_says_so() {
    let program = choosing(Path::new("/no-such-folder-of-memq/data"));
    program.signal(Signal::TERM);
    let logged = program.ended().await;
    logged.has("WARN");
    logged.has("items are kept in memory");
    logged.has("no volume is mounted at /no-such-folder-of-memq/data");
}

#[tokio::test]
async fn on_a_volume_items_are_kept_on_disk() {
    // Nearly every Linux has one mounted there.
    let Ok(volume) = tempfile::tempdir_in("/dev/shm") else {
        eprintln!("passed over: this machine lets one make no folder in /dev/shm");
        return;
    };
    let program = choosing(&volume.path().join("data"));
    program.signal(Signal::TERM);
    let logged = program.ended().await;
    logged.has("what is acknowledged is on disk");
    assert!(volume.path().join("data/lock").exists());
}

#[tokio::test]
async fn probes_of_kuard_are_answered_under_their_names() {
    let api = Api::start();
    api.get("/healthy").await.is(200);
    api.get("/ready").await.is(200);
}
