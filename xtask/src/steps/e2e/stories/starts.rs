//! Pods that never start: what Kubernetes leaves waiting for ever ends with the container's own reason.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::place::{Install, Place, text};
use super::runs;

/// An image that cannot be pulled, ConfigMaps that are not there, an image that would run as root.
pub(super) fn never(place: &Place<'_>) -> Result<()> {
    place.install(&Install {
        start_limit: "20s",
        ..Install::DEV
    })?;
    let busybox = &place.cluster.means.busybox;
    let cases = [
        // Nothing listens there, so that no network decides how long it takes.
        (
            "image",
            "{image: \"127.0.0.1:9/none:1\", command: [\"true\"]}".to_owned(),
            &["ErrImagePull", "ImagePullBackOff"] as &[&str],
            "127.0.0.1:9/none:1",
        ),
        (
            "config",
            format!(
                "{{image: {busybox}, command: [\"true\"], env: {{A: {{configMap: nowhere/key}}}}}}"
            ),
            &["CreateContainerConfigError"],
            "nowhere",
        ),
        // Its container says no more than that it is being created: an event has the reason.
        (
            "volume",
            format!(
                "{{image: {busybox}, command: [\"true\"], volumes: {{/etc/x: {{configMap: nowhere}}}}}}"
            ),
            &["FailedMount"],
            "nowhere",
        ),
        (
            "root",
            format!(
                "{{image: {busybox}, command: [\"true\"], pod: {{spec: {{securityContext: {{runAsUser: null}}}}}}}}"
            ),
            &["CreateContainerConfigError"],
            "root",
        ),
        (
            "pool",
            "{items: {count: 3}, image: \"127.0.0.1:9/none:1\", command: [\"true\"], workers: 2}"
                .to_owned(),
            &["ErrImagePull", "ImagePullBackOff"],
            "127.0.0.1:9/none:1",
        ),
    ];
    let began = Instant::now();
    let mut names = Vec::new();
    for (case, step, ..) in &cases {
        let step = step.replacen('{', "{name: s, ", 1);
        let name = runs::create(place, &format!("steps: [{step}]"));
        names.push(name.map_err(|error| error.context(format!("case {case}")))?);
    }
    for ((case, _, reasons, words), name) in cases.iter().zip(&names) {
        let run = runs::fails(place, name)?;
        let step = runs::step(&run, "s")?;
        let (reason, message) = (text(&step["reason"]), text(&step["message"]));
        ensure!(
            reasons.contains(&reason),
            "case {case}: the reason is {reason}: {message}"
        );
        ensure!(
            message.contains(words),
            "case {case}: the container's words are missing: {message}"
        );
    }
    ensure!(
        began.elapsed().as_secs() < 120,
        "it took {} s to say so",
        began.elapsed().as_secs()
    );
    place.until_true("nothing of them is left running", || {
        let mut living = 0;
        for name in &names {
            living += runs::living_pods(place, name)?.len();
        }
        Ok(living == 0)
    })
}
