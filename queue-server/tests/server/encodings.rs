//! Bodies that go compressed, in either direction.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use queue_api::limits::MAX_REQUEST_BYTES;
use serde_json::{Value, json};

use crate::harness::{Api, within};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("a vector takes it");
    encoder.finish().expect("a vector takes it")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).expect("a vector takes it")
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut decoder = GzDecoder::new(bytes);
    decoder.read_to_end(&mut decoded).expect("gzip");
    decoded
}

const ITEMS: &str = "/v1/queues/q/items";

#[tokio::test]
async fn items_may_come_as_gzip_or_zstd() {
    let api = Api::start();
    api.make(json!({})).await;
    for (encoding, body) in [("gzip", gzip(b"one")), ("zstd", zstd(b"two"))] {
        let headers = [("content-encoding", encoding)];
        api.call_with("POST", ITEMS, &headers, body).await.is(201);
    }
    let lines = gzip(b"three\nfour\n");
    let path = format!("{ITEMS}?lines=true");
    let answer = api
        .call_with("PUT", &path, &[("content-encoding", "gzip")], lines)
        .await;
    assert_eq!(answer.is(201).json()["count"], 2);
    for item in ["one", "two", "three", "four"] {
        assert_eq!(api.take().await.body, item);
    }
}

#[tokio::test]
async fn every_call_with_a_body_takes_an_encoded_one() {
    let api = Api::start();
    let headers = [("content-encoding", "zstd")];
    let settings = zstd(br#"{"max_attempts":7}"#);
    let answer = api
        .call_with("PUT", "/v1/queues/q", &headers, settings)
        .await;
    assert_eq!(answer.is(201).json()["settings"]["max_attempts"], 7);
    api.enqueue("a").await;
    let ask = zstd(br#"{"worker":"w"}"#);
    let answer = api
        .call_with("POST", "/v1/queues/q/lease", &headers, ask)
        .await;
    let lease = answer.is(200).json()["items"][0]["lease"].clone();
    let lease = lease.as_str().expect("a token");
    let path = format!("/v1/leases/{lease}/ack");
    api.call_with("POST", &path, &headers, zstd(b"its result"))
        .await
        .is(200);
    let mut outcomes = api.lines("/v1/queues/q/outcomes").await;
    let outcome = outcomes.next().await.expect("an outcome");
    assert_eq!(outcome["result"], "its result");
}

#[tokio::test]
async fn a_bomb_is_too_large_whatever_it_says_of_itself() {
    let api = Api::start();
    api.make(json!({"max_body_bytes": MAX_REQUEST_BYTES})).await;
    let most = vec![b'a'; MAX_REQUEST_BYTES];
    let bomb = vec![b'a'; MAX_REQUEST_BYTES + 1];
    for (encoding, encode) in [("gzip", gzip as fn(&[u8]) -> Vec<u8>), ("zstd", zstd)] {
        let headers = [("content-encoding", encoding)];
        api.call_with("POST", ITEMS, &headers, encode(&most))
            .await
            .is(201);
        let refused = api.call_with("POST", ITEMS, &headers, encode(&bomb)).await;
        refused.problem(413, "body_too_large");
    }
    assert_eq!(api.queue().await["counts"]["ready"], 2);
}

#[tokio::test]
async fn an_encoding_that_is_not_known_or_not_true_is_refused() {
    let api = Api::start();
    api.make(json!({})).await;
    for encoding in ["br", "deflate", "gzip, zstd"] {
        let headers = [("content-encoding", encoding)];
        let answer = api.call_with("POST", ITEMS, &headers, "a").await;
        let detail = answer.problem(415, "unsupported_media_type");
        assert!(detail.contains("gzip or zstd"), "{detail}");
    }
    for encoding in ["gzip", "zstd"] {
        let headers = [("content-encoding", encoding)];
        for path in [ITEMS, "/v1/queues/q/lease", "/v1/queues/q/settle"] {
            let answer = api.call_with("POST", path, &headers, "plain text").await;
            answer.problem(400, "bad_request");
        }
    }
    // A backup is read as it comes, whatever its size.
    let headers = [("content-encoding", "gzip")];
    let answer = api.call_with("POST", "/v1/restore", &headers, "a").await;
    answer.problem(415, "unsupported_media_type");
    assert_eq!(api.queue().await["counts"]["ready"], 0);
}

#[tokio::test]
async fn an_answer_goes_compressed_only_where_it_is_asked_for_and_worth_it() {
    let api = Api::start();
    for number in 0..10 {
        api.put(&format!("/v1/queues/q{number}"), ()).await.is(201);
    }
    let plain = api.get("/v1/queues").await.is(200);
    assert!(!plain.headers.contains_key("content-encoding"), "{plain:?}");
    for (accept, encoding) in [
        ("gzip, deflate", "gzip"),
        ("zstd", "zstd"),
        ("gzip;q=0.5, zstd", "zstd"),
    ] {
        let headers = [("accept-encoding", accept)];
        let answer = api
            .call_with("GET", "/v1/queues", &headers, ())
            .await
            .is(200);
        assert_eq!(answer.header("content-encoding"), encoding);
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("vary"), "accept-encoding");
        assert!(
            answer.body.len() * 4 < plain.body.len(),
            "{}",
            answer.body.len()
        );
        let decoded = match encoding {
            "gzip" => gunzip(&answer.body),
            _ => zstd::decode_all(&*answer.body).expect("zstd"),
        };
        let decoded: Value = serde_json::from_slice(&decoded).expect("JSON");
        assert_eq!(decoded["queues"].as_array().map(Vec::len), Some(10));
    }
    for (path, accept) in [
        ("/v1/queues", "br, identity"),
        ("/healthz", "gzip"),
        ("/v1/queues/no", "gzip"),
    ] {
        let headers = [("accept-encoding", accept)];
        let answer = api.call_with("GET", path, &headers, ()).await;
        assert!(
            !answer.headers.contains_key("content-encoding"),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_compressed_stream_still_goes_line_by_line() {
    let api = Api::start();
    api.load(json!({}), &["a", "b"]).await;
    let mut wire = api.wire().await;
    wire.send(
        "GET /v1/queues/q/outcomes?follow=true HTTP/1.1\r\nhost: localhost\r\naccept-encoding: gzip\r\n\r\n",
    )
    .await;
    let mut read = Vec::new();
    // Each line is seen before there is another.
    for item in ["a", "b"] {
        let held = api.take().await;
        assert_eq!(held.body, item);
        api.one(&held, "ack", ()).await.is(200);
        within(async {
            while !unzipped_so_far(&read).contains(&format!("\"body\":\"{item}\"")) {
                wire.read_some(&mut read).await;
            }
        })
        .await;
    }
    api.post("/v1/queues/q/seal", ()).await.is(200);
    within(async {
        while !read.ends_with(b"\r\n0\r\n\r\n") {
            wire.read_some(&mut read).await;
        }
    })
    .await;
}

/// What can be read of an answer in chunks of gzip that has not ended.
fn unzipped_so_far(answer: &[u8]) -> String {
    let text = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let Some(head) = text else {
        return String::new();
    };
    let mut rest = &answer[head + 4..];
    let mut encoded = Vec::new();
    while let Some(end) = rest.windows(2).position(|bytes| bytes == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a size");
        let Some(chunk) = rest.get(end + 2..end + 2 + size) else {
            break;
        };
        encoded.extend_from_slice(chunk);
        rest = rest.get(end + 4 + size..).unwrap_or_default();
    }
    let mut decoded = Vec::new();
    // Ends with an error: the rest is yet to come.
    let _cut = GzDecoder::new(&*encoded).read_to_end(&mut decoded);
    String::from_utf8(decoded).expect("text")
}
