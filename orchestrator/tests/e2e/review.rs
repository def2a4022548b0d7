//! `memq lint` and `memq render`: what is said of files before anything runs.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Lab, spec};

const GOOD: &str = "items: {list: [a]}\nbuiltin: echo\nitem: {timeout: 1m}\nworkers: 2";
const OLD: &str = "apiVersion: batch/v1beta1\nkind: Job\nmetadata: {name: old}\nspec:\n  template:\n    spec:\n      containers:\n      - name: x\n        image: x:1\n        restartPolicy: Never\n";

#[test]
fn lint_exits_with_1_for_errors_alone() {
    let lab = Lab::new();
    lab.write("good.yaml", spec("good", GOOD));
    let warned = GOOD.replace("item: {timeout: 1m}", "tolerate: {dead: 1}");
    lab.write("warned.yaml", spec("warned", &warned));
    std::fs::create_dir(lab.path("jobs")).expect("a folder");
    lab.write("jobs/old.yml", OLD);
    lab.write("jobs/notes.txt", "{not yaml");
    assert_eq!(
        lab.run(&["lint", "good.yaml"]).exits(0).out.trim(),
        "0 errors, 0 warnings, 0 notes"
    );
    let warned = lab.run(&["lint", "warned.yaml"]).exits(0).out;
    assert!(
        warned.contains("warned.yaml:7:5: warning L103:"),
        "{warned}"
    );
    let ended = lab
        .run(&["lint", "--output", "json", "good.yaml", "jobs"])
        .exits(1);
    let found: Vec<Value> = serde_json::from_str(&ended.out).expect("JSON");
    let rules: Vec<_> = found.iter().map(|finding| &finding["rule"]).collect();
    assert_eq!(rules, ["L201", "L205", "L202"]);
    assert_eq!(
        (&found[2]["file"], &found[2]["line"]),
        (&"jobs/old.yml".into(), &10.into())
    );
    lab.run(&["lint", "nowhere.yaml", "good.yaml"])
        .exits(64)
        .complains("cannot read `nowhere.yaml`");
}

#[test]
fn lint_reads_what_another_program_writes() {
    let lab = Lab::new();
    let mut command = lab.memq(&["lint", "-"]);
    let mut lint = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("memq starts");
    let mut input = lint.stdin.take().expect("a pipe");
    input.write_all(OLD.as_bytes()).expect("it reads");
    drop(input);
    let ended = lint.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(1));
    let out = String::from_utf8_lossy(&ended.stdout);
    assert!(out.starts_with("-:1:13: error L201:"), "{out}");
}

#[test]
fn render_gives_the_same_text_each_time_and_refuses_what_cannot_run_in_a_cluster() {
    let lab = Lab::new();
    lab.write("good.yaml", spec("good", GOOD));
    let render = |args: &[&str]| {
        lab.run(&[&["render", "good.yaml"], args].concat())
            .exits(0)
            .out
    };
    let text = render(&["-n", "team", "--image", "memq:test"]);
    assert_eq!(text, render(&["-n", "team", "--image", "memq:test"]));
    for part in [
        "kind: Run\n",
        "name: good-only-1\n",
        "namespace: team\n",
        "image: memq:test\n",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let list: Value = serde_json::from_str(&render(&["--ephemeral", "-o", "json"])).expect("JSON");
    let kinds: Vec<_> = list["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|o| &o["kind"])
        .collect();
    assert_eq!(
        kinds,
        [
            "ServiceAccount",
            "Role",
            "RoleBinding",
            "ConfigMap",
            "Service",
            "Job",
            "Job"
        ]
    );
    lab.write(
        "local.yaml",
        spec("local", &GOOD.replace("builtin: echo", "command: [echo]")),
    );
    lab.run(&["render", "local.yaml"])
        .exits(64)
        .complains("step `only` runs a command in a cluster, which needs an `image` that has it");
}
