//! `memq cancel`: tells a run of a cluster to stop.

use serde_json::json;

use super::cluster::{ClusterArgs, HELP};
use super::{Output, print, print_json};
use crate::kube::outside::follow::has_ended;
use crate::kube::outside::records;

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
    let ended = has_ended(&status);
    if !ended {
        records::cancel(&link.client, &record, &reason).await?;
    }
    let namespace = &record.namespace;
    match output {
        Output::Json => print_json(
            &json!({"run": run, "namespace": namespace, "asked": !ended, "phase": status.phase}),
        )?,
        Output::Text if ended => print(&format!("run {run} has ended already: {:?}", status.phase)),
        Output::Text => print(&format!(
            "run {run} is asked to stop; `memq wait {run} -n {namespace}` waits until it has"
        )),
    }
    Ok(0)
}
