//! Examples and ways to install that stand in `manifests/`.

use std::fs;
use std::process::Command;
use std::sync::atomic::Ordering;

use anyhow::{Result, ensure};

use super::super::cluster;
use super::place::{Install, Place};
use super::runs;

/// Jobs of one's own on an installed queue.
pub(super) fn workers(place: &Place<'_>) -> Result<()> {
    place.install(&Install::DEV)?;
    let forward = place.forward("svc/memq", 8080)?;
    let load = |queue: &str, items: &str| -> Result<()> {
        place
            .memq(
                Some(&forward),
                &["load", queue, "--create", "--seal"],
                items,
            )?
            .ok()?;
        Ok(())
    };
    load("stuck", "1\n2\n3\n")?;
    load("colours", "red\ngreen\nblue\n")?;
    let keys: String = (1..=20).map(|n| format!("{n}\n")).collect();
    load("keygen", &keys)?;
    place.apply(&place.example("workers/job-stuck.yaml")?)?;
    // Python is large, and a shell shows the same.
    let any = place.example("workers/job-any-image.yaml")?;
    let shell = any
        .replace(
            "image: python:3.13-slim",
            &format!("image: {}", place.cluster.means.busybox),
        )
        .replace(
            "args: [python, /handler/handler.py]",
            "args: [sh, -c, 'read -r body; echo ${#body}']",
        );
    ensure!(shell != any, "the example is not what it was");
    place.apply(&shell)?;
    place.apply(&place.example("workers/job-keygen.yaml")?)?;
    for (job, queue, items) in [
        ("keygen-workers", "keygen", 20),
        ("colours", "colours", 3),
        ("stuck", "stuck", 3),
    ] {
        let (end, _) = place.job_ends(job)?;
        ensure!(end == "Complete", "Job {job} ended {end}");
        let found = runs::ask(place, &forward, &format!("/v1/queues/{queue}"))?;
        let done = found["drained"] == true && found["counts"]["done"] == items;
        ensure!(done, "queue {queue} is drained with {items} done: {found}");
    }
    let pods = place.list("pods", "example=stuck")?;
    let restarts: u64 = pods
        .iter()
        .filter_map(|pod| pod["status"]["containerStatuses"][0]["restartCount"].as_u64())
        .sum();
    ensure!(
        pods.len() == 1 && restarts == 1,
        "liveness restarts it once in its pod: {restarts} in {} pods",
        pods.len()
    );
    place.kubectl(&["delete", "jobs,configmaps", "-l", "example"])?;
    Ok(())
}

/// The night's Run, now.
pub(super) fn cronjob(place: &Place<'_>) -> Result<()> {
    place.install(&Install::DEV)?;
    let example = place.example("cronjob-run.yaml")?;
    let small = example.replace("count: 100", "count: 5");
    ensure!(small != example, "the example is not what it was");
    place.apply(&small)?;
    place.kubectl(&["create", "job", "--from=cronjob/nightly-keygen", "now"])?;
    let (end, _) = place.job_ends("now")?;
    ensure!(end == "Complete", "the CronJob's Job ended {end}");
    let found = place.kubectl(&["get", "runs", "-o", "jsonpath={.items[*].metadata.name}"])?;
    ensure!(
        found.starts_with("nightly-keygen-") && !found.contains(' '),
        "it made one Run: {found}"
    );
    let run = runs::succeeds(place, &found)?;
    runs::all_done(&run, 5)
}

/// The chart as it is.
pub(super) fn helm(place: &Place<'_>) -> Result<()> {
    let helm = &place.cluster.means.helm;
    if !helm.is_file() {
        return place.skip("there is no helm");
    }
    let chart = cluster::manifests().join("chart/memq");
    let image = &place.cluster.means.image;
    let Some((repository, tag)) = image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'))
    else {
        return place.skip("the image has no tag to give to the chart");
    };
    // A CRD that somebody else installed is theirs, and helm does not take it over.
    let crds = place.cluster.has_crd()?;
    place.cluster.brought_crd.store(true, Ordering::Relaxed);
    let run = |args: &[&str]| {
        let mut command = Command::new(helm);
        command
            .env("KUBECONFIG", &place.cluster.means.kubeconfig)
            .args(args)
            .args(["-n", &place.namespace]);
        place.run(&mut command)?.ok()
    };
    let values = format!(
        "image: {{repository: \"{repository}\", tag: \"{tag}\"}}\ncrds: {{install: {}}}\n",
        !crds
    );
    let file = place.folder.join("values.yaml");
    fs::write(&file, values)?;
    let (chart, dev) = (
        chart.display().to_string(),
        chart.join("values-dev.yaml").display().to_string(),
    );
    run(&[
        "install",
        "memq",
        &chart,
        "-f",
        &dev,
        "-f",
        &file.display().to_string(),
        "--wait",
        "--timeout=3m",
    ])?;
    run(&["test", "memq", "--timeout=3m"])?;
    let name = runs::create(
        place,
        "steps: [{name: hello, items: {list: [a, b, c]}, builtin: echo}]",
    )?;
    let done = runs::succeeds(place, &name)?;
    runs::all_done(&done, 3)?;
    run(&["uninstall", "memq", "--wait"])?;
    ensure!(
        place.cluster.has_crd()?,
        "the kind Run stays, and with it all Runs"
    );
    Ok(())
}
