//! `memq queue …`: one call each.

mod create;
mod items;
mod settings;
mod table;

use clap::Subcommand;
use queue_api::{Queue, QueueList, QueueName};
use queue_client::QueueClient;

use super::{Form, Misuse, Output, ServerArg};
use crate::view::count;

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum Command {
    /// List all queues.
    Ls(Common),
    /// Show one queue.
    Show(One),
    /// Make a queue, or change the settings of one.
    Create(Box<create::Create>),
    /// List the items of a queue without taking them.
    Items(items::Items),
    /// Show one item with its past attempts.
    Item(items::Show),
    /// Make dead items ready again.
    Redrive(items::Again),
    /// End items before they are done.
    Cancel(items::Cancel),
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
  memq queue show thumbs --output json | jq .counts
  memq queue items thumbs --state dead
  memq queue redrive thumbs --error-contains timeout";

#[derive(Debug, clap::Args)]
pub(super) struct Common {
    #[command(flatten)]
    server: ServerArg,
    /// How the answer is printed.
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    output: Form,
}

#[derive(Debug, clap::Args)]
pub(super) struct One {
    /// The queue.
    queue: QueueName,
    #[command(flatten)]
    common: Plain,
}

#[derive(Debug, clap::Args)]
struct Plain {
    #[command(flatten)]
    server: ServerArg,
    /// How the answer is printed.
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    output: Output,
}

/// A queue of which things with names are told.
#[derive(Debug, clap::Args)]
struct Named {
    /// The queue.
    queue: QueueName,
    #[command(flatten)]
    common: Common,
}

pub(super) async fn run(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Ls(common) => {
            let queues = common.server.client()?.queues().await?;
            let names: Vec<_> = queues.iter().map(|queue| queue.name.to_string()).collect();
            let list = QueueList { queues };
            common
                .output
                .answer(&list, names, || table::list(&list.queues))?;
        }
        Command::Show(one) => {
            let queue = one.client()?.show().await?;
            one.common
                .output
                .answer(&queue, || table::details(&queue))?;
        }
        Command::Create(create) => {
            let settings = create.settings().map_err(Misuse)?;
            let queue = create.one.client()?.create(&settings).await?;
            create.one.answer(&queue)?;
        }
        Command::Items(args) => items::list(args).await?,
        Command::Item(args) => items::show(args).await?,
        Command::Redrive(args) => items::redrive(args).await?,
        Command::Cancel(args) => items::cancel(args).await?,
        Command::Seal(one) => one.answer(&one.client()?.seal().await?)?,
        Command::Reopen(one) => one.answer(&one.client()?.reopen().await?)?,
        Command::Pause(one) => one.answer(&one.client()?.pause().await?)?,
        Command::Resume(one) => one.answer(&one.client()?.resume().await?)?,
        Command::Purge(one) => {
            let affected = one.client()?.purge().await?;
            one.common.output.answer(&affected, || {
                let thrown = count(affected.affected, "item");
                let queue = std::slice::from_ref(&affected.queue);
                format!("threw {thrown} away\n{}", table::list(queue))
            })?;
        }
        Command::Rm { force, one } => {
            one.client()?.delete(force).await?;
            let removed = serde_json::json!({ "removed": one.queue });
            one.common
                .output
                .answer(&removed, || format!("removed queue {}", one.queue))?;
        }
    }
    Ok(0)
}

impl One {
    fn client(&self) -> anyhow::Result<QueueClient> {
        Ok(self.common.server.client()?.queue(self.queue.clone()))
    }

    fn answer(&self, queue: &Queue) -> anyhow::Result<()> {
        self.common
            .output
            .answer(queue, || table::list(std::slice::from_ref(queue)))
    }
}

impl Named {
    fn client(&self) -> anyhow::Result<QueueClient> {
        Ok(self.common.server.client()?.queue(self.queue.clone()))
    }
}
