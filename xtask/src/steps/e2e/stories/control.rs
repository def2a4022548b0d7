//! Controllers that are killed in the middle: a Run is taken up where it was, and nothing is done twice.

use anyhow::{Result, ensure};

use super::place::{Install, Place, text};
use super::runs;

const SPEC: &str = "
steps:
- name: nap
  items: {count: 30, format: \"1%03dms\"}
  builtin: sleep
  workers: 2
- name: more
  after: [nap]
  items: {count: 4, format: \"%dms\"}
  builtin: sleep
";

/// The only one is killed; its Deployment makes another.
pub(super) fn controller_killed(place: &Place<'_>) -> Result<()> {
    place.install(&Install::DEV)?;
    let name = runs::create(place, SPEC)?;
    runs::until_done(place, &name, 2)?;
    kill(place, &holder(place)?)?;
    goes_on(place, &name)
}

/// The leader of two is killed; the other takes the Lease.
pub(super) fn leader_killed(place: &Place<'_>) -> Result<()> {
    place.install(&Install {
        controllers: 2,
        ..Install::DEV
    })?;
    let name = runs::create(place, SPEC)?;
    runs::until_done(place, &name, 2)?;
    let before = holder(place)?;
    kill(place, &before)?;
    place.until_true("another controller leads", || {
        Ok(holder(place).is_ok_and(|now| now != before))
    })?;
    goes_on(place, &name)
}

/// The pod that leads.
fn holder(place: &Place<'_>) -> Result<String> {
    let lease = place.get("lease", "memq-controller")?;
    let holder = text(&lease["spec"]["holderIdentity"]);
    let pods = place.list("pods", "app.kubernetes.io/component=controller")?;
    let pod = pods
        .iter()
        .map(runs::name_of)
        .find(|pod| holder.starts_with(pod.as_str()));
    pod.ok_or_else(|| anyhow::anyhow!("no pod is the Lease's holder `{holder}`"))
}

fn kill(place: &Place<'_>, pod: &str) -> Result<()> {
    place.kubectl(&["delete", "pod", pod, "--force", "--grace-period=0"])?;
    Ok(())
}

fn goes_on(place: &Place<'_>, name: &str) -> Result<()> {
    let run = runs::succeeds(place, name)?;
    runs::all_done(&run, 30)?;
    ensure!(
        runs::done(&run, 1) == 4,
        "the second step did not do its four items"
    );
    // A Job that its pods hold open for long after the queue was drained is taken away: it counts all the same.
    place.until_true("each step has had a Job", || {
        Ok(runs::jobs_ever(place, name)?.len() >= 2)
    })?;
    let jobs = runs::jobs_ever(place, name)?;
    ensure!(
        jobs.len() == 2,
        "one Job a step, and no second for any action: {jobs:?}"
    );
    Ok(())
}
