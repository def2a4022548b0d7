//! `memq man`: the help of every command as pages for `man`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::CommandFactory as _;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The folder, which is made if it is not there.
    dir: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  memq man ~/.local/share/man/man1
  memq man /tmp/man && man /tmp/man/memq-load.1";

pub(super) fn run(args: &Args) -> anyhow::Result<u8> {
    let Args { dir } = args;
    let cannot = || format!("cannot write pages into `{}`", dir.display());
    std::fs::create_dir_all(dir).with_context(cannot)?;
    clap_mangen::generate_to(super::Cli::command(), dir).with_context(cannot)?;
    crate::view::print(&format!(
        "memq.1 and a page for each command are in `{}`",
        dir.display()
    ));
    Ok(0)
}
