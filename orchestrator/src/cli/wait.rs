//! `memq wait`: follows a run that is there already to its end.

use std::path::PathBuf;
use std::time::Duration;

use queue_client::TokenArg;

use super::cluster::{ClusterArgs, HELP};
use super::{Form, duration, run_kube};
use crate::kube::outside::bundle;
use crate::kube::outside::follow::Following;
use crate::kube::outside::records;

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// The run.
    #[arg(value_name = "RUN")]
    run: String,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Write what became of each item to this file.
    #[arg(long, value_name = "FILE")]
    joblog: Option<PathBuf>,
    #[command(flatten)]
    token: TokenArg,
    /// Wait no longer than this; the run goes on.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
    /// How the summary is printed.
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    output: Form,
}

pub(super) async fn run(args: Args) -> anyhow::Result<u8> {
    let Args {
        run,
        cluster,
        joblog,
        token,
        timeout,
        output,
    } = args;
    let (link, record) = cluster.find(&run).await?;
    let joblog = joblog.map(|path| run_kube::new_joblog(&path)).transpose()?;
    let brought = match record.form {
        records::Form::Ephemeral => bundle::brought(&link.client, &record.namespace, &run).await?,
        records::Form::Installed => None,
    };
    let following = Following {
        client: link.client.clone(),
        record,
        brought,
        fills: Vec::new(),
        joblog,
        timeout: None,
        patience: timeout,
        detach: false,
        token: token.token().map_err(queue_client::Error::from)?,
        trusted: super::server_of_env(),
        server: None,
    };
    Box::pin(run_kube::follow(following, output)).await
}
