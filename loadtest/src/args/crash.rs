//! The command line of `memq-loadtest crash`.

use std::path::PathBuf;

use super::DATA_DIR;

#[derive(Debug, clap::Args)]
pub(crate) struct CrashArgs {
    /// The server to crash [default: the one linked into this program]
    #[arg(long, value_name = "PATH")]
    pub(crate) server_bin: Option<PathBuf>,
    /// Where the directory with the servers' data is made, and removed at the end
    #[arg(long, value_name = "DIR", default_value = DATA_DIR)]
    pub(crate) data_dir: PathBuf,
    /// As much as fits into a minute
    #[arg(long)]
    pub(crate) short: bool,
    /// Times that the loaded server is killed [default: 100, with --short 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) kills: Option<u64>,
    /// What chance is drawn from: the same seed draws the same moments [default: a new one, printed]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Run only the scenarios whose names have this in them
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Option<String>,
}
