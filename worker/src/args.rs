//! The command line, as text; what it means is `config`'s.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use queue_api::{QueueName, parse_duration_with_unit};
use queue_client::TokenArg;
use telemetry::LogFormat;

use crate::{MaxDead, install, kuard};

/// The exit codes, as the help shows them.
const EXIT_CODES: &str = "\
Exit codes:
   0  the queue is finished, and all of this worker's results are in
  64  the command line is wrong
  65  more items of the queue are dead than --max-dead allows
  69  the queue was missing, or its server unreachable, for too long
  75  told to stop before the queue was finished
  77  refused by the server, as for want of a token, or the queue was deleted
  78  the command cannot be run, or the worker is set up wrongly";

/// What a worker is told. Each flag can also be given as an environment variable.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXIT_CODES, args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    pub(crate) instead: Option<Instead>,
    /// Address of the queue server
    #[arg(long, env = queue_client::SERVER_VARIABLE, value_name = "URL", default_value = queue_client::DEFAULT_URL)]
    pub server: String,
    /// The token that it asks for.
    #[command(flatten)]
    pub token: TokenArg,
    /// Queue to work on
    #[arg(long, env = "MEMQ_QUEUE", value_name = "NAME")]
    pub queue: Option<QueueName>,
    /// Items handled at the same time
    #[arg(long, env = "MEMQ_CONCURRENCY", value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub concurrency: u32,
    /// When to end with exit code 0
    #[arg(long, env = "MEMQ_UNTIL", value_enum, default_value_t = UntilArg::Empty)]
    pub until: UntilArg,
    /// Name of this worker in outcomes [default: host name and process id]
    #[arg(long, env = "MEMQ_NAME")]
    pub name: Option<String>,
    /// Length of a lease, renewed while an item is handled [default: the queue's]
    #[arg(long, env = "MEMQ_LEASE", value_name = "DURATION", value_parser = parse_duration_with_unit)]
    pub lease: Option<Duration>,
    /// Longest an item may take; it counts as failed then, and its process group is killed
    #[arg(long, env = "MEMQ_ITEM_TIMEOUT", value_name = "DURATION", value_parser = parse_duration_with_unit)]
    pub item_timeout: Option<Duration>,
    /// Exit codes of the command that mean: this item can never work
    #[arg(long, env = "MEMQ_DEAD_ON", value_name = "CODES", value_delimiter = ',', default_value = "65",
          value_parser = clap::value_parser!(i32).range(1..=255))]
    pub dead_on: Vec<i32>,
    /// Give up, with exit code 65, when the queue has more dead items than this: a number, or a
    /// share of all items such as 1%
    #[arg(long, env = "MEMQ_MAX_DEAD", value_name = "N|P%")]
    pub max_dead: Option<MaxDead>,
    /// Lease so many items before their turn, so that short ones need not wait for the server
    #[arg(long, env = "MEMQ_PREFETCH", value_name = "N", default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub prefetch: u32,
    /// Which attempts have what their handlers printed kept with them
    #[arg(long, env = "MEMQ_KEEP_LOGS", value_enum, default_value_t = KeepLogs::All)]
    pub keep_logs: KeepLogs,
    /// How long to wait for a queue that does not exist yet
    #[arg(long, env = "MEMQ_WAIT_QUEUE", value_name = "DURATION", value_parser = parse_duration_with_unit,
          default_value = "5m")]
    pub wait_queue: Duration,
    /// How long to try a server that cannot be reached; results are kept meanwhile
    #[arg(long, env = "MEMQ_SERVER_TIMEOUT", value_name = "DURATION", value_parser = parse_duration_with_unit,
          default_value = "10m")]
    pub server_timeout: Duration,
    /// How long running items may go on when told to stop
    #[arg(long, env = "MEMQ_GRACE", value_name = "DURATION", value_parser = parse_duration_with_unit,
          default_value = "25s")]
    pub grace: Duration,
    /// Answer /readyz, /healthz and /metrics on this address
    #[arg(long, env = "MEMQ_HEALTH_LISTEN", value_name = "ADDR")]
    pub health_listen: Option<SocketAddr>,
    /// Form of the log on standard error
    #[arg(long, env = "MEMQ_LOG_FORMAT", value_enum, default_value_t = LogFormat::Human)]
    pub log_format: LogFormat,
    /// Name of the run, given to handlers as MEMQ_RUN
    #[arg(long, env = "MEMQ_RUN", value_name = "NAME")]
    pub run: Option<String>,
    /// Name of the step, given to handlers as MEMQ_STEP
    #[arg(long, env = "MEMQ_STEP", value_name = "NAME")]
    pub step: Option<String>,
    /// Stop as on SIGTERM when standard input ends, so that a worker does not outlive its parent
    #[arg(long, hide = true)]
    pub stop_with_stdin: bool,
    /// Handle items without a command
    #[arg(long, env = "MEMQ_BUILTIN", value_enum, conflicts_with_all = ["command", "process", "http"])]
    pub builtin: Option<Builtin>,
    /// POST each item to this address, for example a server in a container beside this one
    #[arg(long, env = "MEMQ_HTTP", hide_env_values = true, value_name = "URL", conflicts_with_all = ["command", "process"])]
    pub http: Option<String>,
    /// Start COMMAND once per slot instead of once per item: it reads items as lines of JSON on
    /// standard input and answers each with a line of JSON on file descriptor 3
    #[arg(long, env = "MEMQ_PROCESS")]
    pub process: bool,
    /// Command run for each item: the item is on standard input, in $MEMQ_ITEM up to 128 KiB, and in
    /// place of an argument that is {} and nothing else
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
    #[command(flatten)]
    pub(crate) keygen: kuard::Flags,
}

/// What is done instead of working.
#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Instead {
    /// Copy this program into a directory, for a container of another image to run it there
    Install(install::Args),
}

/// When a worker ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum UntilArg {
    /// When nothing is left to do and nothing came in for a moment, or the queue is drained
    Empty,
    /// When the queue is sealed and nothing is left to do
    Drained,
    /// Never by itself
    Forever,
}

/// Handlers that are built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Builtin {
    /// Make an RSA-4096 key; its OpenSSH fingerprint is the result
    Keygen,
    /// Sleep for the duration that the item is
    Sleep,
    /// The item is the result
    Echo,
    /// Fail; the item is the error
    Fail,
}

/// Attempts whose output is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum KeepLogs {
    /// All
    All,
    /// Those that failed
    Failed,
}
