//! A Run of several steps that goes wrong here and there, as it was told to.

use anyhow::{Result, ensure};
use serde_json::Value;

use super::place::{Install, Place, text};
use super::runs;

/// Two tries, two branches, elements, a step that takes too long, and what is done about that.
pub(super) fn several_steps(place: &Place<'_>) -> Result<()> {
    place.install(&Install::DEV)?;
    let image = &place.cluster.means.busybox;
    // A pod is called after its try: the first fails.
    let name = runs::create(
        place,
        &format!(
            r#"
params:
  regions: {{type: list, default: [eu, us, "a b"]}}
defaults: {{image: {image}}}
steps:
- name: flaky
  retries: 1
  script: |
    case $(hostname) in *-flaky-1-*) echo "not yet" >&2; exit 3;; esac
- name: left
  after: [flaky]
  script: sleep 6
- name: right
  after: [flaky]
  items: {{list: [1, 2, 3]}}
  script: sleep "$MEMQ_ITEM"
- name: each
  after: [left, right]
  forEach: $(params.regions)
  maxParallel: 2
  env: {{REGION: $(each.key)}}
  script: |
    echo "region $REGION"
    test -n "$REGION"
- name: slow
  after: [each]
  timeout: 6s
  command: [sleep, "1000"]
- name: never
  after: [slow]
  command: ["true"]
- name: alarm
  after: [slow]
  when: failed
  command: ["true"]
- name: clean
  after: [never, alarm]
  when: always
  command: ["true"]
"#
        ),
    )?;
    let run = runs::fails(place, &name)?;
    let expected = [
        ("flaky", "Succeeded"),
        ("left", "Succeeded"),
        ("right", "Succeeded"),
        ("each", "Succeeded"),
        ("slow", "Failed"),
        ("never", "Skipped"),
        ("alarm", "Succeeded"),
        ("clean", "Succeeded"),
    ];
    for (step, phase) in expected {
        let seen = runs::step(&run, step)?;
        ensure!(
            seen["phase"] == phase,
            "step {step} ended {} ({}): {}",
            seen["phase"],
            seen["reason"],
            seen["message"]
        );
    }
    ensure!(
        runs::step(&run, "slow")?["reason"] == "TimedOut",
        "{}",
        runs::step(&run, "slow")?
    );
    let flaky = runs::step(&run, "flaky")?;
    let failure = &flaky["failures"][0];
    ensure!(
        failure["exitCode"] == 3 && text(&failure["log"]).contains("not yet"),
        "what the first try left: {flaky}"
    );
    let times = |step: &str| -> Result<(String, String)> {
        let step = runs::step(&run, step)?;
        Ok((
            text(&step["startedAt"]).to_owned(),
            text(&step["finishedAt"]).to_owned(),
        ))
    };
    let (left, right, each) = (times("left")?, times("right")?, times("each")?);
    ensure!(
        left.0 < right.1 && right.0 < left.1,
        "branches run side by side: {left:?} {right:?}"
    );
    ensure!(
        times("flaky")?.1 <= left.0 && left.1 <= each.0 && right.1 <= each.0,
        "steps keep their order"
    );
    let jobs = runs::jobs(place, &name)?;
    let of = |step: &str| {
        jobs.iter()
            .filter(|job| job["metadata"]["labels"]["memq.dev/step"] == step)
            .count()
    };
    ensure!(
        (of("flaky"), of("each"), of("never")) == (2, 3, 0),
        "{:?}",
        jobs.iter().map(runs::name_of).collect::<Vec<_>>()
    );
    let elements: Vec<&Value> = jobs
        .iter()
        .map(|job| &job["metadata"]["annotations"]["memq.dev/element"])
        .collect();
    ensure!(
        elements.iter().any(|element| *element == "a b"),
        "each Job says which element it is: {elements:?}"
    );
    // It has its time to end: the first process of a container does not hear SIGTERM by itself.
    place.until_true("what took too long is gone", || {
        Ok(runs::living_pods(place, &name)?.is_empty())
    })
}
