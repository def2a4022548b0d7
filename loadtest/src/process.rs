//! A server or a floor as a process of its own, on the server's core, that ends with us.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::machine::{self, Core};
use crate::target::Target;
use crate::wire::{Connection, request};

/// Longest a process may take until it answers.
const START: Duration = Duration::from_secs(20);
/// Time between two looks whether it answers.
const LOOK: Duration = Duration::from_millis(20);

/// A process that answers HTTP; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Where it answers.
    pub(crate) target: Target,
}

impl Process {
    /// Starts a memq server, by default the one beside this program, that allows this many
    /// connections.
    pub(crate) async fn server(program: Option<&Path>, connections: u64) -> Result<Self> {
        let program = match program {
            Some(program) => program.to_owned(),
            None => beside("memq-server")?,
        };
        let mut command = Command::new(&program);
        let waiters = connections.to_string();
        let allowed = (connections + 256).to_string();
        command.args(["--storage", "memory", "--max-connections", &allowed]);
        command.args(["--max-waiters", &waiters]);
        // A log line a request would be measured too.
        command.env("MEMQ_LOG", "warn");
        Self::start(&program, command, "/readyz", true).await
    }

    /// Starts the floor: this program under another name, pinned if what it is compared with is.
    pub(crate) async fn floor(pinned: bool) -> Result<Self> {
        let program = std::env::current_exe().context("cannot tell where this program lies")?;
        let mut command = Command::new(&program);
        command.arg("floor");
        Self::start(&program, command, "/answered", pinned).await
    }

    async fn start(
        program: &Path,
        mut command: Command,
        look_at: &str,
        pinned: bool,
    ) -> Result<Self> {
        let shown = program.display();
        let address = free_address()?;
        command
            .args(["--listen", &address])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        // A child inherits the core of the thread that starts it.
        if pinned {
            machine::keep_to(Core::Server);
        }
        let child = command
            .spawn()
            .with_context(|| format!("cannot start `{shown}`"));
        if pinned {
            machine::keep_to(Core::Client);
        }
        let target = Target::resolve(&format!("http://{address}"), false).await?;
        let mut process = Self {
            child: child?,
            target,
        };
        let begun = Instant::now();
        loop {
            if let Some(status) = process.child.try_wait().context("cannot look at a child")? {
                bail!("`{shown}` ended before it answered ({status}); its words are above");
            }
            match answers(&process.target, look_at).await {
                Ok(()) => return Ok(process),
                Err(error) if begun.elapsed() > START => {
                    return Err(error.context(format!("`{shown}` did not come up")));
                }
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It keeps nothing, so that there is nothing to stop gently.
        if self.child.kill().is_ok() {
            let _ = self.child.wait();
        }
    }
}

async fn answers(target: &Target, path: &str) -> Result<()> {
    let mut connection = Connection::open(target).await?;
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
fn free_address() -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener
        .local_addr()
        .context("a listener without an address")?
        .to_string())
}
