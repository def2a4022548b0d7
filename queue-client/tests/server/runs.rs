//! Runs that are reported, against a real server.

use std::time::Duration;

use queue_api::{Code, RunPhase, RunReport};

use crate::{LONG, server};

fn report(run: &str) -> RunReport {
    RunReport {
        run: run.parse().unwrap(),
        spec: "spec".into(),
        namespace: None,
        phase: RunPhase::Running,
        started: "2026-11-21T16:00:00Z".parse().unwrap(),
        ended: None,
        message: None,
        updated: None,
        stale: false,
        steps: Vec::new(),
    }
}

#[tokio::test]
async fn a_run_is_known_from_its_report_until_it_is_forgotten() {
    let (_server, client) = server().await;
    let mut told = report("r");
    let error = client.run(&told.run).await.unwrap_err();
    assert_eq!(error.code(), Some(Code::NoSuchRun));
    client.report_run(&told, LONG).await.unwrap();
    told.phase = RunPhase::Failed;
    client.report_run(&told, LONG).await.unwrap();
    let known = client.run(&told.run).await.unwrap();
    assert!(known.updated.is_some());
    told.updated = known.updated;
    assert_eq!(known, told);
    assert_eq!(client.runs().await.unwrap(), [told.clone()]);
    client.forget_run(&told.run).await.unwrap();
    client.forget_run(&told.run).await.unwrap();
    assert_eq!(client.runs().await.unwrap(), []);
}

#[tokio::test]
async fn a_report_that_does_not_get_through_is_not_sent_again() {
    let (server, client) = server().await;
    drop(server);
    let begin = std::time::Instant::now();
    let error = client.report_run(&report("r"), LONG).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let patience = Duration::from_secs(10);
    assert!(
        begin.elapsed() < patience,
        "as long as other calls are repeated"
    );
}
