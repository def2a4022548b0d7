//! `memq retry` and `memq logs` of runs on this machine.

use crate::support::{Lab, Server, spec, steps};

/// A step that fails until a file is there.
const PICKY: &str = "items: {list: [a, b, c]}\nitem: {attempts: 1}\ncommand: [sh, -c, 'echo seen $MEMQ_ITEM; test $MEMQ_ITEM = a || test -f \"ok-$MEMQ_ITEM\"']";

#[test]
fn a_run_is_gone_on_with_by_its_name_in_the_same_history() {
    let lab = Lab::new();
    lab.write("run.yaml", spec("picky", PICKY));
    lab.run(&["run", "."]).exits(1).says("1 done, 2 dead of 3");
    lab.run(&["logs", "picky", "--failed"])
        .exits(0)
        .says("seen b")
        .says("seen c");
    lab.write("ok-b", "");
    lab.write("ok-c", "");
    lab.run(&["retry", "picky"])
        .exits(0)
        .complains("1 already done, 2 to do");
    lab.run(&["retry", "run.yaml", "--failed"]).exits(0);
    let bodies: Vec<_> = lab
        .joblog(".memq/runs/picky/joblog.ndjson")
        .iter()
        .map(|line| line["state"].clone())
        .collect();
    assert_eq!(bodies.iter().filter(|state| **state == "done").count(), 3);
    lab.run(&["retry", "other"])
        .exits(64)
        .complains("no run `other` was started from this folder")
        .complains("a run in a cluster cannot be retried like this");
}

#[test]
fn one_item_is_tried_again_and_the_others_are_left_aside() {
    let lab = Lab::new();
    lab.write("run.yaml", spec("picky", PICKY));
    lab.run(&["run", "."]).exits(1);
    lab.write("ok-b", "");
    lab.write("ok-c", "");
    let joblog = ".memq/runs/picky/joblog.ndjson";
    let id = |body: &str| lab.outcome(joblog, body)["id"].as_str().unwrap().to_owned();
    lab.run(&["retry", "picky", "--item", &id("b")])
        .exits(0)
        .complains("1 item, 1 left aside");
    let done = lab.joblog(joblog);
    assert_eq!(
        done.iter().filter(|line| line["state"] == "done").count(),
        2
    );
    lab.run(&["retry", "picky", "--item", &id("a")])
        .exits(64)
        .complains("is done");
    lab.run(&["logs", "picky", "--item", &id("a")])
        .exits(0)
        .says("seen a");
}

#[test]
fn on_a_server_that_was_given_the_dead_items_live_again_in_their_queue() {
    let lab = Lab::new();
    let server = Server::start(&lab);
    lab.write("run.yaml", spec("picky", PICKY));
    lab.run(&["run", ".", "--server", &server.url]).exits(1);
    lab.write("ok-b", "");
    lab.write("ok-c", "");
    lab.run(&["retry", "picky"])
        .exits(0)
        .complains("2 items again");
    let queue = lab
        .run(&[
            "queue",
            "show",
            "picky",
            "-o",
            "json",
            "--server",
            &server.url,
        ])
        .exits(0)
        .json();
    assert_eq!(
        (&queue["counts"]["done"], &queue["totals"]["redriven"]),
        (&3.into(), &2.into())
    );
}

#[test]
fn a_run_is_gone_on_with_from_a_step_that_is_done() {
    let lab = Lab::new();
    let text = "- name: one\n  command: [sh, -c, 'echo x >> one']\n- name: two\n  after: [one]\n  command: [sh, -c, 'echo x >> two']\n";
    lab.write("run.yaml", steps("both", text));
    lab.run(&["run", "."]).exits(0);
    lab.run(&["retry", "both", "--from", "two"]).exits(0);
    assert_eq!((lab.read("one").len(), lab.read("two").len()), (2, 4));
    lab.run(&["retry", "both", "--from", "one"]).exits(0);
    assert_eq!((lab.read("one").len(), lab.read("two").len()), (4, 6));
    lab.run(&["retry", "both", "--from", "three"])
        .exits(64)
        .complains("no step three; it has one, two");
}
