//! `memq queue …`: one call each.

use std::time::Duration;

use clap::Subcommand;
use comfy_table::{CellAlignment, Table, presets};
use queue_api::{Backoff, Handling, Queue, QueueList, QueueName, SettingsPatch};

use super::{Output, ServerArg, duration, print, print_json};
use crate::view::{human, per_second};

pub(super) use crate::view::trimmed;

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum Command {
    /// List all queues.
    Ls(Common),
    /// Show one queue.
    Show(One),
    /// Make a queue, or change the settings of one.
    Create(Box<Create>),
    /// Take no more items: workers leave when all are finished.
    Seal(One),
    /// Take items again.
    Reopen(One),
    /// Give out no more items for now.
    Pause(One),
    /// Give out items again.
    Resume(One),
    /// Throw away all items that are not being worked on.
    Purge(One),
    /// Remove a queue and all that is in it.
    Rm {
        /// Even while items are being worked on.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        one: One,
    },
}

const EXAMPLES: &str = "\
Examples:
  memq queue create thumbs --attempts 3 --backoff 1s..30s
  memq queue ls
  memq queue show thumbs --output json | jq .counts";

#[derive(Debug, clap::Args)]
pub(super) struct Common {
    #[command(flatten)]
    server: ServerArg,
    /// How the answer is printed.
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    output: Output,
}

#[derive(Debug, clap::Args)]
pub(super) struct One {
    /// The queue.
    queue: QueueName,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
pub(super) struct Create {
    #[command(flatten)]
    one: One,
    /// Length of a lease.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    lease: Option<Duration>,
    /// Hard end of one attempt, however often its lease is renewed.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    max_lease: Option<Duration>,
    /// Attempts before an item is dead.
    #[arg(long, value_name = "N")]
    attempts: Option<u32>,
    /// Shortest and longest wait before a retry, as 1s..30s.
    #[arg(long, value_name = "FROM..TO", value_parser = backoff)]
    backoff: Option<(Duration, Duration)>,
    /// How long a queue without work must have been left alone to count as empty.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    quiet: Option<Duration>,
    /// Most items held.
    #[arg(long, value_name = "N")]
    max_items: Option<u64>,
    /// Most bytes of items held.
    #[arg(long, value_name = "BYTES")]
    max_bytes: Option<u64>,
    /// Largest item.
    #[arg(long, value_name = "BYTES")]
    max_body_bytes: Option<u64>,
    /// Largest result of an item.
    #[arg(long, value_name = "BYTES")]
    max_result_bytes: Option<u64>,
}

fn backoff(text: &str) -> Result<(Duration, Duration), String> {
    crate::spec::backoff_range(text).ok_or_else(|| format!("give {}", crate::spec::BACKOFF))
}

pub(super) async fn run(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Ls(common) => {
            let queues = common.server.client()?.queues().await?;
            match common.output {
                Output::Json => print_json(&QueueList { queues })?,
                Output::Text => print(&list(&queues)),
            }
        }
        Command::Show(one) => {
            let queue = one.client()?.show().await?;
            match one.common.output {
                Output::Json => print_json(&queue)?,
                Output::Text => print(&details(&queue)?),
            }
        }
        Command::Create(create) => {
            let queue = create.one.client()?.create(&create.settings()).await?;
            create.one.answer(&queue)?;
        }
        Command::Seal(one) => one.answer(&one.client()?.seal().await?)?,
        Command::Reopen(one) => one.answer(&one.client()?.reopen().await?)?,
        Command::Pause(one) => one.answer(&one.client()?.pause().await?)?,
        Command::Resume(one) => one.answer(&one.client()?.resume().await?)?,
        Command::Purge(one) => {
            let affected = one.client()?.purge().await?;
            match one.common.output {
                Output::Json => print_json(&affected)?,
                Output::Text => {
                    let thrown = crate::view::count(affected.affected, "item");
                    print(&format!("threw {thrown} away\n{}", list(&[affected.queue])));
                }
            }
        }
        Command::Rm { force, one } => {
            one.client()?.delete(force).await?;
            match one.common.output {
                Output::Json => print_json(&serde_json::json!({ "removed": one.queue }))?,
                Output::Text => print(&format!("removed queue {}", one.queue)),
            }
        }
    }
    Ok(0)
}

impl One {
    fn client(&self) -> anyhow::Result<queue_client::QueueClient> {
        Ok(self.common.server.client()?.queue(self.queue.clone()))
    }

    fn answer(&self, queue: &Queue) -> anyhow::Result<()> {
        match self.common.output {
            Output::Json => print_json(queue)?,
            Output::Text => print(&list(std::slice::from_ref(queue))),
        }
        Ok(())
    }
}

impl Create {
    fn settings(&self) -> SettingsPatch {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        SettingsPatch {
            lease_ms: self.lease.map(|time| Some(ms(time))),
            max_lease_ms: self.max_lease.map(|time| Some(ms(time))),
            max_attempts: self.attempts.map(Some),
            backoff: self.backoff.map(|(least, most)| {
                Some(Backoff {
                    min_ms: ms(least),
                    max_ms: ms(most),
                    ..Backoff::default()
                })
            }),
            quiet_ms: self.quiet.map(|time| Some(ms(time))),
            max_items: self.max_items.map(Some),
            max_bytes: self.max_bytes.map(Some),
            max_body_bytes: self.max_body_bytes.map(Some),
            max_result_bytes: self.max_result_bytes.map(Some),
            ..SettingsPatch::default()
        }
    }
}

/// In one word what a queue is doing.
fn state(queue: &Queue) -> &'static str {
    match queue {
        q if q.paused => "paused",
        q if q.drained => "drained",
        q if q.sealed => "sealed",
        q if q.empty => "empty",
        _ => "open",
    }
}

fn list(queues: &[Queue]) -> String {
    if queues.is_empty() {
        return "no queues".into();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "QUEUE", "STATE", "READY", "LEASED", "DELAYED", "DONE", "DEAD", "RATE", "LEFT", "OLDEST",
    ]);
    for queue in queues {
        let counts = queue.counts;
        let time = |ms: Option<u64>| ms.map_or("-".into(), |ms| human(Duration::from_millis(ms)));
        table.add_row([
            queue.name.to_string(),
            state(queue).to_owned(),
            counts.ready.to_string(),
            counts.leased.to_string(),
            counts.delayed.to_string(),
            counts.done.to_string(),
            counts.dead.to_string(),
            per_second(queue.rate_per_s),
            time(queue.eta_ms),
            time(queue.oldest_ready_ms),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    trimmed(&table)
}

fn details(queue: &Queue) -> anyhow::Result<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let mut section = |title: &str, value: serde_json::Value| {
        for (index, (name, value)) in value.as_object().into_iter().flatten().enumerate() {
            let title = if index == 0 { title } else { "" };
            table.add_row([title.to_owned(), name.clone(), value.to_string()]);
        }
    };
    section("counts", serde_json::to_value(queue.counts)?);
    section("totals", serde_json::to_value(queue.totals)?);
    section("settings", serde_json::to_value(queue.settings)?);
    let mut text = list(std::slice::from_ref(queue));
    if let Some(handling) = handling(queue.handling) {
        text += &format!("\n\n{handling}");
    }
    Ok(format!("{text}\n\n{}", trimmed(&table)))
}

/// How long items took, once some were measured.
fn handling(handling: Handling) -> Option<String> {
    let mean = Duration::try_from_secs_f64(handling.mean_ms? / 1000.0).ok()?;
    let most = Duration::from_millis(handling.p95_ms?);
    Some(format!(
        "items took {} on average, 95% within {}",
        human(mean),
        human(most)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_shown_with_how_long_its_items_took() {
        let mut taken = Handling::default();
        assert_eq!(handling(taken), None);
        taken.mean_ms = Some(1234.56);
        taken.p95_ms = Some(61_000);
        let text = handling(taken).expect("it was measured");
        assert_eq!(text, "items took 1.2s on average, 95% within 1m01s");
    }
}
