//! `memq restore`: everything of a backup into a server without queues.

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use bytes::BytesMut;
use futures_util::stream;
use tokio::io::AsyncReadExt as _;

use super::bytes_bar::BytesBar;
use super::{Misuse, Output, ServerArg};
use crate::view::count;

/// Bytes that are read at a time.
const PIECE: usize = 128 * 1024;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// A file that `memq backup` made; - or nothing: standard input.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArg,
    /// How the answer is printed.
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    output: Output,
}

const EXAMPLES: &str = "\
The server must have no queues, and serves nobody meanwhile. All of the backup is brought back, or
nothing. Leases go on: a worker that held an item may still settle it.

Examples:
  memq server --listen 127.0.0.1:8081 --data-dir restored
  memq restore queues.backup --server http://127.0.0.1:8081";

pub(super) async fn run(args: Args) -> anyhow::Result<u8> {
    let Args {
        file,
        server,
        output,
    } = args;
    let client = server.client()?;
    let (from, shown) = match file.filter(|file| file.as_os_str() != "-") {
        Some(file) => {
            let shown = format!("`{}`", file.display());
            let opened = File::open(&file).with_context(|| format!("cannot open {shown}"))?;
            (opened, shown)
        }
        None => {
            let stdin = io::stdin();
            if stdin.is_terminal() {
                return Err(Misuse("name a file, or send a backup here".into()).into());
            }
            let stdin = stdin.as_fd().try_clone_to_owned()?;
            (stdin.into(), "standard input".into())
        }
    };
    client.ready().await?;
    let found = from.metadata().ok().filter(|found| found.is_file());
    let bar = Arc::new(BytesBar::new(found.map(|found| found.len())));
    let restored = tokio::select! {
        restored = client.restore(pieces(from, Arc::clone(&bar))) => restored,
        _ = tokio::signal::ctrl_c() => {
            let server = super::quoted(&server.url());
            bail!("stopped by Ctrl-C; `memq queue ls --server {server}` shows what came of it");
        }
    };
    drop(bar);
    let restored = restored.with_context(|| format!("cannot restore {shown}"))?;
    output.answer(&restored, || {
        format!(
            "restored {} with {} to do from {shown}",
            count(restored.queues, "queue"),
            count(restored.unfinished, "item")
        )
    })?;
    Ok(0)
}

/// What the file holds, as it is asked for.
fn pieces(
    from: File,
    bar: Arc<BytesBar>,
) -> impl stream::Stream<Item = io::Result<bytes::Bytes>> + Send {
    let from = tokio::fs::File::from_std(from);
    stream::try_unfold((from, bar), async |(mut from, bar)| {
        let mut piece = BytesMut::with_capacity(PIECE);
        let len = from.read_buf(&mut piece).await?;
        bar.add(len);
        Ok((len > 0).then(|| (piece.freeze(), (from, bar))))
    })
}
