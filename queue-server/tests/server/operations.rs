//! What operators and their machines ask: is it alive, may it serve, what does it hold.

use std::collections::HashMap;

use serde_json::json;

use crate::harness::Api;

#[tokio::test]
async fn a_server_that_runs_is_alive_and_ready() {
    let api = Api::start();
    api.get("/healthz").await.is(200);
    api.get("/readyz").await.is(200);
}

/// Samples of the Prometheus text format, each line checked for form: a sample's family was
/// described before it, once, and no sample stands twice.
fn samples(text: &str) -> HashMap<String, f64> {
    assert!(text.ends_with('\n'), "the last line is ended");
    let (mut helped, mut typed) = (HashMap::new(), HashMap::new());
    let mut samples = HashMap::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, sentence) = help.split_once(' ').expect("a name and its help");
            assert!(sentence.len() > 10, "help is a sentence: {line}");
            assert_eq!(
                helped.insert(name, sentence),
                None,
                "described twice: {line}"
            );
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a name and its type");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(typed.insert(name, kind), None, "described twice: {line}");
        } else {
            let (sample, value) = line.rsplit_once(' ').expect("a sample and its value");
            let name = sample.split('{').next().expect("a name");
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end))
                .unwrap_or(name);
            assert!(name.starts_with("memq_"), "{line}");
            assert!(
                typed.contains_key(name) || typed.contains_key(family),
                "not described: {line}"
            );
            let value: f64 = value.parse().unwrap_or_else(|e| panic!("{line}: {e}"));
            assert_eq!(
                samples.insert(sample.to_owned(), value),
                None,
                "twice: {line}"
            );
        }
    }
    samples
}

#[tokio::test]
async fn metrics_are_text_that_prometheus_reads() {
    let api = Api::start();
    let answer = api.get("/metrics").await.is(200);
    assert!(
        answer
            .header("content-type")
            .starts_with("text/plain; version=0.0.4"),
        "{answer:?}"
    );
    assert!(!samples(&answer.text()).is_empty());
}

#[tokio::test]
async fn metrics_hold_each_queues_counts_and_totals() {
    let api = Api::start();
    api.load(json!({"max_attempts": 1}), &["a", "b", "c", "d", "e"])
        .await;
    api.put("/v1/queues/other", ()).await.is(201);
    for verdict in ["ack", "nack", "release?delay_ms=60000"] {
        let held = api.take().await;
        api.one(&held, verdict, ()).await.is(200);
    }
    api.take().await;
    let queue = api.queue().await;
    let samples = samples(&api.get("/metrics").await.is(200).text());
    for (state, count) in queue["counts"].as_object().expect("counts") {
        let sample = format!("memq_queue_items{{queue=\"q\",state=\"{state}\"}}");
        assert_eq!(samples.get(&sample), count.as_f64().as_ref(), "{sample}");
    }
    for (event, count) in queue["totals"].as_object().expect("totals") {
        let sample = format!("memq_queue_events_total{{event=\"{event}\",queue=\"q\"}}");
        assert_eq!(samples.get(&sample), count.as_f64().as_ref(), "{sample}");
    }
    assert_eq!(
        samples.get("memq_queue_items{queue=\"other\",state=\"ready\"}"),
        Some(&0.0)
    );
    assert_eq!(samples.get("memq_queues"), Some(&2.0));
}

#[tokio::test]
async fn a_deleted_queue_is_no_longer_in_the_metrics() {
    let api = Api::start();
    api.make(json!({})).await;
    assert!(api.get("/metrics").await.text().contains("queue=\"q\""));
    api.delete("/v1/queues/q").await.is(204);
    assert!(!api.get("/metrics").await.text().contains("queue=\"q\""));
}
