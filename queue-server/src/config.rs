//! The server's configuration: a plain struct, made once, checked before anything is bound.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use queue_api::limits::MAX_REQUEST_BYTES;

pub use crate::serve::ConnectionLimits;
use crate::serve::TURNED_AWAY;

const MIB: u64 = 1024 * 1024;
/// Smallest log one may ask for, in bytes: a few requests of the largest size, and what is kept free
/// so that items can end on a full disk.
const MIN_DATA_BYTES: u64 = 64 * MIB;
/// Descriptors that are not connections: standard streams, the listener, the runtime's own.
const OTHER_FILES: usize = 32;
/// Fewest connections it is worth serving: below this the server is started and of no use.
const MIN_CONNECTIONS: usize = 8;
/// Most connections and parked calls one may ask for: what one process is known to bear.
const MAX_CONNECTIONS: usize = 1_000_000;
/// Most queues one may ask for: each is listed, scraped and swept.
const MAX_QUEUES: usize = 1_000_000;
/// Most items one may ask for: what has a number of 32 bits in a queue.
const MAX_ITEMS: usize = 4_000_000_000;
/// Smallest limit of a request one may ask for, in bytes: settings and settlements must fit.
const MIN_REQUEST_BYTES: usize = 64 * 1024;

/// How a server is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where to listen. Port 0 takes a free one; [`crate::Server::local_addr`] tells which.
    pub listen: SocketAddr,
    /// Where items are kept.
    pub storage: Storage,
    /// Most queues. One past it is refused with `overloaded`.
    pub max_queues: usize,
    /// Most calls parked at a time. One past it is refused with `overloaded`, so that those who
    /// enqueue and settle still find a connection.
    pub max_waiters: usize,
    /// Most items over all queues: ready, leased, delayed and dead. Each takes about 60 bytes of memory
    /// beside its body, and up to 150 with a lease or a failed attempt. One past it is refused with
    /// `overloaded`.
    pub max_items: u64,
    /// Most bytes of their bodies, errors and logs; `None`: as many as the disk takes, or 4 GiB in memory. One past it is
    /// refused with `overloaded`.
    pub max_bytes: Option<u64>,
    /// Who may call.
    pub access: Access,
    /// Bounds of requests.
    pub http: HttpLimits,
    /// Bounds of connections.
    pub connections: ConnectionLimits,
}

/// Who may call the server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// A file of tokens, `ROLE TOKEN` a line, read again when it has changed. `None`: whoever reaches the
    /// server may do everything.
    pub tokens: Option<PathBuf>,
    /// Names by which the server is asked, beside IP addresses, `localhost` and names below it. Others are
    /// refused where any is given; and where none is, on a loopback address without tokens.
    pub allow_hosts: Vec<String>,
}

impl Access {
    /// Whether a server on this address can tell nobody from anybody: others reach it, and it neither asks for
    /// tokens nor minds by which name it is called.
    pub(crate) fn is_open_on(&self, address: SocketAddr) -> bool {
        let Self {
            tokens,
            allow_hosts,
        } = self;
        !address.ip().to_canonical().is_loopback() && tokens.is_none() && allow_hosts.is_empty()
    }
}

/// Where items are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In the server's memory: what is acknowledged is lost when the process ends.
    Memory,
    /// In a log on disk: what is acknowledged survives the process, the machine's restart and a loss of
    /// power.
    Disk(DiskStorage),
}

/// How a log on disk is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskStorage {
    /// The directory; made if it is not there. One server at a time uses it.
    pub data_dir: PathBuf,
    /// Bytes of bodies, results and errors that are kept in memory too, over all queues. What comes on
    /// top lies on disk alone and is read when it is leased.
    pub body_memory: u64,
    /// Most bytes on disk; `None`: what the disk has.
    pub max_data_bytes: Option<u64>,
    /// Largest file of the log in bytes. Files grow up to it with the log.
    pub segment_bytes: u64,
    /// Go on without what a damaged log lost, instead of refusing to start.
    pub accept_loss: bool,
}

impl Default for DiskStorage {
    fn default() -> Self {
        Self {
            data_dir: "memq-data".into(),
            body_memory: 512 * MIB,
            max_data_bytes: None,
            segment_bytes: 64 * MIB,
            accept_loss: false,
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self::Disk(DiskStorage::default())
    }
}

/// Bounds of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpLimits {
    /// Largest body of a request in bytes.
    pub max_request_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        let connections = ConnectionLimits::default();
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            storage: Storage::default(),
            max_queues: 10_000,
            max_waiters: waiters_for(connections.max_connections),
            max_items: 20_000_000,
            max_bytes: None,
            access: Access::default(),
            http: HttpLimits {
                max_request_bytes: MAX_REQUEST_BYTES,
            },
            connections,
        }
    }
}

impl Config {
    /// Most bytes of bodies, errors and logs of items.
    pub(crate) fn max_bytes(&self) -> u64 {
        self.max_bytes.unwrap_or(match self.storage {
            Storage::Memory => 4096 * MIB,
            Storage::Disk(_) => u64::MAX,
        })
    }
}

/// The parked calls that a number of connections allows: a quarter stays free for calls that do
/// not park.
pub(crate) fn waiters_for(connections: usize) -> usize {
    connections - connections / 4
}

/// Why a configuration is refused: the field, its value and its limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}: {rule}")]
pub struct ConfigError {
    field: &'static str,
    value: usize,
    rule: String,
}

impl ConfigError {
    /// The field of [`Config`] it is about.
    #[must_use]
    pub fn field(&self) -> &'static str {
        self.field
    }
}

impl Config {
    /// Whether each field is within its limits.
    pub fn check(&self) -> Result<(), ConfigError> {
        let connections = self.connections.max_connections;
        within(
            "max_connections",
            connections,
            MIN_CONNECTIONS,
            MAX_CONNECTIONS,
        )?;
        within("max_waiters", self.max_waiters, 1, connections)?;
        within("max_queues", self.max_queues, 1, MAX_QUEUES)?;
        let items = usize::try_from(self.max_items).unwrap_or(usize::MAX);
        within("max_items", items, 1, MAX_ITEMS)?;
        if let Storage::Disk(DiskStorage {
            max_data_bytes: Some(bytes),
            ..
        }) = self.storage
        {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            within("max_data_bytes", bytes, MIN_DATA_BYTES as usize, usize::MAX)?;
        }
        within(
            "max_request_bytes",
            self.http.max_request_bytes,
            MIN_REQUEST_BYTES,
            MAX_REQUEST_BYTES,
        )
    }

    /// The same configuration within what the process may open. Says what it lowered.
    pub(crate) fn fit_open_files(mut self, open_files: usize) -> (Self, Option<Lowered>) {
        let affordable = open_files
            .saturating_sub(OTHER_FILES + TURNED_AWAY)
            .max(MIN_CONNECTIONS);
        let asked = self.connections.max_connections;
        if asked <= affordable {
            return (self, None);
        }
        self.connections.max_connections = affordable;
        self.max_waiters = self.max_waiters.min(waiters_for(affordable));
        let lowered = Lowered {
            open_files,
            asked,
            given: affordable,
        };
        (self, Some(lowered))
    }
}

/// The connection limit was lowered to what the process may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lowered {
    open_files: usize,
    asked: usize,
    given: usize,
}

impl fmt::Display for Lowered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "serving at most {} connections instead of {}: the process may open {} files (ulimit -n)",
            self.given, self.asked, self.open_files
        )
    }
}

fn within(field: &'static str, value: usize, min: usize, max: usize) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        let rule = format!("give {min} to {max}");
        Err(ConfigError { field, value, rule })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn with(change: impl FnOnce(&mut Config)) -> Result<(), ConfigError> {
        let mut config = Config::default();
        change(&mut config);
        config.check()
    }

    #[test]
    fn the_defaults_are_within_their_limits() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[rstest]
    #[case::connections("max_connections", with(|c| c.connections.max_connections = MAX_CONNECTIONS + 1))]
    #[case::few_connections("max_connections", with(|c| c.connections.max_connections = MIN_CONNECTIONS - 1))]
    #[case::waiters("max_waiters", with(|c| c.max_waiters = c.connections.max_connections + 1))]
    #[case::no_waiters("max_waiters", with(|c| c.max_waiters = 0))]
    #[case::queues("max_queues", with(|c| c.max_queues = MAX_QUEUES + 1))]
    #[case::request("max_request_bytes", with(|c| c.http.max_request_bytes = MAX_REQUEST_BYTES + 1))]
    fn one_past_a_limit_is_refused_by_name(
        #[case] field: &str,
        #[case] checked: Result<(), ConfigError>,
    ) {
        let error = checked.expect_err("past its limit");
        assert_eq!(error.field(), field);
        assert!(error.to_string().contains("give "), "{error}");
    }

    #[test]
    fn connections_fit_what_the_process_may_open() {
        let (config, lowered) = Config::default().fit_open_files(1024);
        assert_eq!(
            config.connections.max_connections,
            1024 - OTHER_FILES - TURNED_AWAY
        );
        assert_eq!(
            config.max_waiters,
            waiters_for(config.connections.max_connections)
        );
        assert!(lowered.expect("lowered").to_string().contains("ulimit -n"));
        assert_eq!(config.check(), Ok(()));

        let (config, lowered) = Config::default().fit_open_files(1 << 20);
        assert_eq!((config, lowered), (Config::default(), None));
    }
}
