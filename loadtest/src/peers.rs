//! Peers: other queue servers, in the mode in which they too keep what they acknowledge through a
//! loss of power, under the same items, connections and loop.
//!
//! Each speaks its own protocol, written by hand as ours is: one request at a time on a connection.
//! They are looked for on PATH and nowhere else.

mod beanstalkd;
mod nats;
mod redis;

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::ledger::Book;
use crate::process::{Process, free_address};
use crate::side::{Side, Turned};
use crate::target::Target;
use crate::wire::Connection;

/// Another queue server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// beanstalkd, which syncs each write with `-f 0`.
    Beanstalkd,
    /// Redis lists, which `appendfsync always` syncs before an answer.
    Redis,
    /// NATS JetStream, one replica, a file store that is synced always.
    Nats,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Beanstalkd, Self::Redis, Self::Nats];

    /// The program on PATH.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Beanstalkd => "beanstalkd",
            Self::Redis => "redis-server",
            Self::Nats => "nats-server",
        }
    }

    /// The peer as a table names it, with its mode.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Beanstalkd => "beanstalkd -f 0",
            Self::Redis => "Redis, appendfsync always",
            Self::Nats => "NATS R1, sync always",
        }
    }

    /// What it calls putting an item in, and taking it out for good.
    #[must_use]
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Beanstalkd => ("put", "reserve, delete"),
            Self::Redis => ("LPUSH", "LMOVE, LREM"),
            Self::Nats => ("publish", "fetch, ack"),
        }
    }

    /// What the program says of its own version, if it is on PATH.
    #[must_use]
    pub fn version(self) -> Option<String> {
        let ask = match self {
            Self::Beanstalkd => "-v",
            Self::Redis | Self::Nats => "--version",
        };
        let told = Command::new(self.program())
            .arg(ask)
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&told.stdout).into_owned();
        let line = text.lines().next().unwrap_or_default();
        let number = line
            .split_whitespace()
            .map(|word| word.trim_start_matches("v=").trim_start_matches('v'))
            .find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
        Some(number.unwrap_or("of unknown version").to_owned())
    }
}

/// A peer that runs.
#[derive(Debug)]
pub struct Peer {
    /// Which.
    pub kind: Kind,
    process: Process,
}

impl Peer {
    /// Starts it on this directory.
    ///
    /// # Errors
    ///
    /// It is not on PATH, or does not come up.
    pub async fn start(kind: Kind, directory: &Path, pinned: bool) -> Result<Self> {
        let address = free_address()?;
        let command = match kind {
            Kind::Beanstalkd => beanstalkd::command(directory, address),
            Kind::Redis => redis::command(directory, address),
            Kind::Nats => nats::command(directory, address)?,
        };
        let mut process = Process::spawn(command, address, "", pinned).await?;
        process.ready().await?;
        Ok(Self { kind, process })
    }

    /// Where it listens.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.process.target
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Makes a queue of this name ready for use.
    ///
    /// # Errors
    ///
    /// The peer refused.
    pub async fn prepare(&self, queue: &str) -> Result<()> {
        let made = match self.kind {
            Kind::Beanstalkd | Kind::Redis => return Ok(()),
            Kind::Nats => nats::prepare(self.target(), queue).await,
        };
        made.with_context(|| format!("cannot make a queue in {}", self.kind.name()))
    }

    /// One connection's side of putting items into a queue, or of taking them out for good.
    #[must_use]
    pub fn side(&self, queue: &str, puts: bool, number: u64, book: Book) -> PeerSide {
        match self.kind {
            Kind::Beanstalkd => PeerSide::Beanstalkd(beanstalkd::Talk::new(queue, puts, book)),
            Kind::Redis => PeerSide::Redis(redis::Talk::new(queue, puts, number, book)),
            Kind::Nats => PeerSide::Nats(nats::Talk::new(queue, puts, number, book)),
        }
    }
}

/// One connection's side of a conversation with a peer.
#[derive(Debug)]
pub enum PeerSide {
    /// With beanstalkd.
    Beanstalkd(beanstalkd::Talk),
    /// With Redis.
    Redis(redis::Talk),
    /// With NATS.
    Nats(nats::Talk),
}

impl Side for PeerSide {
    async fn turn(&mut self, connection: &mut Connection) -> Result<Turned> {
        match self {
            Self::Beanstalkd(talk) => talk.turn(connection).await,
            Self::Redis(talk) => talk.turn(connection).await,
            Self::Nats(talk) => talk.turn(connection).await,
        }
    }

    async fn finish(&mut self, _: &mut Connection) -> Result<u64> {
        // Each turn settles what it took.
        Ok(0)
    }
}

/// Where the first line of an answer ends, its CR and LF left out, and where the next begins.
fn line(bytes: &[u8]) -> Option<(&str, usize)> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, end + 2))
}
