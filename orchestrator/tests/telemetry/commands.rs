//! What a command says of itself on standard error beside what it was asked for: what goes wrong, and nothing else.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Output;

use crate::support::{Server, memq};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Where nobody collects spans.
const NOWHERE: (&str, &str) = (ENDPOINT, "http://127.0.0.1:1");
/// What is known from the start to be no way to export them.
const IMPOSSIBLE: [(&str, &str); 2] = [
    (ENDPOINT, "https://127.0.0.1:1"),
    ("OTEL_EXPORTER_OTLP_CERTIFICATE", "missing.pem"),
];
/// The file that makes the run of [`RUN`] go well.
const MENDED: &str = "mended";
const RUN: &str = "apiVersion: memq.dev/v1alpha1
kind: Run
metadata: {name: told}
spec:
  steps:
  - name: only
    items: {list: [a]}
    item: {attempts: 1}
    script: test -e mended
";

/// How `memq` does in this folder as it is called by people, but for these variables.
fn called(dir: &Path, words: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = memq(words);
    command
        .env_remove("MEMQ_LOG")
        .env_remove("MEMQ_LOG_FORMAT")
        .env("TMPDIR", dir)
        .envs(variables.iter().copied())
        .current_dir(dir)
        .output()
        .unwrap()
}

/// What came on standard error, which has this many lines about spans.
#[track_caller]
fn told(output: &Output, of_spans: usize) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let about = text.lines().filter(|line| line.contains("spans ")).count();
    assert_eq!(about, of_spans, "{text}");
    text
}

fn server() -> Server {
    let words = ["server", "--listen", "127.0.0.1:0", "--storage", "memory"];
    Server::start(memq(&words))
}

#[test]
fn a_load_says_that_its_spans_are_not_exported() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("items"), "a\n").unwrap();
    let server = server();
    let words = ["load", "q", "items", "--create", "--server", &server.url];
    let load = |variables: &[(&str, &str)]| {
        let output = called(dir.path(), &words, variables);
        assert!(output.status.success(), "{output:?}");
        output
    };
    let text = told(&load(&[NOWHERE]), 1);
    assert!(text.contains(" WARN spans cannot be exported"), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    let json = told(&load(&[NOWHERE, ("MEMQ_LOG_FORMAT", "json")]), 1);
    let line = json.lines().find(|line| line.starts_with('{')).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["level"], "WARN", "{json}");
    let text = told(&load(&IMPOSSIBLE), 1);
    assert!(text.contains("ERROR spans are not exported"), "{text}");
    server.stop();
}

#[test]
fn a_command_goes_on_when_who_read_its_log_has_left() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("items"), "a\n").unwrap();
    let server = server();
    let words = ["load", "q", "items", "--create", "--server", &server.url];
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let mut load = memq(&words);
    load.envs(IMPOSSIBLE).current_dir(dir.path()).stderr(writer);
    assert_eq!(load.status().unwrap().code(), Some(0));
    server.stop();
}

#[test]
fn how_much_a_command_says_is_for_the_variables_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("items"), "a\n").unwrap();
    let server = server();
    let words = ["load", "q", "items", "--create", "--server", &server.url];
    let said = |variables: &[(&str, &str)], of_spans| {
        let output = called(dir.path(), &words, variables);
        assert!(output.status.success(), "{output:?}");
        told(&output, of_spans)
    };
    said(&[], 0);
    said(&[NOWHERE, ("MEMQ_LOG", "off")], 0);
    said(&[NOWHERE, ("RUST_LOG", "off")], 0);
    said(&[NOWHERE, ("RUST_LOG", "off"), ("MEMQ_LOG", "warn")], 1);
    // One that is meant for something else, such as what a handler of a worker runs.
    let text = said(&[NOWHERE, ("RUST_LOG", "app=loud")], 1);
    assert!(text.contains("RUST_LOG is"), "{text}");
    server.stop();
}

#[test]
fn a_run_and_its_retry_say_that_their_spans_are_not_exported() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("told.yaml"), RUN).unwrap();
    for (words, code) in [(&["run", "told.yaml"], 1), (&["retry", "told.yaml"], 0)] {
        let output = called(dir.path(), words, &[NOWHERE]);
        let text = told(&output, 1);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(" WARN spans cannot be exported"), "{text}");
        fs::write(dir.path().join(MENDED), "").unwrap();
    }
    // Without an export it says what it said before there was a log.
    let text = told(&called(dir.path(), &["run", "told.yaml"], &[]), 0);
    assert!(!text.contains("WARN") && !text.contains("INFO"), "{text}");
}

#[test]
fn a_controller_says_what_keeps_spans_from_being_exported_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let [to, trusting] = IMPOSSIBLE;
    // It goes no further: there is no cluster here.
    let variables = [to, trusting, ("KUBECONFIG", "missing")];
    let output = called(dir.path(), &["controller"], &variables);
    let text = told(&output, 1);
    assert!(text.contains("ERROR spans are not exported"), "{text}");
    assert!(text.contains("cannot find a cluster"), "{text}");
}
