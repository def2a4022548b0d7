//! `memq backup`: everything out of a server, into a file that is there only when it is whole.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use futures_util::StreamExt as _;
use queue_client::Client;
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt as _;

use super::bytes_bar::BytesBar;
use super::{Misuse, Output, ServerArg};

/// How the name of a backup ends that is not whole yet.
const UNFINISHED: &str = ".unfinished";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The file to make; - or nothing: standard output.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Replace the file if there is one.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    server: ServerArg,
    /// How the answer is printed.
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    output: Output,
}

const EXAMPLES: &str = "\
The server goes on meanwhile. The backup is of one moment: all that was acknowledged before the
command is in it. FILE is there only when it is whole; what goes to standard output is whole if the
command exits with 0.

Examples:
  memq backup queues.backup
  memq backup | zstd > queues.backup.zst
  zstd -dc queues.backup.zst | memq restore --server http://127.0.0.1:8081";

#[derive(serde::Serialize)]
struct Made<'a> {
    file: Option<&'a Path>,
    bytes: u64,
}

pub(super) async fn run(args: Args) -> anyhow::Result<u8> {
    let Args {
        file,
        force,
        server,
        output,
    } = args;
    let file = file.filter(|file| file.as_os_str() != "-");
    let client = server.client()?;
    let bar = BytesBar::new(None);
    let making = async {
        match &file {
            Some(file) => into_file(&client, file, force, &bar).await,
            None => into_standard_output(&client, &bar).await,
        }
    };
    tokio::select! {
        made = making => made?,
        _ = tokio::signal::ctrl_c() => bail!("stopped by Ctrl-C: there is no backup"),
    }
    let (bytes, human) = (bar.bytes(), bar.human());
    drop(bar);
    match (file, output) {
        (Some(file), output) => {
            let made = Made {
                file: Some(&file),
                bytes,
            };
            output.answer(&made, || {
                format!("backed {human} up into `{}`", file.display())
            })?;
        }
        // Standard output has the backup itself.
        (None, Output::Json | Output::Yaml) => {
            let made = serde_json::to_string(&Made { file: None, bytes })?;
            let _gone = writeln!(io::stderr(), "{made}");
        }
        (None, Output::Text) => {
            super::say(&format!("backed {human} up"));
        }
    }
    Ok(0)
}

async fn into_file(
    client: &Client,
    file: &Path,
    force: bool,
    bar: &BytesBar,
) -> anyhow::Result<()> {
    let shown = format!("`{}`", file.display());
    let may_be_replaced = match file.symlink_metadata() {
        Ok(found) if !found.is_file() => {
            return Err(Misuse(format!("{shown} is there, and no file")).into());
        }
        Ok(_) => force,
        Err(_) => true,
    };
    let exists = || Misuse(format!("{shown} is there already: --force replaces it"));
    if !may_be_replaced {
        return Err(exists().into());
    }
    let Some(name) = file.file_name() else {
        return Err(Misuse(format!("{shown} is no name of a file")).into());
    };
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let unfinished = tempfile::Builder::new()
        .prefix(&format!(".{}.", name.to_string_lossy()))
        .suffix(UNFINISHED)
        .tempfile_in(directory)
        .with_context(|| format!("cannot make a file beside {shown}"))?;
    let handle = unfinished.reopen().context("cannot open it again")?;
    copy(client, handle, &shown, bar).await?;
    let kept = tokio::task::block_in_place(|| keep(unfinished, file, directory, force));
    match kept {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && !force => Err(exists().into()),
        kept => kept.with_context(|| format!("cannot put the backup on disk as {shown}")),
    }
}

/// Makes it survive a loss of power, and gives it its name.
fn keep(unfinished: NamedTempFile, file: &Path, directory: &Path, force: bool) -> io::Result<()> {
    unfinished.as_file().sync_all()?;
    match force {
        true => unfinished.persist(file)?,
        false => unfinished.persist_noclobber(file)?,
    };
    File::open(directory)?.sync_all()
}

async fn into_standard_output(client: &Client, bar: &BytesBar) -> anyhow::Result<()> {
    let stdout = io::stdout();
    if stdout.is_terminal() {
        let help = "a backup is not for terminals: name a file, or send it on";
        return Err(Misuse(help.into()).into());
    }
    let stdout = stdout.as_fd().try_clone_to_owned()?;
    copy(client, stdout.into(), "standard output", bar).await
}

async fn copy(client: &Client, into: File, shown: &str, bar: &BytesBar) -> anyhow::Result<()> {
    client.ready().await?;
    let mut into = tokio::fs::File::from_std(into);
    let mut backup = std::pin::pin!(client.backup().await?);
    let write = || format!("cannot write {shown}");
    while let Some(bytes) = backup.next().await {
        let bytes = bytes.context("there is no backup")?;
        into.write_all(&bytes).await.with_context(write)?;
        bar.add(bytes.len());
    }
    into.flush().await.with_context(write)
}
