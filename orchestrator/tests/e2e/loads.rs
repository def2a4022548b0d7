//! `memq load`: any size, each item once, whatever happens on the way.

use std::io::Write as _;
use std::process::Stdio;

use rustix::process::Signal;

use crate::fixture::Fixture;
use crate::support::{Running, wait_for};

impl Fixture {
    fn enqueued(&self, queue: &str) -> u64 {
        self.show(queue)["totals"]["enqueued"].as_u64().unwrap()
    }
}

fn numbers(count: u64) -> String {
    (0..count).map(|number| format!("{number}\n")).collect()
}

#[test]
fn the_same_file_again_adds_nothing_until_it_is_given_another_name() {
    let fixture = Fixture::new();
    fixture.lab.write("names", numbers(100));
    let load = ["load", "q", "names", "--create"];
    fixture.memq(&load).exits(0).says("100 items into queue q");
    fixture
        .memq(&load)
        .exits(0)
        .says("0 new, 100 already loaded into queue q")
        .complains("--load-id NAME");
    assert_eq!(fixture.enqueued("q"), 100);
    fixture
        .memq(&[&load[..], &["--load-id", "again"]].concat())
        .exits(0)
        .says("100 items");
    // The same lines with something else said of them are another load, too.
    fixture
        .memq(&[&load[..], &["--priority", "5"]].concat())
        .exits(0)
        .says("100 items");
    assert_eq!(fixture.enqueued("q"), 300);
    fixture.lab.write("names", numbers(101));
    fixture
        .memq(&[&load[..], &["--load-id", "again"]].concat())
        .exits(1)
        .complains("under this --load-id the queue was given something else");
}

#[test]
fn a_load_that_made_and_sealed_its_queue_may_be_given_again() {
    let fixture = Fixture::new();
    fixture.lab.write("names", numbers(100));
    fixture.lab.write("none", "\n");
    let load = ["load", "q", "names", "--create", "--seal"];
    let of_none = ["load", "void", "none", "--create", "--seal"];
    let loaded = "100 items into queue q, sealed";
    let again = "0 new, 100 already loaded into queue q, sealed";
    fixture.memq(&load).exits(0).says(loaded);
    fixture.memq(&load).exits(0).says(again);
    let worker = ["worker", "--queue", "q", "--builtin", "echo"];
    fixture.memq(&worker).exits(0);
    assert_eq!(fixture.show("q")["drained"], true);
    fixture.memq(&load).exits(0).says(again);
    let queue = fixture.show("q");
    assert_eq!(
        (&queue["drained"], &queue["counts"]["done"]),
        (&true.into(), &100.into())
    );
    // Something else is refused as ever, and puts nothing in.
    fixture.lab.write("more", numbers(101));
    fixture
        .memq(&["load", "q", "more", "--create", "--seal"])
        .exits(1)
        .complains("queue_sealed")
        .complains("nothing went in");
    for _ in 0..2 {
        fixture.memq(&of_none).exits(0).says("into queue void");
        assert_eq!(fixture.show("void")["sealed"], true);
    }
    // A queue that was removed is made and filled anew.
    fixture.memq(&["queue", "rm", "q"]).exits(0);
    fixture.memq(&load).exits(0).says(loaded);
}

#[test]
fn a_load_that_is_killed_is_gone_on_with_by_the_same_command() {
    let fixture = Fixture::new();
    const ITEMS: u64 = 400_000;
    fixture.lab.write("names", numbers(ITEMS));
    fixture.memq(&["queue", "create", "q"]).exits(0);
    let load = [
        "load",
        "q",
        "names",
        "--create",
        "--seal",
        "--server",
        &fixture.server.url,
    ];
    let loading = fixture.lab.start(&load);
    wait_for("some of the items", || {
        (fixture.enqueued("q") > 0).then_some(())
    });
    loading.signal(Signal::KILL);
    drop(loading.end());
    let before = fixture.enqueued("q");
    assert!(before < ITEMS, "it was killed too late");
    fixture
        .lab
        .run(&load)
        .exits(0)
        .says("already loaded into queue q, sealed");
    let queue = fixture.show("q");
    assert_eq!(
        (&queue["totals"]["enqueued"], &queue["sealed"]),
        (&ITEMS.into(), &true.into())
    );
    fixture
        .lab
        .run(&load)
        .exits(0)
        .says("0 new, 400000 already loaded into queue q, sealed");
}

#[test]
fn a_load_outlives_its_server() {
    let mut fixture = Fixture::new();
    const ITEMS: u64 = 400_000;
    fixture.lab.write("names", numbers(ITEMS));
    fixture.memq(&["queue", "create", "q"]).exits(0);
    let loading = fixture
        .lab
        .start(&["load", "q", "names", "--server", &fixture.server.url]);
    wait_for("some of the items", || {
        (fixture.enqueued("q") > 0).then_some(())
    });
    fixture.server.kill_and_start_again(&fixture.lab, "server");
    loading.end().exits(0);
    assert_eq!(fixture.enqueued("q"), ITEMS);
}

#[test]
fn a_pipe_that_broke_is_gone_on_with_by_its_name() {
    let fixture = Fixture::new();
    fixture
        .memq(&["queue", "create", "q", "--max-items", "15000"])
        .exits(0);
    let pour = |more: &[&str]| {
        let args = [
            &[
                "load",
                "q",
                "--server",
                &fixture.server.url,
                "--server-timeout",
                "100ms",
            ],
            more,
        ]
        .concat();
        let mut command = fixture.lab.memq(&args);
        command.stdin(Stdio::from(
            std::fs::File::open(fixture.lab.path("names")).unwrap(),
        ));
        Running::start(command).end()
    };
    fixture.lab.write("names", numbers(25_000));
    let broken = pour(&[])
        .exits(1)
        .complains("give it all of the same input again, with `--load-id ");
    let id = broken
        .err
        .split("--load-id ")
        .nth(1)
        .unwrap()
        .split('`')
        .next()
        .unwrap()
        .to_owned();
    fixture
        .memq(&["queue", "create", "q", "--reset", "max_items"])
        .exits(0);
    pour(&["--load-id", &id])
        .exits(0)
        .says("15000 new, 10000 already loaded");
    assert_eq!(fixture.enqueued("q"), 25_000);
}

#[test]
fn json_lines_say_of_each_item_what_it_is_given() {
    let fixture = Fixture::new();
    let lines = concat!(
        "{\"body\": {\"id\": 1}, \"priority\": 7}\n",
        "{\"body\": \"plain\", \"key\": \"k\", \"delay_ms\": 600000}\n",
        "{\"body_base64\": \"/w==\", \"group\": \"binary\"}\n",
    );
    fixture.lab.write("items.ndjson", lines);
    fixture
        .memq(&["load", "q", "items.ndjson", "--create", "--group", "usual"])
        .exits(0)
        .says("3 items");
    let items = fixture
        .memq(&["queue", "items", "q", "-o", "json"])
        .exits(0)
        .json();
    let of = |index: usize, field: &str| items["items"][index][field].clone();
    assert_eq!(
        (of(0, "body"), of(0, "priority"), of(0, "group")),
        ("{\"id\": 1}".into(), 7.into(), "usual".into())
    );
    assert_eq!(
        (of(1, "key"), of(1, "state")),
        ("k".into(), "delayed".into())
    );
    assert_eq!(
        (of(2, "body_base64"), of(2, "group")),
        ("/w==".into(), "binary".into())
    );
    fixture
        .lab
        .write("broken.ndjson", "{\"body\": 1}\n{\"id\": 2}\n");
    fixture
        .memq(&["load", "q", "broken.ndjson"])
        .exits(2)
        .complains("line 2 of `broken.ndjson` is refused")
        .complains("goes with `lines`, in `memq load` with `--lines`");
}

#[test]
fn keys_and_groups_are_taken_out_of_the_items() {
    let fixture = Fixture::new();
    let lines = "{\"id\":1,\"who\":\"a\"}\n{\"id\":2,\"who\":\"b\"}\n{\"id\":1,\"who\":\"c\"}\n";
    fixture.lab.write("mails", lines);
    fixture
        .memq(&[
            "load", "q", "mails", "--create", "--key", ".id", "--group", ".who",
        ])
        .exits(0)
        .says("2 new, 1 duplicate of a key that is taken into queue q");
    let items = fixture
        .memq(&["queue", "items", "q", "--group", "b", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        (
            &items["items"][0]["key"],
            items["items"].as_array().unwrap().len()
        ),
        (&"2".into(), 1)
    );
    fixture
        .memq(&["load", "q", "mails", "--key", ".number"])
        .exits(2)
        .complains("line 1 of `mails` has no `.number`");
    fixture
        .memq(&["load", "q", "mails", "--key", "id"])
        .exits(64)
        .complains("`.NAME` for a field");
}

#[test]
fn what_is_written_into_the_pipe_is_loaded_while_it_is_written() {
    let fixture = Fixture::new();
    let mut command = fixture
        .lab
        .memq(&["load", "q", "--create", "--server", &fixture.server.url]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(numbers(20_000).as_bytes()).unwrap();
    wait_for("the first request", || {
        (fixture
            .lab
            .run(&["queue", "show", "q", "--server", &fixture.server.url])
            .code
            == 0
            && fixture.enqueued("q") == 10_000)
            .then_some(())
    });
    drop(pipe);
    assert!(child.wait().unwrap().success());
    assert_eq!(fixture.enqueued("q"), 20_000);
}

#[test]
fn a_line_that_cannot_be_an_item_is_mended_before_the_load_goes_on() {
    let fixture = Fixture::new();
    let lines = |bad: &str| {
        let good: String = (0..10_500).map(|n| format!("{{\"body\":{n}}}\n")).collect();
        format!("{good}{bad}\n{{\"body\":\"last\"}}\n")
    };
    let load = ["load", "q", "items.ndjson", "--create"];
    fixture.lab.write("items.ndjson", "{\"id\": 1}\n");
    let refused = fixture.memq(&load).exits(2);
    refused
        .complains("nothing went in; mend that line, and give the same command again")
        .never_complains("goes on where");
    fixture
        .memq(&["queue", "show", "q"])
        .exits(1)
        .complains("no_such_queue");

    fixture.lab.write("items.ndjson", lines("{\"id\": 1}"));
    let broken = fixture.memq(&load).exits(2);
    let broken = broken
        .complains("10000 items went in (to line 10000)")
        .complains("mend that line and nothing before it")
        .never_complains("the same command");
    let id = broken.err.split("--load-id ").nth(1).unwrap();
    let id = id.split('`').next().unwrap().to_owned();
    fixture.lab.write("items.ndjson", lines("{\"body\": 1}"));
    fixture
        .memq(&[&load[..], &["--load-id", &id]].concat())
        .exits(0)
        .says("502 new, 10000 already loaded");
    assert_eq!(fixture.enqueued("q"), 10_502);
}
