//! `memq queue items`, `item`, `cancel` and `redrive`: the items of a queue one by one.

use comfy_table::{Table, presets};
use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use queue_api::{Attempt, Item, ItemId, ItemPage, ItemState, QueueName, Redrive, limits};
use queue_client::Look;
use serde_json::json;

use super::{Named, One, table};
use crate::cli::Misuse;
use crate::kube::clock;
use crate::tally::one_line;
use crate::view::{count, human, trimmed};

/// Characters of an item's body in a table.
const BODY: usize = 40;
/// Characters of an error in a table.
const ERROR: usize = 60;

/// Which items are listed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  memq queue items thumbs --state dead
  memq queue items mails --group customer-7 --limit 20 -o json | jq -r .items[].body
  memq queue items thumbs --state delayed -o name | xargs memq queue cancel thumbs")]
pub(in crate::cli) struct Items {
    /// Those in this state.
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<ItemState>,
    /// Those of this group.
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// No more than so many.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Those enqueued after this one.
    #[arg(long, value_name = "ID")]
    after: Option<ItemId>,
    #[command(flatten)]
    one: Named,
}

/// Which item is shown.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Show {
    #[command(flatten)]
    one: One,
    /// The item.
    id: ItemId,
}

/// Which items are cancelled.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
One that a worker holds is taken from it: what it makes of it counts no more. A dead one is thrown away.")]
pub(in crate::cli) struct Cancel {
    #[command(flatten)]
    one: One,
    /// The items.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<ItemId>,
}

/// Which dead items are made ready again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without anything said, all of them. They get all their attempts anew and keep their history; one whose unique
key another item has taken meanwhile stays dead.

Examples:
  memq queue redrive thumbs
  memq queue redrive thumbs --error-contains 'disk full' --limit 10
  memq queue redrive thumbs --exit-code 137 --died-after 2026-11-20T18:00:00Z")]
pub(in crate::cli) struct Again {
    #[command(flatten)]
    one: One,
    /// This item; as often as there are items.
    #[arg(long = "item", value_name = "ID", num_args = 1..)]
    items: Vec<ItemId>,
    /// Those of this group.
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Those whose last error holds this text.
    #[arg(long, value_name = "TEXT")]
    error_contains: Option<String>,
    /// Those whose last command ended with this code.
    #[arg(long, value_name = "CODE", allow_negative_numbers = true)]
    exit_code: Option<i32>,
    /// Those that died at this time or later, as 2026-11-20T18:00:00Z.
    #[arg(long, value_name = "WHEN")]
    died_after: Option<Timestamp>,
    /// Those that died before this time.
    #[arg(long, value_name = "WHEN")]
    died_before: Option<Timestamp>,
    /// No more than so many, oldest first.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

pub(super) fn state(text: &str) -> Result<ItemState, String> {
    let found = ItemState::ALL
        .into_iter()
        .find(|state| state.as_str() == text);
    let all: Vec<_> = ItemState::ALL.iter().map(|state| state.as_str()).collect();
    found.ok_or_else(|| format!("give one of {}", all.join(", ")))
}

pub(super) async fn list(args: Items) -> anyhow::Result<()> {
    let Items {
        state,
        group,
        limit,
        after,
        one,
    } = args;
    let look = Look {
        state,
        group,
        limit: Some(
            usize::try_from(limit)
                .unwrap_or(usize::MAX)
                .min(limits::MAX_PAGE_ITEMS),
        ),
        after,
    };
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    // One more than is shown tells whether there are more.
    let found = one.client()?.items(look).take(most.saturating_add(1));
    let mut items: Vec<Item> = found.try_collect().await?;
    let more = items.len() > most;
    items.truncate(most);
    let next = items.last().filter(|_| more).map(|item| item.id);
    let ids: Vec<_> = items.iter().map(|item| item.id.to_string()).collect();
    let page = ItemPage { items, next };
    one.common.output.answer(&page, ids, || rows(&page))
}

fn rows(page: &ItemPage) -> String {
    if page.items.is_empty() {
        return "no items".into();
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["ID", "STATE", "ATTEMPTS", "AGE", "ITEM"]);
    for item in &page.items {
        table.add_row([
            item.id.to_string(),
            item.state.as_str().to_owned(),
            item.attempts.to_string(),
            since(item.enqueued),
            one_line(&String::from_utf8_lossy(&item.body.0), BODY),
        ]);
    }
    let mut text = trimmed(&table);
    if let Some(next) = page.next {
        text += &format!("\nthere are more: --after {next}");
    }
    text
}

fn since(then: Timestamp) -> String {
    let age = std::time::Duration::try_from(clock::now().duration_since(then));
    // Clocks differ: an item from the future came in just now.
    human(age.unwrap_or_default())
}

pub(super) async fn show(args: Show) -> anyhow::Result<()> {
    let Show { one, id } = args;
    let item = one.client()?.item(&id).await?;
    one.common
        .output
        .answer(&item, || details(&one.queue, &item))
}

fn details(queue: &QueueName, item: &Item) -> String {
    let mut lines = Vec::new();
    let mut line = |label: &str, value: Option<String>| {
        if let Some(value) = value {
            lines.push(format!("  {label:<10} {value}"));
        }
    };
    line("attempts", Some(item.attempts.to_string()));
    line("key", item.key.clone());
    line("group", item.group.clone());
    line(
        "priority",
        (item.priority != 0).then(|| item.priority.to_string()),
    );
    line("enqueued", Some(item.enqueued.to_string()));
    line("due", item.due.map(|at| at.to_string()));
    line("expires", item.expires.map(|at| at.to_string()));
    line(
        "leased",
        item.lease.as_ref().map(|lease| {
            let worker = lease.worker.as_deref().unwrap_or("somebody");
            format!(
                "to {worker} since {}, until {}",
                lease.started, lease.lease_expires
            )
        }),
    );
    line("ended", item.ended.map(|at| at.to_string()));
    line("exit code", item.exit_code.map(|code| code.to_string()));
    line(
        "result",
        item.result.as_deref().map(|text| one_line(text, 1_000)),
    );
    let mut text = format!(
        "{} of {queue}: {}\n{}",
        item.id,
        item.state.as_str(),
        lines.join("\n")
    );
    let body = String::from_utf8_lossy(&item.body.0);
    let error = item.error.as_deref().map(|error| ("error", error));
    for (label, said) in std::iter::once(("item", &*body)).chain(error) {
        text += &format!("\n\n{label}:");
        for line in said.lines() {
            text += &format!("\n  | {line}");
        }
    }
    if !item.history.is_empty() {
        text += &format!("\n\n{}", history(&item.history));
    }
    text
}

fn history(attempts: &[Attempt]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["ATTEMPT", "END", "TOOK", "WORKER", "SAID"]);
    for attempt in attempts {
        let took = std::time::Duration::try_from(attempt.ended.duration_since(attempt.started));
        let said = attempt
            .error
            .as_deref()
            .or(attempt.result.as_deref())
            .unwrap_or_default();
        let last = said
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default();
        let code = attempt
            .exit_code
            .map_or(String::new(), |code| format!(" ({code})"));
        table.add_row([
            attempt.attempt.to_string(),
            format!("{}{code}", attempt.verdict.as_str()),
            took.map_or_else(|_| "-".into(), human),
            attempt.worker.clone().unwrap_or_else(|| "-".into()),
            one_line(last.trim(), ERROR),
        ]);
    }
    trimmed(&table)
}

pub(super) async fn cancel(args: Cancel) -> anyhow::Result<()> {
    let Cancel { one, ids } = args;
    let queue = one.client()?;
    for (index, id) in ids.iter().enumerate() {
        let cancelled = queue.cancel(id).await;
        cancelled.map_err(|error| {
            let before = match index {
                0 => String::new(),
                done => format!("; {} before it cancelled", count(done as u64, "item")),
            };
            anyhow::Error::new(error).context(format!("cannot cancel item {id}{before}"))
        })?;
    }
    let number = ids.len() as u64;
    let answer = json!({"queue": one.queue, "cancelled": ids});
    one.common.output.answer(&answer, || {
        format!("{} of queue {} cancelled", count(number, "item"), one.queue)
    })
}

pub(super) async fn redrive(args: Again) -> anyhow::Result<()> {
    let Again {
        one,
        items,
        group,
        error_contains,
        exit_code,
        died_after,
        died_before,
        limit,
    } = args;
    if items.len() > limits::MAX_REDRIVE_IDS {
        anyhow::bail!(Misuse(format!(
            "at most {} items can be named at once",
            limits::MAX_REDRIVE_IDS
        )));
    }
    let which = Redrive {
        ids: (!items.is_empty()).then_some(items),
        group,
        error_contains,
        exit_code,
        ended_after: died_after,
        ended_before: died_before,
        limit,
    };
    let affected = one.client()?.redrive(&which).await?;
    let text = || {
        let again = count(affected.affected, "item");
        format!(
            "{again} ready again\n{}",
            table::list(std::slice::from_ref(&affected.queue))
        )
    };
    one.common.output.answer(&affected, text)
}
