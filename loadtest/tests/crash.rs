//! The crash runs as a user types them, short: real servers survive every scenario, and one that
//! forgets is found out.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A directory of this test's own.
fn directory(name: &str) -> PathBuf {
    let name = format!("crash-{name}-{}", std::process::id());
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn crash(name: &str, args: &[&str]) -> Output {
    let data = directory(name);
    let output = Command::new(env!("CARGO_BIN_EXE_memq-loadtest"))
        .args(["crash", "--short", "--data-dir"])
        .arg(&data)
        .args(args)
        .output()
        .expect("it starts");
    assert!(!data.exists(), "the data is left behind");
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The scenario with this in its name passes, and says so in its row.
#[track_caller]
fn passes(only: &str, args: &[&str]) {
    let name = only.replace(' ', "-");
    let output = crash(&name, &[&["--only", only], args].concat());
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}");
    let row = said.lines().filter(|line| line.starts_with('|')).nth(2);
    let cells: Vec<&str> = row.expect("a row").split('|').map(str::trim).collect();
    assert!(cells[1].contains(only), "{said}");
    assert_ne!(cells[3], "0", "nothing was acknowledged: {said}");
    assert_eq!(cells[5..7], ["0", "0"], "{said}");
}

#[test]
fn nothing_is_lost_when_a_loaded_server_is_killed() {
    passes("kill -9", &["--kills", "5"]);
}

#[test]
fn a_client_stopped_past_its_lease_loses_it() {
    passes("client stopped", &[]);
}

#[test]
fn a_server_that_was_stopped_goes_on() {
    passes("server stopped", &[]);
}

#[test]
fn a_second_server_on_a_directory_is_refused() {
    passes("two servers", &[]);
}

#[test]
fn a_full_disk_refuses_items_and_settles_them() {
    passes("disk full", &[]);
}

#[test]
fn every_image_of_the_disk_holds_what_was_acknowledged() {
    passes("image at every sync", &[]);
}

#[test]
fn nothing_is_lost_with_the_power() {
    passes("power lost", &[]);
}

#[test]
fn nothing_is_lost_when_the_disk_fails() {
    passes("write and sync fail", &[]);
}

#[test]
fn nothing_is_lost_or_stuck_when_the_clock_jumps() {
    passes("wall clock jumps", &[]);
}

#[test]
fn a_server_that_forgets_what_it_acknowledged_is_found_out() {
    // From its third life on it goes back to what it had at the start of its second.
    let script = format!(
        r#"#!/bin/sh
for word; do case "$before" in --data-dir) dir=$word ;; esac; before=$word; done
if [ -e "$dir.kept" ]; then rm -rf "$dir"; cp -r "$dir.kept" "$dir"
elif [ -e "$dir.once" ]; then cp -r "$dir" "$dir.kept"
else : > "$dir.once"; fi
exec {} serve "$@"
"#,
        env!("CARGO_BIN_EXE_memq-loadtest")
    );
    let at = directory("forgetful-server");
    std::fs::create_dir_all(&at).expect("a directory");
    let program = at.join("forgetful");
    std::fs::write(&program, script).expect("it can be written");
    let runs = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&program, runs).expect("it is ours");
    let program = program.to_str().expect("a name");
    let output = crash(
        "forgetful",
        &["--only", "kill -9", "--kills", "4", "--server-bin", program],
    );
    let said = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{said}{}",
        text(&output.stderr)
    );
    assert!(said.contains("acknowledged and lost (item "), "{said}");
    assert!(text(&output.stderr).contains("1 of 1 scenarios failed; --seed "));
    std::fs::remove_dir_all(&at).expect("it is ours");
}

#[test]
fn a_scenario_that_is_not_there_is_no_success() {
    let output = crash("none", &["--only", "meteorite"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no scenario has that in its name"));
}
