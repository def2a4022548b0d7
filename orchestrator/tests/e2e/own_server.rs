//! The server that a run starts for itself: where it keeps its queue, and what if it cannot.

use rustix::process::{Resource, Rlimit, Signal, prlimit};

use crate::support::{Lab, MEMQ, Running, TMP, spec, wait_for, wait_gone};

/// Goes on where a file that grows past a limit would end the program: the write fails instead.
const UNSTOPPED: &str = "trap '' XFSZ; ";

/// A run whose only item waits for `go`, at work on it.
fn at_work(lab: &Lab, name: &str) -> Running {
    write_spec(lab, name);
    let script = format!(r#"{UNSTOPPED}exec "$0" run {name}.yaml --grace 200ms"#);
    let run = Running::start(lab.command("sh", &["-c", &script, MEMQ]));
    lab.pid(&format!("{name}.handler"));
    run
}

fn write_spec(lab: &Lab, name: &str) {
    let step = format!(
        "items: {{list: [a]}}\nscript: |\n  echo $PPID > {name}.worker\n  echo $$ > {name}.handler\n  \
         until [ -e go ]; do sleep 0.05; done\n"
    );
    lab.write(&format!("{name}.yaml"), spec(name, &step));
}

/// The directories of runs.
fn places(lab: &Lab) -> Vec<String> {
    let names = lab.names(TMP).into_iter();
    names.filter(|name| name.starts_with("memq-run-")).collect()
}

#[test]
fn a_run_keeps_its_queue_on_disk_and_leaves_nothing_there() {
    let lab = Lab::new();
    let run = at_work(&lab, "tidy");
    let [place] = &places(&lab)[..] else {
        panic!("not one directory: {:?}", lab.names(TMP));
    };
    assert!(lab.names(&format!("{TMP}/{place}")).len() > 1, "a log");
    lab.write("go", "");
    run.end().exits(0);
    assert_eq!(places(&lab), [""; 0]);
    assert!(!lab.path("memq-data").exists());
}

#[test]
fn what_a_killed_run_left_is_removed_by_a_later_one_and_no_more() {
    let lab = Lab::new();
    let killed = at_work(&lab, "killed");
    let left = places(&lab);
    let alive = at_work(&lab, "alive");
    let worker = lab.pid("killed.worker");
    killed.signal(Signal::KILL);
    wait_gone("the worker", worker);
    let both = places(&lab);
    assert_eq!((left.len(), both.len()), (1, 2));

    let third = at_work(&lab, "third");
    wait_for("the removal", || {
        (!places(&lab).contains(&left[0])).then_some(())
    });
    lab.write("go", "");
    for run in [alive, third] {
        run.end().exits(0).says("1 done of 1");
    }
    assert_eq!(places(&lab), [""; 0]);
}

#[test]
fn a_log_that_fails_under_a_run_ends_it_as_infrastructure() {
    let lab = Lab::new();
    let run = at_work(&lab, "broken");
    // From here on nothing can be written to a file.
    let nothing = Rlimit {
        current: Some(1),
        maximum: Some(1),
    };
    prlimit(Some(run.pid()), Resource::Fsize, nothing).expect("a limit can be set");
    lab.write("go", "");
    run.end()
        .exits(2)
        .says("the run's server failed in `")
        .says("File too large")
        .says("0 done, 1 left")
        .says("to go on");
    assert_eq!(places(&lab), [""; 0]);
}

#[test]
fn a_directory_without_room_for_a_log_is_said_before_anything_starts() {
    let lab = Lab::new();
    write_spec(&lab, "no-room");
    let script = format!(r#"{UNSTOPPED}ulimit -f 8; exec "$0" run no-room.yaml"#);
    let run = Running::start(lab.command("sh", &["-c", &script, MEMQ]));
    run.end()
        .exits(2)
        .complains("cannot keep a queue in `")
        .complains("TMPDIR names another place")
        .complains("File too large");
    assert_eq!(places(&lab), [""; 0]);

    let mut nowhere = lab.memq(&["run", "no-room.yaml"]);
    nowhere.env("TMPDIR", lab.path("nowhere"));
    Running::start(nowhere)
        .end()
        .exits(2)
        .complains("cannot make a directory for the queue in `");
}

#[test]
fn items_that_the_disk_has_no_room_for_end_the_run_as_infrastructure() {
    let lab = Lab::new();
    // A small disk in a namespace of its own, where the machine lets one make that.
    let small = ["--user", "--map-root-user", "--mount", "sh", "-c"];
    let mount = "mount -t tmpfs -o size=16m none tmp && ";
    let in_small = |script: &str| {
        let script = format!("{mount}{script}");
        lab.command("unshare", &[&small[..], &[&script, MEMQ]].concat())
    };
    if !in_small("true")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        eprintln!("passed over: this machine does not let one mount a disk");
        return;
    }
    let long: String = (0..40).map(|_| "x".repeat(1_000_000) + "\n").collect();
    lab.write("items", long);
    lab.write(
        "run.yaml",
        spec("full", "items: {lines: items}\nscript: sleep 600\n"),
    );
    Running::start(in_small(r#"exec "$0" run . --grace 200ms"#))
        .end()
        .exits(2)
        .says("cannot load items into queue full after the first")
        .says("the disk is full")
        .says("; the queue lies in `")
        .says("0 done, 40 left");
}
