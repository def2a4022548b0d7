//! The chapter on Jobs, as its reader types it, with our image in place of kuard's.

use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};

use super::super::cluster;
use super::place::{Place, text};
use super::runs::ask;

/// The whole of `manifests/examples/book`, in the order of the book.
pub(super) fn work_queue(place: &Place<'_>) -> Result<()> {
    place.apply(&place.example("book/rs-queue.yaml")?)?;
    place.apply(&place.example("book/service-queue.yaml")?)?;
    place.until_true("the queue is ready", || {
        let pods = place.list("pods", "component=queue")?;
        Ok(pods.first().is_some_and(|pod| {
            let conditions = pod["status"]["conditions"].as_array();
            conditions
                .into_iter()
                .flatten()
                .any(|c| c["type"] == "Ready" && c["status"] == "True")
        }))
    })?;
    let forward = place.forward("rs/queue", 8080)?;
    let script = cluster::manifests().join("examples/book/load-queue.sh");
    place
        .run(Command::new("bash").arg(script).arg(&forward.url))?
        .ok()?;
    let stats = ask(place, &forward, "/memq/server/stats")?;
    ensure!(
        stats["queues"][0]["depth"] == 100,
        "a hundred items were loaded: {stats}"
    );

    let consumers = place.example("book/job-consumers.yaml")?;
    place.apply(&consumers)?;
    let (end, job) = place.job_ends("consumers")?;
    ensure!(end == "Complete", "the consumers ended {end}");
    ensure!(
        job["spec"]["completions"].is_null(),
        "completions is not set in the book"
    );
    ensure!(
        job["status"]["succeeded"] == 5,
        "five consumers leave with success: {}",
        job["status"]
    );
    let stats = ask(place, &forward, "/memq/server/stats")?;
    let queue = &stats["queues"][0];
    ensure!(
        queue["depth"] == 0 && queue["dequeued"] == 100,
        "every item was taken: {stats}"
    );
    let logs = place.kubectl(&[
        "logs",
        "-l",
        "component=consumer",
        "--tail=-1",
        "--max-log-requests=5",
    ])?;
    let done = logs
        .lines()
        .filter(|line| line.contains("Item done: SHA256:"))
        .count();
    ensure!(done == 100, "a key was made for each item: {done}");

    place.kubectl(&["delete", "rs,svc,job", "-l", "chapter=jobs", "--wait=false"])?;
    place.until_true("nothing with the label is left", || {
        let left =
            place.kubectl(&["get", "rs,svc,job,pods", "-l", "chapter=jobs", "-o", "name"])?;
        Ok(left.trim().is_empty())
    })
}

/// The Jobs of the chapter that need no queue, all at once.
pub(super) fn jobs(place: &Place<'_>) -> Result<()> {
    for file in ["oneshot", "oneshot-on-failure", "oneshot-never", "parallel"] {
        let text = place.example(&format!("book/job-{file}.yaml"))?;
        fs::write(place.folder.join(format!("{file}.yaml")), &text)?;
        place.apply(&text)?;
    }
    let mut restarts = 0;
    place.until_true(
        "the one that fails under OnFailure was restarted in its pod",
        || {
            let pods = place.list("pods", "job-name=oneshot-on-failure")?;
            ensure!(pods.len() <= 1, "OnFailure makes no second pod");
            let pod = pods.first();
            let count =
                pod.and_then(|pod| pod["status"]["containerStatuses"][0]["restartCount"].as_u64());
            restarts = restarts.max(count.unwrap_or(0));
            Ok(restarts > 0)
        },
    )?;
    let (end, _) = place.job_ends("oneshot")?;
    ensure!(end == "Complete", "the one shot ended {end}");
    let logs = place.kubectl(&["logs", "job/oneshot"])?;
    ensure!(
        logs.matches("Item done: SHA256:").count() == 10,
        "ten keys are made: {logs}"
    );
    let (end, job) = place.job_ends("parallel")?;
    ensure!(
        end == "Complete" && job["status"]["succeeded"] == 10,
        "ten by five: {}",
        job["status"]
    );

    for name in ["oneshot-never", "oneshot-on-failure"] {
        let (end, job) = place.job_ends(name)?;
        let conditions = job["status"]["conditions"].to_string();
        ensure!(
            end == "Failed" && conditions.contains("BackoffLimitExceeded"),
            "{name} ended {end}: {conditions}"
        );
    }
    let pods = place.list("pods", "job-name=oneshot-never")?;
    ensure!(
        pods.len() == 4,
        "Never leaves a pod of each of four tries: {}",
        pods.len()
    );
    for pod in &pods {
        let state = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
        ensure!(
            state["exitCode"] == 1,
            "a try ended otherwise: {state} of {}",
            text(&pod["metadata"]["name"])
        );
    }
    Ok(())
}
