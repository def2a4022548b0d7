//! What a run on this machine tells its server, as those hear it who watch the server.

use serde_json::{Value, json};

use crate::kuard::ask;
use crate::support::{Lab, Server, spec, steps, wait_for};

/// What a server knows of a run.
fn run(server: &Server, name: &str) -> Option<Value> {
    let (status, body) = ask(&server.url, "GET", &format!("/v1/runs/{name}"), "");
    status
        .ends_with("200 OK")
        .then(|| serde_json::from_str(&body).unwrap())
}

/// Waits until a server knows this of a run.
fn told_of(server: &Server, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, || run(server, name).filter(&holds))
}

/// The figures of a step: its phase, what is done, what failed, and of how much.
fn figures(report: &Value, step: usize) -> (&str, u64, u64, u64) {
    let step = &report["steps"][step];
    let number = |field: &str| step[field].as_u64().unwrap();
    let phase = step["phase"].as_str().unwrap();
    (phase, number("done"), number("failed"), number("total"))
}

#[test]
fn the_last_report_of_a_run_says_what_its_summary_says() {
    let lab = Lab::new();
    let server = Server::start(&lab);
    let text = "- name: keys\n  items: {list: [a, b, bad, c]}\n  workers: 2\n  item: {attempts: 1}\n  tolerate: {dead: 1}\n  \
                script: '[ \"$MEMQ_ITEM\" != bad ]'\n\
                - {name: users, after: [keys], forEach: [x, y, z], script: '[ $(each.value) != y ]'}\n\
                - {name: alarm, after: [users], when: failed, script: 'true'}\n\
                - {name: never, after: [users], script: 'true'}\n";
    lab.write("run.yaml", steps("mixed", text));
    let ended = lab.run(&["run", ".", "--server", &server.url, "-o", "json"]);
    let ended = ended.exits(1);
    let report = run(&server, "mixed").expect("a report");
    assert_eq!(
        (&report["phase"], &report["spec"]),
        (&json!("Failed"), &json!("mixed"))
    );
    assert!(report["ended"].is_string() && report["started"].is_string());
    let message = report["message"].as_str().unwrap();
    assert!(
        message.starts_with("mixed: 1 of 4 steps failed, 1 skipped in "),
        "{message}"
    );

    let (keys, users) = (ended.step("keys"), ended.step("users"));
    let of = |step: &Value, field: &str| step[field].as_u64().unwrap();
    assert_eq!(
        figures(&report, 0),
        (
            "Succeeded",
            of(&keys, "done"),
            of(&keys, "dead"),
            of(&keys, "items")
        )
    );
    assert_eq!(
        figures(&report, 1),
        (
            "Failed",
            of(&users, "done"),
            of(&users, "failed"),
            of(&users, "elements")
        )
    );
    assert_eq!((of(&keys, "done"), of(&keys, "dead")), (3, 1));
    assert_eq!((of(&users, "done"), of(&users, "failed")), (2, 1));
    assert_eq!(figures(&report, 2), ("Succeeded", 1, 0, 1));
    assert_eq!(figures(&report, 3), ("Skipped", 0, 0, 1));
    assert_eq!(report["steps"][0]["queues"], json!(["mixed"]));
    assert_eq!(report["steps"][1]["message"], users["reason"]);
    for step in report["steps"].as_array().unwrap() {
        assert_eq!(step.get("workers"), None, "nobody works any more: {step}");
        assert_eq!(
            step["ended"].is_string(),
            step["phase"] != "Skipped",
            "{step}"
        );
    }
}

#[test]
fn a_run_that_goes_on_where_an_earlier_one_stopped_counts_what_that_did() {
    let lab = Lab::new();
    let server = Server::start(&lab);
    lab.write("run.yaml", spec("again", "items: {list: [a, b, c]}\nitem: {attempts: 1}\nscript: |\n  [ \"$MEMQ_ITEM\" != b ] || [ -e go ]\n"));
    let args = ["run", ".", "--server", &server.url, "--joblog", "log"];
    lab.run(&args).exits(1);
    let report = run(&server, "again").expect("a report");
    assert_eq!(figures(&report, 0), ("Failed", 2, 1, 3));
    assert_eq!(report["steps"][0]["message"], "1 item dead");
    lab.run(&["queue", "rm", "again", "--server", &server.url])
        .exits(0);
    lab.write("go", "");
    lab.run(&args).exits(0);
    let report = run(&server, "again").expect("a report");
    assert_eq!(figures(&report, 0), ("Succeeded", 3, 0, 3));
    assert_eq!(report["phase"], "Succeeded");
}

#[test]
fn a_server_that_was_killed_hears_of_the_run_again_by_itself() {
    let lab = Lab::new();
    let mut server = Server::start(&lab);
    let step = "items: {count: 4}\nworkers: 2\nscript: |\n  [ \"$MEMQ_ITEM\" = 0 ] || until [ -e go ]; do sleep 0.05; done\n";
    lab.write("run.yaml", spec("lasting", step));
    let under_way = lab.start(&["run", ".", "--server", &server.url]);
    let told = told_of(&server, "lasting", "an item that is done", |told| {
        told["steps"][0]["done"] == 1
    });
    assert_eq!(figures(&told, 0), ("Running", 1, 0, 4));
    assert_eq!(told["phase"], "Running");
    server.kill_and_start_again(&lab, "server");
    let again = told_of(&server, "lasting", "the run again", |_| true);
    assert_eq!(figures(&again, 0), ("Running", 1, 0, 4));
    assert_eq!(
        (&again["started"], again.get("stale")),
        (&told["started"], None)
    );
    lab.write("go", "");
    under_way.end().exits(0);
    let report = run(&server, "lasting").expect("a report");
    assert_eq!(figures(&report, 0), ("Succeeded", 4, 0, 4));
}

#[test]
fn a_server_that_was_killed_hears_of_a_run_in_which_nothing_happens_within_its_period() {
    let lab = Lab::new();
    let mut server = Server::start(&lab);
    let waits = "- {name: waits, script: 'until [ -e go ]; do sleep 0.05; done'}\n";
    lab.write("run.yaml", steps("quiet", waits));
    let under_way = lab.start(&["run", ".", "--server", &server.url]);
    told_of(&server, "quiet", "the step that waits", |told| {
        told["steps"][0]["phase"] == "Running"
    });
    server.kill_and_start_again(&lab, "server");
    let begin = std::time::Instant::now();
    let again = told_of(&server, "quiet", "the run again", |_| true);
    assert!(begin.elapsed().as_secs() <= 35, "{:?}", begin.elapsed());
    assert_eq!(figures(&again, 0), ("Running", 0, 0, 1));
    lab.write("go", "");
    under_way.end().exits(0);
    let report = run(&server, "quiet").expect("a report");
    assert_eq!(figures(&report, 0), ("Succeeded", 1, 0, 1));
}

#[test]
fn a_runs_own_server_says_where_it_can_be_watched_and_knows_the_run() {
    let lab = Lab::new();
    let step = "items: {list: [a]}\nscript: |\n  echo \"$MEMQ_SERVER\" > url\n  until [ -e go ]; do sleep 0.05; done\n";
    lab.write("run.yaml", spec("watched", step));
    let under_way = lab.start(&["run", "."]);
    let url = wait_for("the server's address", || {
        let url = std::fs::read_to_string(lab.path("url")).ok()?;
        url.strip_suffix('\n').map(str::to_owned)
    });
    let known = wait_for("the run", || {
        let (_, body) = ask(&url, "GET", "/v1/runs", "");
        let runs: Value = serde_json::from_str(&body).unwrap();
        let known = runs["runs"].as_array().unwrap().first()?.clone();
        (known["steps"][0]["total"] == 1).then_some(known)
    });
    assert_eq!(
        (&known["run"], &known["phase"]),
        (&json!("watched"), &json!("Running"))
    );
    lab.write("go", "");
    under_way
        .end()
        .exits(0)
        .complains(&format!("watch it at {url}/#/runs/watched\n"));

    let quiet = lab.run(&["run", ".", "-o", "json"]).exits(0);
    quiet.never_complains("watch it at");
}

#[test]
fn a_stopped_run_is_told_of_as_such() {
    let lab = Lab::new();
    let server = Server::start(&lab);
    lab.write(
        "run.yaml",
        spec(
            "stopped",
            "items: {list: [a]}\nscript: |\n  echo $$ > handler\n  exec sleep 600\n",
        ),
    );
    let args = ["run", ".", "--server", &server.url, "--grace", "200ms"];
    let under_way = lab.start(&args);
    lab.pid("handler");
    under_way.signal(rustix::process::Signal::INT);
    under_way.end().exits(130);
    let report = run(&server, "stopped").expect("a report");
    assert_eq!(report["phase"], "Cancelled");
    assert_eq!(figures(&report, 0), ("Failed", 0, 0, 1));
    assert_eq!(report["steps"][0]["message"], "stopped by Ctrl-C");
}
