//! A queue server that asks for tokens, and who has which.

use anyhow::{Result, ensure};

use super::place::{Install, Place, text};
use super::runs;

const ADMIN: &str = "an-admin-of-this-story";
const WORK: &str = "a-worker-of-this-story";
const READ: &str = "a-reader-of-this-story";

/// Server, controller, pods of runs, and a person with `memq`.
pub(super) fn asked_for(place: &Place<'_>) -> Result<()> {
    let tokens = format!("admin {ADMIN}\nwork {WORK}\nread {READ}\n");
    for (name, key, value) in [
        ("memq-tokens", "tokens", tokens.as_str()),
        ("memq-admin-token", "token", ADMIN),
        ("memq-work-token", "token", WORK),
    ] {
        let literal = format!("--from-literal={key}={value}");
        place.kubectl(&["create", "secret", "generic", name, &literal])?;
    }
    place.install(&Install {
        tokens: true,
        ..Install::DEV
    })?;

    let pool = runs::create(
        place,
        "steps: [{name: s, items: {count: 30}, builtin: echo, workers: 2}]",
    )?;
    runs::succeeds(place, &pool)?;

    // A pod of a step finds its token; one that was taken its token away is not let in.
    let list = "name: s, command: [memq, queue, ls]";
    let shown = runs::create(place, &format!("steps: [{{{list}}}]"))?;
    runs::succeeds(place, &shown)?;
    let none =
        "pod: {spec: {containers: [{name: worker, env: [{name: MEMQ_TOKEN_FILE, value: ''}]}]}}";
    let hidden = format!("steps: [{{{list}, {none}}}]");
    let failed = runs::fails(place, &runs::create(place, &hidden)?)?;
    let step = runs::step(&failed, "s")?;
    let message = text(&step["message"]);
    ensure!(
        message.contains("77"),
        "memq without a token did not exit with 77: {message}"
    );

    let reader = place.folder.join("reader");
    std::fs::write(&reader, READ)?;
    let reader = reader.display().to_string();
    let joblog = place.folder.join("joblog").display().to_string();
    let namespace = place.namespace.as_str();
    let run = [
        "run",
        "examples/keygen",
        "--kube",
        "-n",
        namespace,
        "-p",
        "keys=4",
    ];
    let outcomes = ["--token-file", &reader, "--joblog", &joblog];
    place
        .memq(None, &[&run[..], &outcomes].concat(), "")?
        .ok()?;
    let lines = std::fs::read_to_string(&joblog)?;
    let done = lines.lines().filter(|line| line.contains("\"done\""));
    ensure!(done.count() == 4, "not all outcomes came through: {lines}");
    let doctor = ["doctor", "-n", namespace, "--token-file", &reader];
    let said = place.memq(None, &doctor, "")?.ok()?;
    ensure!(
        said.contains("asks for them, and all have one"),
        "the doctor says something else: {said}"
    );
    let forward = place.forward("svc/memq", 8080)?;
    let refused = place.memq(Some(&forward), &["queue", "ls"], "")?;
    ensure!(
        refused.code == Some(77) && refused.err.contains("asks for a token"),
        "memq without a token ended with {:?}: {}",
        refused.code,
        refused.err
    );
    Ok(())
}
