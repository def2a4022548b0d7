//! The queue on its volume.

use anyhow::{Result, ensure};

use super::place::{Install, Place};
use super::runs;

/// The server's pod is killed while workers use it; what it acknowledged is on the volume.
pub(super) fn queue_killed(place: &Place<'_>) -> Result<()> {
    if place.cluster.storage_class()?.is_none() {
        return place.skip("the cluster has no default storage class with a volume to give");
    }
    place.install(&Install {
        overlay: "base",
        volume: Some("1Gi"),
        ..Install::DEV
    })?;
    let items: String = (0..500).map(|n| format!("kept-{n}\n")).collect();
    let forward = place.forward("svc/memq", 8080)?;
    place
        .memq(Some(&forward), &["load", "kept", "--create"], &items)?
        .ok()?;
    drop(forward);
    let name = runs::create(
        place,
        "
steps:
- name: nap
  items: {count: 60, format: \"5%02dms\"}
  builtin: sleep
  workers: 3
",
    )?;
    runs::until_done(place, &name, 5)?;
    let before = place.get("pod", "memq-server-0")?["metadata"]["uid"].clone();
    place.kubectl(&[
        "delete",
        "pod",
        "memq-server-0",
        "--force",
        "--grace-period=0",
    ])?;
    let run = runs::succeeds(place, &name)?;
    runs::all_done(&run, 60)?;
    let after = place.get("pod", "memq-server-0")?["metadata"]["uid"].clone();
    ensure!(before != after, "the server's pod is still the same");
    let forward = place.forward("svc/memq", 8080)?;
    let kept = runs::ask(place, &forward, "/v1/queues/kept")?;
    ensure!(
        kept["counts"]["ready"] == 500,
        "items that were acknowledged are gone: {kept}"
    );
    Ok(())
}
