//! Whom an export of spans trusts, and what is said where it cannot be: collectors behind TLS, and variables that
//! name the wrong thing.

use std::io::{Seek as _, Write as _};
use std::path::Path;

use serde_json::Value;

use crate::collector::{Authority, Collector};
use crate::support::{Server, memq, said};

const TRUSTED: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";
const OWN: &str = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE";
const OWN_KEY: &str = "OTEL_EXPORTER_OTLP_CLIENT_KEY";

/// What a worker says, and what comes to the collector, where the worker has one item to do and these variables.
async fn said_by_a_worker(variables: &[(&str, &str)]) -> Vec<Value> {
    let variables: Vec<(String, String)> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let run = tokio::task::spawn_blocking(move || {
        let words = ["server", "--listen", "127.0.0.1:0", "--storage", "memory"];
        let server = Server::start(memq(&words));
        let url = &server.url;
        let mut load = memq(&["load", "q", "-", "--server", url, "--create", "--seal"]);
        let mut items = tempfile::tempfile().unwrap();
        items.write_all(b"an item\n").unwrap();
        items.rewind().unwrap();
        load.stdin(items);
        said(load);
        let mut worker = memq(&[
            "worker", "--server", url, "--queue", "q", "--until", "drained", "--", "true",
        ]);
        worker.envs(variables).env("MEMQ_LOG", "info");
        let lines = said(worker);
        server.stop();
        lines
    });
    let lines = run.await.unwrap();
    let lines: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let done = |line: &Value| {
        let message = line["message"].as_str().unwrap_or_default();
        message.contains("the queue is finished")
    };
    assert!(lines.iter().any(done), "it works all the same: {lines:#?}");
    lines
}

/// What a line tells of the export's failure: its level, and what went wrong.
fn told(lines: &[Value]) -> (&str, &str) {
    let failure = |line: &&Value| {
        let message = line["message"].as_str().unwrap_or_default();
        message.starts_with("spans ")
    };
    let line = lines.iter().find(failure);
    let line = line.unwrap_or_else(|| panic!("nothing of spans in {lines:#?}"));
    (
        line["level"].as_str().unwrap(),
        line["error.message"].as_str().unwrap(),
    )
}

fn written(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_is_trusted_if_a_variable_names_who_signed_it() {
    let authority = Authority::new("ours");
    let dir = tempfile::tempdir().unwrap();
    let ca = written(dir.path(), "ca.pem", &authority.pem());
    let other = written(dir.path(), "other.pem", &Authority::new("other").pem());
    for trusting in [
        &[(TRUSTED, ca.as_str())][..],
        &[("SSL_CERT_FILE", &ca)],
        // The variable for traces alone comes first, and what it says of trust is all there is.
        &[
            ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", &ca),
            (TRUSTED, &other),
            ("SSL_CERT_FILE", &other),
        ],
    ] {
        let collector = Collector::default();
        let to = collector.start_secured(&authority, false).await;
        let mut variables = trusting.to_vec();
        variables.push(("OTEL_EXPORTER_OTLP_ENDPOINT", &to));
        said_by_a_worker(&variables).await;
        assert_eq!(collector.names(), ["attempt q"], "{trusting:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_asks_who_calls_is_shown_a_certificate() {
    let authority = Authority::new("ours");
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = authority.sign();
    let ca = written(dir.path(), "ca.pem", &authority.pem());
    let own = written(dir.path(), "own.pem", &certificate.pem());
    let own_key = written(dir.path(), "own.key", &key.serialize_pem());
    let collector = Collector::default();
    let to = collector.start_secured(&authority, true).await;
    let mut variables = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", to.as_str()), (TRUSTED, &ca)];
    let stranger = said_by_a_worker(&variables).await;
    let (level, why) = told(&stranger);
    assert!(
        level == "WARN" && why.contains("CertificateRequired"),
        "{why}"
    );
    variables.extend([(OWN, own.as_str()), (OWN_KEY, &own_key)]);
    said_by_a_worker(&variables).await;
    assert_eq!(collector.names(), ["attempt q"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_fails_says_why() {
    let authority = Authority::new("ours");
    let dir = tempfile::tempdir().unwrap();
    let ca = written(dir.path(), "ca.pem", &authority.pem());
    let other = written(dir.path(), "other.pem", &Authority::new("other").pem());
    let none = written(dir.path(), "none.pem", "no certificate\n");
    let missing = dir.path().join("missing.pem");
    let missing = missing.to_str().unwrap();
    let collector = Collector::default();
    let secured = collector.start_secured(&authority, false).await;
    let plain = collector.start().await;
    let crossed = plain.replace("http:", "https:");
    let with_secrets = secured.replace("//", "//me:hidden@") + "/?key=hidden";
    for (to, variables, level, says) in [
        (
            &secured,
            &[(TRUSTED, other.as_str())][..],
            "WARN",
            "UnknownIssuer",
        ),
        (&secured, &[], "WARN", "UnknownIssuer"),
        (&with_secrets, &[], "WARN", "UnknownIssuer"),
        (&crossed, &[(TRUSTED, &ca)], "WARN", "InvalidContentType"),
        (
            &secured,
            &[(TRUSTED, missing)],
            "ERROR",
            "missing.pem, which OTEL_EXPORTER_OTLP_CERTIFICATE names: No such file",
        ),
        (
            &secured,
            &[(TRUSTED, &none)],
            "ERROR",
            "cannot find a certificate in",
        ),
        (&secured, &[(OWN, &ca)], "ERROR", "set both or none"),
        (
            &secured,
            &[(OWN, &ca), (OWN_KEY, &none)],
            "ERROR",
            "cannot use the certificate and the key",
        ),
    ] {
        let mut all = variables.to_vec();
        all.push(("OTEL_EXPORTER_OTLP_ENDPOINT", to));
        let lines = said_by_a_worker(&all).await;
        let (said_level, why) = told(&lines);
        assert!(said_level == level && why.contains(says), "{says}: {why}");
        let host = to
            .rsplit('@')
            .next()
            .unwrap()
            .trim_start_matches("https://");
        let host = host.split('/').next().unwrap();
        assert!(level == "ERROR" || why.starts_with(host), "{host}: {why}");
        assert!(!why.contains("hidden"), "{why}");
    }
    assert_eq!(collector.names(), [""; 0]);
}
