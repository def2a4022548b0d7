//! What is measured beside each other: the server, the same in memory, the floor and the peers.

use std::path::PathBuf;

use anyhow::Result;

use crate::args::BenchArgs;
use crate::peers::{Kind, Peer};
use crate::process::{Process, ServerPlan, Storage};
use crate::report;
use crate::scratch::Scratch;
use crate::talk::Api;
use crate::target::Target;

/// Whose operation a row shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// The server that is measured, by one of its APIs.
    Server(Api),
    /// The same program with its items in memory, by the v1 API.
    InMemory,
    /// Another make.
    Peer(Kind),
}

/// A server of ours.
pub(crate) struct Server {
    pub(crate) target: Target,
    /// Whose processor time is read, if it is on this machine and ours.
    pub(crate) pid: Option<u32>,
    /// Kept so that it lives as long as the measurement.
    _process: Option<Process>,
}

/// Both sides of the comparison, and whoever else takes part.
pub(crate) struct Sides {
    pub(crate) server: Server,
    pub(crate) in_memory: Option<Server>,
    pub(crate) floor: Process,
    pub(crate) peers: Vec<Peer>,
}

/// How each server of a bench is started.
#[derive(Debug)]
pub(crate) struct Lab {
    program: Option<PathBuf>,
    pub(crate) storage: Storage,
    pub(crate) scratch: Scratch,
}

impl Lab {
    pub(crate) fn new(args: &BenchArgs) -> Result<Self> {
        Ok(Self {
            program: args.server_bin.clone(),
            storage: args.storage,
            scratch: Scratch::new(&args.data_dir, "bench")?,
        })
    }

    /// A server on a directory of its own, of that name.
    pub(crate) fn plan(&self, name: &str, connections: u64) -> Result<ServerPlan> {
        let data = self.scratch.dir(name)?;
        let mut plan = ServerPlan::new(self.program.as_deref(), self.storage, data)?;
        plan.connections = connections;
        Ok(plan)
    }

    pub(crate) fn on_disk(&self) -> bool {
        self.storage == Storage::Disk
    }
}

impl Sides {
    /// Starts what takes part in the rounds.
    pub(crate) async fn start(lab: &Lab, args: &BenchArgs) -> Result<Self> {
        let pinned = args.server.is_none();
        let connections = args.connections.iter().copied().max().unwrap_or_default();
        let floor = Process::floor(pinned).await?;
        let server = match &args.server {
            Some(url) => Server {
                target: Target::resolve(url, args.allow_remote)
                    .await?
                    .with_token(args.token.token()?.as_ref()),
                pid: None,
                _process: None,
            },
            None => Server::of(lab.plan("rounds", connections)?.start().await?),
        };
        let in_memory = if pinned && lab.on_disk() {
            let mut plan = lab.plan("in-memory", connections)?;
            plan.storage = Storage::Memory;
            Some(Server::of(plan.start().await?))
        } else {
            None
        };
        let mut peers = Vec::new();
        // A server elsewhere, or one in memory, is not in the same class.
        let wanted = pinned && lab.on_disk() && !args.no_peers;
        for kind in Kind::ALL.into_iter().filter(|_| wanted) {
            let Some(version) = kind.version() else {
                report::say(&format!("{}: not on PATH, not measured", kind.program()));
                continue;
            };
            match Peer::start(kind, &lab.scratch.dir(kind.program())?, pinned).await {
                Ok(peer) => {
                    report::say(&format!("{} {version}: {}", kind.program(), kind.name()));
                    peers.push(peer);
                }
                Err(error) => {
                    let program = kind.program();
                    report::say(&format!("{program} {version}: not measured: {error:#}"));
                }
            }
        }
        Ok(Self {
            server,
            in_memory,
            floor,
            peers,
        })
    }
}

impl Server {
    fn of(process: Process) -> Self {
        Self {
            target: process.target.clone(),
            pid: Some(process.pid()),
            _process: Some(process),
        }
    }
}
