//! The same command with the same joblog does what is left.

use crate::support::{Lab, spec};

const DONE: &str = "{\"id\":\"0\",\"body\":\"a\",\"state\":\"done\",\"attempts\":1}\n";

#[test]
fn each_done_body_takes_off_as_many_items_as_it_was_done() {
    let lab = Lab::new();
    lab.write(
        "run.yaml",
        spec("twice", "items: {list: [a, a, b, a]}\nbuiltin: echo"),
    );
    lab.write("log", format!("{DONE}{DONE}"));
    lab.run(&["run", ".", "--joblog", "log"])
        .exits(0)
        .complains("2 already done, 2 to do");
    let bodies: Vec<_> = lab
        .joblog("log")
        .iter()
        .map(|line| line["body"].to_string())
        .collect();
    assert_eq!(bodies.iter().filter(|body| *body == "\"a\"").count(), 3);
    assert_eq!(bodies.iter().filter(|body| *body == "\"b\"").count(), 1);
}

#[test]
fn a_torn_last_line_is_mended_and_its_item_done_again() {
    let lab = Lab::new();
    lab.write(
        "run.yaml",
        spec("torn", "items: {list: [a, b]}\nbuiltin: echo"),
    );
    lab.write("log", format!("{DONE}{{\"id\":\"1\",\"body\":\"b\",\"sta"));
    lab.run(&["run", ".", "--joblog", "log"])
        .exits(0)
        .complains("took a torn last line away")
        .complains("1 already done, 1 to do");
    assert_eq!(lab.joblog("log").len(), 2);
}

#[test]
fn a_file_that_is_no_joblog_is_left_alone() {
    let lab = Lab::new();
    lab.write(
        "run.yaml",
        spec("foreign", "items: {list: [a]}\nbuiltin: echo"),
    );
    lab.write("notes.txt", "my notes\n");
    lab.run(&["run", ".", "--joblog", "notes.txt"])
        .exits(2)
        .complains("`notes.txt` is no joblog");
    assert_eq!(lab.read("notes.txt"), "my notes\n");
}

#[test]
fn a_run_without_a_joblog_of_its_own_begins_anew_and_says_where_the_joblog_is() {
    let lab = Lab::new();
    lab.write(
        "run.yaml",
        spec("again", "items: {list: [a]}\nbuiltin: echo"),
    );
    lab.run(&["run", "."])
        .exits(0)
        .says(".memq/runs/again/joblog.ndjson");
    lab.run(&["run", "."])
        .exits(0)
        .says("1 done of 1")
        .says(".memq/runs/again.2/joblog.ndjson");
    assert_eq!(lab.joblog(".memq/runs/again/joblog.ndjson").len(), 1);
}
