//! kuard's command line: what a manifest written for kuard gets when only its image is another.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::support::{Lab, MEMQ, Server, wait_for};

/// This program under the name that such manifests start.
fn kuard(lab: &Lab, args: &[&str]) -> Command {
    let program = lab.path("kuard");
    if !program.exists() {
        symlink(MEMQ, &program).unwrap();
    }
    lab.command(program.to_str().unwrap(), args)
}

/// The first line of the answer to a request, as curl sends it, and the answer's body.
fn call(server: &Server, method: &str, path: &str, body: &str) -> (String, String) {
    ask(&server.url, method, path, body)
}

/// The same of a server of which nothing but the address is known.
pub(crate) fn ask(url: &str, method: &str, path: &str, body: &str) -> (String, String) {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[test]
fn the_books_queue_and_its_consumers_need_another_image_and_no_other_change() {
    let lab = Lab::new();
    let mut queue = kuard(&lab, &[]);
    queue.env("MEMQ_LISTEN", "127.0.0.1:0");
    let queue = Server::of(&lab, "queue", queue);
    let base = "/memq/server/queues/keygen";
    assert_eq!(call(&queue, "PUT", base, "").0, "HTTP/1.1 200 OK");
    for item in ["work-item-0", "work-item-1"] {
        let enqueued = call(&queue, "POST", &format!("{base}/enqueue"), item);
        assert_eq!(enqueued.0, "HTTP/1.1 200 OK");
    }

    let server = format!("--keygen-memq-server={}/memq/server", queue.url);
    let consumer = kuard(
        &lab,
        &[
            "--address=127.0.0.1:0",
            "--keygen-enable",
            "--keygen-exit-on-complete",
            &server,
            "--keygen-memq-queue=keygen",
        ],
    );
    let consumer = Server::of(&lab, "consumer", consumer);
    assert_eq!(call(&consumer, "GET", "/healthy", "").0, "HTTP/1.1 200 OK");
    consumer.running.end().exits(0);
    let log = lab.read("consumer.log");
    assert!(log.contains("MemQ Worker starting\n"), "{log}");
    assert_eq!(log.matches(" Item done: SHA256:").count(), 2, "{log}");
    let stats = call(&queue, "GET", "/memq/server/stats", "").1;
    assert!(
        stats.contains(r#""depth":0,"enqueued":2,"dequeued":2"#),
        "{stats}"
    );
    // As in kuard, nothing of it is on disk.
    assert!(!lab.path("memq-data").exists());
    queue.running.signal(Signal::TERM);
    queue.running.end().exits(0);
}

#[test]
fn one_shot_ends_with_the_code_that_it_was_given() {
    let lab = Lab::new();
    let once = lab.run(&[
        "--keygen-enable",
        "--address=127.0.0.1:0",
        "--keygen-exit-on-complete=true",
        "--keygen-num-to-gen",
        "1",
        "--keygen-exit-code=7",
    ]);
    once.exits(7)
        .complains("(ID 0) Workload starting\n")
        .complains("(ID 0 1/1) Item done: SHA256:")
        .complains("(ID 0) Workload exiting\n");
}

#[test]
fn a_workload_that_is_done_goes_on_serving_until_it_is_told_to_stop() {
    let lab = Lab::new();
    let args = [
        "--keygen-enable",
        "--keygen-num-to-gen=1",
        "--address=127.0.0.1:0",
    ];
    let server = Server::of(&lab, "server", lab.memq(&args));
    wait_for("the end of the workload", || {
        let done = lab.read("server.log").contains("Workload exiting\n");
        done.then_some(())
    });
    assert_eq!(call(&server, "GET", "/ready", "").0, "HTTP/1.1 200 OK");
    server.running.signal(Signal::TERM);
    // Never 0: a Job's pod that leaves with it ends the whole Job.
    server.running.end().exits(75);
}

#[test]
fn what_of_kuard_is_not_here_is_refused_by_name() {
    let lab = Lab::new();
    for flag in [
        "--tls-dir=/tls",
        "--liveness-fail-next=3",
        "--debug-sitedata-dir=.",
    ] {
        lab.run(&["--keygen-enable", flag])
            .exits(64)
            .complains(flag.split('=').next().unwrap())
            .complains("memq has nothing for");
    }
    lab.run(&["--keygen-enable", "--help"])
        .exits(0)
        .says("--keygen-memq-server")
        .says("--address");
    let no_value = kuard(&lab, &["--keygen-num-to-gen=ten"])
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(no_value.code(), Some(64));
}
