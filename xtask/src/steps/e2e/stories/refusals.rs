//! What the cluster refuses: rights and quotas. Both are said, waited for and forgotten once they are mended.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::place::{Install, Place};
use super::runs;

/// The controller's Role loses its right to make Jobs.
pub(super) fn forbidden(place: &Place<'_>) -> Result<()> {
    place.install(&Install::DEV)?;
    let role = place.get("role", "memq-controller")?;
    let mut less = role.clone();
    let rules = less["rules"].as_array_mut().context("a Role has rules")?;
    for rule in rules
        .iter_mut()
        .filter(|rule| rule["resources"] == serde_json::json!(["jobs"]))
    {
        if let Some(verbs) = rule["verbs"].as_array_mut() {
            verbs.retain(|verb| verb != "create");
        }
    }
    ensure!(
        less != role,
        "the Role has no right to make Jobs that could be taken away"
    );
    put(place, &less)?;
    let name = runs::create(
        place,
        "
steps:
- name: nap
  items: {count: 5, format: \"%dms\"}
  builtin: sleep
",
    )?;
    let run = runs::until(place, &name, "it is blocked: Forbidden", |run| {
        runs::blocked(run, "Forbidden").is_some()
    })?;
    let said = runs::blocked(&run, "Forbidden").unwrap_or_default();
    for word in ["system:serviceaccount:", "create", "jobs", &place.namespace] {
        ensure!(said.contains(word), "`{word}` is not named: {said}");
    }
    ensure!(
        !runs::has_ended(&run),
        "what somebody can mend is not the end"
    );
    put(place, &role)?;
    let run = runs::succeeds(place, &name)?;
    runs::all_done(&run, 5)
}

fn put(place: &Place<'_>, role: &Value) -> Result<()> {
    let mut role = role.clone();
    if let Some(meta) = role["metadata"].as_object_mut() {
        meta.retain(|field, _| matches!(field.as_str(), "name" | "namespace" | "labels"));
    }
    let file = place.folder.join("role.json");
    std::fs::write(&file, role.to_string())?;
    place.kubectl(&["replace", "-f", &file.display().to_string()])?;
    Ok(())
}

/// Room for three workers beside server and controller, and then for none.
pub(super) fn quota(place: &Place<'_>) -> Result<()> {
    place.install(&Install::DEV)?;
    set_quota(place, 5)?;
    let name = runs::create(
        place,
        "
steps:
- name: nap
  items: {count: 120, format: \"5%02dms\"}
  builtin: sleep
  workers: {min: 1, max: 8}
",
    )?;
    let mut most = 0;
    let binding = |run: &Value| run["status"]["steps"][0]["pool"]["sizing"]["binding"].clone();
    let mut bound = false;
    let run = place.until("the Run has ended", || {
        most = most.max(runs::living_pods(place, &name)?.len());
        let run = place.get("run", &name)?;
        bound |= binding(&run) == "Quota";
        Ok(runs::has_ended(&run).then_some(run))
    })?;
    ensure!(
        runs::phase(&run) == "Succeeded",
        "it ended {}",
        runs::phase(&run)
    );
    runs::all_done(&run, 120)?;
    ensure!(bound, "the quota is never named as what binds");
    ensure!(
        most == 3,
        "three workers fit beside server and controller: {most} were there"
    );

    set_quota(place, 2)?;
    let step = format!(
        "steps: [{{name: once, image: {}, command: [\"true\"]}}]",
        place.cluster.means.busybox
    );
    let name = runs::create(place, &step)?;
    let run = runs::until(place, &name, "it is blocked: QuotaExceeded", |run| {
        runs::blocked(run, "QuotaExceeded").is_some()
    })?;
    let said = runs::blocked(&run, "QuotaExceeded").unwrap_or_default();
    ensure!(
        said.contains("exceeded quota"),
        "the quota's own words are missing: {said}"
    );
    set_quota(place, 5)?;
    runs::succeeds(place, &name)?;
    Ok(())
}

fn set_quota(place: &Place<'_>, pods: u32) -> Result<()> {
    place.apply(&format!(
        "apiVersion: v1\nkind: ResourceQuota\nmetadata: {{name: few}}\nspec: {{hard: {{pods: \"{pods}\"}}}}\n"
    ))
}
