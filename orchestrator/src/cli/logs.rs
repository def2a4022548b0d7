//! `memq logs`: what the attempts at items printed, of a run of this machine or of a queue.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use queue_api::limits::MAX_PAGE_ITEMS;
use queue_api::{Finish, ItemId, ItemState, QueueName};
use queue_client::{Look, QueueClient, TokenArg};
use serde::Serialize;

use super::{Misuse, Output, ServerArg};
use crate::execute::{Remembered, find_run, folders_of};
use crate::joblog;
use crate::tally::one_line;
use crate::view::print;

/// Characters of an item's body in a heading.
const BODY: usize = 60;
/// Bytes of a line that are printed at once.
const PIECE: u64 = 1024 * 1024;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// A run of this machine, by its name or its spec; else a queue.
    #[arg(value_name = "RUN-or-QUEUE")]
    of: String,
    /// Of this item alone.
    #[arg(long, value_name = "ID")]
    item: Option<ItemId>,
    /// Of this attempt at it [default: the last]; of a queue only.
    #[arg(long, value_name = "N", requires = "item")]
    attempt: Option<u32>,
    /// Of items that are dead alone.
    #[arg(long, conflicts_with = "item")]
    failed: bool,
    /// Of no more items than so many; of a queue only.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// Address of the server that has the queue; given here, a queue is meant even if a run has its name
    /// [default: MEMQ_SERVER, else http://127.0.0.1:8080]
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    #[command(flatten)]
    token: TokenArg,
    /// How it is printed.
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    output: Output,
}

const EXAMPLES: &str = "\
A run leaves the logs of its workers and processes in its folder, and what dead items said in its joblog. A
queue keeps with each attempt the first 4 KiB and the last 60 KiB of each stream of its command. The queue of
a run in a cluster is called run.NAMESPACE.RUN.STEP.

Examples:
  memq logs keygen-x7k2p
  memq logs nightly.yaml --failed
  memq logs thumbs --item 5d1c0f7a2b3344556677889900aabbcc --attempt 1
  memq logs run.team.nightly.import --failed --server http://localhost:8080";

/// What somebody said, and about what.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Said {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<ItemId>,
    /// The item cut to a line, or the file.
    about: String,
    log: String,
}

pub(super) async fn run(args: Args) -> anyhow::Result<u8> {
    let Args {
        of,
        item,
        attempt,
        failed,
        limit,
        server,
        token,
        output,
    } = args;
    let run = match server {
        Some(_) => None,
        None => find_run(&of).context("cannot look into ./.memq/runs")?,
    };
    let said = match run {
        Some(_) if attempt.is_some() => {
            anyhow::bail!(Misuse(
                "--attempt is for queues: the server of a run ends with it".into()
            ))
        }
        Some(run) if !failed && item.is_none() && output == Output::Text => {
            let printing = tokio::task::spawn_blocking(move || print_all(&run));
            printing.await.context("the reader of the logs stopped")??;
            return Ok(0);
        }
        Some(run) => {
            let reading = tokio::task::spawn_blocking(move || of_run(&run, item, failed));
            reading.await.context("the reader of the logs stopped")??
        }
        None => {
            let name: QueueName = of.parse().map_err(|_| {
                Misuse(format!(
                    "`{of}` is neither a run started from this folder nor the name of a queue"
                ))
            })?;
            let server = server
                .or_else(|| std::env::var(queue_client::SERVER_VARIABLE).ok())
                .unwrap_or_else(|| queue_client::DEFAULT_URL.into());
            let queue = ServerArg { server, token }.client()?.queue(name);
            of_queue(&queue, item, attempt, failed, limit).await?
        }
    };
    output.answer(&said, || text(&said))?;
    Ok(0)
}

async fn of_queue(
    queue: &QueueClient,
    item: Option<ItemId>,
    attempt: Option<u32>,
    failed: bool,
    limit: u64,
) -> anyhow::Result<Vec<Said>> {
    let items = match item {
        Some(id) => vec![queue.item(&id).await?],
        None => {
            let look = Look {
                state: failed.then_some(ItemState::Dead),
                limit: Some(MAX_PAGE_ITEMS),
                ..Look::default()
            };
            let tried = queue.items(look).try_filter(|item| {
                let tried = item.attempts > 0;
                async move { tried }
            });
            let most = usize::try_from(limit).unwrap_or(usize::MAX);
            use futures_util::StreamExt as _;
            tried.take(most).try_collect().await?
        }
    };
    let mut said = Vec::new();
    for found in items {
        let log = queue.item_log(&found.id, attempt).await?;
        if log.is_empty() && item.is_none() {
            continue;
        }
        said.push(Said {
            id: Some(found.id),
            about: one_line(&String::from_utf8_lossy(&found.body.0), BODY),
            log: String::from_utf8_lossy(&log).into_owned(),
        });
    }
    Ok(said)
}

fn of_run(run: &Remembered, item: Option<ItemId>, failed: bool) -> anyhow::Result<Vec<Said>> {
    let joblog = &run.memory.joblog;
    let cannot = || format!("cannot read joblog `{}`", joblog.display());
    if failed || item.is_some() {
        let mut last = BTreeMap::new();
        joblog::items(joblog, |line| {
            if item.is_none_or(|id| line.id == id) {
                last.insert(line.id, line);
            }
        })
        .with_context(cannot)?;
        if let Some(id) = item
            && !last.contains_key(&id)
        {
            anyhow::bail!(Misuse(format!(
                "joblog `{}` has no item {id}",
                joblog.display()
            )));
        }
        let wanted = last
            .into_values()
            .filter(|line| !failed || line.state != Finish::Done);
        let said = wanted.map(|line| {
            let log = match &line.error {
                Some(error) => error.clone(),
                // What a successful one printed stands in the log of the worker that had it.
                None => of_workers(joblog, &line.id.to_string())?,
            };
            Ok(Said {
                id: Some(line.id),
                about: one_line(&String::from_utf8_lossy(&line.body), BODY),
                log,
            })
        });
        return said.collect();
    }
    let said = logs_of(run)?.into_iter().map(|file| {
        let log = fs::read(&file).with_context(|| format!("cannot read `{}`", file.display()))?;
        Ok(Said {
            id: None,
            about: file.display().to_string(),
            log: String::from_utf8_lossy(&log).into_owned(),
        })
    });
    said.collect()
}

/// Prints the logs of a run a piece at a time: they may be longer than memory.
fn print_all(run: &Remembered) -> anyhow::Result<()> {
    let logs = logs_of(run)?;
    if logs.is_empty() {
        print("nothing was printed");
    }
    for (index, file) in logs.iter().enumerate() {
        let shown = || format!("cannot read `{}`", file.display());
        let mut reader = BufReader::new(fs::File::open(file).with_context(shown)?);
        if logs.len() > 1 {
            let gap = if index > 0 { "\n" } else { "" };
            print(&format!("{gap}==> {} <==", file.display()));
        }
        let mut line = Vec::new();
        while (&mut reader)
            .take(PIECE)
            .read_until(b'\n', &mut line)
            .with_context(shown)?
            > 0
        {
            print(&String::from_utf8_lossy(&line));
            line.clear();
        }
    }
    Ok(())
}

fn logs_of(run: &Remembered) -> anyhow::Result<Vec<PathBuf>> {
    let folder = &run.folder;
    files(folder).with_context(|| format!("cannot look into `{}`", folder.display()))
}

/// The logs below a folder, in the order of their names.
fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "log") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// What the logs of workers have of an item: of all runs with this joblog, for any of them may have done it.
fn of_workers(joblog: &Path, id: &str) -> anyhow::Result<String> {
    let mut lines = String::new();
    let folders = folders_of(joblog).context("cannot look into ./.memq/runs")?;
    let logs: Vec<_> = folders
        .iter()
        .map(|folder| {
            files(folder).with_context(|| format!("cannot look into `{}`", folder.display()))
        })
        .collect::<anyhow::Result<_>>()?;
    for file in logs.into_iter().flatten() {
        let shown = || format!("cannot read `{}`", file.display());
        let reader = BufReader::new(fs::File::open(&file).with_context(shown)?);
        for line in reader.split(b'\n') {
            let line = line.with_context(shown)?;
            let line = String::from_utf8_lossy(&line);
            if line.contains(id) {
                lines.push_str(&line);
                lines.push('\n');
            }
        }
    }
    Ok(lines)
}

fn text(said: &[Said]) -> String {
    match said {
        [] => "nothing was printed".into(),
        [only] => match only.log.is_empty() {
            true => "nothing was printed".into(),
            false => only.log.clone(),
        },
        several => {
            let one = |said: &Said| {
                let id = said.id.map_or(String::new(), |id| format!("{id} "));
                format!("==> {id}{} <==\n{}\n", said.about, said.log.trim_end())
            };
            several.iter().map(one).collect::<Vec<_>>().join("\n")
        }
    }
}
