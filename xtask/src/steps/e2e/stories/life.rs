//! What becomes of Runs: cancelled, deleted, expired, refused, or on a queue that is not theirs.

use anyhow::{Result, ensure};

use super::place::{Install, Place, text};
use super::runs;

const LONG: &str = "
steps:
- name: nap
  items: {count: 20, format: \"1%02ds\"}
  builtin: sleep
  workers: 2
";

/// Its Jobs end, its status stays.
pub(super) fn cancel(place: &Place<'_>) -> Result<()> {
    place.install(&Install::DEV)?;
    let name = runs::create(place, LONG)?;
    place.until_true("two workers run", || {
        Ok(runs::running_pods(place, &name)?.len() == 2)
    })?;
    place.kubectl(&["annotate", "run", &name, "memq.dev/cancel=enough"])?;
    let run = runs::ends(place, &name)?;
    ensure!(
        runs::phase(&run) == "Cancelled",
        "it ended {}",
        runs::phase(&run)
    );
    ensure!(
        runs::condition(&run, "Finished").is_some_and(|c| c["status"] == "True"),
        "a cancelled Run is finished"
    );
    place.until_true("no pod of it is left", || {
        Ok(runs::living_pods(place, &name)?.is_empty())
    })
}

/// Kubernetes takes its Jobs and pods, the controller its queue.
pub(super) fn delete(place: &Place<'_>) -> Result<()> {
    place.install(&Install::DEV)?;
    let name = runs::create(place, LONG)?;
    place.until_true("two workers run", || {
        Ok(runs::running_pods(place, &name)?.len() == 2)
    })?;
    let forward = place.forward("svc/memq", 8080)?;
    let queues = runs::ask(place, &forward, "/v1/queues")?;
    ensure!(
        queues.to_string().contains(&name),
        "the Run has a queue: {queues}"
    );
    place.kubectl(&["delete", "run", &name])?;
    place.until_true("its Jobs, its pods and its queue are gone", || {
        let labels = format!("memq.dev/run={name}");
        let left = place.kubectl(&["get", "jobs,pods,configmaps", "-l", &labels, "-o", "name"])?;
        let queues = runs::ask(place, &forward, "/v1/queues")?;
        Ok(left.trim().is_empty() && !queues.to_string().contains(&name))
    })
}

/// An early step's Job goes while the Run goes on; the Run goes with the rest.
pub(super) fn ttl(place: &Place<'_>) -> Result<()> {
    place.install(&Install::DEV)?;
    let name = runs::create(
        place,
        "
ttl: 8s
steps:
- name: early
  items: {count: 3, format: \"%dms\"}
  builtin: sleep
- name: late
  after: [early]
  items: {list: [30s]}
  builtin: sleep
",
    )?;
    let gone = runs::until(
        place,
        &name,
        "the first step's Job is gone while the second goes on",
        |run| {
            let ended = runs::step(run, "early").is_ok_and(|step| step["phase"] == "Succeeded");
            let labels = format!("memq.dev/run={name},memq.dev/step=early");
            ended
                && place
                    .list("jobs", &labels)
                    .is_ok_and(|jobs| jobs.is_empty())
        },
    )?;
    ensure!(
        runs::step(&gone, "early")?["pool"]["done"] == 3,
        "what was known of it is kept: {}",
        gone["status"]
    );
    let run = runs::succeeds(place, &name)?;
    ensure!(
        runs::done(&run, 0) == 3 && runs::done(&run, 1) == 1,
        "the status has all of it: {}",
        run["status"]
    );
    place.until_true("the Run and its Jobs are gone", || {
        let left = place.kubectl(&[
            "get",
            "runs,jobs,pods",
            "-l",
            &format!("memq.dev/run={name}"),
            "-o",
            "name",
        ])?;
        let run = place.kubectl(&["get", "run", &name, "--ignore-not-found", "-o", "name"])?;
        Ok(left.trim().is_empty() && run.trim().is_empty())
    })
}

/// `items: {queue: …}`: neither loaded nor sealed by the Run, and there when it has gone.
pub(super) fn given_queue(place: &Place<'_>) -> Result<()> {
    place.install(&Install::DEV)?;
    let name = runs::create(
        place,
        "
steps:
- name: nap
  items: {queue: given}
  builtin: echo
  workers: {max: 2}
",
    )?;
    let run = runs::until(place, &name, "it misses its queue", |run| {
        runs::blocked(run, "QueueMissing").is_some()
    })?;
    let said = runs::blocked(&run, "QueueMissing").unwrap_or_default();
    ensure!(
        said.contains("memq queue create given"),
        "what to do is not said: {said}"
    );
    let forward = place.forward("svc/memq", 8080)?;
    place
        .memq(
            Some(&forward),
            &["load", "given", "--create"],
            "a\nb\nc\nd\n",
        )?
        .ok()?;
    runs::until_done(place, &name, 4)?;
    runs::until(place, &name, "it waits for the seal", |run| {
        runs::blocked(run, "QueueNotSealed").is_some()
    })?;
    place
        .memq(Some(&forward), &["queue", "seal", "given"], "")?
        .ok()?;
    let run = runs::succeeds(place, &name)?;
    runs::all_done(&run, 4)?;
    place.kubectl(&["delete", "run", &name])?;
    let queue = runs::ask(place, &forward, "/v1/queues/given")?;
    ensure!(
        queue["counts"]["done"] == 4,
        "the queue is somebody else's, and stays: {queue}"
    );
    Ok(())
}

/// The schema lets it in; what it means is nothing.
pub(super) fn invalid(place: &Place<'_>) -> Result<()> {
    place.install(&Install::DEV)?;
    let circle = "
steps:
- {name: a, after: [b], items: {count: 1}, builtin: echo}
- {name: b, after: [a], items: {count: 1}, builtin: echo}
";
    let name = runs::create(place, circle)?;
    let run = runs::fails(place, &name)?;
    ensure!(
        run["status"]["reason"] == "InvalidSpec",
        "the reason: {}",
        run["status"]["reason"]
    );
    let message = text(&run["status"]["message"]);
    ensure!(
        message.contains("after"),
        "the mistake is not named: {message}"
    );
    ensure!(runs::jobs(place, &name)?.is_empty(), "no Job is made of it");
    // What the schema knows, the API server refuses before anything is made.
    let refused = runs::create(
        place,
        "steps: [{name: a, items: {count: -1}, builtin: echo}]",
    );
    ensure!(refused.is_err(), "a negative count is let in");
    Ok(())
}
