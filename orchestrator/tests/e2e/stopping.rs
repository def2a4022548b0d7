//! Runs that are stopped: by Ctrl-C, by SIGTERM, by time.

use rustix::process::Signal;

use crate::support::{Lab, Running, spec, wait_for, wait_gone};

/// A handler that waits for a file `go`, and tells of itself first.
const WAITING: &str = "items: {list: [a, b, c]}\nscript: |
  echo $PPID > worker
  echo $$ > handler
  until [ -e go ]; do sleep 0.05; done
";

fn waiting(lab: &Lab, args: &[&str]) -> Running {
    lab.write("run.yaml", spec("waiting", WAITING));
    let run = lab.start(&[&["run", ".", "--joblog", "log"], args].concat());
    lab.pid("handler");
    run
}

#[test]
fn ctrl_c_lets_the_workers_finish_what_they_hold_and_says_how_to_go_on() {
    let lab = Lab::new();
    let run = waiting(&lab, &["--grace", "60s"]);
    let worker = lab.pid("worker");
    run.signal(Signal::INT);
    wait_for("the worker to be told", || {
        let log = lab.read(".memq/runs/waiting/worker-1.log");
        log.contains("SIGTERM: stopping").then_some(())
    });
    lab.write("go", "");
    run.end()
        .exits(130)
        .complains("Ctrl-C again kills them")
        .says("stopped by Ctrl-C; 1 done, 2 left")
        .says("run . --joblog log --grace 60s");
    wait_gone("the worker", worker);
    assert_eq!(lab.joblog("log").len(), 1);
    lab.run(&["run", ".", "--joblog", "log"])
        .exits(0)
        .complains("1 already done, 2 to do");
}

#[test]
fn past_the_grace_items_are_given_back() {
    let lab = Lab::new();
    let run = waiting(&lab, &["--grace", "200ms"]);
    let (worker, handler) = (lab.pid("worker"), lab.pid("handler"));
    run.signal(Signal::TERM);
    run.end()
        .exits(143)
        .says("stopped by SIGTERM; 0 done, 3 left");
    wait_gone("the worker", worker);
    wait_gone("the handler", handler);
}

#[test]
fn a_second_ctrl_c_kills_at_once() {
    let lab = Lab::new();
    let run = waiting(&lab, &["--grace", "1h"]);
    let (worker, handler) = (lab.pid("worker"), lab.pid("handler"));
    run.signal(Signal::INT);
    wait_for("the worker to be told", || {
        let log = lab.read(".memq/runs/waiting/worker-1.log");
        log.contains("SIGTERM: stopping").then_some(())
    });
    run.signal(Signal::INT);
    run.end().exits(130).complains("killing the workers");
    wait_gone("the worker", worker);
    wait_gone("the handler", handler);
}

#[test]
fn a_run_past_its_time_exits_with_3() {
    let lab = Lab::new();
    lab.write("run.yaml", spec("waiting", WAITING));
    lab.run(&["run", ".", "--timeout", "2s", "--grace", "200ms"])
        .exits(3)
        .says("its time is up; 0 done, 3 left");
    if lab.path("handler").exists() {
        wait_gone("the handler", lab.pid("handler"));
    }
}

#[test]
fn the_time_of_the_spec_counts_too() {
    let lab = Lab::new();
    lab.write(
        "run.yaml",
        spec("timed", &format!("timeout: 500ms\n{WAITING}")),
    );
    lab.run(&["run", ".", "--grace", "100ms"]).exits(3);
}
