//! `memq ls`: the runs of a cluster.

use anyhow::Context as _;
use comfy_table::{Table, presets};
use serde_json::{Value, json};

use super::Form;
use super::cluster::{ClusterArgs, HELP};
use crate::kube::clock;
use crate::kube::outside::records::{self, Record, Scope};
use crate::kube::status::RunPhase;
use crate::view::{human, trimmed};

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Runs of all namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// How they are printed.
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    output: Form,
}

pub(super) async fn run(args: Args) -> anyhow::Result<u8> {
    let Args {
        cluster,
        all_namespaces,
        output,
    } = args;
    let link = cluster.connect().await?;
    let scope = match all_namespaces {
        true => Scope::All,
        false => Scope::Namespace(link.namespace.clone()),
    };
    let found = records::list(&link.client, &scope).await;
    let records = found.with_context(|| link.cluster.clone())?;
    let rows: Vec<_> = records.iter().map(row_object).collect();
    let names: Vec<_> = records.iter().map(name).collect();
    output.answer(&rows, names, || match scope {
        _ if !records.is_empty() => table(&records, all_namespaces),
        Scope::All => "no runs".to_owned(),
        Scope::Namespace(namespace) => format!("no runs in namespace {namespace}"),
    })?;
    Ok(0)
}

/// As kubectl names it.
fn name(record: &Record) -> String {
    format!("run.memq.dev/{}", record.name)
}

fn row_object(record: &Record) -> Value {
    let status = record.status.clone().unwrap_or_default();
    json!({
        "namespace": record.namespace, "name": record.name, "form": record.form, "created": record.created,
        "phase": status.phase, "reason": status.reason, "message": status.message,
        "progress": status.progress, "eta": status.eta,
        "problem": record.status.as_ref().err(),
    })
}

fn table(records: &[Record], namespaces: bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let mut header = vec!["NAME", "PHASE", "PROGRESS", "ETA", "AGE", "WHAT"];
    if namespaces {
        header.insert(0, "NAMESPACE");
    }
    table.set_header(header);
    for record in records {
        let status = record.status.clone().unwrap_or_default();
        let or_dash = |text: &str| {
            if text.is_empty() {
                "-".to_owned()
            } else {
                text.to_owned()
            }
        };
        let what = match (&record.status, &record.cancelled, status.phase) {
            (Err(problem), ..) => problem.clone(),
            (Ok(_), Some(_), RunPhase::Pending | RunPhase::Running) => {
                "is asked to stop".to_owned()
            }
            _ => now(record),
        };
        let mut row = vec![
            record.name.clone(),
            format!("{:?}", status.phase),
            or_dash(&status.progress),
            or_dash(&status.eta),
            age(record),
            what,
        ];
        if namespaces {
            row.insert(0, record.namespace.clone());
        }
        table.add_row(row);
    }
    trimmed(&table)
}

/// What stands in its way, else where it is.
fn now(record: &Record) -> String {
    let status = record.status.clone().unwrap_or_default();
    let trouble = status.troubles().next();
    let trouble = trouble.map(|condition| format!("{}: {}", condition.r#type, condition.reason));
    trouble.unwrap_or(match status.phase {
        RunPhase::Pending if !status.message.is_empty() => status.message,
        RunPhase::Pending => "no controller has taken it up".to_owned(),
        RunPhase::Succeeded => String::new(),
        _ => short(&status.message),
    })
}

/// The beginning of a sentence, for a column.
fn short(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

pub(super) fn age(record: &Record) -> String {
    let age = record
        .created
        .map(|created| clock::now().duration_since(created));
    let age = age.and_then(|age| std::time::Duration::try_from(age).ok());
    age.map_or_else(
        || "-".to_owned(),
        |age| human(std::time::Duration::from_secs(age.as_secs())),
    )
}
