//! The program: its flags, its log, and how it ends.

use std::net::TcpListener;
use std::process::Output;
use std::time::{Duration, Instant};

use rstest::rstest;
use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Program, Wire, within};

fn run(args: &[&str], vars: &[(&str, &str)]) -> Output {
    let mut command = Program::command(args);
    command.envs(vars.iter().copied());
    command.output().expect("the program starts")
}

#[track_caller]
fn fails(output: &Output, code: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
}

/// Sends a request on a connection of its own, and leaves it open.
async fn send(program: &Program, request: &str) -> Wire {
    let mut wire = Wire::connect(program.address()).await;
    wire.send(request).await;
    wire
}

async fn make_queue(program: &Program) {
    let mut wire = send(
        program,
        "PUT /v1/queues/q HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(wire.read_to_end().await.starts_with("HTTP/1.1 201 "));
}

/// A request whose body does not end, and the proof that it is under way.
async fn half_a_request(program: &Program) -> Wire {
    let head = "POST /v1/queues/q/items HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\nexpect: 100-continue\r\n\r\n";
    let mut slow = send(program, head).await;
    slow.read_until("HTTP/1.1 100 Continue\r\n\r\n").await;
    slow.send("half").await;
    slow
}

/// A parked lease call, and the proof that it is parked.
async fn park(program: &Program) -> Wire {
    let body = r#"{"wait_ms":300000}"#;
    let head = format!(
        "POST /v1/queues/q/lease HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let parked = send(program, &(head + body)).await;
    let is_parked = async {
        loop {
            let mut wire = send(
                program,
                "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            )
            .await;
            if wire.read_to_end().await.contains("\nmemq_parked_calls 1\n") {
                break;
            }
        }
    };
    within(is_parked).await;
    parked
}

#[rstest]
#[case::terminate(Signal::TERM)]
#[case::interrupt(Signal::INT)]
#[tokio::test]
async fn told_to_stop_it_answers_who_waits_and_exits_0(#[case] signal: Signal) {
    let program = Program::start(&[]);
    make_queue(&program).await;
    let mut parked = park(&program).await;
    let begin = Instant::now();
    program.signal(signal);
    let answer = parked.read_to_end().await;
    assert!(
        answer.ends_with("{\"items\":[],\"state\":\"waiting\"}\n"),
        "{answer}"
    );
    let logged = program.ended().await;
    assert_eq!(logged.code, Some(0), "{logged:?}");
    assert!(
        begin.elapsed() < Duration::from_secs(9),
        "well within its bound"
    );
    logged.has("what is acknowledged is on disk");
    logged.has("told to stop by SIG");
    logged.has("connections ended by themselves within");
}

#[rstest]
#[case::everywhere(&["--listen", "0.0.0.0:0"], true)]
#[case::on_this_machine(&["--listen", "127.0.0.1:0"], false)]
#[case::by_its_names(&["--listen", "0.0.0.0:0", "--allow-host", "queue"], false)]
#[tokio::test]
async fn open_to_others_it_says_at_its_start_what_closes_it(
    #[case] args: &[&str],
    #[case] is_open: bool,
) {
    let program = Program::spawn(Program::command(args));
    program.signal(Signal::TERM);
    let logged = program.ended().await;
    let warned = logged.lines.iter().filter(|line| line.contains("WARN"));
    let warned: Vec<_> = warned.collect();
    assert_eq!(warned.len(), usize::from(is_open), "{logged:#?}");
    for line in warned {
        assert!(line.contains("--tokens FILE") && line.contains("--allow-host NAME"));
    }
}

#[tokio::test]
async fn told_to_stop_it_cuts_what_takes_too_long_says_so_and_exits_0() {
    let program = Program::start(&["--grace", "300ms"]);
    make_queue(&program).await;
    let _slow = half_a_request(&program).await;
    let _parked = park(&program).await;
    program.signal(Signal::TERM);
    let logged = program.ended().await;
    assert_eq!(logged.code, Some(0), "{logged:?}");
    logged.has("stopped: 1 of ");
    logged.has("connections were cut after");
}

#[tokio::test]
async fn told_twice_it_stops_at_once() {
    let program = Program::start(&["--grace", "5m"]);
    make_queue(&program).await;
    let _slow = half_a_request(&program).await;
    let mut parked = park(&program).await;
    program.signal(Signal::TERM);
    parked.read_to_end().await;
    program.signal(Signal::INT);
    let logged = program.ended().await;
    assert_eq!(logged.code, Some(130), "{logged:?}");
    logged.has("stopping at once");
}

#[tokio::test]
async fn its_log_is_json_where_that_is_wanted() {
    let program = Program::start(&["--log-format", "json"]);
    program.signal(Signal::TERM);
    let logged = program.ended().await;
    assert!(logged.lines.len() >= 3, "{logged:?}");
    for line in &logged.lines {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        for field in ["timestamp", "level", "target", "message"] {
            assert!(entry[field].is_string(), "{field} in {line}");
        }
    }
}

#[tokio::test]
async fn its_log_shows_requests_with_their_ids_where_that_is_wanted() {
    let mut command = Program::command(&["--listen", "127.0.0.1:0"]);
    command.env("MEMQ_LOG", "queue_server=debug");
    let program = Program::spawn(command);
    let request = "GET /v1/queues HTTP/1.1\r\nhost: localhost\r\nx-request-id: find-me\r\nconnection: close\r\n\r\n";
    send(&program, request).await.read_to_end().await;
    program.signal(Signal::TERM);
    program.ended().await.has("find-me");
}

#[rstest]
#[case::flag(&["--max-waiters", "0"], &[], &["--max-waiters", "0", "1 to"])]
#[case::variable(&[], &[("MEMQ_MAX_QUEUES", "none")], &["--max-queues", "none"])]
#[case::variable_past_its_limit(&[], &[("MEMQ_MAX_REQUEST_BYTES", "16777217")], &["--max-request-bytes", "16777217", "16777216"])]
#[case::address(&["--listen", "8080"], &[], &["--listen", "8080", "127.0.0.1:8080"])]
#[case::unknown(&["--data-dri", "/x"], &[], &["--data-dri"])]
#[case::surplus(&["now"], &[], &["now"])]
#[case::storage(&["--storage", "paper"], &[], &["--storage", "paper", "memory"])]
#[case::no_file_of_tokens(&["--tokens", ""], &[], &["--tokens"])]
#[case::variable_of_no_file_of_tokens(&[], &[("MEMQ_TOKENS", "")], &["--tokens"])]
#[case::filter(&[], &[("MEMQ_LOG", "queue_server=loud")], &["MEMQ_LOG", "loud"])]
fn a_usage_error_names_what_is_wrong_and_exits_64(
    #[case] args: &[&str],
    #[case] vars: &[(&str, &str)],
    #[case] words: &[&str],
) {
    fails(&run(args, vars), 64, words);
}

#[test]
fn a_flag_is_stronger_than_its_variable() {
    let output = run(&["--listen", "flag"], &[("MEMQ_LISTEN", "variable")]);
    fails(&output, 64, &["flag"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("variable"));
}

#[test]
fn a_port_that_is_taken_is_told_as_such() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    fails(
        &run(&["--listen", &address], &[]),
        1,
        &["another program listens on", &address, "--listen"],
    );
}

#[test]
fn an_address_of_another_machine_is_told_as_such() {
    fails(
        &run(&["--listen", "192.0.2.1:8080"], &[]),
        1,
        &["cannot listen on 192.0.2.1:8080", "address"],
    );
}

#[rstest]
#[case::help("--help", "MEMQ_LISTEN")]
#[case::version("--version", env!("CARGO_PKG_VERSION"))]
fn what_is_asked_for_is_no_error(#[case] flag: &str, #[case] printed: &str) {
    let output = run(&[flag], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains(printed));
}

/// The processor time a process has used.
#[cfg(target_os = "linux")]
fn used(program: &Program) -> Duration {
    let path = format!("/proc/{}/stat", program.pid().as_raw_nonzero());
    let stat = std::fs::read_to_string(path).expect("a running program");
    // After the name, which may hold blanks: fields 14 and 15 of the whole line, in hundredths of
    // a second whatever the kernel's own clock is.
    let fields: Vec<_> = stat
        .rsplit_once(')')
        .expect("a name")
        .1
        .split_whitespace()
        .collect();
    let ticks: u64 = [fields[11], fields[12]]
        .iter()
        .map(|t| t.parse::<u64>().expect("a number"))
        .sum();
    Duration::from_millis(ticks * 10)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn out_of_files_it_waits_without_spinning_and_goes_on_when_there_are_some() {
    let mut shell = std::process::Command::new("sh");
    let program = env!("CARGO_BIN_EXE_memq-server");
    shell.args([
        "-c",
        &format!("ulimit -n 30 && exec '{program}' --listen 127.0.0.1:0"),
    ]);
    let program = Program::spawn(Program::alone(shell));
    let mut open = Vec::new();
    for _ in 0..40 {
        open.push(Wire::connect(program.address()).await);
    }
    let before = used(&program);
    let mut late = Wire::connect(program.address()).await;
    late.send("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await;
    // Long enough for one that spins to be told from one that waits.
    let starved = tokio::time::timeout(Duration::from_secs(1), late.read_to_end()).await;
    assert!(starved.is_err(), "it was accepted: {starved:?}");
    let spent = used(&program) - before;
    assert!(spent < Duration::from_millis(300), "{spent:?} of a second");
    drop(open);
    let answer = late.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    program.signal(Signal::TERM);
    let logged = program.ended().await;
    logged.has("no connection can be accepted");
    logged.has("connections are accepted again");
}

#[tokio::test]
async fn in_memory_it_says_what_will_be_lost() {
    let program = Program::start(&["--storage", "memory"]);
    program.signal(Signal::TERM);
    let logged = program.ended().await;
    logged.has("lost when this process ends");
}

#[tokio::test]
async fn a_check_tells_what_a_directory_holds_and_changes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let shown = data.to_str().expect("text");
    let check = || run(&["fsck", "--data-dir", shown], &[]);
    let missing = check();
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stdout).contains("cannot be checked"));
    assert!(!data.exists(), "it was not made");

    let program = Program::start(&["--data-dir", shown]);
    make_queue(&program).await;
    let mut wire = send(
        &program,
        "POST /v1/queues/q/items?lines=true HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 4\r\n\r\na\nb\n",
    )
    .await;
    assert!(wire.read_to_end().await.starts_with("HTTP/1.1 201 "));
    let used = check();
    assert_eq!(used.status.code(), Some(0), "{used:?}");
    assert!(String::from_utf8_lossy(&used.stdout).contains("a server uses it"));
    program.signal(Signal::KILL);
    program.ended().await;

    let first = check();
    let said = String::from_utf8_lossy(&first.stdout).into_owned();
    assert_eq!(first.status.code(), Some(0), "{said}");
    let ends = said.ends_with("sound\n");
    assert!(
        ends && said.contains("queue q: 2 ready, 0 leased"),
        "{said}"
    );
    assert_eq!(check().stdout, first.stdout, "it changes nothing");
}
