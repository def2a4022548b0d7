//! `memq why`: what a run of a cluster waits for, or how it ended.

use serde_json::json;

use super::Output;
use super::cluster::{ClusterArgs, HELP};
use crate::kube::outside::bundle::{self, Start};
use crate::kube::outside::records::Form;
use crate::kube::plan;
use crate::kube::status::RunPhase;

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// The run.
    #[arg(value_name = "RUN")]
    run: String,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// How the answer is printed.
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    output: Output,
}

pub(super) async fn run(args: Args) -> anyhow::Result<u8> {
    let Args {
        run,
        cluster,
        output,
    } = args;
    let (link, record) = cluster.find(&run).await?;
    let status = record.status.clone().map_err(anyhow::Error::msg)?;
    let mut lines = plan::why(&status);
    let ended = status.phase.has_ended();
    if record.cancelled.is_some() && !ended {
        lines.insert(0, "it is asked to stop".to_owned());
    }
    if record.form == Form::Ephemeral && !ended {
        let brought = bundle::brought(&link.client, &record.namespace, &run).await?;
        let start = match &brought {
            Some(brought) => bundle::look(&link.client, brought).await,
            None => Some(Start::Over("its Job is gone".into())),
        };
        let said = match start {
            Some(Start::Waits(why)) => Some(format!("its controller waits: {why}")),
            Some(Start::Over(why)) => Some(format!("its controller is gone: {why}")),
            Some(Start::Coming) => Some("its controller is on its way".to_owned()),
            Some(Start::Runs) | None => None,
        };
        if status.phase == RunPhase::Pending {
            // Who else would take it up is of no meaning for a run that brings its own.
            lines.clear();
            lines.push("it begins".to_owned());
        }
        lines.splice(0..0, said);
    }
    let answer = json!({
        "run": run, "namespace": record.namespace, "phase": status.phase, "why": lines,
    });
    output.answer(&answer, || match lines.is_empty() {
        true => "nothing stands in its way".to_owned(),
        false => lines.join("\n"),
    })?;
    Ok(0)
}
