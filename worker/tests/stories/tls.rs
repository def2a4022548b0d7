//! Workers whose server is called by `https:` and speaks plain HTTP.

use crate::bench::{Bench, Worker};

#[tokio::test]
async fn a_server_without_tls_is_not_waited_for() {
    let bench = Bench::with("{}", &["1"]).await;
    let https = bench.url.replace("http:", "https:");
    let args = ["--server", &https, "--queue", "q"];
    let mut worker = Worker::bare().args(args).sh("cat").start();
    assert_eq!(worker.exit().await, 78, "{}", worker.log());
    let log = worker.log();
    assert!(log.contains("do not agree on TLS"), "{log}");
    assert!(log.contains(&format!("call it at {},", bench.url)), "{log}");
}
