//! `memq cancel`: tells a run of a cluster to stop.

use serde_json::json;

use super::Output;
use super::cluster::{ClusterArgs, HELP};
use crate::kube::outside::bundle;
use crate::kube::outside::records::{self, Form};
use crate::kube::status::RunPhase;

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// The run.
    #[arg(value_name = "RUN")]
    run: String,
    /// Why; it is shown with the run.
    #[arg(long, value_name = "TEXT", default_value = "memq cancel")]
    reason: String,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// How the answer is printed.
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    output: Output,
}

pub(super) async fn run(args: Args) -> anyhow::Result<u8> {
    let Args {
        run,
        reason,
        cluster,
        output,
    } = args;
    let (link, record) = cluster.find(&run).await?;
    let status = record.status.clone().unwrap_or_default();
    let ended = status.phase.has_ended();
    let unborn = record.form == Form::Ephemeral && status.phase == RunPhase::Pending;
    if unborn {
        // Its controller has not begun, and perhaps never will: nobody would hear it.
        if let Some(brought) = bundle::brought(&link.client, &record.namespace, &run).await? {
            bundle::take_away(&link.client, &brought).await?;
        }
    } else if !ended {
        records::cancel(&link.client, &record, &reason).await?;
    }
    let namespace = &record.namespace;
    let answer =
        json!({"run": run, "namespace": namespace, "asked": !ended, "phase": status.phase});
    output.answer(&answer, || match (unborn, ended) {
        (true, _) => format!("run {run} had not begun; it is taken away"),
        (_, true) => format!("run {run} has ended already: {:?}", status.phase),
        _ => format!(
            "run {run} is asked to stop; `memq wait {run} -n {namespace}` waits until it has"
        ),
    })?;
    Ok(0)
}
