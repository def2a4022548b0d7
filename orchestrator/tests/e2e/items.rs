//! Items of runs and of queues, one by one.

use crate::support::{Lab, Running, Server, spec};

#[test]
fn a_run_takes_names_of_files_json_lines_and_a_pipe() {
    let lab = Lab::new();
    std::fs::create_dir(lab.path("photos")).unwrap();
    for name in ["photos/b.jpg", "photos/a.jpg", "photos/c.txt"] {
        lab.write(name, "");
    }
    lab.write(
        "run.yaml",
        spec(
            "names",
            "items: {glob: \"photos/*.jpg\"}\ncommand: [test, -f, \"{}\"]",
        ),
    );
    lab.run(&["run", ".", "--joblog", "names.log"])
        .exits(0)
        .says("2 done of 2");
    assert_eq!(lab.outcome("names.log", "photos/a.jpg")["state"], "done");

    lab.write(
        "items.ndjson",
        "{\"body\":\"x\",\"key\":\"1\"}\n{\"body\":\"y\",\"key\":\"1\"}\n{\"body\":\"z\"}\n",
    );
    lab.write(
        "run.yaml",
        spec("lines", "items: {ndjson: items.ndjson}\nbuiltin: echo"),
    );
    lab.run(&["run", ".", "--joblog", "lines.log"])
        .exits(0)
        .says("2 done of 2")
        .complains("2 items, 1 left out: another has their key");
    lab.run(&["run", ".", "--joblog", "lines.log"]).exits(0);
    assert_eq!(
        lab.joblog("lines.log").len(),
        2,
        "what has the key of another is not done later either"
    );

    lab.write(
        "order.ndjson",
        "{\"body\":\"low\",\"priority\":-1}\n{\"body\":\"usual\",\"group\":\"g\"}\n{\"body\":{\"at\":9},\"priority\":9}\n",
    );
    lab.write(
        "run.yaml",
        spec(
            "order",
            "items: {ndjson: order.ndjson}\nworkers: {max: 1}\nbuiltin: echo",
        ),
    );
    lab.run(&["run", ".", "--joblog", "order.log", "-o", "yaml"])
        .exits(0)
        .says("verdict: ")
        .says("done: 3");
    let bodies: Vec<_> = lab
        .joblog("order.log")
        .iter()
        .map(|line| line["body"].clone())
        .collect();
    assert_eq!(bodies, ["{\"at\":9}", "usual", "low"]);

    lab.write(
        "run.yaml",
        spec(
            "pipe",
            "items: {lines: \"-\", group: all, priority: 3}\nbuiltin: echo",
        ),
    );
    lab.write("piped", "one\ntwo\n");
    let mut command = lab.memq(&["run", ".", "--joblog", "pipe.log"]);
    command.stdin(std::fs::File::open(lab.path("piped")).unwrap());
    Running::start(command).end().exits(0).says("2 done of 2");
}

#[test]
fn items_are_looked_at_cancelled_and_tried_again() {
    let lab = Lab::new();
    let server = Server::start(&lab);
    let memq = |args: &[&str]| lab.run(&[args, &["--server", &server.url]].concat());
    lab.write("lines", "good\nbad\n");
    memq(&["queue", "create", "q", "--attempts", "1"]).exits(0);
    memq(&["load", "q", "lines"]).exits(0);
    let script = "echo about $MEMQ_ITEM; test $MEMQ_ITEM = good || { echo no luck >&2; exit 7; }";
    let worker = ["worker", "--queue", "q", "--until", "empty", "--server"];
    let handler = [&server.url, "--", "sh", "-c", script];
    lab.run(&[&worker[..], &handler].concat()).exits(0);
    let dead = memq(&["queue", "items", "q", "--state", "dead", "-o", "name"]).exits(0);
    let id = dead.out.trim().to_owned();
    memq(&["queue", "item", "q", &id])
        .exits(0)
        .says("dead")
        .says("ATTEMPT")
        .says("nack (7)")
        .says("no luck");
    memq(&["logs", "q", "--failed"])
        .exits(0)
        .says("about bad")
        .says("no luck");
    memq(&["logs", "q", "--item", &id, "--attempt", "1"])
        .exits(0)
        .says("about bad");
    memq(&[
        "queue",
        "redrive",
        "q",
        "--error-contains",
        "something else",
    ])
    .exits(0)
    .says("0 items ready again");
    memq(&[
        "queue",
        "redrive",
        "q",
        "--error-contains",
        "no luck",
        "--exit-code",
        "7",
    ])
    .exits(0)
    .says("1 item ready again");
    let items = memq(&["queue", "items", "q", "-o", "yaml"]).exits(0);
    items.says("state: done").says("state: ready");
    memq(&["queue", "cancel", "q", &id])
        .exits(0)
        .says("1 item of queue q cancelled");
    memq(&["queue", "item", "q", &id, "-o", "json"])
        .exits(0)
        .says("\"state\":\"cancelled\"");
    memq(&["queue", "show", "q"])
        .exits(0)
        .says("redriven")
        .says("cancelled");
}

#[test]
fn a_queue_is_made_with_every_limit_and_shows_it() {
    let lab = Lab::new();
    let server = Server::start(&lab);
    let memq = |args: &[&str]| lab.run(&[args, &["--server", &server.url]].concat());
    let limits = [
        "--rate",
        "20",
        "--burst",
        "5",
        "--max-leased",
        "8",
        "--max-leased-per-group",
        "2",
        "--key-window",
        "1h",
    ];
    memq(&[&["queue", "create", "q"], &limits[..]].concat()).exits(0);
    memq(&["queue", "show", "q"])
        .exits(0)
        .says("limits: 0 of 8 leased at once, 2 of a group, 20 leases a second");
    memq(&["queue", "create", "q", "--reset", "rate_per_s,max_leased"]).exits(0);
    let settings = memq(&["queue", "show", "q", "-o", "json"]).exits(0).json()["settings"].clone();
    assert_eq!(
        (&settings["rate_per_s"], &settings["burst"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
    assert_eq!(settings["key_window_ms"], 3_600_000);
    memq(&["queue", "create", "q", "--reset", "colour"])
        .exits(64)
        .complains("colour");
}

#[test]
fn a_process_and_an_address_handle_the_items_of_a_step() {
    let lab = Lab::new();
    let program = "import json, os, sys\nout = os.fdopen(3, 'w', buffering=1)\nfor line in sys.stdin:\n    item = json.loads(line)\n    print(json.dumps({'id': item['id'], 'as': 'ack', 'result': item['body'].upper()}), file=out)\n";
    lab.write("upper.py", program);
    lab.write(
        "run.yaml",
        spec(
            "upper",
            "items: {list: [a, b, c]}\nprocess: [python3, upper.py]",
        ),
    );
    lab.run(&["run", ".", "--joblog", "log"])
        .exits(0)
        .says("3 done of 3");
    assert_eq!(lab.outcome("log", "b")["result"], "B");

    let answer = "import http.server\nclass H(http.server.BaseHTTPRequestHandler):\n    def do_POST(self):\n        body = self.rfile.read(int(self.headers['Content-Length']))\n        self.send_response(200)\n        self.end_headers()\n        self.wfile.write(body[::-1])\n    def log_message(self, *a): pass\ns = http.server.HTTPServer(('127.0.0.1', 0), H)\nopen('port.tmp', 'w').write(str(s.server_port))\nimport os\nos.rename('port.tmp', 'port')\ns.serve_forever()\n";
    lab.write("answer.py", answer);
    let _server = Running::start(lab.command("python3", &["answer.py"]));
    let port = crate::support::wait_for("the port", || {
        std::fs::read_to_string(lab.path("port")).ok()
    });
    let step = format!("items: {{list: [abc]}}\nhttp: http://127.0.0.1:{port}/item");
    lab.write("run.yaml", spec("reverse", &step));
    lab.run(&["run", ".", "--joblog", "http.log"])
        .exits(0)
        .says("1 done of 1");
    assert_eq!(lab.outcome("http.log", "abc")["result"], "cba");
}
