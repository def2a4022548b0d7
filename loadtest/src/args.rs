//! The command line of `memq-loadtest`, every number with its bound: a load test that somebody
//! forgets must end by itself.

mod bench;
mod crash;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use queue_api::{QueueName, limits, parse_duration};
use queue_client::TokenArg;

use crate::ledger::LEAST_BODY;
use crate::process::Storage;
use crate::talk::{Api, Op};
pub(crate) use bench::{BenchArgs, Goal};
pub(crate) use crash::CrashArgs;

/// Most requests of one round, and longest it may last.
const MOST_REQUESTS: u64 = 100_000_000;
const LONGEST: Duration = Duration::from_secs(600);
/// Longest time to watch parked calls: well within what a call may park.
const LONGEST_WATCH: Duration = Duration::from_secs(120);
/// Where data lies by default: on the disk one works on, not in a folder that may be memory.
const DATA_DIR: &str = "memq-loadtest-data";
/// Most connections: the ports that one address has for one server.
const MOST_CONNECTIONS: u64 = 20_000;

/// Measure a queue server beside the floor that any axum server pays.
#[derive(Debug, Parser)]
#[command(name = "memq-loadtest", version)]
pub struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the floor: POST /BYTES answers a JSON message of that many bytes
    Floor {
        /// Address and port to listen on
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
        listen: SocketAddr,
    },
    /// Run one operation against a server that is up, and print its figures: in a closed loop, or
    /// with --rate in an open one
    Run(RunArgs),
    /// Start a server, the floor and the peers that are on PATH, measure all in turns, and print each
    /// goal beside what was reached
    Bench(Box<BenchArgs>),
    /// Crash servers in every way, and prove that nothing acknowledged was lost; the exit code is 1
    /// if anything was
    Crash(CrashArgs),
    /// Hold one item for half its lease: the client that a crash run stops
    #[command(hide = true)]
    Hold {
        #[arg(long)]
        server: String,
        #[arg(long)]
        queue: QueueName,
        #[arg(long, value_parser = duration)]
        lease: Duration,
    },
    /// Serve: the very memq-server, linked into this program, for crash runs
    Serve(Box<queue_server::Args>),
    /// Park many lease calls, and measure what they cost and how soon an item reaches one of them
    Waiters(WaitersArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Whose calls to make
    #[arg(long, value_enum, default_value_t = Api::V1)]
    pub(crate) api: Api,
    /// What to measure; `take` first loads, unmeasured, as many items as it takes
    #[arg(long, value_enum)]
    pub(crate) op: Op,
    /// The queue to use, made if there is none
    #[arg(long, value_name = "NAME", default_value = "loadtest")]
    pub(crate) queue: QueueName,
    /// Connections, each with one request at a time
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = connections())]
    pub(crate) connections: u64,
    /// End after this many requests
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = requests())]
    pub(crate) requests: u64,
    /// End after this long, if that comes first
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// Bytes of an item
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = body_bytes())]
    pub(crate) body_bytes: u64,
    /// Items a request, with the v1 API
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = batch())]
    pub(crate) batch: u64,
    /// Requests a second, due whether or not the server keeps up; their latency counts from when
    /// they were due [default: each connection sends when it has its answer]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) rate: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct WaitersArgs {
    /// The server to start [default: memq-server beside this program]
    #[arg(long, value_name = "PATH")]
    pub(crate) server_bin: Option<PathBuf>,
    /// Where the server keeps its items
    #[arg(long, value_enum, default_value_t = Storage::Disk)]
    pub(crate) storage: Storage,
    /// Where the directory with the server's data is made, and removed at the end
    #[arg(long, value_name = "DIR", default_value = DATA_DIR)]
    pub(crate) data_dir: PathBuf,
    /// Lease calls to park
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = connections())]
    pub(crate) waiters: u64,
    /// How long to watch the server while nothing happens
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = watch)]
    pub(crate) watch: Duration,
    /// Items to put, one after the other, each to reach one waiter
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) wakes: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct TargetArgs {
    /// The server to measure
    #[arg(
        long,
        value_name = "URL",
        env = "MEMQ_SERVER",
        default_value = "http://127.0.0.1:8080"
    )]
    pub(crate) server: String,
    #[command(flatten)]
    pub(crate) token: TokenArg,
    /// Talk to a server that is not on this machine
    #[arg(long)]
    pub(crate) allow_remote: bool,
}

type Number = clap::builder::RangedU64ValueParser;

fn connections() -> Number {
    Number::new().range(1..=MOST_CONNECTIONS)
}

fn requests() -> Number {
    Number::new().range(1..=MOST_REQUESTS)
}

fn body_bytes() -> Number {
    Number::new().range(LEAST_BODY as u64..=1024 * 1024)
}

fn batch() -> Number {
    Number::new().range(1..=u64::from(limits::MAX_LEASE_ITEMS))
}

fn duration(text: &str) -> Result<Duration, String> {
    up_to(text, LONGEST)
}

fn watch(text: &str) -> Result<Duration, String> {
    up_to(text, LONGEST_WATCH)
}

fn up_to(text: &str, longest: Duration) -> Result<Duration, String> {
    match parse_duration(text).map_err(|error| error.to_string())? {
        Duration::ZERO => Err("must be longer than 0".into()),
        long if long > longest => Err(format!("at most {} s", longest.as_secs())),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Args, String> {
        let words = std::iter::once("memq-loadtest").chain(line.split_whitespace());
        Args::try_parse_from(words).map_err(|error| error.to_string())
    }

    #[test]
    fn every_load_is_bounded_without_being_asked() {
        let Command::Run(run) = read("run --op put").expect("complete").command else {
            panic!("run is run")
        };
        assert_eq!(
            (run.requests, run.duration),
            (100_000, Duration::from_secs(60))
        );
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_with_the_bound() {
        for (line, bound) in [
            ("run --op put --duration 0", "longer than 0"),
            ("run --op put --duration 11m", "at most 600 s"),
            ("run --op put --requests 0", "1..=100000000"),
            ("run --op put --connections 20001", "1..=20000"),
            ("run --op take --batch 1001", "1..=1000"),
            ("run --op put --queue=.x", "queue name"),
            ("bench --connections 64,0", "1..=20000"),
            ("bench --allow-remote", "--server"),
            ("bench --only P11", "P1"),
            ("run --op put --body-bytes 18", "19..=1048576"),
            ("run --op put --rate 0", "1..="),
            ("crash --kills 0", "1..="),
            ("waiters --wakes 0", "1..=1000"),
            ("waiters --watch 3m", "at most 120 s"),
        ] {
            let error = read(line).expect_err(line);
            assert!(error.contains(bound), "{line}: {error}");
        }
    }
}
