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
