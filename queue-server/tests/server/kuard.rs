//! kuard's MemQ API as kuard's own server answers it: who knows only that must not notice us.

use std::process::Command;

use rstest::rstest;
use serde_json::{Value, json};

use crate::harness::{Answer, Api};

const JSON_HEADERS: [(&str, &str); 4] = [
    ("content-type", "application/json"),
    ("cache-control", "no-cache, private, max-age=0"),
    ("expires", "Thu, 01 Jan 1970 00:00:00 UTC"),
    ("pragma", "no-cache"),
];

async fn put(api: &Api, queue: &str) -> Answer {
    api.put(&format!("/memq/server/queues/{queue}"), ()).await
}

async fn post(api: &Api, call: &str, body: &str) -> Answer {
    api.post(&format!("/memq/server/queues/{call}"), body).await
}

/// A plain-text refusal, as Go's `http.Error` writes it.
#[track_caller]
fn refused(answer: &Answer, status: u16, text: &str) {
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (status, text),
        "{}",
        answer.request
    );
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}

#[track_caller]
fn is_json(answer: &Answer) {
    for (name, value) in JSON_HEADERS {
        assert_eq!(answer.header(name), value, "{}", answer.request);
    }
}

#[track_caller]
fn is_nothing(answer: &Answer, status: u16) {
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (status, ""),
        "{}",
        answer.request
    );
}

async fn stats(api: &Api) -> String {
    let answer = api.get("/memq/server/stats").await.is(200);
    is_json(&answer);
    answer.text()
}

#[tokio::test]
async fn a_queue_is_made_once_and_deleted_once() {
    let api = Api::start();
    is_nothing(&put(&api, "keygen").await, 200);
    refused(&put(&api, "keygen").await, 400, "already exists\n");
    is_nothing(&api.delete("/memq/server/queues/keygen").await, 200);
    refused(
        &api.delete("/memq/server/queues/keygen").await,
        400,
        "does not exist\n",
    );
}

#[tokio::test]
async fn a_queue_is_never_made_by_the_way() {
    let api = Api::start();
    for call in ["keygen/enqueue", "keygen/dequeue", "keygen/drain"] {
        refused(&post(&api, call, "x").await, 400, "does not exist\n");
    }
    assert_eq!(api.get("/v1/queues").await.json()["queues"], json!([]));
}

#[tokio::test]
async fn a_name_that_is_none_is_refused_as_every_other_error_is() {
    let api = Api::start();
    for call in ["-q/enqueue", "%ff/enqueue", "%ff/dequeue", "%ff/drain"] {
        let answer = post(&api, call, "x").await;
        let text = answer.text();
        assert!(text.len() > 1 && text.ends_with('\n'), "{text:?}");
        refused(&answer, 400, &text);
    }
    let made = put(&api, "%ff").await;
    refused(&made, 400, &made.text());
}

#[tokio::test]
async fn a_message_has_four_keys_in_order_on_one_line() {
    let api = Api::start();
    put(&api, "keygen").await;
    let enqueued = post(&api, "keygen/enqueue", "work-item-0").await.is(200);
    is_json(&enqueued);
    let text = enqueued.text();
    let message: Value = enqueued.parse();
    let (id, time) = (
        message["id"].as_str().expect("an id"),
        message["creationTimestamp"].as_str().expect("a time"),
    );
    assert_eq!(
        text,
        format!(
            "{{\"kind\":\"message\",\"id\":\"{id}\",\"body\":\"work-item-0\",\"creationTimestamp\":\"{time}\"}}\n"
        )
    );
    assert!(
        id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')),
        "{id}"
    );
    assert!(
        time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok(),
        "{time}"
    );

    let dequeued = post(&api, "keygen/dequeue", "").await.is(200);
    is_json(&dequeued);
    assert_eq!(dequeued.text(), text, "what comes out is what went in");
}

#[tokio::test]
async fn messages_come_out_oldest_first_and_once() {
    let api = Api::start();
    put(&api, "keygen").await;
    for body in ["a", "b", "c"] {
        post(&api, "keygen/enqueue", body).await.is(200);
    }
    for body in ["a", "b", "c"] {
        assert_eq!(
            post(&api, "keygen/dequeue", "").await.is(200).parse()["body"],
            body
        );
    }
    let nothing = post(&api, "keygen/dequeue", "").await;
    is_nothing(&nothing, 204);
}

#[rstest]
#[case::html("<b>&</b>", r"\u003cb\u003e\u0026\u003c/b\u003e")]
#[case::quotes("say \"hi\" \\", r#"say \"hi\" \\"#)]
#[case::lines("a\nb\r\tc", r"a\nb\r\tc")]
#[case::not_ascii("é💥", "é💥")]
#[tokio::test]
async fn text_is_escaped_as_go_does(#[case] body: &str, #[case] escaped: &str) {
    let api = Api::start();
    put(&api, "keygen").await;
    let answer = post(&api, "keygen/enqueue", body).await.is(200);
    assert!(
        answer.text().contains(&format!("\"body\":\"{escaped}\"")),
        "{}",
        answer.text()
    );
    assert_eq!(answer.parse()["body"], body, "and reads back as it was");
}

#[tokio::test]
async fn a_body_that_is_not_text_survives_in_our_own_api() {
    let api = Api::start();
    put(&api, "q").await;
    let body = vec![b'a', 0xff, b'z'];
    let shown = api
        .post("/memq/server/queues/q/enqueue", body)
        .await
        .is(200)
        .parse();
    assert_eq!(shown["body"], "a\u{fffd}z");
    assert_eq!(
        api.lease(json!({})).await["items"][0]["body_base64"],
        "Yf96"
    );
}

#[rstest]
#[case::curl("application/x-www-form-urlencoded")]
#[case::json("application/json")]
#[case::lines("application/x-ndjson")]
#[tokio::test]
async fn the_raw_bytes_are_the_item_whatever_their_type(#[case] content_type: &str) {
    let api = Api::start();
    put(&api, "q").await;
    let headers = [("content-type", content_type)];
    let path = "/memq/server/queues/q/enqueue";
    let answer = api
        .call_with("POST", path, &headers, "work-item-1&x=%20")
        .await
        .is(200);
    assert_eq!(answer.parse()["body"], "work-item-1&x=%20");
}

#[tokio::test]
async fn drain_throws_all_waiting_messages_away_and_counts_them() {
    let api = Api::start();
    put(&api, "keygen").await;
    for body in ["a", "b", "c"] {
        post(&api, "keygen/enqueue", body).await.is(200);
    }
    post(&api, "keygen/dequeue", "").await.is(200);
    is_nothing(&post(&api, "keygen/drain", "").await, 200);
    is_nothing(&post(&api, "keygen/dequeue", "").await, 204);
    assert_eq!(
        stats(&api).await,
        "{\"kind\":\"stats\",\"queues\":[{\"name\":\"keygen\",\"depth\":0,\"enqueued\":3,\"dequeued\":1,\"drained\":2}]}\n"
    );
}

#[tokio::test]
async fn stats_of_no_queues_are_a_list_of_none() {
    let api = Api::start();
    assert_eq!(stats(&api).await, "{\"kind\":\"stats\",\"queues\":[]}\n");
}

#[tokio::test]
async fn depth_counts_what_is_ready_and_dequeued_the_rest() {
    let api = Api::start();
    api.load(json!({}), &["a", "b", "c"]).await;
    let held = api.take().await;
    let line = |depth: u64, dequeued: u64| {
        format!(
            "{{\"kind\":\"stats\",\"queues\":[{{\"name\":\"q\",\"depth\":{depth},\"enqueued\":3,\"dequeued\":{dequeued},\"drained\":0}}]}}\n"
        )
    };
    assert_eq!(stats(&api).await, line(2, 1));
    api.one(&held, "release", ()).await.is(200);
    assert_eq!(stats(&api).await, line(3, 0));
}

#[tokio::test]
async fn a_message_and_an_item_are_the_same_thing() {
    let api = Api::start();
    put(&api, "q").await;
    let message = post(&api, "q/enqueue", "from kuard").await.is(200).parse();
    let held = api.take().await;
    assert_eq!(
        (message["id"].as_str(), held.body.as_str()),
        (Some(held.id.as_str()), "from kuard")
    );
    is_nothing(&post(&api, "q/dequeue", "").await, 204);
    api.one(&held, "ack", ()).await.is(200);

    let id = api.enqueue("from v1").await;
    let message = post(&api, "q/dequeue", "").await.is(200).parse();
    assert_eq!(
        (message["id"].as_str(), message["body"].as_str()),
        (Some(id.as_str()), Some("from v1"))
    );
    let queue = api.queue().await;
    assert_eq!(
        (&queue["totals"]["taken"], &queue["counts"]["done"]),
        (&json!(1), &json!(2))
    );
}

#[tokio::test]
async fn a_consumer_stays_while_the_queue_is_paused_and_leaves_when_the_rest_is_leased() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    api.post("/v1/queues/q/pause", ()).await.is(200);
    let paused = post(&api, "q/dequeue", "").await;
    assert_eq!(paused.status, 503, "on 204 it would leave");
    assert_eq!(paused.header("content-type"), "text/plain; charset=utf-8");
    api.post("/v1/queues/q/resume", ()).await.is(200);
    let held = api.take().await;
    is_nothing(&post(&api, "q/dequeue", "").await, 204);
    api.one(&held, "nack?delay_ms=60000", ()).await.is(200);
    is_nothing(&post(&api, "q/dequeue", "").await, 204);
}

#[tokio::test]
async fn a_sealed_queue_says_so() {
    let api = Api::start();
    api.load(json!({}), &["a"]).await;
    api.post("/v1/queues/q/seal", ()).await.is(200);
    refused(&post(&api, "q/enqueue", "b").await, 400, "sealed\n");
    post(&api, "q/dequeue", "").await.is(200);
}

#[rstest]
#[case::queue("GET", "/queues/q", &["PUT", "DELETE"])]
#[case::queue_post("POST", "/queues/q", &["PUT", "DELETE"])]
#[case::enqueue("GET", "/queues/q/enqueue", &["POST"])]
#[case::dequeue("GET", "/queues/q/dequeue", &["POST"])]
#[case::drain("DELETE", "/queues/q/drain", &["POST"])]
#[case::stats("POST", "/stats", &["GET"])]
#[tokio::test]
async fn another_method_is_405_in_plain_text(
    #[case] method: &str,
    #[case] path: &str,
    #[case] allowed: &[&str],
) {
    let api = Api::start();
    put(&api, "q").await;
    let answer = api
        .call(method, &format!("/memq/server{path}"), ())
        .await
        .is(405);
    assert!(
        answer.header("content-type").starts_with("text/plain"),
        "{answer:?}"
    );
    let allow = answer.header("allow").to_owned();
    for one in allowed {
        assert!(allow.contains(one), "{allow}");
    }
}

#[tokio::test]
async fn a_body_past_the_limit_is_refused_in_plain_text() {
    let api = Api::start();
    api.make(json!({"max_body_bytes": 3})).await;
    let answer = post(&api, "q/enqueue", "abcd").await.is(413);
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(api.queue().await["totals"]["enqueued"], 0);
}

#[tokio::test]
async fn a_dequeue_gives_the_oldest_to_one_of_many() {
    let api = Api::start();
    put(&api, "q").await;
    for n in 0..50 {
        post(&api, "q/enqueue", &n.to_string()).await.is(200);
    }
    let takers = (0..60).map(|_| post(&api, "q/dequeue", ""));
    let answers = futures_util::future::join_all(takers).await;
    let mut taken: Vec<u32> = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .map(|answer| {
            answer.parse()["body"]
                .as_str()
                .expect("text")
                .parse()
                .expect("a number")
        })
        .collect();
    taken.sort_unstable();
    assert_eq!(taken, (0..50).collect::<Vec<_>>());
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 204).count(),
        10
    );
}

/// The session of the book's reader, with the program that the reader has.
#[tokio::test]
async fn the_books_curl_session_works_as_printed() {
    for program in ["curl", "bash"] {
        if Command::new(program).arg("--version").output().is_err() {
            eprintln!(
                "SKIPPED: the book's curl session was NOT tried, for there is no {program} here"
            );
            return;
        }
    }
    let api = Api::start();
    let session = r#"set -e
        curl -sS -X PUT HOST/memq/server/queues/keygen
        for i in work-item-{0..99}; do curl -sS -X POST HOST/memq/server/queues/keygen/enqueue -d "$i"; done
        curl -sS HOST/memq/server/stats"#;
    let session = session.replace("HOST", &api.address().to_string());
    let run = move || {
        Command::new("bash")
            .env("no_proxy", "*")
            .args(["-c", &session])
            .output()
    };
    let output = tokio::task::spawn_blocking(run)
        .await
        .expect("it ran")
        .expect("bash runs");
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 101, "{printed}");
    for (n, line) in lines[..100].iter().enumerate() {
        let message: Value = serde_json::from_str(line).expect("a message");
        assert_eq!(message["body"], format!("work-item-{n}"));
    }
    assert_eq!(
        lines[100],
        r#"{"kind":"stats","queues":[{"name":"keygen","depth":100,"enqueued":100,"dequeued":0,"drained":0}]}"#
    );
    let first = post(&api, "keygen/dequeue", "").await.is(200).parse();
    assert_eq!(first["body"], "work-item-0");
}
