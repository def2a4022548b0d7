//! Items that fail, workers that die.

use crate::support::{Lab, kill, spec, wait_gone};

/// A handler that fails for the item `bad` until a file `mended` exists.
const FRAGILE: &str = "script: |
  if [ \"$MEMQ_ITEM\" = bad ] && [ ! -e mended ]; then
    echo 'first line' >&2
    echo 'no such luck' >&2
    exit 3
  fi
  echo fine
";

#[test]
fn a_poison_item_dies_with_its_error_and_the_others_are_done() {
    let lab = Lab::new();
    let step =
        format!("items: {{list: [a, bad, b]}}\nitem: {{attempts: 2, backoff: 100ms}}\n{FRAGILE}");
    lab.write("run.yaml", spec("poison", &step));
    let run = || lab.run(&["run", ".", "--joblog", "log"]);
    run()
        .exits(1)
        .says("2 done, 1 dead of 3")
        .says("bad (2 attempts): exit code 3: no such luck")
        .says("run . --joblog log");
    let dead = lab.outcome("log", "bad");
    assert_eq!(
        (&dead["state"], &dead["attempts"]),
        (&"dead".into(), &2.into())
    );
    assert_eq!(dead["exit_code"], 3);
    assert!(
        dead["error"].as_str().unwrap().contains("no such luck"),
        "{dead}"
    );

    lab.write("mended", "");
    run()
        .exits(0)
        .complains("2 already done, 1 to do")
        .says("1 done of 1");
    assert_eq!(lab.joblog("log").len(), 4);
    run().exits(0).says("all 3 already done");
}

#[test]
fn as_many_dead_as_are_tolerated_are_a_success() {
    let lab = Lab::new();
    for (tolerate, code) in [("1", 0), ("34%", 0), ("33%", 1), ("0", 1)] {
        let step = format!(
            "items: {{list: [a, bad, b]}}\nitem: {{attempts: 1}}\ntolerate: {{dead: {tolerate}}}\n{FRAGILE}"
        );
        lab.write("run.yaml", spec("tolerant", &step));
        let summary = lab.run(&["run", ".", "-o", "json"]).exits(code).json();
        assert_eq!(
            (&summary["dead"], &summary["done"]),
            (&1.into(), &2.into()),
            "{tolerate}"
        );
    }
}

#[test]
fn an_exit_code_of_dead_on_spends_no_further_attempt() {
    let lab = Lab::new();
    let step =
        "items: {list: [a]}\nitem: {attempts: 5, deadOn: [65, 7]}\ncommand: [sh, -c, exit 7]";
    lab.write("run.yaml", spec("hopeless", step));
    lab.run(&["run", ".", "--joblog", "log"]).exits(1);
    assert_eq!(lab.outcome("log", "a")["attempts"], 1);
}

#[test]
fn an_item_past_its_time_is_killed_and_fails() {
    let lab = Lab::new();
    let step =
        "items: {list: [slow]}\nitem: {timeout: 300ms, attempts: 1}\ncommand: [sleep, '600']";
    lab.write("run.yaml", spec("slow", step));
    lab.run(&["run", ".", "--joblog", "log"])
        .exits(1)
        .says("1 dead");
}

#[test]
fn a_worker_killed_in_the_middle_of_an_item_loses_nothing() {
    let lab = Lab::new();
    let step = "items: {list: [a, victim, b, c]}\nworkers: 2\nscript: |
  if [ \"$MEMQ_ITEM\" = victim ] && [ \"$MEMQ_ATTEMPT\" = 1 ]; then
    echo $$ > handler
    echo $PPID > worker
    exec sleep 600
  fi
  echo \"attempt $MEMQ_ATTEMPT\"
";
    lab.write("run.yaml", spec("killed", step));
    let run = lab.start(&["run", ".", "--joblog", "log"]);
    let (worker, handler) = (lab.pid("worker"), lab.pid("handler"));
    kill(worker);
    kill(handler);
    run.end()
        .exits(0)
        .complains("it was killed by signal 9; starting it again")
        .says("4 done of 4");
    assert_eq!(lab.outcome("log", "victim")["result"], "attempt 2");
    assert_eq!(lab.joblog("log").len(), 4);
}

#[test]
fn an_item_that_kills_its_worker_dies_and_the_run_goes_on() {
    let lab = Lab::new();
    let step = "items: {list: [bomb, a]}\nworkers: 1\nitem: {attempts: 1}\nscript: |
  [ \"$MEMQ_ITEM\" != bomb ] || kill -9 $PPID
";
    lab.write("run.yaml", spec("bomb", step));
    lab.run(&["run", ".", "--joblog", "log"])
        .exits(1)
        .says("1 done, 1 dead of 2");
    assert_eq!(lab.outcome("log", "bomb")["state"], "dead");
}

#[test]
fn a_worker_that_cannot_work_ends_the_run_with_its_last_words() {
    let lab = Lab::new();
    lab.write(
        "run.yaml",
        spec("absent", "items: {list: [a]}\ncommand: [/no/such/program]"),
    );
    lab.run(&["run", "."])
        .exits(2)
        .says("worker 1 cannot work: it exited with 78")
        .says("/no/such/program")
        .says("to go on");
}

#[test]
fn killing_memq_leaves_no_worker_and_loses_no_finished_item() {
    let lab = Lab::new();
    let step = "items: {list: [quick, slow]}\nscript: |
  if [ \"$MEMQ_ITEM\" = slow ] && [ ! -e go ]; then
    echo $PPID > worker
    exec sleep 600
  fi
";
    lab.write("run.yaml", spec("orphan", step));
    let args = ["run", ".", "--joblog", "log", "--grace", "200ms"];
    let run = lab.start(&args);
    let worker = lab.pid("worker");
    crate::support::wait_for("the first item in the joblog", || {
        lab.read("log").contains("quick").then_some(())
    });
    run.signal(rustix::process::Signal::KILL);
    wait_gone("the worker", worker);
    lab.write("go", "");
    lab.run(&args).exits(0).complains("1 already done, 1 to do");
    assert_eq!(lab.outcome("log", "slow")["state"], "done");
}
