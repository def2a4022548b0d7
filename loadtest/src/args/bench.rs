//! The command line of `memq-loadtest bench`.

use std::path::PathBuf;

use clap::ValueEnum;
use queue_client::TokenArg;

use super::{DATA_DIR, body_bytes, connections, requests};
use crate::process::Storage;

/// The goals of docs/performance.md that a bench measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "verbatim")]
pub(crate) enum Goal {
    /// Enqueue, one request an item
    P1,
    /// Take and settle, one round trip an item
    P2,
    /// Batched enqueue
    P3,
    /// Batched lease and settle
    P4,
    /// Latency at half the peak load
    P5,
    /// Memory an item
    P6,
    /// Recovery
    P7,
    /// Deep queues
    P8,
    /// Parked waiters
    P9,
    /// Many queues
    P10,
}

#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// The server to start [default: memq-server beside this program]
    #[arg(long, value_name = "PATH", conflicts_with = "server")]
    pub(crate) server_bin: Option<PathBuf>,
    /// Measure P1 to P4 of a server that is up instead of starting one; nothing is pinned to a core
    /// then
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    #[command(flatten)]
    pub(crate) token: TokenArg,
    /// Talk to a server that is not on this machine
    #[arg(long, requires = "server")]
    pub(crate) allow_remote: bool,
    /// Where the server keeps its items
    #[arg(long, value_enum, default_value_t = Storage::Disk)]
    pub(crate) storage: Storage,
    /// Where the directory with the data of servers and peers is made, and removed at the end: on the
    /// disk to be measured
    #[arg(long, value_name = "DIR", default_value = DATA_DIR)]
    pub(crate) data_dir: PathBuf,
    /// Measure these goals only
    #[arg(
        long,
        value_name = "P1,…",
        value_delimiter = ',',
        value_enum,
        ignore_case = true
    )]
    pub(crate) only: Vec<Goal>,
    /// Leave out beanstalkd, Redis and NATS, which are measured beside it where they are on PATH
    #[arg(long)]
    pub(crate) no_peers: bool,
    /// Rounds of each operation, the floor beside each
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub(crate) rounds: u64,
    /// Requests a round; batches move twenty items for each of them
    #[arg(long, value_name = "N", default_value_t = 30_000, value_parser = requests())]
    pub(crate) requests: u64,
    /// Connections; several numbers measure P1 to P4 with each of them
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "64,256", value_parser = connections())]
    pub(crate) connections: Vec<u64>,
    /// Bytes of an item
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = body_bytes())]
    pub(crate) body_bytes: u64,
    /// Items whose memory is measured (P6)
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = items())]
    pub(crate) memory_items: u64,
    /// Items that are recovered (P7)
    #[arg(long, value_name = "N", default_value_t = 10_000_000, value_parser = items())]
    pub(crate) items: u64,
    /// Items of the deep queue (P8)
    #[arg(long, value_name = "N", default_value_t = 10_000_000, value_parser = items())]
    pub(crate) depth: u64,
    /// Parked lease calls (P9)
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = connections())]
    pub(crate) waiters: u64,
    /// Queues (P10)
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(2..=100_000))]
    pub(crate) queues: u64,
}

impl BenchArgs {
    /// Whether this goal is asked for.
    pub(crate) fn wants(&self, goal: Goal) -> bool {
        self.only.is_empty() || self.only.contains(&goal)
    }
}

fn items() -> super::Number {
    super::Number::new().range(1_000..=100_000_000)
}
