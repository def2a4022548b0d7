//! The examples of docs/handlers.md, run as they stand there.

use std::path::PathBuf;

use crate::bench::Bench;

const HANDLERS: &str = include_str!("../../../docs/handlers.md");

/// The example of this name, written to a file.
fn example(dir: &tempfile::TempDir, name: &str) -> PathBuf {
    let (_, rest) = HANDLERS
        .split_once(&format!("<!-- {name} -->\n```"))
        .expect(name);
    let (_, code) = rest.split_once('\n').unwrap();
    let (code, _) = code.split_once("```").unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, code).unwrap();
    path
}

#[tokio::test]
async fn the_process_in_python_handles_items() {
    let found = std::process::Command::new("python3")
        .arg("--version")
        .output();
    if !found.is_ok_and(|output| output.status.success()) {
        eprintln!("passed over: this machine has no python3");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let handler = example(&dir, "handler.py");
    let bench = Bench::with("{}", &["one", "z\u{e9}ro \"two\"\nlines"]).await;
    bench.add(b"\xff").await;
    let args = [
        "--process",
        "--",
        "python3",
        "-u",
        handler.to_str().unwrap(),
    ];
    let once = r#"{"max_attempts":1}"#;
    bench
        .queue
        .create(&serde_json::from_str(once).unwrap())
        .await
        .unwrap();
    let mut worker = bench.worker().args(args).start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    let outcomes = bench.outcomes().await;
    let results: Vec<_> = outcomes.iter().map(|o| o.result.as_deref()).collect();
    assert_eq!(
        results,
        [Some("ONE"), Some("Z\u{c9}RO \"TWO\"\nLINES"), None]
    );
    let printed = format!(
        "shouting one item.id={} handler.stream=stdout",
        outcomes[0].id
    );
    assert!(worker.log().contains(&printed), "{}", worker.log());
    // A body that is no text is an error of the example: the process died of it, and says where.
    let error = outcomes[2].error.as_deref().unwrap();
    assert!(
        error.starts_with("the process exited with code 1\n--- stderr\nTraceback"),
        "{error}"
    );
}

#[tokio::test]
async fn the_process_in_shell_handles_items() {
    let dir = tempfile::tempdir().unwrap();
    let handler = example(&dir, "handler.sh");
    let bench = Bench::with("{}", &["one", "two"]).await;
    let args = ["--process", "--", "sh", handler.to_str().unwrap()];
    let mut worker = bench.worker().args(args).start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    let results: Vec<_> = bench
        .outcomes()
        .await
        .into_iter()
        .map(|o| o.result)
        .collect();
    assert_eq!(
        results,
        [Some("one, done".into()), Some("two, done".into())]
    );
}

#[test]
fn each_flag_the_document_names_is_one() {
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_memq-worker"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let flags = HANDLERS.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let flags: std::collections::BTreeSet<_> = flags
        .filter(|word| {
            word.strip_prefix("--")
                .is_some_and(|flag| !flag.is_empty() && !flag.starts_with('-'))
        })
        .collect();
    assert!(flags.len() > 10, "{flags:?}");
    for flag in flags {
        assert!(help.contains(flag), "{flag}");
    }
}
