//! `memq completions`: what a shell must know to complete command lines.

use clap::CommandFactory as _;
use clap_complete::Shell;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  source <(memq completions bash)
  memq completions bash > ~/.local/share/bash-completion/completions/memq
  memq completions zsh > ~/.zfunc/_memq
  memq completions fish > ~/.config/fish/completions/memq.fish";

pub(super) fn run(args: &Args) -> anyhow::Result<u8> {
    let mut command = super::Cli::command();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "memq", &mut script);
    crate::view::print(&String::from_utf8_lossy(&script));
    Ok(0)
}
