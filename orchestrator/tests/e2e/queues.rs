//! `memq queue` and `memq load`.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::fixture::Fixture;
use crate::support::Lab;

#[test]
fn a_queue_lives_from_create_to_rm() {
    let fixture = Fixture::new();
    let memq = |args: &[&str]| fixture.memq(args);
    memq(&[
        "queue",
        "create",
        "q",
        "--attempts",
        "3",
        "--backoff",
        "1s..30s",
        "--lease",
        "5s",
    ])
    .exits(0)
    .says("open");
    let settings = &fixture.show("q")["settings"];
    assert_eq!(
        (&settings["max_attempts"], &settings["lease_ms"]),
        (&3.into(), &5000.into())
    );
    assert_eq!(settings["backoff"]["max_ms"], 30_000);
    memq(&["queue", "ls"]).exits(0).says("QUEUE").says("q ");
    let list = memq(&["queue", "ls", "-o", "json"]).exits(0).json();
    assert_eq!(list["queues"][0]["name"], "q");
    memq(&["queue", "pause", "q"]).exits(0).says("paused");
    memq(&["queue", "resume", "q"]).exits(0).says("open");
    memq(&["queue", "seal", "q"]).exits(0).says("drained");
    memq(&["queue", "reopen", "q"]).exits(0).says("open");
    let shown = memq(&["queue", "show", "q"]).exits(0).says("enqueued");
    let rows: Vec<_> = (shown.out.lines())
        .map(|row| row.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let of = |wanted: &[&str]| {
        let at = |row: &&str| rows.iter().position(|it| it == row);
        let places: Vec<_> = wanted.iter().map(at).collect();
        assert!(
            places.iter().all(Option::is_some) && places.is_sorted(),
            "{wanted:?} in {rows:?}"
        );
    };
    of(&["counts ready 0", "leased 0", "delayed 0", "dead 0"]);
    of(&["settings lease 5s", "max_attempts 3", "backoff 1s..30s"]);
    of(&["backoff 1s..30s", "quiet 5s", "max_body_bytes 1 MiB"]);
    memq(&["queue", "create", "q", "--reset", "lease"]).exits(0);
    assert_eq!(fixture.show("q")["settings"]["lease_ms"], 30_000);
    memq(&["queue", "create", "q", "--reset", "leas"])
        .exits(64)
        .complains("cannot reset that");
    fixture.lab.write("lines", "a\nb\n");
    memq(&["load", "q", "lines"]).exits(0);
    memq(&["queue", "purge", "q"])
        .exits(0)
        .says("threw 2 items away");
    memq(&["queue", "rm", "q"]).exits(0).says("removed queue q");
    memq(&["queue", "show", "q"])
        .exits(1)
        .complains("no_such_queue")
        .complains("memq queue ls");
}

#[test]
fn lines_are_loaded_from_a_file_and_from_standard_input() {
    let fixture = Fixture::new();
    fixture.lab.write("lines", "one\r\n\ntwo\nthree");
    fixture
        .memq(&["load", "q", "lines", "--seal"])
        .exits(1)
        .complains("no_such_queue")
        .complains(
            "nothing went in; there is no such queue: the same command with `--create` makes it",
        );
    fixture
        .memq(&["load", "q", "lines", "--create", "--seal"])
        .exits(0)
        .says("3 items into queue q, sealed");
    let queue = fixture.show("q");
    assert_eq!(
        (&queue["counts"]["ready"], &queue["sealed"]),
        (&3.into(), &true.into())
    );
    fixture
        .memq(&["load", "q", "lines"])
        .exits(0)
        .says("0 new, 3 already loaded");
    fixture.lab.write("more", "four\n");
    fixture
        .memq(&["load", "q", "more"])
        .exits(1)
        .complains("queue_sealed")
        .complains("reopen");

    let mut load = fixture
        .lab
        .memq(&["load", "piped", "-", "--create", "-o", "json"]);
    load.args(["--server", &fixture.server.url]);
    let mut child = load
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    for number in 0..25_000 {
        writeln!(pipe, "{number}").unwrap();
    }
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    let loaded: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&loaded["items"], &loaded["sealed"]),
        (&25_000.into(), &false.into())
    );
    assert_eq!(fixture.show("piped")["counts"]["ready"], 25_000);
}

#[test]
fn a_load_that_fails_says_how_far_it_came_and_how_to_go_on() {
    let fixture = Fixture::new();
    fixture
        .memq(&["queue", "create", "small", "--max-items", "15000"])
        .exits(0);
    let lines: String = (0..25_000).map(|number| format!("{number}\n")).collect();
    fixture.lab.write("my lines", lines);
    let failed = fixture
        .memq(&[
            "load",
            "small",
            "my lines",
            "--seal",
            "--server-timeout",
            "100ms",
        ])
        .exits(1);
    let failed = failed
        .complains("10000 items went in (to line 10000)")
        .complains("queue_full");
    failed.complains("the same command goes on where this one stopped");
    let queue = fixture.show("small");
    assert_eq!(
        (&queue["counts"]["ready"], &queue["sealed"]),
        (&10_000.into(), &false.into())
    );
    fixture
        .memq(&["queue", "create", "small", "--max-items", "30000"])
        .exits(0);
    fixture
        .memq(&["load", "small", "my lines", "--seal"])
        .exits(0)
        .says("15000 new, 10000 already loaded into queue small, sealed");
    assert_eq!(fixture.show("small")["counts"]["ready"], 25_000);
}

#[test]
fn a_worker_of_memq_drains_what_memq_loaded() {
    let fixture = Fixture::new();
    fixture.lab.write("lines", "a\nb\nc\n");
    fixture
        .memq(&["load", "q", "lines", "--create", "--seal"])
        .exits(0);
    fixture
        .memq(&["worker", "--queue", "q", "--builtin", "echo"])
        .exits(0);
    assert_eq!(fixture.show("q")["counts"]["done"], 3);
}

#[test]
fn a_server_that_is_not_there_is_named_with_a_way_out() {
    let lab = Lab::new();
    lab.write("lines", "a\n");
    for args in [["queue", "show", "q"], ["load", "q", "lines"]] {
        let mut args = args.to_vec();
        args.extend(["--server", "http://127.0.0.1:9"]);
        lab.run(&args).exits(2).complains("memq server");
    }
}
