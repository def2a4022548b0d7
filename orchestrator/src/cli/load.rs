//! `memq load`: lines into a queue.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use queue_api::{Code, QueueName, SettingsPatch};
use queue_client::{EnqueueOptions, QueueClient};
use tokio::sync::mpsc;

use super::{Output, ServerArg, print, print_json, shell};
use crate::feed::{Batch, Batcher, FeedError, LineReader};
use crate::view::count;

/// Batches read ahead of the one that is being sent.
const AHEAD: usize = 2;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The queue.
    queue: QueueName,
    /// A text file, an item a line (empty lines are skipped); - or nothing: standard input.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Make the queue if there is none.
    #[arg(long)]
    create: bool,
    /// Seal the queue afterwards: no more items will come, and workers leave when all are finished.
    #[arg(long)]
    seal: bool,
    #[command(flatten)]
    server: ServerArg,
    /// How the answer is printed.
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    output: Output,
}

const EXAMPLES: &str = "\
Examples:
  memq load thumbs photos.txt --create --seal
  find . -name '*.jpg' | memq load thumbs --create --seal";

/// A batch, and the line of the file it ends with.
struct Piece {
    batch: Batch,
    last_line: u64,
}

#[derive(serde::Serialize)]
struct Loaded<'a> {
    queue: &'a QueueName,
    items: u64,
    sealed: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<u8> {
    let Args {
        queue: name,
        file,
        create,
        seal,
        server,
        output,
    } = args;
    let file = file.filter(|file| file.as_os_str() != "-");
    let url = server.url();
    let queue = server.client()?.queue(name.clone());
    if create {
        let made = queue.create(&SettingsPatch::default()).await;
        made.with_context(|| format!("cannot make queue {name} on {url}"))?;
    }
    let (sender, pieces) = mpsc::channel(AHEAD);
    let (reader, shown): (Box<dyn BufRead + Send>, String) = match &file {
        None => (
            Box::new(BufReader::new(io::stdin())),
            "standard input".into(),
        ),
        Some(path) => {
            let shown = format!("`{}`", path.display());
            let file = File::open(path).with_context(|| format!("cannot open {shown}"))?;
            (Box::new(BufReader::with_capacity(256 * 1024, file)), shown)
        }
    };
    let lines = LineReader::new(reader, shown.clone());
    let reading = tokio::task::spawn_blocking(move || read(lines, &sender));
    let mut sent = Sent::default();
    let outcome = tokio::select! {
        outcome = send(&queue, pieces, &mut sent) => outcome,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("stopped by Ctrl-C")),
    };
    sent.bar.finish_and_clear();
    let outcome = match outcome {
        Ok(()) => reading
            .await
            .context("the reader of lines stopped")?
            .map_err(Into::into),
        Err(error) => Err(error),
    };
    let again = Again {
        name: &name,
        file: file.as_deref(),
        server: &url,
        create,
        seal,
    };
    outcome.map_err(|error| {
        let missing = error
            .downcast_ref::<queue_client::Error>()
            .is_some_and(|error| error.code() == Some(Code::NoSuchQueue));
        let way_on = sent.way_on(&again, missing);
        error.context(format!("cannot load {shown} into queue {name}; {way_on}"))
    })?;
    if seal {
        let sealed = queue.seal().await;
        sealed.with_context(|| {
            format!(
                "all {} are in queue {name}, but sealing it failed: `memq queue seal {name} {}`",
                count(sent.items, "item"),
                again.at()
            )
        })?;
    }
    match output {
        Output::Json => print_json(&Loaded {
            queue: &name,
            items: sent.items,
            sealed: seal,
        })?,
        Output::Text => {
            let sealed = if seal { ", sealed" } else { "" };
            print(&format!(
                "{} into queue {name}{sealed}",
                count(sent.items, "item")
            ));
        }
    }
    Ok(0)
}

fn read<R: BufRead>(mut lines: LineReader<R>, to: &mpsc::Sender<Piece>) -> Result<(), FeedError> {
    let (mut batcher, mut last_line) = (Batcher::default(), 0);
    while let Some((number, line)) = lines.read()? {
        for batch in batcher.push(line) {
            // What goes out before this line ends with the one before; a line on its own, with itself.
            let last_line = if matches!(batch, Batch::Raw(_)) {
                number
            } else {
                last_line
            };
            if to.blocking_send(Piece { batch, last_line }).is_err() {
                return Ok(());
            }
        }
        last_line = number;
    }
    if let Some(batch) = batcher.flush() {
        // A closed channel means that sending failed, which has been said.
        let _over = to.blocking_send(Piece { batch, last_line });
    }
    Ok(())
}

/// What has gone in so far.
struct Sent {
    items: u64,
    /// The last line that is in.
    line: u64,
    /// Lines of a request that was under way when it failed.
    in_doubt: u64,
    bar: ProgressBar,
}

impl Default for Sent {
    fn default() -> Self {
        let target = if io::stderr().is_terminal() {
            ProgressDrawTarget::stderr_with_hz(10)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        let style = ProgressStyle::with_template("{human_pos} items, {per_sec}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Self {
            items: 0,
            line: 0,
            in_doubt: 0,
            bar,
        }
    }
}

async fn send(
    queue: &QueueClient,
    mut pieces: mpsc::Receiver<Piece>,
    sent: &mut Sent,
) -> anyhow::Result<()> {
    let options = EnqueueOptions::default();
    while let Some(Piece { batch, last_line }) = pieces.recv().await {
        let items = batch.items();
        sent.in_doubt = items;
        let answer = match batch {
            Batch::Lines { lines, .. } => queue.enqueue_lines(lines, options).await,
            Batch::Raw(body) => queue.enqueue(body, options).await,
        };
        if let Err(error) = answer {
            // An answer, even a refusal, says that none of the batch is in.
            if error.status().is_some() {
                sent.in_doubt = 0;
            }
            return Err(error.into());
        }
        sent.in_doubt = 0;
        sent.items += items;
        sent.line = last_line;
        sent.bar.set_position(sent.items);
    }
    Ok(())
}

/// The command line as it was given, for the advice to repeat: left out, the server would be another.
struct Again<'a> {
    name: &'a QueueName,
    file: Option<&'a Path>,
    server: &'a str,
    create: bool,
    seal: bool,
}

impl Again<'_> {
    /// The option that names the server.
    fn at(&self) -> String {
        format!("--server {}", shell::quoted(self.server))
    }

    /// `memq load` from standard input, with all that was given.
    fn load(&self) -> String {
        let create = if self.create { " --create" } else { "" };
        let seal = if self.seal { " --seal" } else { "" };
        format!("memq load {} -{create}{seal} {}", self.name, self.at())
    }
}

impl Sent {
    /// How many lines went in, and how to go on with the others.
    fn way_on(&self, again: &Again<'_>, missing: bool) -> String {
        let mut text = match self.line {
            0 => "nothing went in".to_owned(),
            line => format!("{} went in (to line {line})", count(self.items, "item")),
        };
        if self.in_doubt > 0 {
            let doubt = count(self.in_doubt, "item");
            text.push_str(&format!(
                "; the next {doubt} may have gone in too: see `memq queue show {} {}`",
                again.name,
                again.at()
            ));
        }
        if missing && self.line == 0 {
            text.push_str("; there is no such queue: the same command with `--create` makes it");
            return text;
        }
        let (next, load) = (self.line + 1, again.load());
        match again.file {
            Some(file) => {
                let file = shell::quoted(&file.display().to_string());
                text.push_str(&format!("; go on with `tail -n +{next} {file} | {load}`"));
            }
            None => text.push_str(&format!("; go on from line {next} with `{load}`")),
        }
        text
    }
}
