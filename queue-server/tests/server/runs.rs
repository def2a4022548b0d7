//! Runs as whoever carries them out reports them, and as those see them who watch.

use queue_api::limits::{MAX_PAGE_BYTES, MAX_RUN_REPORT_BYTES, MAX_RUNS, MAX_RUNS_BYTES};
use serde_json::{Value, json};

use crate::harness::{Api, Events};

fn report(run: &str, phase: &str) -> Value {
    json!({"run": run, "spec": "keygen", "phase": phase, "started": "2026-11-21T16:00:00Z"})
}

fn keys(done: u64) -> Value {
    json!({
        "name": "keys", "phase": "Running", "queues": ["keygen-abcde"], "done": done, "failed": 1, "total": 100,
        "eta_ms": 9000, "rate_per_s": 4.5, "workers": {"busy": 3, "idle": 1, "wanted": 5}, "binding": "Max",
        "started": "2026-11-21T16:00:01Z", "message": "57 of 100",
    })
}

#[tokio::test]
async fn a_report_is_shown_as_it_came_with_the_time_it_came() {
    let api = Api::start();
    api.get("/v1/runs/keygen-abcde")
        .await
        .problem(404, "no_such_run");
    let mut sent = report("keygen-abcde", "Running");
    sent["namespace"] = json!("team");
    sent["steps"] = json!([keys(56)]);
    api.put("/v1/runs/keygen-abcde", sent.to_string())
        .await
        .is(201);
    let mut shown = api.get("/v1/runs/keygen-abcde").await.is(200).json();
    let updated = shown["updated"].take();
    assert!(updated.as_str().is_some_and(|at| at.ends_with('Z')));
    shown.as_object_mut().expect("an object").remove("updated");
    assert_eq!(shown, sent);

    sent["phase"] = json!("Succeeded");
    sent["ended"] = json!("2026-11-21T16:01:00Z");
    api.put("/v1/runs/keygen-abcde", sent.to_string())
        .await
        .is(204);
    let mut later = report("later", "Pending");
    later["started"] = json!("2026-11-21T16:00:00.001Z");
    api.put("/v1/runs/later", later.to_string()).await.is(201);
    let listed = api.get("/v1/runs").await.is(200).json();
    assert_eq!(listed["runs"][0]["run"], "later");
    assert_eq!(listed["runs"][1]["phase"], "Succeeded");

    api.delete("/v1/runs/later").await.is(204);
    api.delete("/v1/runs/later")
        .await
        .problem(404, "no_such_run");
    let listed = api.get("/v1/runs").await.is(200).json();
    assert_eq!(listed["runs"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_report_that_is_not_as_it_should_be_changes_nothing() {
    let api = Api::start();
    let well = report("r", "Running");
    let with = |field: &str, value: Value| {
        let mut report = well.clone();
        report[field] = value;
        report
    };
    let step = |field: &str, value: Value| {
        let mut step = keys(1);
        step[field] = value;
        with("steps", json!([step]))
    };
    let short = json!({"name": "s", "phase": "Pending", "done": 0, "failed": 0, "total": 1});
    for (spoilt, told) in [
        (with("run", json!("other")), "`other`"),
        (with("run", json!("-r")), "not a run name"),
        (with("spec", json!("")), "spec is empty"),
        (with("phase", json!("running")), "unknown variant `running`"),
        (with("started", json!("yesterday")), "the report"),
        (with("eta", json!(1)), "unknown field `eta`"),
        (with("steps", json!(vec![short; 501])), "501"),
        (step("done", json!(-1)), "-1"),
        (step("rate_per_s", json!(-0.5)), "steps[0].rate_per_s"),
        (
            step("message", json!("m".repeat(2_049))),
            "steps[0].message",
        ),
        (step("queues", json!(["a b"])), "not a queue name"),
        (step("queues", json!(vec!["q"; 11])), "steps[0].queues"),
        (step("workers", json!({"busy": 1, "idle": 0})), "wanted"),
        (json!([well]), "the report"),
    ] {
        let answer = api.put("/v1/runs/r", spoilt.to_string()).await;
        let detail = answer.problem(400, "bad_request");
        assert!(detail.contains(told), "{detail}");
    }
    api.put("/v1/runs/-r", well.to_string())
        .await
        .problem(400, "bad_request");
    api.put("/v1/runs/r", ()).await.problem(400, "bad_request");
    let padded = format!("{well}{}", " ".repeat(MAX_RUN_REPORT_BYTES));
    api.put("/v1/runs/r", padded[..MAX_RUN_REPORT_BYTES].to_owned())
        .await
        .is(201);
    api.delete("/v1/runs/r").await.is(204);
    api.put("/v1/runs/r", padded[..=MAX_RUN_REPORT_BYTES].to_owned())
        .await
        .problem(413, "body_too_large");
    assert_eq!(
        api.get("/v1/runs").await.is(200).json(),
        json!({"runs": []})
    );
}

#[tokio::test]
async fn a_stream_tells_of_runs_beside_queues() {
    let api = Api::start();
    api.put("/v1/runs/early", report("early", "Succeeded").to_string())
        .await
        .is(201);
    api.make(json!({})).await;
    let mut events = Events::open(&api, "").await;
    let (name, snapshot) = events.next().await;
    assert_eq!(name, "snapshot");
    assert_eq!(snapshot["queues"][0]["name"], "q");
    assert_eq!(snapshot["runs"], api.get("/v1/runs").await.json()["runs"]);

    api.put("/v1/runs/r", report("r", "Running").to_string())
        .await
        .is(201);
    let shown = api.get("/v1/runs/r").await.is(200).json();
    assert_eq!(events.next().await, ("run".into(), shown));
    api.post("/v1/queues/q/pause", ()).await.is(200);
    assert_eq!(events.next().await.0, "queue");
    api.delete("/v1/runs/early").await.is(204);
    let gone = ("run_deleted".to_owned(), json!({"run": "early"}));
    assert_eq!(events.next().await, gone);
}

#[tokio::test]
async fn the_end_of_a_run_that_takes_its_server_along_is_still_told() {
    let mut api = Api::start();
    let mut events = Events::open(&api, "").await;
    events.next().await;
    api.put("/v1/runs/r", report("r", "Running").to_string())
        .await
        .is(201);
    assert_eq!(events.next().await.1["phase"], "Running");
    // Sooner than the stream would look again.
    api.put("/v1/runs/r", report("r", "Succeeded").to_string())
        .await
        .is(204);
    api.tell_to_stop();
    assert_eq!(events.next().await.1["phase"], "Succeeded");
    events.ends().await;
    assert_eq!(api.stopped().await.cut, 0);
}

#[tokio::test]
async fn a_stream_of_one_queue_tells_of_no_run() {
    let api = Api::start();
    api.make(json!({})).await;
    api.put("/v1/runs/early", report("early", "Running").to_string())
        .await
        .is(201);
    let mut events = Events::open(&api, "?queue=q").await;
    let (_, snapshot) = events.next().await;
    assert_eq!(snapshot.get("runs"), None);
    api.put("/v1/runs/late", report("late", "Running").to_string())
        .await
        .is(201);
    api.post("/v1/queues/q/pause", ()).await.is(200);
    assert_eq!(events.next().await.0, "queue");
}

#[tokio::test]
async fn of_more_runs_than_are_kept_the_first_that_ended_goes_and_watchers_hear_of_it() {
    let api = Api::start();
    for run in 0..MAX_RUNS {
        let (run, phase) = (
            format!("r{run}"),
            if run == 7 { "Failed" } else { "Running" },
        );
        let report = report(&run, phase).to_string();
        api.put(&format!("/v1/runs/{run}"), report).await.is(201);
    }
    let mut events = Events::open(&api, "").await;
    let (_, snapshot) = events.next().await;
    assert_eq!(snapshot["runs"].as_array().map(Vec::len), Some(MAX_RUNS));
    api.put("/v1/runs/more", report("more", "Running").to_string())
        .await
        .is(201);
    let (name, run) = events.next().await;
    assert_eq!((name.as_str(), &run["run"]), ("run", &json!("more")));
    let gone = ("run_deleted".to_owned(), json!({"run": "r7"}));
    assert_eq!(events.next().await, gone);
    api.get("/v1/runs/r7").await.problem(404, "no_such_run");
}

#[tokio::test]
async fn many_long_reports_are_listed_page_by_page_and_watched_whole() {
    let api = Api::start();
    let mut long = report("r", "Running");
    long["steps"] = json!(vec![keys(1); 200]);
    let bytes = long.to_string().len();
    assert!((40_000..MAX_RUN_REPORT_BYTES).contains(&bytes), "{bytes}");
    let kept = MAX_RUNS_BYTES / (bytes + 200);
    for run in 0..kept {
        let run = format!("r{run:03}");
        long["run"] = json!(run);
        api.put(&format!("/v1/runs/{run}"), long.to_string())
            .await
            .is(201);
    }
    let (mut listed, mut pages, mut query) = (Vec::new(), 0, "?limit=1000".to_owned());
    loop {
        let page = api.get(&format!("/v1/runs{query}")).await.is(200);
        let text = page.text();
        assert!(text.len() < MAX_PAGE_BYTES + MAX_RUN_REPORT_BYTES + 1_024);
        let page: Value = serde_json::from_str(&text).expect("JSON");
        listed.extend(page["runs"].as_array().expect("runs").clone());
        pages += 1;
        match page["next"].as_str() {
            Some(next) => query = format!("?limit=1000&after={next}"),
            None => break,
        }
    }
    assert!(pages > 4, "{pages} pages");
    assert_eq!(listed.len(), kept);
    let mut events = Events::open(&api, "").await;
    let (_, snapshot) = events.next().await;
    assert_eq!(snapshot["runs"], json!(listed));
}

#[tokio::test]
async fn a_list_of_runs_goes_on_at_a_place_and_nowhere_else() {
    let api = Api::start();
    for run in ["a", "b", "c"] {
        api.put(
            &format!("/v1/runs/{run}"),
            report(run, "Running").to_string(),
        )
        .await
        .is(201);
    }
    let page = api.get("/v1/runs?limit=2").await.is(200).json();
    assert_eq!(page["runs"].as_array().map(Vec::len), Some(2));
    let next = page["next"].as_str().expect("a place");
    let rest = api.get(&format!("/v1/runs?after={next}")).await.is(200);
    let rest = rest.json();
    assert_eq!(rest["runs"][0]["run"], "c");
    assert_eq!(rest.get("next"), None);
    for (query, told) in [
        ("limit=0", "limit is 0: give 1 to 1000"),
        ("limit=1001", "limit is 1001"),
        ("after=c", "after is no place"),
        ("page=2", "unknown field"),
    ] {
        let answer = api.get(&format!("/v1/runs?{query}")).await;
        let detail = answer.problem(400, "bad_request");
        assert!(detail.contains(told), "{detail}");
    }
}
