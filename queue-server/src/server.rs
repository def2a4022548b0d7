//! A server from start to stop, as a part of any program.
//!
//! The order matters at both ends. Configuration is checked before anything is bound, and the address
//! is bound before the log is read: whoever asks meanwhile hears that the server is alive and not
//! ready. On the way out parked calls are answered before connections are given their time to end, and
//! the disk has everything before the server says that it has stopped.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use queue_log::{Disk, OpenError, Options, RealDisk};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::info;

use crate::config::{Config, ConfigError, Storage};
use crate::engine::{self, Engine, EngineLimits, RecoverError, wall_time};
use crate::http::guard::{Guard, TokensError};
use crate::metrics::Connections;
use crate::open_files;
use crate::serve::{Stopped, listen, serve};

/// How long a directory may be locked: by a server that is just ending, whom this one follows.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);
/// How often it is tried meanwhile.
const LOCK_RETRY: Duration = Duration::from_millis(50);

/// A server that listens. Dropping it stops it without waiting for it.
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    engine: Arc<Engine>,
    stop: CancellationToken,
    serving: JoinHandle<Stopped>,
    timer: JoinHandle<()>,
    watching: JoinHandle<()>,
    keeping: JoinHandle<Broken>,
    opened: watch::Receiver<bool>,
}

/// What a server has of the machine it runs on, for those who bring their own.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Where the log lies; `None`: the configured directory.
    pub disk: Option<Arc<dyn Disk>>,
    /// The wall clock at start: the time since 1970.
    pub wall_clock: Duration,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            disk: None,
            wall_clock: wall_time(),
        }
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Correct the field that the message names.
    #[error("the configuration is refused")]
    Config(#[from] ConfigError),
    /// Mend the file, or name another.
    #[error("calls cannot be let through")]
    Tokens(#[from] TokensError),
    /// Choose another port, or end the program that has it.
    #[error("another program listens on {0}: end it, or choose another port with --listen")]
    InUse(SocketAddr),
    /// The address is not one of this machine's, or its port may not be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// What was asked.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The directory cannot be made or entered.
    #[error("cannot use the data directory `{}`: choose another with --data-dir", directory.display())]
    DataDir {
        /// Which.
        directory: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A server that cannot go on. Start it again: what it acknowledged is on disk.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The log cannot be read; the message says what may help.
    #[error("the queues in `{}` cannot be recovered{advice}", directory.display())]
    Recovery {
        /// Where it is.
        directory: PathBuf,
        /// What to do.
        advice: &'static str,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The log cannot be written any more.
    #[error("{0}")]
    Log(String),
    /// A bug.
    #[error("a task of the server panicked")]
    Panicked(#[from] JoinError),
}

impl Server {
    /// Binds the address and serves it from tasks of the current runtime. Commands are answered once
    /// the queues are [recovered](Server::recovered).
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_on(config, Machine::default()).await
    }

    /// The same, on a machine whose disk and clock the caller brings along.
    pub async fn start_on(config: Config, machine: Machine) -> Result<Self, StartError> {
        config.check()?;
        let (config, lowered) = config.fit_open_files(open_files::limit());
        if let Some(lowered) = lowered {
            info!("{lowered}");
        }
        let max_bytes = config.max_bytes();
        let Config {
            listen: address,
            storage,
            max_queues,
            max_waiters,
            max_items,
            max_bytes: _,
            access,
            http,
            connections,
        } = config;
        let listening = listen(address).and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (local_addr, listener) = listening.map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::InUse(address),
            _ => StartError::Listen { address, source },
        })?;
        let guard = Arc::new(Guard::new(&access, local_addr)?);
        let directory = match &storage {
            Storage::Memory => PathBuf::new(),
            Storage::Disk(storage) => storage.data_dir.clone(),
        };
        let storage = storage_on(storage, machine.disk)?;
        let limits = EngineLimits {
            max_queues,
            max_waiters,
            max_items,
            max_bytes,
        };
        let engine = Engine::new(limits, machine.wall_clock);
        let meter = Arc::new(Connections::new(connections.max_connections));
        let router = crate::http::router(
            Arc::clone(&engine),
            Arc::clone(&guard),
            &http,
            Arc::clone(&meter),
        );
        let stop = CancellationToken::new();
        let timer = tokio::spawn(Arc::clone(&engine).run_timer());
        let watching = tokio::spawn({
            let stop = stop.clone();
            async move { guard.watch(stop).await }
        });
        let serving = tokio::spawn({
            let stop = stop.clone();
            async move { serve(listener, router, &connections, &meter, stop).await }
        });
        let (opens, opened) = watch::channel(false);
        let keeping = tokio::spawn(keep(Arc::clone(&engine), storage, directory, opens));
        Ok(Self {
            local_addr,
            engine,
            stop,
            serving,
            timer,
            watching,
            keeping,
            opened,
        })
    }

    /// Waits until the queues are as they were acknowledged, and commands are answered.
    pub async fn recovered(&mut self) -> Result<(), Broken> {
        let opened = self.opened.wait_for(|opened| *opened).await.is_ok();
        match opened {
            true => Ok(()),
            // The task that would have opened it has ended.
            false => Err((&mut self.keeping).await?),
        }
    }

    /// Where it listens: the port that was taken, if any port would do.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The base URL for clients on this machine.
    #[must_use]
    pub fn url(&self) -> String {
        let mut address = self.local_addr;
        if address.ip().is_unspecified() {
            // One may listen on every address, but not call it everywhere.
            address.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        format!("http://{address}")
    }

    /// Stops: it is not ready any more, parked calls are answered, requests under way have
    /// [`grace`](crate::ConnectionLimits::grace) to finish, and what may have trailed is put on disk.
    /// Fails only if a task of it panicked.
    pub async fn stop(mut self) -> Result<Stopped, JoinError> {
        self.engine.stop();
        self.stop.cancel();
        let stopped = (&mut self.serving).await?;
        (&mut self.timer).await?;
        (&mut self.watching).await?;
        // A server that stops before it has read its log, or whose log failed, has nothing to put there.
        if *self.opened.borrow() {
            let _failed = self.engine.flush().await;
        }
        // It has the log, which locks its directory: the next server may come when this one has stopped.
        // One that broke has let go of it, and was told of to whoever asked.
        if !self.keeping.is_finished() {
            self.keeping.abort();
            let _ended = (&mut self.keeping).await;
        }
        Ok(stopped)
    }

    /// Resolves if the server cannot go on; not to be asked again after that.
    pub async fn broken(&mut self) -> Broken {
        let ended = tokio::select! {
            ended = &mut self.keeping => return ended.unwrap_or_else(Broken::from),
            ended = &mut self.serving => ended.map(drop),
            ended = &mut self.timer => ended,
            ended = &mut self.watching => ended,
        };
        match ended {
            Err(panicked) => panicked.into(),
            // Stopped by somebody who waits for it elsewhere.
            Ok(()) => std::future::pending().await,
        }
    }
}

/// The storage that a configuration means, on the caller's disk or on the directory it names.
fn storage_on(
    storage: Storage,
    disk: Option<Arc<dyn Disk>>,
) -> Result<engine::Storage, StartError> {
    let Storage::Disk(storage) = storage else {
        return Ok(engine::Storage::Memory);
    };
    let directory = storage.data_dir;
    let disk = match disk {
        Some(disk) => disk,
        None => match RealDisk::open(&directory) {
            Ok(disk) => Arc::new(disk),
            Err(source) => return Err(StartError::DataDir { directory, source }),
        },
    };
    Ok(engine::Storage::Log {
        disk,
        options: Options {
            segment_bytes: storage.segment_bytes,
            max_bytes: storage.max_data_bytes,
            accept_loss: storage.accept_loss,
        },
        body_memory: storage.body_memory,
    })
}

fn irrecoverable(directory: PathBuf, error: RecoverError) -> Broken {
    let advice = match &error {
        RecoverError::Log(OpenError::Locked) => {
            ": end the other server, or give this one a --data-dir of its own"
        }
        RecoverError::Log(OpenError::Damaged { .. }) => {
            ": look with `memq-server fsck`; restore a backup, or start with --accept-loss to go on without what \
             is lost"
        }
        RecoverError::Log(_) | RecoverError::Fault(_) => "",
    };
    Broken::Recovery {
        directory,
        advice,
        source: Box::new(error),
    }
}

/// Recovers the queues, then keeps what happens to them. Comes back when that is not possible.
async fn keep(
    engine: Arc<Engine>,
    storage: engine::Storage,
    directory: PathBuf,
    opens: watch::Sender<bool>,
) -> Broken {
    let patience = tokio::time::Instant::now() + LOCK_PATIENCE;
    loop {
        let (recovering, storage) = (Arc::clone(&engine), storage.clone());
        // Reads for as long as the log is long.
        match tokio::task::spawn_blocking(move || recovering.open(storage)).await {
            Ok(Ok(())) => break,
            Ok(Err(RecoverError::Log(OpenError::Locked)))
                if tokio::time::Instant::now() < patience =>
            {
                tokio::time::sleep(LOCK_RETRY).await;
            }
            Ok(Err(error)) => return irrecoverable(directory, error),
            Err(panicked) => return panicked.into(),
        }
    }
    opens.send_replace(true);
    let mut compacting = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&engine).run_compaction()));
    tokio::select! {
        failed = engine.run_store() => Broken::Log(failed.to_string()),
        // It ends in order when the engine stops: then there may still be something to keep.
        Err(panicked) = &mut compacting => panicked.into(),
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.engine.stop();
        self.stop.cancel();
        self.keeping.abort();
    }
}
