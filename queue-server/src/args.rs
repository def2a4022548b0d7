//! The command line of `memq-server`, and each flag's variable, as a [`Config`].

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use queue_api::parse_duration_with_unit;
use telemetry::LogFormat;

use crate::config::{
    Access, Config, ConfigError, ConnectionLimits, DiskStorage, HttpLimits, Storage, waiters_for,
};
use crate::fsck;
use crate::http::guard::{self, TokensError};
use crate::volume;

/// Serve work queues over HTTP.
///
/// The log goes to standard error; MEMQ_LOG (or RUST_LOG) filters it, for example
/// MEMQ_LOG=info,queue_server=debug.
#[derive(Debug, Clone, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, env = "MEMQ_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = listen_addr)]
    listen: SocketAddr,

    /// File of tokens, a line `ROLE TOKEN` each, where ROLE is read, work or admin; read again when it
    /// changes [default: no call needs a token]
    #[arg(long, env = "MEMQ_TOKENS", value_name = "FILE")]
    tokens: Option<PathBuf>,

    /// Name that clients ask the server by, beside addresses and localhost; repeat it, or separate them by
    /// commas [default: any, but those two alone where the server listens on loopback without tokens]
    #[arg(long, env = "MEMQ_ALLOW_HOST", value_name = "NAME", value_delimiter = ',', value_parser = host_name)]
    allow_host: Vec<String>,

    /// Where items are kept
    #[arg(long, env = "MEMQ_STORAGE", value_enum, default_value_t)]
    storage: StorageKind,

    /// Directory of the log, made if it is not there; one server at a time uses it
    #[arg(
        long,
        env = "MEMQ_DATA_DIR",
        value_name = "DIR",
        default_value = "memq-data"
    )]
    data_dir: PathBuf,

    /// Most bytes the log may take on disk; about two fifths of them can be items, the rest is room to
    /// finish them and to compact [default: what the disk has]
    #[arg(long, env = "MEMQ_MAX_DATA_BYTES", value_name = "BYTES")]
    max_data_bytes: Option<u64>,

    /// Bytes of bodies, results and errors kept in memory; what comes on top is read from disk when
    /// it is leased
    #[arg(long, env = "MEMQ_BODY_MEMORY", value_name = "BYTES", default_value_t = DiskStorage::default().body_memory)]
    body_memory: u64,

    /// Start on a damaged log without what the damage lost
    #[arg(long)]
    accept_loss: bool,

    /// Form of the log lines
    #[arg(long, env = "MEMQ_LOG_FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,

    /// Most queues
    #[arg(long, env = "MEMQ_MAX_QUEUES", value_name = "N", default_value_t = Config::default().max_queues)]
    max_queues: usize,

    /// Most items over all queues: ready, leased, delayed and dead; 60 to 150 bytes of memory each
    #[arg(long, env = "MEMQ_MAX_ITEMS", value_name = "N", default_value_t = Config::default().max_items)]
    max_items: u64,

    /// Most bytes of their bodies, traces, errors and logs over all queues [default: what the disk takes; 4 GiB in memory]
    #[arg(long, env = "MEMQ_MAX_BYTES", value_name = "BYTES")]
    max_bytes: Option<u64>,

    /// Most connections; one past it is answered 429 and closed
    #[arg(long, env = "MEMQ_MAX_CONNECTIONS", value_name = "N", default_value_t = ConnectionLimits::default().max_connections)]
    max_connections: usize,

    /// Most calls waiting for items at a time [default: three quarters of the connections]
    #[arg(long, env = "MEMQ_MAX_WAITERS", value_name = "N")]
    max_waiters: Option<usize>,

    /// Largest body of one request, in bytes
    #[arg(long, env = "MEMQ_MAX_REQUEST_BYTES", value_name = "BYTES", default_value_t = Config::default().http.max_request_bytes)]
    max_request_bytes: usize,

    /// Time for a request's headers to arrive
    #[arg(long, env = "MEMQ_HEADER_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = positive_duration)]
    header_timeout: Duration,

    /// Time for each MiB of a request's body to arrive, from the end of its headers on
    #[arg(long, env = "MEMQ_BODY_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = positive_duration)]
    body_timeout: Duration,

    /// Time that requests have to finish once the server is told to stop
    #[arg(long, env = "MEMQ_GRACE", value_name = "DURATION", default_value = "10s", value_parser = parse_duration_with_unit)]
    grace: Duration,
}

/// What is done instead of serving.
#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Command {
    /// Check a data directory, without changing it
    Fsck(fsck::Args),
}

impl Args {
    /// The settings these arguments describe, checked. Looks at the disk if that is to decide.
    pub(crate) fn into_settings(self) -> Result<Settings, ArgsError> {
        let Self {
            command: _,
            listen,
            tokens,
            allow_host,
            storage,
            data_dir,
            max_data_bytes,
            body_memory,
            accept_loss,
            log_format,
            max_queues,
            max_items,
            max_bytes,
            max_connections,
            max_waiters,
            max_request_bytes,
            header_timeout,
            body_timeout,
            grace,
        } = self;
        let on_disk = match storage {
            StorageKind::Disk => true,
            StorageKind::Memory => false,
            // What cannot be looked at is not passed over: opening it will say why.
            StorageKind::Auto => volume::holds(&data_dir).unwrap_or(true),
        };
        let no_volume = (storage == StorageKind::Auto && !on_disk).then(|| data_dir.clone());
        let storage = match on_disk {
            false => Storage::Memory,
            true => Storage::Disk(DiskStorage {
                data_dir,
                body_memory,
                max_data_bytes,
                accept_loss,
                ..DiskStorage::default()
            }),
        };
        let config = Config {
            listen,
            storage,
            max_queues,
            max_waiters: max_waiters.unwrap_or_else(|| waiters_for(max_connections)),
            max_items,
            max_bytes,
            access: Access {
                tokens,
                allow_hosts: allow_host,
            },
            http: HttpLimits { max_request_bytes },
            connections: ConnectionLimits {
                max_connections,
                head_timeout: header_timeout,
                body_timeout,
                grace,
                ..ConnectionLimits::default()
            },
        };
        config.check()?;
        if let Some(tokens) = &config.access.tokens {
            guard::check_file(tokens)?;
        }
        Ok(Settings {
            config,
            log_format,
            no_volume,
        })
    }
}

/// What arguments come to.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) log_format: LogFormat,
    /// The directory where a volume would have been used, had one been mounted.
    pub(crate) no_volume: Option<PathBuf>,
}

/// Where items are kept, on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum StorageKind {
    /// In a log in the data directory: what is acknowledged survives a kill, a restart, a loss of power
    #[default]
    Disk,
    /// In memory: what is acknowledged is lost when the process ends
    Memory,
    /// On disk if the data directory lies on a volume, which is mounted apart from the root; else in
    /// memory, and the log says so. For containers, which lose what lies on their root
    Auto,
}

/// Arguments that were read one by one and do not make a configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArgsError {
    /// Give the flag another value.
    #[error("--{} ({})", .0.field().replace('_', "-"), .0)]
    Config(#[from] ConfigError),
    /// Mend the file, or name another.
    #[error("--tokens")]
    Tokens(#[from] TokensError),
}

fn listen_addr(text: &str) -> Result<SocketAddr, String> {
    if let Some((name, port)) = text.rsplit_once(':')
        && name.eq_ignore_ascii_case("localhost")
        && let Ok(port) = port.parse()
    {
        return Ok(SocketAddr::new(localhost(), port));
    }
    text.parse().map_err(|_| {
        "write an IP address and a port, such as 127.0.0.1:8080 or 0.0.0.0:8080, or localhost and a port"
            .into()
    })
}

/// What `localhost` is here: IPv4 unless the machine knows it as IPv6 alone. Never another machine, whatever
/// somebody's name server says.
fn localhost() -> IpAddr {
    let known = ("localhost", 0).to_socket_addrs().into_iter().flatten();
    let known: Vec<_> = known
        .map(|address| address.ip())
        .filter(IpAddr::is_loopback)
        .collect();
    let v4 = known.iter().find(|address| address.is_ipv4());
    let found = v4.or(known.first()).copied();
    found.unwrap_or(Ipv4Addr::LOCALHOST.into())
}

/// A name as it stands in a request's Host, without the port.
fn host_name(text: &str) -> Result<String, String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    match !name.is_empty() && name.bytes().all(fits) {
        true => Ok(name.to_ascii_lowercase()),
        false => Err("write a host's name alone, such as queue.example.com".into()),
    }
}

fn positive_duration(text: &str) -> Result<Duration, String> {
    match parse_duration_with_unit(text) {
        Ok(Duration::ZERO) => Err("must be longer than 0".into()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rstest::rstest;

    use super::*;
    use telemetry::chain;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn read(line: &str) -> Result<Config, String> {
        let words = std::iter::once("memq-server").chain(line.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        let settings = cli.args.into_settings().map_err(|error| chain(&error))?;
        Ok(settings.config)
    }

    #[test]
    fn no_arguments_are_the_defaults() {
        assert_eq!(read(""), Ok(Config::default()));
    }

    #[test]
    fn each_flag_reaches_its_field() {
        let config = read(
            "--listen 0.0.0.0:9 --storage memory --max-queues 3 --max-connections 100 --max-waiters 50 \
             --max-request-bytes 65536 --header-timeout 1s --body-timeout 2s --grace 0",
        )
        .expect("within limits");
        assert_eq!(config.listen.to_string(), "0.0.0.0:9");
        assert_eq!((config.max_queues, config.max_waiters), (3, 50));
        assert_eq!(config.http.max_request_bytes, 65_536);
        let ConnectionLimits {
            max_connections,
            head_timeout,
            body_timeout,
            grace,
            ..
        } = config.connections;
        assert_eq!(max_connections, 100);
        assert_eq!(head_timeout, Duration::from_secs(1));
        assert_eq!(body_timeout, Duration::from_secs(2));
        assert_eq!(grace, Duration::ZERO);
    }

    #[rstest]
    #[case("localhost:8080")]
    #[case("LocalHost:8080")]
    fn localhost_is_this_machine(#[case] listen: &str) {
        let config = read(&format!("--listen {listen}")).expect("an address");
        assert!(config.listen.ip().is_loopback(), "{}", config.listen);
        assert_eq!(config.listen.port(), 8080);
    }

    #[test]
    fn names_of_the_server_may_be_repeated_or_separated_by_commas() {
        let config =
            read("--allow-host Queue.example.com.,queue --allow-host q_1.internal").expect("names");
        let named = ["queue.example.com", "queue", "q_1.internal"];
        assert_eq!(config.access.allow_hosts, named);
    }

    #[test]
    fn a_file_of_tokens_is_read_before_anything_is_done() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("tokens");
        let line = format!("--tokens {}", path.display());
        let error = read(&line).expect_err("it is not there");
        assert!(error.starts_with("--tokens: cannot read"), "{error}");
        std::fs::write(&path, "work 0123456789abcdef\n").expect("written");
        let config = read(&line).expect("a file of tokens");
        assert_eq!(config.access.tokens, Some(path));
    }

    #[test]
    fn fewer_connections_park_fewer_calls() {
        assert_eq!(
            read("--max-connections 100")
                .expect("within limits")
                .max_waiters,
            75
        );
    }

    #[rstest]
    #[case::address("--listen localhost", &["--listen", "localhost", "127.0.0.1:8080"])]
    #[case::port("--listen localhost:http", &["--listen", "localhost:http", "a port"])]
    #[case::other_machine("--listen queue.example.com:80", &["--listen", "queue.example.com:80", "IP address"])]
    #[case::url("--allow-host http://queue", &["--allow-host", "http://queue", "a host's name alone"])]
    #[case::with_a_port("--allow-host queue:80", &["--allow-host", "queue:80", "queue.example.com"])]
    #[case::no_name("--allow-host queue,", &["--allow-host", "a host's name alone"])]
    #[case::storage("--storage paper", &["--storage", "paper", "memory"])]
    #[case::format("--log-format xml", &["--log-format", "xml", "human", "json"])]
    #[case::number("--max-queues many", &["--max-queues", "many"])]
    #[case::limit("--max-waiters 21000", &["--max-waiters", "21000", "1 to 20000"])]
    #[case::zero("--body-timeout 0s", &["--body-timeout", "0s", "longer than 0"])]
    #[case::duration("--grace soon", &["--grace", "soon", "30s"])]
    #[case::unknown("--data-dri x", &["--data-dri"])]
    fn a_bad_value_names_flag_value_and_limit(#[case] line: &str, #[case] named: &[&str]) {
        let error = read(line).expect_err("refused");
        for word in named {
            assert!(error.contains(word), "{word} in {error}");
        }
    }
}
