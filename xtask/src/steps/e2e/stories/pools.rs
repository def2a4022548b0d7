//! Pools of workers that lose their pods one way or another, and one that grows and shrinks.

use anyhow::{Result, ensure};

use super::place::{Install, Place, text};
use super::runs;

/// One in a thousand takes long, so that the end has a tail.
pub(super) fn a_thousand_items(place: &Place<'_>) -> Result<()> {
    const MOST: u64 = 8;
    place.install(&Install::DEV)?;
    let short = "300ms, ".repeat(996);
    let name = runs::create(
        place,
        &format!(
            "steps:\n- name: nap\n  items: {{list: [{short}55s, 55s, 55s, 55s]}}\n  builtin: sleep\n  workers: {{min: 1, max: {MOST}}}\n"
        ),
    )?;
    let mut wanted = Vec::new();
    let mut asked = Vec::new();
    let run = place.until("the Run has ended", || {
        let run = runs::jobs(place, &name)?;
        asked.extend(
            run.iter()
                .filter_map(|job| job["spec"]["parallelism"].as_u64()),
        );
        let run = place.get("run", &name)?;
        wanted.extend(run["status"]["steps"][0]["pool"]["sizing"]["wanted"].as_u64());
        Ok(runs::has_ended(&run).then_some(run))
    })?;
    ensure!(
        runs::phase(&run) == "Succeeded",
        "it ended {}",
        runs::phase(&run)
    );
    runs::all_done(&run, 1000)?;
    wanted.dedup();
    asked.dedup();
    let first = wanted.first().copied().unwrap_or(0);
    let top = asked.iter().copied().max().unwrap_or(0);
    let last = asked.last().copied().unwrap_or(0);
    ensure!((1..=4).contains(&first), "it begins small: {wanted:?}");
    ensure!(top == MOST, "it grows to what is allowed: {asked:?}");
    ensure!(
        last <= 4,
        "four long items need no more than four workers: wanted {wanted:?}, asked for {asked:?}"
    );
    Ok(())
}

/// A pod is taken away by force while it works, and its items go to others.
pub(super) fn killed_in_mid_item(place: &Place<'_>) -> Result<()> {
    place.install(&Install::DEV)?;
    let name = runs::create(
        place,
        "
steps:
- name: nap
  items: {list: [4s, 4s, 4s, 4s, 4s, 4s, 4s, 4s]}
  builtin: sleep
  workers: 2
",
    )?;
    // The handler kills itself the first time it sees an item: that is an attempt, not a worker.
    let shell = runs::create(
        place,
        &format!(
            r#"
steps:
- name: kill
  items: {{count: 6}}
  image: {image}
  script: |
    if [ "$MEMQ_ATTEMPT" = 1 ]; then kill -9 $$; fi
    echo "done at $MEMQ_ATTEMPT"
  workers: 2
  item: {{attempts: 2, backoff: 1s}}
"#,
            image = place.cluster.means.busybox
        ),
    )?;
    runs::until_done(place, &name, 1)?;
    let pods = runs::running_pods(place, &name)?;
    let Some(pod) = pods.first() else {
        anyhow::bail!("no worker runs though an item was done");
    };
    place.kubectl(&["delete", "pod", pod, "--force", "--grace-period=0"])?;
    let run = runs::succeeds(place, &name)?;
    runs::all_done(&run, 8)?;
    let run = runs::succeeds(place, &shell)?;
    runs::all_done(&run, 6)?;
    ensure!(
        run["status"]["steps"][0]["failedPods"].is_null(),
        "a handler that dies costs no pod: {}",
        run["status"]
    );
    Ok(())
}

/// All workers are told to stop in the middle: they exit 75, which is not the end of the pool.
pub(super) fn told_to_stop(place: &Place<'_>) -> Result<()> {
    place.install(&Install::DEV)?;
    let name = runs::create(
        place,
        "
steps:
- name: nap
  items: {count: 30, format: \"1%03dms\"}
  builtin: sleep
  workers: 2
",
    )?;
    runs::until_done(place, &name, 3)?;
    let before = runs::running_pods(place, &name)?;
    ensure!(before.len() == 2, "two workers run: {before:?}");
    for pod in &before {
        // Held until its exit was read: a pod that has ended goes in an instant.
        let hold = format!("{{\"metadata\": {{\"finalizers\": [\"{HOLD}\"]}}}}");
        place.kubectl(&["patch", "pod", pod, "-p", &hold])?;
    }
    place.kubectl(&["delete", "pod", "--wait=false", &before[0], &before[1]])?;
    let exits: Vec<Result<i64>> = before.iter().map(|pod| exit(place, pod)).collect();
    for pod in &before {
        release(place, pod)?;
    }
    for exit in exits {
        let exit = exit?;
        ensure!(exit == 75, "who is told to stop exits 75, and not {exit}");
    }
    place.until_true("other workers take over", || {
        let pods = runs::running_pods(place, &name)?;
        Ok(pods.iter().any(|pod| !before.contains(pod)))
    })?;
    let run = runs::succeeds(place, &name)?;
    runs::all_done(&run, 30)
}

/// A finalizer of ours.
const HOLD: &str = "memq.dev/e2e";

/// Waits for the exit code of a pod's worker.
fn exit(place: &Place<'_>, pod: &str) -> Result<i64> {
    place.until(format_args!("pod {pod} has ended"), || {
        let pod = place.get("pod", pod)?;
        let state = &pod["status"]["containerStatuses"][0]["state"];
        Ok(state["terminated"]["exitCode"].as_i64())
    })
}

/// Lets a pod go that was held.
fn release(place: &Place<'_>, pod: &str) -> Result<()> {
    let patch =
        format!("{{\"metadata\": {{\"$deleteFromPrimitiveList/finalizers\": [\"{HOLD}\"]}}}}");
    place.kubectl(&["patch", "pod", pod, "-p", &patch])?;
    Ok(())
}

/// A Job that forgives one lost pod loses two: it ends Failed, and the queue's word counts.
pub(super) fn lost_pods(place: &Place<'_>) -> Result<()> {
    place.install(&Install::DEV)?;
    let name = runs::create(
        place,
        "
steps:
- name: nap
  items: {list: [20s, 20s, 20s, 3s, 3s, 3s, 3s, 3s, 3s]}
  builtin: sleep
  workers: 3
",
    )?;
    // A worker is ready once it has an item.
    place.until_true("three workers have an item each", || {
        let jobs = runs::jobs(place, &name)?;
        Ok(jobs.first().is_some_and(|job| job["status"]["ready"] == 3))
    })?;
    let jobs: Vec<String> = runs::jobs(place, &name)?
        .iter()
        .map(runs::name_of)
        .collect();
    let [job] = jobs.as_slice() else {
        anyhow::bail!("a pool begins with one Job: {jobs:?}");
    };
    let limit = "{\"spec\": {\"backoffLimit\": 1}}";
    place.kubectl(&["patch", "job", job, "--type=merge", "-p", limit])?;
    let pods = runs::running_pods(place, &name)?;
    ensure!(pods.len() == 3, "three workers run: {pods:?}");
    // Told to stop, and killed a second later: exit 137 counts. Deletion by force would not, as long as the
    // Job has a podFailurePolicy.
    let killed = ["delete", "pod", &pods[0], &pods[1], "--grace-period=1"];
    place.kubectl(&killed)?;
    let (end, _) = place.job_ends(job)?;
    ensure!(end == "Failed", "the Job ended {end}");
    let run = runs::succeeds(place, &name)?;
    runs::all_done(&run, 9)?;
    let step = runs::step(&run, "nap")?;
    ensure!(
        text(&step["message"]).contains("BackoffLimitExceeded"),
        "that the Job said otherwise is kept: {step}"
    );
    Ok(())
}
