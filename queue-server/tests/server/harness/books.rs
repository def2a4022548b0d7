//! The books of a server, which its test does not end without: numbers that add up, and that outlast a restart.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// A token that every server with tokens must know as an admin's: its tests end by asking for all queues.
pub(crate) const OPERATOR: &str = "operator-of-the-tests";

/// What neither time nor a restart changes.
const LASTING: [&str; 14] = [
    "/settings",
    "/sealed",
    "/paused",
    "/totals/enqueued",
    "/totals/duplicates",
    "/totals/cancelled",
    "/totals/redriven",
    "/totals/acked",
    "/totals/nacked",
    "/totals/released",
    "/totals/purged",
    "/totals/taken",
    "/totals/leased",
    "/counts/done",
];

/// The queues that were found after a start are those that were left, as far as neither changes.
pub(super) fn assert_nothing_is_lost(found: &[Value], left: &[Value]) {
    let names = |queues: &[Value]| -> Vec<Value> {
        queues.iter().map(|queue| queue["name"].clone()).collect()
    };
    assert_eq!(names(found), names(left));
    for (found, left) in found.iter().zip(left) {
        for lasting in LASTING {
            assert_eq!(
                found.pointer(lasting),
                left.pointer(lasting),
                "{lasting} after a start: {found}, before it: {left}"
            );
        }
    }
}

/// All queues, asked for without a runtime.
pub(super) fn queues(address: SocketAddr) -> Vec<Value> {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a time-out");
    stream
        .write_all(
            format!(
                "GET /v1/queues HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {OPERATOR}\r\nconnection: close\r\n\r\n"
            )
            .as_bytes(),
        )
        .expect("the connection takes it");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    let list: Value = serde_json::from_str(body).expect("JSON");
    list["queues"].as_array().expect("a list").clone()
}

/// What is always so.
pub(super) fn assert_numbers_add_up(queue: &Value) {
    let number = |pointer: &str| {
        queue
            .pointer(pointer)
            .and_then(Value::as_u64)
            .expect(pointer)
    };
    let count = |state: &str| number(&format!("/counts/{state}"));
    let total = |what: &str| number(&format!("/totals/{what}"));
    let unfinished = count("ready") + count("leased") + count("delayed");
    let finished = count("done") + total("item_expired") + total("cancelled");
    let all = unfinished + count("dead") + finished + total("purged");
    assert_eq!(total("enqueued"), all, "{queue}");
    assert_eq!(number("/unfinished"), unfinished, "{queue}");
    assert_eq!(count("done"), total("acked") + total("taken"), "{queue}");
    let ended = total("acked") + total("nacked") + total("released") + total("lease_expired");
    assert!(ended + count("leased") <= total("leased"), "{queue}");
    let drained = queue["sealed"] == true && unfinished == 0;
    assert_eq!(queue["drained"], drained, "{queue}");
}
