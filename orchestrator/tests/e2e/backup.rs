//! `memq backup` and `memq restore`.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::json;

use crate::support::{Ended, Lab, MEMQ, Running, Server};

/// A server with two queues, one of them with three items.
struct Fixture {
    lab: Lab,
    server: Server,
}

impl Fixture {
    fn new() -> Self {
        let lab = Lab::new();
        let server = Server::start(&lab);
        let fixture = Self { lab, server };
        fixture.lab.write("lines", "a\nb\nc\n");
        fixture
            .memq(&["load", "thumbs", "lines", "--create"])
            .exits(0);
        fixture.memq(&["queue", "create", "other"]).exits(0);
        fixture
    }

    /// On its server.
    fn memq(&self, args: &[&str]) -> Ended {
        self.lab
            .run(&[args, &["--server", &self.server.url]].concat())
    }
}

/// Another server, without queues.
fn empty(lab: &Lab) -> Server {
    Server::start_with(lab, "empty", &[])
}

fn list(lab: &Lab, server: &Server) -> String {
    lab.run(&["queue", "ls", "--server", &server.url])
        .exits(0)
        .out
}

#[test]
fn what_was_backed_up_comes_back_on_another_server() {
    let fixture = Fixture::new();
    let made = fixture.memq(&["backup", "all.backup"]).exits(0);
    assert!(made.out.contains("up into `all.backup`"), "{}", made.out);
    let names = fixture.lab.names(".");
    let left: Vec<_> = names.iter().filter(|n| n.contains("unfinished")).collect();
    assert_eq!(left, [""; 0]);

    let other = empty(&fixture.lab);
    fixture
        .lab
        .run(&["restore", "all.backup", "--server", &other.url])
        .exits(0)
        .says("restored 2 queues with 3 items to do from `all.backup`");
    let there = list(&fixture.lab, &other);
    assert!(
        there.contains("thumbs") && there.contains("other"),
        "{there}"
    );
}

#[test]
fn a_backup_goes_through_a_pipe_and_answers_as_json() {
    let fixture = Fixture::new();
    let other = empty(&fixture.lab);
    let pipe = format!(
        r#""$0" backup --server {} -o json | "$0" restore - --server {} -o json"#,
        fixture.server.url, other.url
    );
    let piped = Running::start(fixture.lab.command("sh", &["-c", &pipe, MEMQ])).end();
    let piped = piped.exits(0).complains(r#"{"file":null,"bytes":"#);
    assert_eq!(piped.json(), json!({"queues": 2, "unfinished": 3}));

    let made = fixture.memq(&["backup", "a", "-o", "json"]).exits(0).json();
    let bytes = fixture.lab.path("a").metadata().expect("a file").len();
    assert_eq!(made, json!({"file": "a", "bytes": bytes}));
}

#[test]
fn a_file_that_is_there_is_not_replaced_unless_asked() {
    let fixture = Fixture::new();
    fixture.lab.write("a", "mine");
    fixture
        .memq(&["backup", "a"])
        .exits(64)
        .complains("`a` is there already: --force replaces it");
    assert_eq!(fixture.lab.read("a"), "mine");
    fixture.memq(&["backup", "a", "--force"]).exits(0);
    let bytes = std::fs::read(fixture.lab.path("a")).expect("a file");
    assert!(bytes.starts_with(b"memqbak"));
    fixture
        .memq(&["backup", "empty.log/..", "--force"])
        .exits(64);
    fixture
        .memq(&["backup", "no/such/folder"])
        .exits(2)
        .complains("cannot make a file beside `no/such/folder`");
}

/// A server that answers a backup with these bytes of HTTP and closes.
fn broken_server(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _gone = answer_one(stream, answer);
        }
    });
    url
}

fn answer_one(mut stream: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        request.extend(byte);
    }
    if request.starts_with(b"GET /readyz") {
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
    } else {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
        stream.write_all(answer)
    }
}

#[test]
fn a_backup_that_is_cut_off_leaves_no_file() {
    let lab = Lab::new();
    for (answer, why) in [
        // The connection breaks.
        (&b"8\r\nmemqbak\x01\r\n"[..], "cannot reach the server"),
        // Somebody on the way makes a proper end of it.
        (b"8\r\nmemqbak\x01\r\n0\r\n\r\n", "it ended before its end"),
        (b"6\r\n<html>\r\n0\r\n\r\n", "it does not begin as a backup"),
    ] {
        let url = broken_server(answer);
        let before = lab.names(".");
        lab.run(&["backup", "cut", "--server", &url])
            .exits(2)
            .complains("there is no backup")
            .complains(why);
        assert_eq!(lab.names("."), before);
        lab.run(&["backup", "--server", &url]).exits(2);
    }
}

#[test]
fn what_cannot_be_restored_is_said_with_a_way_out() {
    let fixture = Fixture::new();
    fixture.memq(&["backup", "all.backup"]).exits(0);
    fixture
        .memq(&["restore", "all.backup"])
        .exits(1)
        .complains("the server has 2 queues: restore into one that has none")
        .complains("`memq server --data-dir DIR`");
    let other = empty(&fixture.lab);
    let restore = |file: &str| {
        let args = ["restore", file, "--server", &other.url];
        fixture.lab.run(&args)
    };
    let whole = std::fs::read(fixture.lab.path("all.backup")).expect("a file");
    fixture.lab.write("cut", &whole[..whole.len() - 10]);
    restore("cut")
        .exits(1)
        .complains("cannot restore `cut`")
        .complains("nothing of it restored: it ends before its end");
    restore("lines")
        .exits(1)
        .complains("does not begin as a backup of memq does");
    restore("absent").exits(2).complains("cannot open `absent`");
    restore(".").exits(2).complains("cannot be read");
    assert_eq!(list(&fixture.lab, &other), "no queues\n");
    restore("all.backup").exits(0);
}

#[test]
fn a_refusal_is_heard_while_a_large_backup_is_still_being_sent() {
    let fixture = Fixture::new();
    let large = std::fs::File::create(fixture.lab.path("large")).expect("a file");
    large.set_len(256 << 20).expect("room for a hole");
    fixture
        .memq(&["restore", "large"])
        .exits(1)
        .complains("the server has 2 queues");
    let other = empty(&fixture.lab);
    fixture
        .lab
        .run(&["restore", "large", "--server", &other.url])
        .exits(1)
        .complains("does not begin as a backup of memq does");
}

#[test]
fn a_server_in_memory_or_away_has_no_backup() {
    let lab = Lab::new();
    let server = Server::start_with(&lab, "memory", &["--storage", "memory"]);
    lab.run(&["backup", "a", "--server", &server.url])
        .exits(1)
        .complains("the server keeps its items in memory: there is nothing to back up");
    assert!(!lab.path("a").exists());
    for args in [&["backup", "a"][..], &["restore", "memory.log"]] {
        lab.run(&[args, &["--server", "http://127.0.0.1:9"]].concat())
            .exits(2)
            .complains("is the server running?");
    }
}
