//! Runs on a server that somebody else started.

use std::collections::BTreeSet;

use rustix::process::Signal;

use crate::support::{Lab, Server, spec, wait_for};

#[test]
fn a_run_leaves_its_queue_on_a_given_server_and_never_mixes_with_another() {
    let lab = Lab::new();
    let server = Server::start(&lab);
    lab.write(
        "run.yaml",
        spec("shared", "items: {list: [a, b]}\nbuiltin: echo"),
    );
    let run = || lab.run(&["run", ".", "--server", &server.url]);
    run()
        .exits(0)
        .says("2 done of 2")
        .complains(&format!("on {}", server.url));

    let show = lab.run(&[
        "queue",
        "show",
        "shared",
        "--server",
        &server.url,
        "-o",
        "json",
    ]);
    let queue = show.exits(0).json();
    assert_eq!(
        (&queue["counts"]["done"], &queue["drained"]),
        (&2.into(), &true.into())
    );

    run()
        .exits(2)
        .complains("queue shared has been used already: 0 unfinished, 2 done")
        .complains(&format!(
            "`memq queue rm shared --force --server {}`",
            server.url
        ));
    lab.run(&["queue", "rm", "shared", "--server", &server.url])
        .exits(0);
    run().exits(0);
}

#[test]
fn a_server_killed_in_the_middle_of_a_run_and_started_again_loses_and_doubles_nothing() {
    let lab = Lab::new();
    let mut server = Server::start(&lab);
    let step =
        "items: {count: 300}\nworkers: 2\nscript: |\n  echo \"$MEMQ_ITEM\" >> \"seen-$PPID\"\n";
    lab.write("run.yaml", spec("lasting", step));
    let run = lab.start(&["run", ".", "--server", &server.url, "--joblog", "log"]);
    for kill in 1..=3 {
        let lines = || lab.read("log").lines().count();
        let before = wait_for("the joblog", || lab.path("log").exists().then(lines));
        wait_for("items that are done", || {
            (lines() >= before + 40).then_some(())
        });
        assert!(lines() < 300, "kill {kill} is in the middle of the run");
        server.kill_and_start_again(&lab, "server");
    }
    run.end().exits(0).says("300 done of 300");

    let joblog = lab.joblog("log");
    let bodies: BTreeSet<_> = joblog.iter().map(|line| line["body"].to_string()).collect();
    assert_eq!((joblog.len(), bodies.len()), (300, 300));
    assert!(joblog.iter().all(|line| line["state"] == "done"));
    let show = lab.run(&[
        "queue",
        "show",
        "lasting",
        "--server",
        &server.url,
        "-ojson",
    ]);
    let queue = show.exits(0).json();
    let totals = &queue["totals"];
    assert_eq!(
        (
            &queue["counts"]["done"],
            &totals["enqueued"],
            &totals["acked"]
        ),
        (&300.into(), &300.into(), &300.into())
    );
}

#[test]
fn a_server_that_dies_ends_the_run_as_infrastructure() {
    let lab = Lab::new();
    let server = Server::start(&lab);
    let step = "items: {list: [a]}\nscript: |\n  echo $$ > handler\n  exec sleep 600\n";
    lab.write("run.yaml", spec("bereft", step));
    let args = [
        "run",
        ".",
        "--server",
        &server.url,
        "--server-timeout",
        "500ms",
        "--grace",
        "200ms",
    ];
    let run = lab.start(&args);
    let handler = lab.pid("handler");
    server.running.signal(Signal::KILL);
    run.end()
        .exits(2)
        .says("bereft: the server cannot be reached any more (Connection refused")
        .says("0 done, 1 left")
        .says("to go on");
    crate::support::wait_gone("the handler", handler);
}

/// A run of three items on this server, its one worker busy with the first until `go` exists.
fn busy(lab: &Lab, server: &Server) -> crate::support::Running {
    let step = "items: {list: [a, b, c]}\nscript: |\n  echo $$ > handler\n  until [ -e go ]; do sleep 0.05; done\n";
    lab.write("run.yaml", spec("busy", step));
    let run = lab.start(&["run", ".", "--server", &server.url, "--grace", "200ms"]);
    lab.pid("handler");
    run
}

#[test]
fn items_taken_away_by_someone_else_are_no_success() {
    let lab = Lab::new();
    let server = Server::start(&lab);
    let run = busy(&lab, &server);
    wait_for("the seal", || {
        let show = lab.run(&[
            "queue",
            "show",
            "busy",
            "--server",
            &server.url,
            "-o",
            "json",
        ]);
        (show.json()["sealed"] == true).then_some(())
    });
    lab.run(&["queue", "purge", "busy", "--server", &server.url])
        .exits(0);
    lab.write("go", "");
    run.end()
        .exits(1)
        .says("1 done of 3")
        .says("2 were taken out of the queue by someone else");
}

#[test]
fn a_queue_removed_under_a_run_ends_it_as_infrastructure() {
    let lab = Lab::new();
    let server = Server::start(&lab);
    let run = busy(&lab, &server);
    lab.run(&["queue", "rm", "busy", "--force", "--server", &server.url])
        .exits(0);
    run.end().exits(2).says("3 left");
}

#[test]
fn a_server_that_is_not_there_is_said_so_before_anything_starts() {
    let lab = Lab::new();
    lab.write(
        "run.yaml",
        spec("nobody", "items: {list: [a]}\nbuiltin: echo"),
    );
    let args = [
        "run",
        ".",
        "--server",
        "http://127.0.0.1:9",
        "--server-timeout",
        "200ms",
    ];
    lab.run(&args)
        .exits(2)
        .complains("no memq server answers at http://127.0.0.1:9");
    lab.run(&["run", ".", "--server", "localhost"])
        .exits(64)
        .complains("`localhost` is not");
}

#[test]
fn the_environment_names_the_server_too() {
    let lab = Lab::new();
    let server = Server::start(&lab);
    let mut ls = lab.memq(&["queue", "ls"]);
    let output = ls.env("MEMQ_SERVER", &server.url).output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "no queues\n");
}
