//! `memq show`: one run of a cluster, with its steps.

use std::fmt::Write as _;

use comfy_table::{Table, presets};
use serde_json::json;

use super::Output;
use super::cluster::{ClusterArgs, HELP};
use crate::flow::Phase;
use crate::kube::outside::records::{Form, Record};
use crate::kube::outside::{stage, verdict};
use crate::kube::status::{RunStatus, StepStatus};
use crate::view::{human, trimmed};

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// The run.
    #[arg(value_name = "RUN")]
    run: String,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// How it is printed.
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    output: Output,
}

pub(super) async fn run(args: Args) -> anyhow::Result<u8> {
    let Args {
        run,
        cluster,
        output,
    } = args;
    let (_, record) = cluster.find(&run).await?;
    let status = record.status.clone().map_err(anyhow::Error::msg)?;
    let whole = json!({
        "namespace": record.namespace, "name": record.name, "form": record.form, "created": record.created,
        "cancelled": record.cancelled, "spec": record.spec, "status": status,
    });
    output.answer(&whole, || text(&record, &status))?;
    Ok(0)
}

fn text(record: &Record, status: &RunStatus) -> String {
    let mut text = format!(
        "{} in {}: {:?}\n",
        record.name, record.namespace, status.phase
    );
    let mut line = |label: &str, value: &str| {
        if !value.is_empty() {
            // A String takes whatever is written to it.
            let _ = writeln!(text, "  {label:<12} {value}");
        }
    };
    line("message", &status.message);
    line("progress", &status.progress);
    line("left", &status.eta);
    if let Some(started) = status.started_at {
        let elapsed =
            verdict::elapsed(status).map_or(String::new(), |time| format!(", {}", human(time)));
        line("since", &format!("{started}{elapsed}"));
    }
    line("server", &status.server);
    if record.form == Form::Ephemeral {
        line("controller", "its own");
    }
    if let Some(why) = &record.cancelled {
        line("cancelled", if why.is_empty() { "yes" } else { why });
    }
    for condition in status.troubles() {
        line(
            &condition.r#type,
            &format!("{} ({})", condition.message, condition.reason),
        );
    }
    if !status.steps.is_empty() {
        let _ = write!(text, "\n{}\n", steps(status));
    }
    for step in &status.steps {
        for failure in &step.failures {
            let exit = failure
                .exit_code
                .map_or(String::new(), |code| format!(" exited {code}"));
            let _ = write!(
                text,
                "\nstep {}: pod {}{exit} {} at {}\n",
                step.name, failure.pod, failure.reason, failure.at
            );
            let said = failure
                .message
                .lines()
                .chain(failure.log.as_deref().unwrap_or_default().lines());
            for said in said {
                let _ = writeln!(text, "  | {said}");
            }
        }
    }
    text
}

fn steps(status: &RunStatus) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "STEP",
        "PHASE",
        "DONE",
        "DEAD",
        "TOTAL",
        "WORKERS",
        "FAILED PODS",
    ]);
    for step in &status.steps {
        let counts = counts(step);
        let number =
            |at: usize| counts.map_or("-".to_owned(), |counts: [u64; 3]| counts[at].to_string());
        let workers = stage::workers(step).filter(|_| step.phase == Phase::Running);
        table.add_row([
            step.name.clone(),
            format!("{:?}", step.phase),
            number(0),
            number(1),
            number(2),
            workers.unwrap_or_else(|| "-".to_owned()),
            step.failed_pods.to_string(),
        ]);
    }
    // Beside the numbers a sentence would make the table wider than a terminal.
    let said = status.steps.iter().filter(|step| !step.message.is_empty());
    let said = said.map(|step| format!("\n  {}: {}", step.name, step.message));
    trimmed(&table) + &said.collect::<String>()
}

fn counts(step: &StepStatus) -> Option<[u64; 3]> {
    step.pool
        .as_ref()
        .map(|pool| [pool.done, pool.dead, pool.total])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view;

    #[test]
    fn nothing_that_a_pod_says_commands_the_terminal() {
        let clipboard = "\x1b]52;c;cm0gLXJm\x07";
        let failure = json!({"pod": "p", "job": "j", "at": "2026-01-01T00:00:00Z", "reason": "Error",
            "message": clipboard, "log": clipboard});
        let status = json!({"phase": "Failed", "message": clipboard,
            "steps": [{"name": "a", "phase": "Failed", "message": clipboard, "failures": [failure]}]});
        let record = Record {
            namespace: "team".into(),
            name: clipboard.into(),
            form: Form::Installed,
            created: None,
            spec: serde_json::Value::Null,
            status: Ok(serde_json::from_value(status).expect("a status")),
            cancelled: None,
        };
        let status = record.status.clone().expect("a status");
        let mut shown = Vec::new();
        view::put(&mut shown, &text(&record, &status));
        let shown = String::from_utf8(shown).expect("text");
        assert!(!shown.contains(['\x1b', '\x07']), "{shown:?}");
        // Name, message, step, and what the pod said and wrote: all of it is still there to be read.
        assert_eq!(shown.matches("]52;c;cm0gLXJm").count(), 5, "{shown:?}");
    }
}
