//! `memq retry`: goes on with a run of this machine, in the same joblog.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use queue_api::{Finish, ItemId};
use queue_client::TokenArg;

use super::run::{param, whole_path};
use super::{Misuse, Output, duration, shell};
use crate::execute::{self, AgainOn, Job, Memory, Remembered};
use crate::joblog::{self, ItemLine};
use crate::spec::{self, Given};

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The run by its name, or its spec: then the last run of it.
    #[arg(value_name = "RUN-or-SPEC")]
    run: String,
    /// What failed, and what did not get its turn: what is done without anything said.
    #[arg(long, conflicts_with_all = ["items", "from"])]
    failed: bool,
    /// These items alone; as often as there are items.
    #[arg(long = "item", value_name = "ID", num_args = 1.., conflicts_with = "from")]
    items: Vec<ItemId>,
    /// This step and what comes after it, done or not.
    #[arg(long, value_name = "STEP")]
    from: Option<String>,
    /// Set a parameter to something else than the run had.
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE", value_parser = param)]
    params: Vec<(String, String)>,
    /// Workers to start, whatever the run had.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    workers: Option<u32>,
    /// Stop the run after this time, whatever the spec says.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// When the run is stopped, let workers finish what they hold for this time.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    grace: Duration,
    #[command(flatten)]
    token: TokenArg,
    /// Wait for a server that is gone for this time.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = duration)]
    server_timeout: Duration,
    /// How the summary is printed.
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    output: Output,
}

const EXAMPLES: &str = "\
The run's folder in ./.memq/runs remembers the spec, the parameters, the server and the joblog. What the
joblog has as done is not done again, unless a step that it rests on is. On a server that was given, dead
items are made ready again in the queue they lie in, with their history.

This is for runs on this machine. A run in a cluster (`memq run --kube`, `kubectl create`) cannot be gone on with once
it has ended; while it goes on, `memq queue redrive run.NAMESPACE.RUN.STEP` makes its dead items ready again.

Examples:
  memq retry keygen-x7k2p
  memq retry nightly.yaml -p threads=2
  memq retry thumbs --item 5d1c0f7a2b3344556677889900aabbcc
  memq retry nightly --from import

Exit codes: those of `memq run`.";

pub(super) async fn run(args: Args) -> anyhow::Result<u8> {
    let Args {
        run: named,
        failed: _,
        items,
        from,
        params,
        workers,
        timeout,
        grace,
        token,
        server_timeout,
        output,
    } = args;
    let Remembered { memory, .. } = find(&named)?;
    let Memory {
        spec: file,
        suffix,
        params: before,
        workers: had,
        env_file,
        server,
        token_file: had_token,
        joblog,
    } = memory;
    let token = TokenArg {
        token_file: whole_path(token.file())?.or(had_token),
    };
    let params = merged(before, params);
    let workers = workers.or(had);
    let given = Given {
        params: &params,
        suffix: &suffix,
    };
    let spec = spec::load(&file, given)?;
    if let Some(from) = &from
        && !spec.steps.iter().any(|step| step.name == *from)
    {
        let steps: Vec<_> = spec.steps.iter().map(|step| step.name.as_str()).collect();
        anyhow::bail!(Misuse(format!(
            "the run has no step {from}; it has {}",
            steps.join(", ")
        )));
    }
    let chosen = match items.is_empty() {
        true => None,
        false => {
            let path = joblog.clone();
            let choosing = tokio::task::spawn_blocking(move || choose(&path, &items));
            Some(
                choosing
                    .await
                    .context("the reader of the joblog stopped")??,
            )
        }
    };
    let job = Job {
        spec,
        workers,
        joblog: Some(joblog.clone()),
        env_file: env_file.clone(),
        server: server.clone(),
        token: token.clone(),
        server_timeout,
        timeout,
        grace,
        again_on: Some(AgainOn {
            items: chosen,
            from,
        }),
        memory: Some(Memory {
            spec: file,
            suffix,
            params: params.clone(),
            workers,
            env_file,
            server,
            token_file: token.token_file,
            joblog,
        }),
        announce: matches!(output, Output::Text),
        again: shell::plain_again,
    };
    let summary = Box::pin(execute::run(job)).await?;
    match output {
        Output::Text => summary.print(),
        Output::Json => summary.print_object(false),
        Output::Yaml => summary.print_object(true),
    }
    Ok(summary.exit_code())
}

/// A run of this machine, by its name or its spec.
pub(super) fn find(named: &str) -> anyhow::Result<Remembered> {
    let found = execute::find_run(named).context("cannot look into ./.memq/runs")?;
    found.ok_or_else(|| {
        Misuse(format!(
            "no run `{named}` was started from this folder: ./.memq/runs has none on this machine by this name or of this \
             spec; a run in a cluster cannot be retried like this, see `memq retry --help`"
        ))
        .into()
    })
}

fn merged(before: Vec<(String, String)>, now: Vec<(String, String)>) -> Vec<(String, String)> {
    let named = |name: &str| now.iter().any(|(other, _)| other == name);
    let kept = before
        .into_iter()
        .filter(|(name, _)| !named(name))
        .collect::<Vec<_>>();
    kept.into_iter().chain(now).collect()
}

/// What the joblog says of these items: each must be in it, and not be done.
fn choose(joblog: &Path, ids: &[ItemId]) -> anyhow::Result<Vec<ItemLine>> {
    let mut found: HashMap<ItemId, ItemLine> = HashMap::new();
    joblog::items(joblog, |item| {
        if ids.contains(&item.id) {
            found.insert(item.id, item);
        }
    })
    .with_context(|| format!("cannot read joblog `{}`", joblog.display()))?;
    let mut chosen = Vec::new();
    for id in ids {
        let Some(item) = found.remove(id) else {
            anyhow::bail!(Misuse(format!(
                "joblog `{}` has no item {id}, or it was named twice",
                joblog.display()
            )));
        };
        if item.state == Finish::Done {
            anyhow::bail!(Misuse(format!(
                "item {id} is done: there is nothing to try again"
            )));
        }
        chosen.push(item);
    }
    Ok(chosen)
}
