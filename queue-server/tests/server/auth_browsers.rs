//! What a browser is made to send by a page of another site, and by a name that was made to lead here.

use rstest::rstest;
use serde_json::json;

use crate::harness::Api;

/// Calls that could change something: through the router, and around it.
const CHANGES: [(&str, &str); 4] = [
    ("PUT", "/v1/queues/q"),
    ("DELETE", "/v1/queues/q"),
    ("POST", "/v1/queues/q/items?create=true"),
    ("POST", "/memq/server/queues/q/enqueue"),
];

#[rstest]
#[case::says_so(&[("sec-fetch-site", "cross-site")])]
#[case::of_a_neighbour(&[("sec-fetch-site", "same-site")])]
#[case::of_an_old_browser(&[("origin", "http://evil.example")])]
#[case::of_a_file(&[("origin", "null")])]
#[tokio::test]
async fn a_page_of_another_site_changes_nothing(#[case] headers: &[(&str, &str)]) {
    let api = Api::start();
    for (method, path) in CHANGES {
        let refused = api.call_with(method, path, headers, "x").await;
        match path.starts_with("/memq/") {
            true => {
                let refused = refused.is(403);
                assert!(
                    refused.text().contains("another site"),
                    "{}",
                    refused.text()
                );
            }
            false => {
                let detail = refused.problem(403, "forbidden");
                assert!(detail.contains("another site"), "{detail}");
            }
        }
    }
    // What it could ask first, it hears no leave from.
    let asked = api.call_with("OPTIONS", "/v1/queues/q", headers, ()).await;
    asked.problem(403, "forbidden");
    // It cannot read the answer.
    let shown = api
        .call_with("GET", "/v1/queues", headers, ())
        .await
        .is(200);
    assert_eq!(shown.json()["queues"], json!([]));
    let leave = |name: &str| name.starts_with("access-control-");
    assert!(!shown.headers.keys().any(|name| leave(name.as_str())));
}

#[tokio::test]
async fn the_page_of_the_server_itself_may_change_things() {
    let api = Api::start();
    let own = format!("http://{}", api.address());
    for (at, headers) in [
        &[("sec-fetch-site", "same-origin"), ("origin", &*own)][..],
        &[("sec-fetch-site", "none")],
        &[("origin", &*own)],
    ]
    .into_iter()
    .enumerate()
    {
        let queue = format!("/v1/queues/q{at}");
        api.call_with("PUT", &queue, headers, ()).await.is(201);
        let items = format!("{queue}/items");
        api.call_with("POST", &items, headers, "x").await.is(201);
    }
}

#[tokio::test]
async fn a_name_that_was_made_to_lead_to_this_machine_is_not_answered() {
    let api = Api::start();
    let port = api.address().port();
    for host in ["evil.example".to_owned(), format!("evil.example:{port}")] {
        for request in [
            "GET /v1/queues",
            "GET /healthz",
            "GET /nowhere",
            "POST /v1/queues/q/lease",
        ] {
            let answer = ask(&api, request, &host).await;
            assert!(answer.starts_with("HTTP/1.1 403 "), "{request}: {answer}");
            assert!(answer.contains("--allow-host NAME"), "{answer}");
            assert!(answer.contains("\"forbidden\""), "{answer}");
        }
    }
    for host in ["localhost", "[::1]:80", "10.1.2.3", "memq.localhost:8080"] {
        let answer = ask(&api, "GET /v1/queues", host).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{host}: {answer}");
    }
}

#[tokio::test]
async fn a_name_that_the_server_was_told_is_answered() {
    let api = Api::start_with(|config| config.access.allow_hosts = vec!["queue.example".into()]);
    for (host, status) in [
        ("queue.example:80", "200"),
        ("localhost", "200"),
        ("other.example", "403"),
    ] {
        let answer = ask(&api, "GET /v1/queues", host).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{host}: {answer}");
    }
}

/// The whole answer to a request that finds the server by this name.
pub(crate) async fn ask(api: &Api, request: &str, host: &str) -> String {
    let mut wire = api.wire().await;
    wire.send(format!(
        "{request} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    ))
    .await;
    wire.read_to_end().await
}
