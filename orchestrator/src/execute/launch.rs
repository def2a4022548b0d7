//! How a worker of a step is called, and what a handler is as words of a command line.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::{Context as _, bail};
use queue_api::QueueName;

use super::environ::upper;
use super::pool::Launch;
use super::rundir::RunDir;
use super::server::Reached;
use super::stage::Stage;
use crate::spec::{Handler, Pool, Step};

/// The command line of a step's workers. Writes the step's script, if it has one.
pub(super) fn launch(
    stage: &Stage,
    place: usize,
    pool: &Pool,
    (server, queue): (&Reached, &QueueName),
    folder: &RunDir,
) -> anyhow::Result<Launch> {
    let (step, spec) = (stage.step(place), &stage.job.spec);
    let dead_on: Vec<_> = pool.item.dead_on.iter().map(u8::to_string).collect();
    let mut args: Vec<OsString> = Vec::new();
    let mut flag = |name: &str, value: &str| {
        args.push(name.into());
        args.push(value.into());
    };
    flag("--queue", queue.as_str());
    flag("--until", "drained");
    flag("--run", spec.name.as_str());
    flag("--step", &step.name);
    flag("--concurrency", &pool.workers.concurrency.to_string());
    flag("--dead-on", &dead_on.join(","));
    flag("--grace", &in_ms(stage.job.grace));
    flag("--server-timeout", &in_ms(stage.job.server_timeout));
    if let Some(timeout) = pool.item.timeout {
        flag("--item-timeout", &in_ms(timeout));
    }
    match &step.handler {
        Handler::Builtin(builtin) => {
            flag("--builtin", builtin);
            args.push("--stop-with-stdin".into());
        }
        Handler::Http(url) => {
            flag("--http", url);
            args.push("--stop-with-stdin".into());
        }
        other => {
            if matches!(other, Handler::Process(_)) {
                args.push("--process".into());
            }
            args.extend(["--stop-with-stdin", "--"].map(Into::into));
            args.extend(words(other, folder, "script")?);
        }
    }
    let mut env = stage.outside.resolve(&step.env);
    env.extend(volumes(stage, step)?);
    let name = match stage.is_one_pool() {
        true => spec.name.to_string(),
        false => format!("{}-{}", spec.name, step.name),
    };
    Ok(Launch {
        program: this_program()?,
        args,
        name,
        env,
        server: server.told.clone(),
        dir: spec.dir.clone(),
    })
}

/// The file of this program, which workers and guards are as well.
pub(super) fn this_program() -> anyhow::Result<std::path::PathBuf> {
    std::env::current_exe().context("cannot find this program's own file")
}

/// A handler as a program and its arguments. A script is written to a file of this name.
pub(super) fn words(
    handler: &Handler,
    folder: &RunDir,
    script: &str,
) -> anyhow::Result<Vec<OsString>> {
    Ok(match handler {
        Handler::Command(words) | Handler::Process(words) => words.iter().map(Into::into).collect(),
        Handler::Script(text) => {
            let path = folder
                .write_script(script, text)
                .context("cannot write the step's script")?;
            let shell = (!text.starts_with("#!")).then(|| OsString::from("sh"));
            shell.into_iter().chain([path.into()]).collect()
        }
        Handler::Builtin(name) => bail!("the built-in `{name}` works on items only"),
        Handler::Http(url) => bail!("{url} is sent items only"),
        Handler::Image => bail!("what an image does by itself cannot be run without a cluster"),
    })
}

/// The folders that stand for a step's volumes on this machine, as variables: made where they are not.
pub(super) fn volumes(stage: &Stage, step: &Step) -> anyhow::Result<Vec<(String, String)>> {
    let mut variables = Vec::new();
    for volume in &step.pod.volumes {
        let name = upper(volume.mount.trim_matches('/'));
        // One that is empty at first and goes with its pod needs no folder of the user's.
        let own = stage.rundir.path().join(format!("{}.{name}", step.name));
        let folder = volume.local.as_ref().unwrap_or(&own);
        let made = std::fs::create_dir_all(folder).and_then(|()| std::path::absolute(folder));
        let folder = made.with_context(|| {
            let (folder, mount) = (folder.display(), &volume.mount);
            format!("cannot make `{folder}`, which stands for volume {mount}")
        })?;
        variables.push((format!("MEMQ_VOLUME_{name}"), folder.display().to_string()));
    }
    Ok(variables)
}

/// A duration for a command line.
pub(super) fn in_ms(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}
