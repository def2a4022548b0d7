//! Runs of several steps that are cut short, and go on.

use rustix::process::Signal;

use crate::support::{Lab, Running, steps, wait_for, wait_gone};

/// A sequence whose middle has a process, elements and a pool side by side, each of which tells of
/// itself and waits for `go`.
fn waiting(name: &str) -> String {
    // Longer than any test waits, and no longer than its folder is there.
    let wait = "until [ -e go ]; do [ -e run.yaml ] || exit 9; sleep 0.05; done";
    let text = format!(
        "- {{name: first, script: echo ran >> first}}\n\
         - name: one\n  after: [first]\n  script: |\n    echo $$ > one.pid; {wait}\n\
         - name: each\n  after: [first]\n  forEach: [quick, slow]\n  script: |\n    \
         [ $MEMQ_ELEMENT = slow ] || {{ echo ran >> quick; exit 0; }}\n    echo $$ > each.pid; {wait}\n\
         - name: pool\n  after: [first]\n  items: {{list: [swift, late]}}\n  script: |\n    \
         [ $MEMQ_ITEM = late ] || {{ echo ran >> swift; exit 0; }}\n    echo $PPID > worker.pid; echo $$ > pool.pid; {wait}\n\
         - {{name: last, after: [one, each, pool], when: always, script: echo ran >> last}}\n"
    );
    steps(name, &text)
}

const PIDS: [&str; 3] = ["one.pid", "each.pid", "pool.pid"];

fn begun(lab: &Lab, args: &[&str]) -> Running {
    lab.write("run.yaml", waiting("wait"));
    let run = lab.start(&[&["run", ".", "--joblog", "log"], args].concat());
    for pid in PIDS {
        lab.pid(pid);
    }
    wait_for("what is quick in the joblog", || {
        let log = lab.read("log");
        (log.contains("\"quick\"") && log.contains("\"swift\"")).then_some(())
    });
    run
}

/// Lets everything through, and checks that what was done is not done again.
fn goes_on(lab: &Lab) {
    lab.write("go", "");
    let ended = lab
        .run(&["run", ".", "--joblog", "log", "-o", "json"])
        .exits(0);
    assert_eq!(ended.step("first")["state"], "done_before");
    assert_eq!(ended.step("each")["already"], 1);
    assert_eq!(ended.step("pool")["already"], 1);
    assert_eq!(ended.step("last")["state"], "done");
    for file in ["first", "quick", "swift"] {
        assert_eq!(lab.read(file), "ran\n", "{file} is done once");
    }
}

#[test]
fn ctrl_c_ends_all_that_runs_and_the_same_command_goes_on() {
    let lab = Lab::new();
    let run = begun(&lab, &["--grace", "200ms"]);
    let pids = PIDS.map(|pid| lab.pid(pid));
    run.signal(Signal::INT);
    run.end()
        .exits(130)
        .complains("Ctrl-C again kills it")
        .says("stopped by Ctrl-C")
        .says("to go on");
    for pid in pids {
        wait_gone("a process", pid);
    }
    assert!(
        !lab.path("last").exists(),
        "nothing begins any more, whatever its `when`"
    );
    goes_on(&lab);
}

#[test]
fn what_ends_in_time_is_done_though_the_run_is_stopped() {
    let lab = Lab::new();
    let run = begun(&lab, &["--grace", "60s"]);
    run.signal(Signal::TERM);
    wait_for("the worker to be told", || {
        let logs = lab.names(".memq/runs/wait/pool").into_iter();
        let log: String = logs
            .map(|log| lab.read(&format!(".memq/runs/wait/pool/{log}")))
            .collect();
        log.contains("SIGTERM: stopping").then_some(())
    });
    lab.write("go", "");
    run.end().exits(143).says("stopped by SIGTERM");
    assert_eq!(lab.outcome("log", "late")["state"], "done");
}

#[test]
fn a_second_ctrl_c_kills_what_does_not_listen() {
    let lab = Lab::new();
    let text = "- {name: deaf, script: \"trap 'touch heard' TERM; echo $$ > pid; while :; do sleep 0.1; done\"}\n";
    lab.write("run.yaml", steps("deaf", text));
    let run = lab.start(&["run", ".", "--grace", "1h"]);
    let pid = lab.pid("pid");
    run.signal(Signal::INT);
    wait_for("the command to be told", || {
        lab.path("heard").exists().then_some(())
    });
    run.signal(Signal::INT);
    run.end().exits(130);
    wait_gone("the command", pid);
}

#[test]
fn killing_memq_leaves_no_process_and_the_same_command_goes_on() {
    let lab = Lab::new();
    let run = begun(&lab, &["--grace", "200ms"]);
    let (pids, worker) = (PIDS.map(|pid| lab.pid(pid)), lab.pid("worker.pid"));
    run.signal(Signal::KILL);
    for pid in pids.into_iter().chain([worker]) {
        wait_gone("a process", pid);
    }
    drop(run);
    goes_on(&lab);
}

#[test]
fn a_step_past_its_time_has_failed_and_the_run_goes_on() {
    let lab = Lab::new();
    let text = "- {name: slow, timeout: 500ms, retries: 100, script: 'echo $$ > pid; sleep 600'}\n\
                - {name: short, timeout: 300ms, retries: 100, script: 'exit 1'}\n\
                - {name: late, after: [slow], when: failed, script: touch late}\n";
    lab.write("run.yaml", steps("timed", text));
    let ended = lab
        .run(&["run", ".", "--grace", "200ms", "-o", "json"])
        .exits(3);
    for name in ["slow", "short"] {
        assert_eq!(ended.step(name)["state"], "timed_out", "{name}");
    }
    assert!(lab.path("late").exists());
    wait_gone("the command", lab.pid("pid"));
}

#[test]
fn a_run_past_its_time_ends_with_all_its_steps() {
    let lab = Lab::new();
    lab.write("run.yaml", waiting("wait"));
    let args = [
        "run",
        ".",
        "--joblog",
        "log",
        "--timeout",
        "5s",
        "--grace",
        "200ms",
        "-o",
        "json",
    ];
    let ended = lab.run(&args).exits(3);
    assert_eq!(ended.json()["verdict"], "timed_out");
    assert_eq!(ended.step("last")["state"], "skipped");
    for pid in PIDS.iter().filter(|pid| lab.path(pid).exists()) {
        wait_gone("a process", lab.pid(pid));
    }
}

#[test]
fn what_comes_after_a_step_that_is_done_again_is_done_anew() {
    let lab = Lab::new();
    let text = "- {name: source, script: '[ -e mended ]'}\n\
                - {name: other, script: echo ran >> other}\n\
                - {name: pool, after: [source], when: always, items: {list: [a]}, script: echo ran >> pool}\n\
                - {name: after-pool, after: [pool], script: echo ran >> after-pool}\n";
    lab.write("run.yaml", steps("anew", text));
    let run = || lab.run(&["run", ".", "--joblog", "log"]);
    run().exits(1);
    lab.write("mended", "");
    run().exits(0);
    for (file, times) in [("other", 1), ("pool", 2), ("after-pool", 2)] {
        assert_eq!(lab.read(file).lines().count(), times, "{file}");
    }
    run().exits(0).says("4 of 4 steps done").says("done before");
    assert_eq!(lab.read("after-pool").lines().count(), 2);
}

#[test]
fn a_joblog_of_items_without_a_step_is_no_memory_of_several_pools() {
    let lab = Lab::new();
    lab.write("log", "{\"body\":\"a\",\"state\":\"done\"}\n");
    let pool = |name| format!("- {{name: {name}, items: {{list: [a]}}, builtin: echo}}\n");
    lab.write("run.yaml", steps("unnamed", &(pool("x") + &pool("y"))));
    lab.run(&["run", ".", "--joblog", "log"])
        .exits(2)
        .complains("has items of no step");
    lab.write(
        "run.yaml",
        steps("unnamed", &(pool("x") + "- {name: z, script: 'true'}\n")),
    );
    let ended = lab
        .run(&["run", ".", "--joblog", "log", "-o", "json"])
        .exits(0);
    assert_eq!(ended.step("x")["state"], "done_before");
}
