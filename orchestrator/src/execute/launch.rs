//! How a worker of this run is called.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::pool::Launch;
use super::rundir::RunDir;
use super::{Job, only_pool};
use crate::spec::{EnvValue, Handler};

/// The command line of the run's workers. Writes the step's script, if it has one.
pub(super) fn launch(job: &Job, url: &str, rundir: &RunDir) -> anyhow::Result<Launch> {
    let spec = &job.spec;
    let (step, pool) = only_pool(spec)?;
    let name = spec.name.as_str();
    let dead_on: Vec<_> = pool.item.dead_on.iter().map(u8::to_string).collect();
    let mut args: Vec<OsString> = Vec::new();
    let mut flag = |name: &str, value: &str| {
        args.push(name.into());
        args.push(value.into());
    };
    flag("--server", url);
    flag("--queue", name);
    flag("--until", "drained");
    flag("--run", name);
    flag("--step", &step.name);
    flag("--concurrency", &pool.workers.concurrency.to_string());
    flag("--dead-on", &dead_on.join(","));
    flag("--grace", &in_ms(job.grace));
    flag("--server-timeout", &in_ms(job.server_timeout));
    if let Some(timeout) = pool.item.timeout {
        flag("--item-timeout", &in_ms(timeout));
    }
    match &step.handler {
        Handler::Builtin(builtin) => {
            flag("--builtin", builtin);
            args.push("--stop-with-stdin".into());
        }
        Handler::Command(words) => {
            args.extend(["--stop-with-stdin", "--"].map(Into::into));
            args.extend(words.iter().map(Into::into));
        }
        Handler::Script(text) => {
            let path = rundir
                .write_script(text)
                .context("cannot write the step's script")?;
            args.extend(["--stop-with-stdin", "--"].map(Into::into));
            if !text.starts_with("#!") {
                args.push("sh".into());
            }
            args.push(path.into());
        }
        Handler::Image => bail!(
            "step `{}` runs what its image does, which needs a cluster",
            step.name
        ),
    }
    Ok(Launch {
        program: std::env::current_exe().context("cannot find this program's own file")?,
        args,
        name: name.to_owned(),
        env: step
            .env
            .iter()
            .filter_map(|(name, value)| match value {
                EnvValue::Text(text) => Some((name.clone(), text.clone())),
                EnvValue::Secret { .. } | EnvValue::ConfigMap { .. } => None,
            })
            .collect(),
        dir: spec.dir.clone(),
    })
}

fn in_ms(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}
