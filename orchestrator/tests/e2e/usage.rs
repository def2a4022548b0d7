//! Mistakes of the command line and of the spec.

use crate::support::{Lab, Running, spec};

#[test]
fn mistakes_on_the_command_line_exit_with_64() {
    let lab = Lab::new();
    lab.write(
        "run.yaml",
        spec("fine", "items: {list: [a]}\nbuiltin: echo"),
    );
    for args in [
        &["frobnicate"][..],
        &[],
        &["run"],
        &["run", ".", "--workers", "0"],
        &["run", ".", "--timeout", "60"],
        &["run", ".", "-p", "novalue"],
        &["run", ".", "-p", "no=parameter"],
        &["run", "nowhere.yaml"],
        &["run", ".", "--output", "xml"],
        &["queue", "show"],
        &["queue", "show", "../etc"],
        &["queue", "create", "q", "--backoff", "30s..1s"],
        &["queue", "ls", "--server", "not a url"],
        &["load"],
        &["worker", "--until", "never"],
        &["server", "--listen", "nowhere"],
    ] {
        let ended = lab.run(args).exits(64);
        assert!(!ended.err.is_empty(), "{args:?} says nothing");
    }
}

#[test]
fn a_mistake_in_the_spec_is_shown_in_its_line_and_nothing_is_begun() {
    let lab = Lab::new();
    lab.write(
        "run.yaml",
        spec("slip", "itmes: {list: [a]}\nbuiltin: echo"),
    );
    lab.run(&["run", "."])
        .exits(64)
        .complains("run.yaml:7:5: spec.steps[0].itmes: unknown or unsupported field `itmes`")
        .complains("7 |     itmes: {list: [a]}")
        .complains("did you mean `items`?");
    assert!(!lab.path(".memq").exists());
}

#[test]
fn help_is_no_mistake() {
    let lab = Lab::new();
    for args in [
        &["--help"][..],
        &["--version"],
        &["run", "--help"],
        &["queue", "--help"],
        &["load", "--help"],
        &["server", "--help"],
        &["worker", "--help"],
    ] {
        let ended = lab.run(args).exits(0);
        assert!(!ended.out.is_empty(), "{args:?}");
    }
}

#[test]
fn a_variable_without_a_value_names_no_server() {
    let lab = Lab::new();
    lab.write(
        "run.yaml",
        spec("unset", "items: {list: [a]}\nbuiltin: echo"),
    );
    let run = |args: &[&str]| {
        let mut memq = lab.memq(args);
        memq.env("MEMQ_SERVER", "");
        Running::start(memq).end()
    };
    run(&["run", "."]).exits(0).says("1 done of 1");
    run(&["run", ".", "--server", "localhost"])
        .exits(64)
        .complains("`localhost` is not");
    lab.run(&["run", ".", "--server", ""]).exits(64);
}
