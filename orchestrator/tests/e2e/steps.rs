//! Runs of several steps: their order, what failures do to it, what a step finds and gives.

use crate::support::{Lab, Running, Server, example, spec, steps, wait_for};

/// Waits until a file is there, for about a minute, or fails.
const AWAIT: &str = "await() { n=0; until [ -e \"$1\" ]; do n=$((n+1)); [ $n -lt 1200 ] || exit 9; sleep 0.05; done; }";

#[test]
fn steps_run_in_sequence_whatever_their_order_in_the_file() {
    let lab = Lab::new();
    let text = "- {name: third, after: [second], script: echo 3 >> order}\n\
                - {name: first, script: echo 1 >> order}\n\
                - {name: second, after: [first], script: 'echo 2 >> order; echo half way'}\n";
    lab.write("run.yaml", steps("seq", text));
    let ended = lab.run(&["run", "."]).exits(0);
    assert_eq!(lab.read("order"), "1\n2\n3\n");
    ended
        .says("seq: 3 of 3 steps done in ")
        .says("1 try  half way")
        .complains("second: begins")
        .complains("second: done in ");
    assert!(!lab.path(".memq/runs/seq/joblog").exists());
}

#[test]
fn the_branches_of_a_diamond_run_side_by_side() {
    let lab = Lab::new();
    let text = format!(
        "- {{name: top, script: 'true'}}\n\
         - name: left\n  after: [top]\n  script: |\n    {AWAIT}\n    touch left; await right\n\
         - name: right\n  after: [top]\n  script: |\n    {AWAIT}\n    touch right; await left\n\
         - {{name: bottom, after: [left, right], script: 'ls left right'}}\n"
    );
    lab.write("run.yaml", steps("diamond", &text));
    let ended = lab.run(&["run", ".", "-o", "json"]).exits(0);
    for name in ["top", "left", "right", "bottom"] {
        assert_eq!(ended.step(name)["state"], "done", "{name}");
    }
    assert_eq!(ended.step("bottom")["result"], "right");
}

#[test]
fn a_failure_is_followed_by_what_was_meant_for_it_and_by_what_always_runs() {
    let lab = Lab::new();
    let text = "- {name: load, script: 'echo no such table >&2; exit 3'}\n\
                - {name: check, after: [load], script: touch checked}\n\
                - {name: alarm, after: [load], when: failed, script: touch alarmed}\n\
                - {name: calm, after: [check], when: failed, script: touch calmed}\n\
                - {name: tidy, after: [load, check, alarm], when: always, script: touch tidied}\n";
    lab.write("run.yaml", steps("failing", text));
    lab.run(&["run", "."])
        .exits(1)
        .says("1 of 5 steps failed, 2 skipped")
        .says("exit code 3: no such table")
        .says("load said")
        .says("run . --joblog .memq/runs/failing/joblog.ndjson");
    let there = |name: &str| lab.path(name).exists();
    assert_eq!(
        ["checked", "alarmed", "calmed", "tidied"].map(there),
        [false, true, false, true]
    );
    let ended = lab.run(&["run", ".", "-o", "json"]).exits(1);
    assert_eq!(ended.json()["verdict"], "failed");
    let load = ended.step("load");
    assert_eq!(
        (&load["state"], &load["exit_code"], &load["tries"]),
        (&"failed".into(), &3.into(), &1.into())
    );
    assert_eq!(ended.step("calm")["state"], "skipped");
    assert_eq!(ended.step("alarm")["state"], "done");
}

#[test]
fn a_step_is_tried_again_as_often_as_it_may_be() {
    let lab = Lab::new();
    let text = "- {name: shaky, retries: 3, script: 'echo try $MEMQ_ATTEMPT; [ \"$MEMQ_ATTEMPT\" = 3 ]'}\n\
                - {name: hopeless, retries: 1, script: 'echo never >&2; kill -9 $$'}\n";
    lab.write("run.yaml", steps("tries", text));
    let ended = lab
        .run(&["run", ".", "--joblog", "log", "-o", "json"])
        .exits(1);
    let (shaky, hopeless) = (ended.step("shaky"), ended.step("hopeless"));
    assert_eq!(
        (&shaky["tries"], &shaky["result"]),
        (&3.into(), &"try 3".into())
    );
    assert_eq!(hopeless["tries"], 2);
    assert_eq!(hopeless["reason"], "killed by signal 9: never");
    ended.complains("shaky: try 1 of 4: exit code 1: try 1; again in 500ms");
    assert_eq!(lab.read(".memq/runs/tries/shaky/try-2.log"), "try 2\n");
    let line = lab
        .joblog("log")
        .into_iter()
        .find(|line| line["step"] == "hopeless");
    let line = line.unwrap();
    assert_eq!(
        (&line["state"], &line["attempts"]),
        (&"failed".into(), &2.into())
    );
}

#[test]
fn a_command_that_is_not_there_fails_its_step() {
    let lab = Lab::new();
    lab.write(
        "run.yaml",
        steps("absent", "- {name: a, command: [/no/such/program, x]}\n"),
    );
    lab.run(&["run", "."])
        .exits(1)
        .says("exit code 127: cannot start `/no/such/program`");
}

#[test]
fn a_step_finds_its_surroundings_and_gives_a_result() {
    let lab = Lab::new();
    let text = "- name: one\n  env: {GREETING: hello, TOKEN: {secret: db-1/pass.word}, MODE: {configMap: app/mode}}\n  \
                volumes: {/data/in: {pvc: claim, local: here}, /scratch: {emptyDir: {}}}\n  script: |\n    \
                pwd > \"$MEMQ_VOLUME_DATA_IN/where\"\n    [ -d \"$MEMQ_VOLUME_SCRATCH\" ] || exit 8\n    \
                echo noise\n    echo \"$GREETING $TOKEN $MODE $MEMQ_RUN $MEMQ_STEP ${MEMQ_SERVER:-none}\" > \"$MEMQ_RESULT\"\n    \
                if read -r line; then exit 7; fi\n\
                - {name: last-line, script: 'echo out; echo err >&2; echo; '}\n\
                - {name: nothing, script: 'echo err >&2'}\n";
    lab.write("deep.yaml", steps("around", text));
    lab.write("env", "# ours\nMEMQ_SECRET_DB_1_PASS_WORD=s3cret\n");
    let mut memq = lab.memq(&["run", "deep.yaml", "--env-file", "env", "-o", "json"]);
    let ended = Running::start({
        memq.env("MEMQ_CONFIGMAP_APP_MODE", "fast");
        memq
    })
    .end()
    .exits(0);
    assert_eq!(
        ended.step("one")["result"],
        "hello s3cret fast around one none"
    );
    assert_eq!(ended.step("last-line")["result"], "out");
    assert!(ended.step("nothing").get("result").is_none());
    assert!(
        lab.read("here/where")
            .trim_end()
            .ends_with(lab.path("").file_name().unwrap().to_str().unwrap())
    );
}

#[test]
fn what_needs_a_cluster_is_refused_by_name_before_anything_begins() {
    let lab = Lab::new();
    let text = "- {name: a, script: touch begun}\n\
                - {name: b, script: 'true', env: {T: {secret: db/pass}}}\n\
                - {name: c, image: busybox}\n\
                - {name: d, script: 'true', volumes: {/data: {pvc: claim}}}\n\
                - {name: e, items: {queue: elsewhere}, builtin: echo}\n";
    lab.write("run.yaml", steps("cluster", text));
    lab.run(&["run", "."])
        .exits(64)
        .complains("MEMQ_SECRET_DB_PASS")
        .complains("step c: image")
        .complains("local: DIR")
        .complains("--server");
    assert!(!lab.path("begun").exists() && !lab.path(".memq").exists());
}

#[test]
fn two_pools_run_side_by_side_on_one_server_with_a_queue_each() {
    let lab = Lab::new();
    let both = |name: &str, other: &str| {
        format!(
            "- name: {name}\n  items: {{list: [x, y]}}\n  script: |\n    {AWAIT}\n    \
             touch {name}-$MEMQ_ITEM; await {other}-$MEMQ_ITEM; echo \"$MEMQ_QUEUE\"\n"
        )
    };
    let text = both("north", "south") + &both("south", "north");
    lab.write("run.yaml", steps("two", &text));
    let ended = lab
        .run(&["run", ".", "--joblog", "log", "-o", "json"])
        .exits(0);
    for name in ["north", "south"] {
        let step = ended.step(name);
        assert_eq!(
            (&step["done"], &step["items"]),
            (&2.into(), &2.into()),
            "{step}"
        );
    }
    let lines = lab.joblog("log");
    assert_eq!(lines.len(), 4);
    for line in lines {
        assert_eq!(
            line["result"],
            format!("two.{}", line["step"].as_str().unwrap())
        );
    }
}

#[test]
fn a_pool_with_dead_items_is_a_failed_step_unless_they_are_tolerated() {
    let lab = Lab::new();
    let text = |tolerate: &str| {
        format!(
            "- name: pages\n  items: {{list: [a, bad]}}\n  item: {{attempts: 1}}\n  tolerate: {{dead: {tolerate}}}\n  \
             script: '[ \"$MEMQ_ITEM\" = a ]'\n\
             - {{name: next, after: [pages], script: 'true'}}\n"
        )
    };
    lab.write("run.yaml", steps("dead", &text("0")));
    let ended = lab.run(&["run", ".", "-o", "json"]).exits(1);
    let pages = ended.step("pages");
    assert_eq!(
        (&pages["state"], &pages["dead"]),
        (&"failed".into(), &1.into())
    );
    assert_eq!(pages["failures"][0]["item"], "bad");
    assert_eq!(ended.step("next")["state"], "skipped");
    lab.write("run.yaml", steps("dead", &text("50%")));
    let ended = lab.run(&["run", ".", "-o", "json"]).exits(0);
    assert_eq!(ended.step("next")["state"], "done");
}

#[test]
fn items_may_lie_in_a_file_that_an_earlier_step_writes() {
    let lab = Lab::new();
    let text = "- {name: find, script: 'printf \"one\\ntwo\\n\" > found.txt'}\n\
                - {name: work, after: [find], items: {lines: found.txt}, builtin: echo}\n";
    lab.write("run.yaml", steps("found", text));
    let ended = lab.run(&["run", ".", "-o", "json"]).exits(0);
    assert_eq!(ended.step("work")["done"], 2);
}

#[test]
fn a_queue_that_others_loaded_is_drained_and_neither_loaded_nor_sealed() {
    let lab = Lab::new();
    let server = Server::start(&lab);
    let memq = |args: &[&str]| {
        lab.run(&[args, &["--server", &server.url]].concat())
            .exits(0)
    };
    lab.write("items", "a\nb\nc\n");
    memq(&["load", "shared", "--create", "items"]);
    memq(&["worker", "--queue", "shared", "--builtin", "echo"]);
    memq(&["load", "shared", "items", "--load-id", "again"]);
    lab.write(
        "run.yaml",
        spec(
            "borrower",
            "items: {queue: shared}\nscript: 'echo $MEMQ_ITEM >> seen'",
        ),
    );
    let run = lab.start(&[
        "run",
        ".",
        "--joblog",
        "log",
        "--server",
        &server.url,
        "-o",
        "json",
    ]);
    wait_for("the items that were there", || {
        let seen = std::fs::read_to_string(lab.path("seen")).ok()?;
        (seen.lines().count() == 3).then_some(())
    });
    memq(&["queue", "seal", "shared"]);
    let ended = run.end().exits(0);
    assert_eq!(
        (&ended.json()["done"], &ended.json()["left"]),
        (&3.into(), &0.into())
    );
    ended.complains("3 items of queue shared, which is not sealed");
    assert_eq!(
        lab.joblog("log").len(),
        3,
        "what others did before is not this run's"
    );
    memq(&["queue", "show", "shared"]);
    lab.run(&["run", ".", "--server", &server.url])
        .exits(0)
        .says("there are no items");
}

#[test]
fn a_step_without_items_starts_no_server_and_is_told_of_a_given_one() {
    let lab = Lab::new();
    let text =
        "- {name: a, script: 'ls ${TMPDIR} | grep -c memq-run- ; echo \"${MEMQ_SERVER:-none}\"'}\n";
    lab.write("run.yaml", steps("serverless", text));
    let ended = lab.run(&["run", ".", "-o", "json"]).exits(0);
    assert_eq!(ended.step("a")["result"], "none");
    assert_eq!(lab.read(".memq/runs/serverless/a/try-1.log"), "0\nnone\n");
    let url = "http://127.0.0.1:9";
    let ended = lab
        .run(&["run", ".", "--server", url, "-o", "json"])
        .exits(0);
    assert_eq!(ended.step("a")["result"], url);
}

#[test]
fn the_pipeline_example_ends_in_its_report_and_goes_on_where_it_failed() {
    let lab = Lab::new();
    let text = std::fs::read_to_string(format!("{}/run.yaml", example("pipeline"))).unwrap();
    lab.write("run.yaml", &text);
    let run = |more: &[&str]| {
        let args = [
            &["run", ".", "-p", "hours=3", "--joblog", "log", "-o", "json"],
            more,
        ]
        .concat();
        lab.run(&args)
    };
    let ended = run(&[]).exits(0);
    assert_eq!(ended.step("prepare")["result"], "3 hours of requests");
    assert_eq!(ended.step("hours")["done"], 3);
    assert_eq!(ended.step("pages")["done"], 3);
    assert_eq!(
        lab.read("out/report.txt"),
        "home: 6 errors\nlogin: 6 errors\nprices: 6 errors\n72 requests, 24360 bytes\n"
    );
    let ended = run(&[]).exits(0);
    for name in ["prepare", "hours", "pages", "report"] {
        assert_eq!(ended.step(name)["state"], "done_before", "{name}");
    }
}
