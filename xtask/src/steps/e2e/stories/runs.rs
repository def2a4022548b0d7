//! Runs as stories speak of them: made, waited for, judged by their status.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::super::forward::Forward;
use super::place::{Place, Verdict, text};

/// Makes a Run with these lines below `spec:`; its name.
pub(super) fn create(place: &Place<'_>, spec: &str) -> Result<String> {
    let spec: String = spec
        .trim_matches('\n')
        .lines()
        .map(|line| format!("  {line}\n"))
        .collect();
    place.create(&format!(
        "apiVersion: memq.dev/v1alpha1\nkind: Run\nmetadata: {{generateName: r-}}\nspec:\n{spec}"
    ))
}

/// Waits until it has ended, however.
pub(super) fn ends(place: &Place<'_>, name: &str) -> Result<Value> {
    place.until(format_args!("Run {name} has ended"), || {
        let run = place.get("run", name)?;
        Ok(has_ended(&run).then_some(run))
    })
}

pub(super) fn has_ended(run: &Value) -> bool {
    matches!(phase(run), "Succeeded" | "Failed" | "Cancelled")
}

/// Waits until it has succeeded.
pub(super) fn succeeds(place: &Place<'_>, name: &str) -> Result<Value> {
    let run = ends(place, name)?;
    ensure!(
        phase(&run) == "Succeeded",
        "Run {name} ended {}: {}",
        phase(&run),
        text(&run["status"]["message"])
    );
    let finished = condition(&run, "Finished").context("an ended Run has no condition Finished")?;
    ensure!(finished["status"] == "True", "an ended Run is not Finished");
    Ok(run)
}

/// Waits until it has failed.
pub(super) fn fails(place: &Place<'_>, name: &str) -> Result<Value> {
    let run = ends(place, name)?;
    ensure!(
        phase(&run) == "Failed",
        "Run {name} ended {} and should have failed",
        phase(&run)
    );
    let finished = condition(&run, "Finished").context("an ended Run has no condition Finished")?;
    ensure!(finished["status"] == "True", "an ended Run is not Finished");
    Ok(run)
}

/// Waits until this holds of a Run that goes on.
pub(super) fn until(
    place: &Place<'_>,
    name: &str,
    what: &str,
    mut holds: impl FnMut(&Value) -> bool,
) -> Result<Value> {
    place.until(format_args!("Run {name}: {what}"), || {
        let run = place.get("run", name)?;
        if holds(&run) {
            return Ok(Some(run));
        }
        if has_ended(&run) {
            let how = format!(
                "it ended {}: {}",
                phase(&run),
                text(&run["status"]["message"])
            );
            bail!(Verdict(how));
        }
        Ok(None)
    })
}

/// Waits until so many items of its first step are done.
pub(super) fn until_done(place: &Place<'_>, name: &str, items: u64) -> Result<Value> {
    let what = format!("{items} items are done");
    until(place, name, &what, |run| done(run, 0) >= items)
}

/// Where it is.
pub(super) fn phase(run: &Value) -> &str {
    text(&run["status"]["phase"])
}

/// A step of its status.
pub(super) fn step<'r>(run: &'r Value, name: &str) -> Result<&'r Value> {
    let mut steps = run["status"]["steps"].as_array().into_iter().flatten();
    steps
        .find(|step| step["name"] == name)
        .with_context(|| format!("the status has no step {name}"))
}

/// Items done of a step, from 0.
pub(super) fn done(run: &Value, step: usize) -> u64 {
    run["status"]["steps"][step]["pool"]["done"]
        .as_u64()
        .unwrap_or(0)
}

/// That all of so many items of the first step are done, and none is dead.
pub(super) fn all_done(run: &Value, items: u64) -> Result<()> {
    let pool = &run["status"]["steps"][0]["pool"];
    let count = |field: &str| pool[field].as_u64().unwrap_or(0);
    let (total, done, dead) = (count("total"), count("done"), count("dead"));
    ensure!(
        (total, done, dead) == (items, items, 0),
        "{items} items should be done: {done} of {total} are, {dead} are dead"
    );
    Ok(())
}

/// A condition.
pub(super) fn condition<'r>(run: &'r Value, kind: &str) -> Option<&'r Value> {
    let mut conditions = run["status"]["conditions"].as_array().into_iter().flatten();
    conditions.find(|condition| condition["type"] == kind)
}

/// Whether it is blocked for this reason; then the message.
pub(super) fn blocked<'r>(run: &'r Value, reason: &str) -> Option<&'r str> {
    let held = condition(run, "Blocked")?;
    (held["status"] == "True" && held["reason"] == reason).then(|| text(&held["message"]))
}

/// The pods of a Run that have not ended, by name.
pub(super) fn living_pods(place: &Place<'_>, name: &str) -> Result<Vec<String>> {
    let pods = place.list("pods", &format!("memq.dev/run={name}"))?;
    let lives = |pod: &&Value| matches!(text(&pod["status"]["phase"]), "Pending" | "Running");
    Ok(pods.iter().filter(lives).map(name_of).collect())
}

/// Pods of a Run that run and are not on their way out.
pub(super) fn running_pods(place: &Place<'_>, name: &str) -> Result<Vec<String>> {
    let pods = place.list("pods", &format!("memq.dev/run={name}"))?;
    let runs = |pod: &&Value| {
        pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null()
    };
    Ok(pods.iter().filter(runs).map(name_of).collect())
}

/// An object's name.
pub(super) fn name_of(object: &Value) -> String {
    text(&object["metadata"]["name"]).to_owned()
}

/// The Jobs of a Run.
pub(super) fn jobs(place: &Place<'_>, name: &str) -> Result<Vec<Value>> {
    place.list("jobs", &format!("memq.dev/run={name}"))
}

/// All Jobs that a Run has had, their names by uid: those that are there, and those that Kubernetes made pods for.
pub(super) fn jobs_ever(place: &Place<'_>, name: &str) -> Result<BTreeMap<String, String>> {
    let made = "reason=SuccessfulCreate,involvedObject.kind=Job";
    let events = place.kubectl(&["get", "events", "--field-selector", made, "-o", "json"])?;
    let events: Value = serde_json::from_str(&events)?;
    let events = events["items"].as_array().into_iter().flatten();
    let told = events.map(|event| &event["involvedObject"]).cloned();
    let there = jobs(place, name)?.into_iter();
    let all = told.chain(there.map(|mut job| job["metadata"].take()));
    let of_run = all.filter(|job| text(&job["name"]).starts_with(&format!("{name}-")));
    Ok(of_run
        .map(|job| (text(&job["uid"]).to_owned(), text(&job["name"]).to_owned()))
        .collect())
}

/// What the queue server answers to a GET.
pub(super) fn ask(place: &Place<'_>, server: &Forward, path: &str) -> Result<Value> {
    let url = format!("{}{path}", server.url);
    let mut curl = std::process::Command::new("curl");
    let said = place
        .run(curl.args(["-sS", "--max-time", "10", &url]))?
        .ok()?;
    serde_json::from_str(&said).with_context(|| format!("{path} is answered with {said}"))
}
