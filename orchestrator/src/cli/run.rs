//! `memq run`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use queue_client::TokenArg;

use super::run_kube::{self, Asked, Kube};
use super::{Form, Misuse, duration, shell};
use crate::execute::{self, Job, Memory};
use crate::spec::{self, Given};

/// Letters and digits of generated names: no vowels that make words, nothing that looks alike.
const SUFFIX: &[u8; 26] = b"bcdfghjkmnpqrstvwxz2456789";
/// How many of them: enough that two runs of one spec never meet.
const SUFFIX_LENGTH: usize = 5;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The run spec: a file, or a folder with a run.yaml.
    #[arg(value_name = "SPEC-or-DIR")]
    spec: PathBuf,
    /// Workers to start, whatever the spec says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    workers: Option<u32>,
    /// Write what becomes of each item to this file, and skip what it says is done.
    #[arg(long, value_name = "FILE")]
    joblog: Option<PathBuf>,
    /// Set a parameter of the spec.
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE", value_parser = param)]
    params: Vec<(String, String)>,
    /// Take what only a cluster has from this file: MEMQ_SECRET_NAME_KEY=VALUE for {secret: name/key},
    /// MEMQ_CONFIGMAP_… likewise.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// Use this server in place of one of the run's own.
    #[arg(long, env = queue_client::SERVER_VARIABLE, value_name = "URL")]
    server: Option<String>,
    #[command(flatten)]
    token: TokenArg,
    /// Stop the run after this time, whatever the spec says.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// When the run is stopped, let workers finish what they hold for this time.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    grace: Duration,
    /// Wait for a server that is gone for this time.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = duration)]
    server_timeout: Duration,
    /// How the summary is printed.
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    output: Form,
    #[command(flatten)]
    kube: Kube,
}

const EXAMPLES: &str = "\
The run starts a server of its own if a step has items, and its workers as processes, puts the items
into a queue, and ends when every item is done or dead and every step has ended. Commands run in the
folder of the spec.

Without --joblog the joblog lies in .memq/runs/RUN/ with the workers' logs. The same command with
the same joblog goes on where the last one stopped: what is done is skipped, what died is tried again.

With --kube it runs in the cluster of the kubeconfig, as Jobs, and is followed from here: a controller
that is installed there carries it out, else the run brings its own and takes it away at the end. Files
of items are loaded from here, and outcomes fetched, through a forwarded port, with the token that is named
here if the server asks for one (MEMQ_SERVER says that one outside the cluster may see it); --grace and
--server-timeout have no meaning then. Ctrl-C leaves the run to the cluster; `memq cancel` ends it.
A joblog is written if --joblog names a new file.

Examples:
  memq run examples/keygen
  memq run examples/keygen -p keys=10 --workers 2 --joblog keys.ndjson
  memq run nightly.yaml --timeout 2h --output json | jq .dead
  memq run examples/keygen --kube -n team
  memq run nightly.yaml --kube --detach -o name

Exit codes: 0 done, 1 more items dead than tolerated or a step failed, 2 infrastructure, 3 time-out,
64 usage or a mistake in the spec, 129, 130 and 143 stopped by hang-up, Ctrl-C and SIGTERM
(with --kube: no longer followed; 130 too for a run that was cancelled).";

pub(super) fn param(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("write NAME=VALUE".into()),
    }
}

pub(super) async fn run(args: Args) -> anyhow::Result<u8> {
    let Args {
        spec,
        workers,
        joblog,
        params,
        env_file,
        server,
        token,
        timeout,
        grace,
        server_timeout,
        output,
        kube,
    } = args;
    let suffix = suffix().context("cannot get random bytes for a name")?;
    let given = Given {
        params: &params,
        suffix: &suffix,
    };
    if kube.kube {
        let here = [
            ("--workers", workers.is_some()),
            ("--env-file", env_file.is_some()),
        ];
        if let Some((flag, _)) = here.iter().find(|(_, given)| *given) {
            anyhow::bail!(Misuse(format!(
                "{flag} is for runs on this machine: in a cluster the spec and the cluster's own objects hold"
            )));
        }
        let asked = Asked {
            spec: &spec,
            given,
            joblog,
            timeout,
            token: token.token().map_err(queue_client::Error::from)?,
            output,
        };
        return Box::pin(run_kube::run(asked, kube)).await;
    }
    if kube.names_a_cluster() {
        anyhow::bail!(Misuse("--namespace and --context are for --kube".into()));
    }
    if output == Form::Name {
        anyhow::bail!(Misuse("-o name is for --kube".into()));
    }
    let server = server.and_then(queue_client::named_server);
    let read = spec::load(&spec, given)?;
    let memory = Memory {
        spec: std::path::absolute(&read.file).context("cannot tell where the spec lies")?,
        suffix: suffix.clone(),
        params: params.clone(),
        workers,
        env_file: whole_path(env_file.clone())?,
        // What it has before its host is a secret, and is not written down.
        server: server.as_deref().map(queue_client::without_user),
        token_file: whole_path(token.file())?,
        joblog: PathBuf::new(),
    };
    let job = Job {
        spec: read,
        workers,
        joblog,
        env_file,
        server,
        token,
        again_on: None,
        memory: Some(memory),
        server_timeout,
        timeout,
        grace,
        announce: output == Form::Text,
        again: shell::again,
    };
    let summary = Box::pin(execute::run(job)).await?;
    match output {
        Form::Text | Form::Name => summary.print(),
        Form::Json => summary.print_object(false),
        Form::Yaml => summary.print_object(true),
    }
    Ok(summary.exit_code())
}

/// A path that is the same in any folder.
pub(super) fn whole_path(path: Option<PathBuf>) -> anyhow::Result<Option<PathBuf>> {
    let whole = path.as_deref().map(std::path::absolute).transpose();
    whole.with_context(|| {
        let path = path.unwrap_or_default();
        format!("cannot tell where `{}` lies", path.display())
    })
}

fn suffix() -> anyhow::Result<String> {
    let mut bytes = [0; SUFFIX_LENGTH];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(bytes
        .iter()
        .map(|byte| char::from(SUFFIX[usize::from(*byte) % SUFFIX.len()]))
        .collect())
}
