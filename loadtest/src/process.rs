//! A server, a floor or a peer as a process of its own, which ends with us.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use rustix::process::{Pid, Signal, kill_process};

use crate::machine::{self, Core};
use crate::target::Target;
use crate::wire::{Connection, request};

/// Time between two looks whether it answers.
const LOOK: Duration = Duration::from_millis(5);
/// Longest a process may take until it answers: ten million items are read meanwhile.
const START: Duration = Duration::from_secs(120);

/// Where a server keeps its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Storage {
    /// On disk: what is acknowledged is synced.
    Disk,
    /// In memory.
    Memory,
}

/// How to start a memq server, also several times on the same data.
#[derive(Debug, Clone)]
pub(crate) struct ServerPlan {
    /// The program, and what comes before the server's own arguments.
    pub(crate) program: PathBuf,
    pub(crate) before: Vec<String>,
    pub(crate) storage: Storage,
    /// The directory of a server that keeps its items on disk.
    pub(crate) data_dir: PathBuf,
    /// Connections it must allow, each of which may park a call.
    pub(crate) connections: u64,
    /// More arguments.
    pub(crate) extra: Vec<String>,
    /// Keep it to the server's core.
    pub(crate) pinned: bool,
    /// What it logs to our standard error, unless MEMQ_LOG says otherwise.
    pub(crate) log: &'static str,
}

impl ServerPlan {
    /// A server by this program, by default the one beside ours.
    pub(crate) fn new(program: Option<&Path>, storage: Storage, data_dir: PathBuf) -> Result<Self> {
        let program = match program {
            Some(program) => program.to_owned(),
            None => beside("memq-server")?,
        };
        Ok(Self {
            program,
            before: Vec::new(),
            storage,
            data_dir,
            connections: 1024,
            extra: Vec::new(),
            pinned: true,
            // A log line a request would be measured too.
            log: "warn",
        })
    }

    /// The server that is linked into this very program.
    pub(crate) fn own(storage: Storage, data_dir: PathBuf) -> Result<Self> {
        let program = std::env::current_exe().context("cannot tell where this program lies")?;
        let mut plan = Self::new(Some(&program), storage, data_dir)?;
        plan.before.push("serve".into());
        Ok(plan)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.before);
        match self.storage {
            Storage::Disk => command
                .args(["--storage", "disk", "--data-dir"])
                .arg(&self.data_dir),
            Storage::Memory => command.args(["--storage", "memory"]),
        };
        let allowed = (self.connections + 256).to_string();
        command.args(["--max-connections", &allowed]);
        command.args(["--max-waiters", &self.connections.to_string()]);
        command.args(&self.extra);
        if std::env::var_os("MEMQ_LOG").is_none() {
            command.env("MEMQ_LOG", self.log);
        }
        command
    }

    /// Starts it and waits until it is ready.
    pub(crate) async fn start(&self) -> Result<Process> {
        let mut process = self.spawn().await?;
        process.ready().await?;
        Ok(process)
    }

    /// Starts it and waits for nothing.
    pub(crate) async fn spawn(&self) -> Result<Process> {
        let address = free_address()?;
        let mut command = self.command();
        command.args(["--listen", &address.to_string()]);
        Process::spawn(command, address, "/readyz", self.pinned).await
    }
}

/// A process that answers somewhere; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    shown: String,
    look_at: &'static str,
    /// Where it answers.
    pub(crate) target: Target,
}

impl Process {
    /// Starts the floor: this program under another name, pinned if what it is compared with is.
    pub(crate) async fn floor(pinned: bool) -> Result<Self> {
        let program = std::env::current_exe().context("cannot tell where this program lies")?;
        let address = free_address()?;
        let mut command = Command::new(&program);
        command.args(["floor", "--listen", &address.to_string()]);
        let mut process = Self::spawn(command, address, "/answered", pinned).await?;
        process.ready().await?;
        Ok(process)
    }

    /// Starts a program that will listen on this address, and ask it for this path over HTTP to see
    /// whether it is ready; no path: it is when it takes a connection.
    pub(crate) async fn spawn(
        mut command: Command,
        address: SocketAddr,
        look_at: &'static str,
        pinned: bool,
    ) -> Result<Self> {
        let shown = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::null());
        // A child inherits the core of the thread that starts it.
        if pinned {
            machine::keep_to(Core::Server);
        }
        let child = command.spawn();
        if pinned {
            machine::keep_to(Core::Client);
        }
        let child = child.with_context(|| format!("cannot start `{shown}`"))?;
        let target = Target::resolve(&format!("http://{address}"), false).await?;
        Ok(Self {
            child,
            shown,
            look_at,
            target,
        })
    }

    /// Waits until it is ready, and says how long that took from this call on.
    pub(crate) async fn ready(&mut self) -> Result<Duration> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                bail!(
                    "`{}` ended before it answered ({status}); its words are above",
                    self.shown
                );
            }
            match answers(&self.target, self.look_at).await {
                Ok(()) => return Ok(begun.elapsed()),
                Err(error) if begun.elapsed() > START => {
                    return Err(error.context(format!("`{}` did not come up", self.shown)));
                }
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("cannot look at a child")
    }

    /// Waits for it to end by itself, at most so long.
    pub(crate) async fn end(&mut self, patience: Duration) -> Result<ExitStatus> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("`{}` still runs after {} s", self.shown, patience.as_secs())
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.context("a child without a process id")?;
        kill_process(pid, signal).with_context(|| format!("cannot signal `{}`", self.shown))
    }

    /// Kills it at once and waits until it is gone.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill().context("cannot kill a child")?;
        self.child.wait().context("cannot wait for a child")?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // What it keeps is thrown away or meant to survive this.
        let _ = self.kill();
    }
}

async fn answers(target: &Target, path: &str) -> Result<()> {
    let mut connection = Connection::open(target).await?;
    if path.is_empty() {
        return Ok(());
    }
    let mut bytes = Vec::new();
    request(&mut bytes, "GET", target, path, b"");
    let answer = connection.exchange(&bytes).await?;
    anyhow::ensure!(answer.status == 200, "{path} answers {}", answer.status);
    Ok(())
}

/// A program in the folder of this one.
fn beside(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program lies")?;
    let path = own.with_file_name(name);
    anyhow::ensure!(
        path.is_file(),
        "there is no `{}`: build it (`cargo build --release --bin {name}`) or name one with \
         --server-bin",
        path.display()
    );
    Ok(path)
}

/// An address that nobody uses now. Somebody may take it before our child does; the child says so
/// then.
pub(crate) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    listener
        .local_addr()
        .context("a listener without an address")
}
