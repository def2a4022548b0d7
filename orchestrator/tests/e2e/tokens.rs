//! `memq` against a server that asks for tokens.

use std::fs;

use crate::support::{Lab, Server, spec, wait_for};

const ADMIN: &str = "a-token-for-all-things";
const WORK: &str = "a-token-for-working-on";
const READ: &str = "a-token-for-looking-on";

/// A server that knows these tokens, and a folder with a file for each.
fn guarded() -> (Lab, Server) {
    let lab = Lab::new();
    lab.write(
        "tokens",
        format!("admin {ADMIN}\nwork {WORK}\nread {READ}\n"),
    );
    for (name, token) in [("admin", ADMIN), ("work", WORK), ("read", READ)] {
        lab.write(name, format!("{token}\n"));
    }
    let server = Server::start_with(&lab, "server", &["--tokens", "tokens"]);
    (lab, server)
}

#[test]
fn who_is_not_let_in_exits_with_77_and_is_told_what_to_give() {
    let (lab, server) = guarded();
    let url = server.url.as_str();
    let with = |args: &[&str]| lab.run(&[args, &["--server", url]].concat());
    with(&["queue", "ls"])
        .exits(77)
        .complains("the server asks for a token, and none was given")
        .complains("--token-file or MEMQ_TOKEN_FILE");
    with(&["queue", "ls", "--token-file", "read"]).exits(0);
    with(&["queue", "rm", "q", "--token-file", "work"])
        .exits(77)
        .complains("may not delete queue q")
        .complains("`admin`");
    lab.write("lines", "a\nb\n");
    with(&["load", "q", "lines", "--create", "--token-file", "read"])
        .exits(77)
        .complains("into queue q; nothing went in; with a token that allows it")
        .never_complains(READ);
    with(&["queue", "ls", "--token-file", "tokens"])
        .exits(64)
        .complains("the first line has a space");
    with(&["queue", "ls", "--token-file", "nowhere"])
        .exits(64)
        .complains("cannot read the token file `nowhere`");
    let mut of_variable = lab.memq(&["queue", "ls", "--server", url]);
    let listed = of_variable.env("MEMQ_TOKEN", READ).output();
    assert!(listed.expect("memq starts").status.success());
    let in_address = url.replace("http://", &format!("http://me:{READ}@"));
    lab.run(&["queue", "show", "q", "--server", &in_address])
        .exits(64)
        .complains("give a token by --token-file or MEMQ_TOKEN_FILE")
        .never_complains(READ);
}

#[test]
fn who_may_work_loads_seals_and_drains_and_needs_no_more() {
    let (lab, server) = guarded();
    let url = server.url.as_str();
    lab.write("lines", "a\nb\n");
    let with =
        |args: &[&str]| lab.run(&[args, &["--server", url, "--token-file", "work"]].concat());
    with(&["load", "q", "lines", "--create", "--seal"])
        .exits(0)
        .says("2 items into queue q, sealed");
    with(&["load", "q", "lines", "--create", "--seal"])
        .exits(0)
        .says("0 new, 2 already loaded");
    let mut worker = lab.memq(&[
        "worker",
        "--server",
        url,
        "--queue",
        "q",
        "--builtin",
        "echo",
    ]);
    let worked = worker.env("MEMQ_TOKEN_FILE", "work").output();
    assert!(worked.expect("memq starts").status.success());
    with(&["logs", "q"]).exits(0);
    with(&["backup", "copy"])
        .exits(77)
        .complains("may not make a backup");
}

#[test]
fn a_run_hands_its_token_on_by_a_file_and_no_argument_shows_it() {
    let (lab, server) = guarded();
    let script = "items: {list: [a, b]}\nscript: |\n  ps -eo args > processes\n  test \"$(cat \"$MEMQ_TOKEN_FILE\")\" = ";
    let step = format!("{script}{ADMIN}\n");
    lab.write("run.yaml", spec("guarded", &step));
    let run = ["run", ".", "--server", &server.url];
    lab.run(&run)
        .exits(77)
        .complains("the server asks for a token, and none was given");
    lab.run(&[&run[..], &["--token-file", "admin"]].concat())
        .exits(0)
        .says("2 done of 2")
        .never_complains(ADMIN);
    assert!(!lab.read("processes").contains(ADMIN));
    let folder = &lab.names(".memq/runs")[0];
    assert!(
        !lab.read(&format!(".memq/runs/{folder}/run.json"))
            .contains(ADMIN)
    );
}

#[test]
fn a_token_of_the_environment_reaches_workers_by_their_environment() {
    let (lab, server) = guarded();
    let step = "items: {list: [a]}\nscript: |\n  ps -eo args > processes\n  echo \"$MEMQ_TOKEN $MEMQ_SERVER\"\n";
    lab.write("run.yaml", spec("one", step));
    let mut command = lab.memq(&["run", ".", "--server", &server.url, "--joblog", "one"]);
    let ran = command.env("MEMQ_TOKEN", ADMIN).output();
    assert!(ran.expect("memq starts").status.success());
    assert!(!lab.read("processes").contains(ADMIN));
    let told = format!("{ADMIN} {}", server.url);
    assert_eq!(lab.outcome("one", "a")["result"], told);

    for folder in lab.names(".memq/runs") {
        let memory = lab.read(&format!(".memq/runs/{folder}/run.json"));
        assert!(!memory.contains(ADMIN), "{memory}");
    }
}

#[test]
fn a_server_of_the_runs_own_is_shown_no_token_and_neither_are_its_workers() {
    let lab = Lab::new();
    let step = "items: {list: [a]}\nscript: |\n  echo \"<$MEMQ_TOKEN$MEMQ_TOKEN_FILE>\"\n";
    lab.write("run.yaml", spec("own", step));
    let mut command = lab.memq(&["run", ".", "--joblog", "log"]);
    command
        .env("MEMQ_TOKEN", ADMIN)
        .env("MEMQ_TOKEN_FILE", "missing");
    assert!(command.output().expect("memq starts").status.success());
    assert_eq!(lab.outcome("log", "a")["result"], "<>");
}

#[test]
fn a_run_that_is_tried_again_finds_its_token_where_it_was() {
    let (lab, server) = guarded();
    let step = "items: {list: [a]}\nitem: {attempts: 1}\nscript: |\n  test -e mended\n";
    lab.write("run.yaml", spec("again", step));
    let run = ["run", ".", "--server", &server.url, "--token-file", "admin"];
    lab.run(&run).exits(1);
    lab.write("mended", "");
    fs::create_dir(lab.path("elsewhere")).expect("a folder");
    lab.run(&["retry", "again"]).exits(0).says("1 done of 1");
}

#[test]
fn a_step_without_items_can_put_some_there() {
    let (lab, server) = guarded();
    let memq = crate::support::MEMQ;
    let words = format!("command: ['{memq}', load, from-a-step, lines, --create]\n");
    lab.write("lines", "a\n");
    lab.write("run.yaml", spec("loads", &words));
    lab.run(&["run", ".", "--server", &server.url, "--token-file", "work"])
        .exits(0);
    let shown = lab.run(&[
        "queue",
        "show",
        "from-a-step",
        "--server",
        &server.url,
        "--token-file",
        "read",
    ]);
    shown.exits(0).says("from-a-step");
}

#[test]
fn a_token_can_be_changed_while_a_run_goes_on() {
    let (lab, server) = guarded();
    let step = "items: {list: [a, b]}\nscript: |\n  echo >> begun\n  while ! test -e gate; do sleep 0.05; done\n";
    lab.write("run.yaml", spec("long", step));
    let run = lab.start(&["run", ".", "--server", &server.url, "--token-file", "admin"]);
    wait_for("the first item", || {
        lab.path("begun").exists().then_some(())
    });
    let next = "another-token-for-all-things";
    lab.write("tokens", format!("admin {next}\n"));
    wait_for("the server to forget the old token", || {
        let old = lab.run(&[
            "queue",
            "ls",
            "--server",
            &server.url,
            "--token-file",
            "admin",
        ]);
        (old.code == 77).then_some(())
    });
    lab.write("admin", next);
    lab.write("gate", "");
    run.end().exits(0).says("2 done of 2");
}
