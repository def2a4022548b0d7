//! The examples do what their READMEs say, and a step finds what its spec promises.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::{Lab, example, spec};

#[test]
fn checksums_has_a_line_for_each_file_whatever_it_is_called() {
    let lab = Lab::new();
    let example = example("checksums");
    let run = || lab.run(&["run", &example, "--joblog", "sums.ndjson"]);
    run()
        .exits(0)
        .says("10 done of 10")
        .complains("10 items, 2 workers");

    let files = std::fs::read_to_string(Path::new(&example).join("files.txt")).unwrap();
    let lines = lab.joblog("sums.ndjson");
    let bodies: BTreeSet<_> = lines
        .iter()
        .map(|line| line["body"].as_str().unwrap())
        .collect();
    assert_eq!(bodies, files.lines().collect());
    for line in &lines {
        let (sum, name) = line["result"].as_str().unwrap().split_once("  ").unwrap();
        assert_eq!((sum.len(), name), (64, line["body"].as_str().unwrap()));
        assert_eq!(
            (&line["state"], &line["attempts"]),
            (&"done".into(), &1.into())
        );
    }
    let empty = lab.outcome("sums.ndjson", "tree/holiday photos/empty.txt");
    assert!(
        empty["result"]
            .as_str()
            .unwrap()
            .starts_with("e3b0c44298fc1c14"),
        "{empty}"
    );
    for injected in ["injected", "injected.txt"] {
        assert!(
            !Path::new(&example).join(injected).exists(),
            "a file's name was run"
        );
    }

    run().exits(0).says("all 10 already done, nothing to do");
    assert_eq!(lab.joblog("sums.ndjson").len(), 10);
}

#[test]
fn keygen_makes_keys_of_different_fingerprints() {
    let lab = Lab::new();
    let ended = lab.run(&[
        "run",
        &example("keygen"),
        "-p",
        "keys=2",
        "--joblog",
        "keys",
        "-o",
        "json",
    ]);
    let summary = ended.exits(0).json();
    assert_eq!(
        (&summary["done"], &summary["verdict"]),
        (&2.into(), &"done".into())
    );
    let lines = lab.joblog("keys");
    let prints: BTreeSet<_> = lines
        .iter()
        .map(|line| line["result"].as_str().unwrap())
        .collect();
    assert_eq!(prints.len(), 2);
    for print in prints {
        assert_eq!(
            print.strip_prefix("SHA256:").map(str::len),
            Some(43),
            "{print}"
        );
    }
}

#[test]
fn a_script_runs_in_the_folder_of_its_spec_and_finds_its_variables() {
    let lab = Lab::new();
    std::fs::create_dir(lab.path("deep")).unwrap();
    lab.write("deep/beside.txt", "beside");
    lab.write("deep/items.txt", "one\r\n\ntwo\n");
    let step = "items: {lines: items.txt}\nenv: {GREETING: hello}\nscript: |\n  \
                echo \"$GREETING $MEMQ_ITEM $MEMQ_RUN $MEMQ_STEP $(cat beside.txt)\"\n";
    lab.write("deep/run.yaml", spec("scripted", step));
    lab.run(&["run", "deep", "--joblog", "log"]).exits(0);
    assert_eq!(
        lab.outcome("log", "one")["result"],
        "hello one scripted only beside"
    );
    assert_eq!(
        lab.outcome("log", "two")["result"],
        "hello two scripted only beside"
    );
}

#[test]
fn bodies_that_are_no_lines_arrive_whole() {
    let lab = Lab::new();
    let step = "items: {list: [plain, \"two\\nlines\", \"\", \"cr\\r\", plain]}\nbuiltin: echo";
    lab.write("run.yaml", spec("odd", step));
    lab.run(&["run", ".", "--joblog", "log"])
        .exits(0)
        .says("5 done of 5");
    let mut bodies: Vec<_> = lab
        .joblog("log")
        .iter()
        .map(|l| l["body"].to_string())
        .collect();
    bodies.sort();
    assert_eq!(
        bodies,
        [
            r#""""#,
            r#""cr\r""#,
            r#""plain""#,
            r#""plain""#,
            r#""two\nlines""#
        ]
    );
}

#[test]
fn a_run_without_items_has_nothing_to_do() {
    let lab = Lab::new();
    lab.write("run.yaml", spec("none", "items: {list: []}\nbuiltin: echo"));
    lab.run(&["run", "."]).exits(0).says("there are no items");
}

#[test]
fn more_items_than_a_request_holds_are_all_done() {
    let lab = Lab::new();
    let step = "items: {count: 25000}\nbuiltin: echo\nworkers: {max: 2, concurrency: 8}";
    lab.write("run.yaml", spec("many", step));
    let summary = lab
        .run(&["run", ".", "--joblog", "log", "--output", "json"])
        .exits(0)
        .json();
    assert_eq!(summary["done"], 25_000);
    let lines = lab.joblog("log");
    let bodies: BTreeSet<_> = lines
        .iter()
        .map(|line| line["body"].as_str().unwrap())
        .collect();
    assert_eq!((lines.len(), bodies.len()), (25_000, 25_000));
}
