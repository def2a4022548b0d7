//! memq's own command line against a cluster, as a person uses it from outside.

use anyhow::{Result, ensure};

use super::super::program::Said;
use super::place::{Install, Place};
use super::runs;

const KEYS: [&str; 4] = ["run", "examples/keygen", "--kube", "-p"];

/// Where nobody installed anything.
pub(super) fn ephemeral(place: &Place<'_>) -> Result<()> {
    let mut args = KEYS.to_vec();
    args.extend(["keys=6", "-n", &place.namespace]);
    if place.cluster.has_crd()? {
        args.push("--ephemeral");
    }
    let said = place.memq(None, &args, "")?;
    check_keys(said, 6)?;
    place.until_true("nothing of it is left", || {
        let kinds = "jobs,pods,services,roles,rolebindings,configmaps,serviceaccounts";
        let left = place.kubectl(&[
            "get",
            kinds,
            "-l",
            "app.kubernetes.io/managed-by=memq",
            "-o",
            "name",
        ])?;
        Ok(left.trim().is_empty())
    })
}

fn check_keys(said: Said, keys: u32) -> Result<()> {
    ensure!(
        said.code == Some(0),
        "`{}` ended with {:?}: {}{}",
        said.shown,
        said.code,
        said.out,
        said.err
    );
    let all = format!("{} {}", said.out, said.err);
    ensure!(
        all.contains(&format!("{keys} done"))
            || all.contains(&format!("{keys}/{keys}"))
            || all.contains(&format!("{keys} of {keys}")),
        "it does not say that {keys} are done: {all}"
    );
    Ok(())
}

/// Where it is.
pub(super) fn installed(place: &Place<'_>) -> Result<()> {
    let namespace = place.namespace.as_str();
    let lacking = place.memq(None, &["doctor", "-n", namespace], "")?;
    ensure!(
        lacking.code != Some(0),
        "the doctor finds nothing wrong with an empty namespace: {}",
        lacking.out
    );
    place.install(&Install::DEV)?;
    place.memq(None, &["doctor", "-n", namespace], "")?.ok()?;

    let objects = place
        .memq(None, &["render", "examples/keygen", "-n", namespace], "")?
        .ok()?;
    let file = place.folder.join("rendered.yaml");
    std::fs::write(&file, objects)?;
    place.kubectl(&[
        "apply",
        "--dry-run=server",
        "-f",
        &file.display().to_string(),
    ])?;

    let mut args = KEYS.to_vec();
    args.extend(["keys=6", "-n", namespace]);
    check_keys(place.memq(None, &args, "")?, 6)?;
    let found = place.kubectl(&["get", "runs", "-o", "jsonpath={.items[*].metadata.name}"])?;
    let run = runs::succeeds(place, &found)?;
    runs::all_done(&run, 6)?;
    for command in ["show", "why"] {
        let said = place
            .memq(None, &[command, &found, "-n", namespace], "")?
            .ok()?;
        ensure!(
            said.contains("Succeeded") || said.contains("succeeded"),
            "memq {command}: {said}"
        );
    }
    let said = place.memq(None, &["ls", "-n", namespace], "")?.ok()?;
    ensure!(said.contains(&found), "memq ls: {said}");
    Ok(())
}

/// A Run that is left to the cluster, looked at from outside, and told to stop.
pub(super) fn detached(place: &Place<'_>) -> Result<()> {
    let namespace = place.namespace.as_str();
    place.install(&Install::DEV)?;
    let said = |args: &[&str]| {
        let mut args = args.to_vec();
        args.extend(["-n", namespace]);
        place.memq(None, &args, "")
    };
    let mut args = KEYS.to_vec();
    args.extend(["keys=100000", "--detach", "-o", "name"]);
    let made = said(&args)?.ok()?;
    let name = made
        .trim()
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_owned();
    runs::until_done(place, &name, 1)?;
    let why = said(&["why", &name])?.ok()?;
    ensure!(why.contains("items are through"), "memq why: {why}");
    let waited = said(&["wait", &name, "--timeout", "2s"])?;
    ensure!(
        waited.code == Some(3),
        "a wait that is over exits 3: {waited:?}"
    );
    ensure!(
        !runs::has_ended(&place.get("run", &name)?),
        "nobody's waiting ends a Run"
    );
    said(&["cancel", &name])?.ok()?;
    let waited = said(&["wait", &name])?;
    ensure!(
        waited.code != Some(0),
        "a Run that was cancelled is no success: {waited:?}"
    );
    let run = runs::ends(place, &name)?;
    ensure!(
        runs::phase(&run) == "Cancelled",
        "it ended {}",
        runs::phase(&run)
    );
    place.until_true("no pod of it is left", || {
        Ok(runs::living_pods(place, &name)?.is_empty())
    })
}
