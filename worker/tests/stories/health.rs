//! What a kubelet hears.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::bench::Bench;

async fn get(address: &str, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_worker_answers_probes_under_kuards_paths_too() {
    let bench = Bench::new("{}").await;
    let args = ["--until", "forever", "--health-listen", "127.0.0.1:0"];
    let worker = bench.worker().args(args).sh("cat").start();
    worker.says("answering health probes on http://").await;
    let log = worker.log();
    let after = log.split("health probes on http://").nth(1).unwrap();
    let address = after.split_whitespace().next().unwrap();
    for path in ["/readyz", "/healthz", "/ready", "/healthy"] {
        assert_eq!(get(address, path).await, "HTTP/1.1 200 OK", "{path}");
    }
    assert_eq!(get(address, "/else").await, "HTTP/1.1 404 Not Found");
}

#[tokio::test]
async fn a_probe_address_that_is_taken_is_78() {
    let bench = Bench::new("{}").await;
    let taken = bench.url.strip_prefix("http://").unwrap();
    let mut worker = bench
        .worker()
        .args(["--health-listen", taken])
        .sh("cat")
        .start();
    assert_eq!(worker.exit().await, 78);
    assert!(worker.log().contains(taken), "{}", worker.log());
}
