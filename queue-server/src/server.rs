//! A server from start to stop: as a part of another program, and as a program of its own.
//!
//! The order matters at both ends. Configuration is checked before anything is bound; on the way
//! out parked calls are answered before connections are given their time to end.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::args::Args;
use crate::config::{Config, ConfigError};
use crate::engine::{Engine, EngineLimits};
use crate::open_files;
use crate::serve::{Stopped, listen, serve};
use crate::telemetry;

/// Exit code of a usage error, as sysexits.h has it.
const EX_USAGE: u8 = 64;

/// A server that listens. Dropping it stops it without waiting for it.
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    engine: Arc<Engine>,
    stop: CancellationToken,
    serving: JoinHandle<Stopped>,
    timer: JoinHandle<()>,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Correct the field that the message names.
    #[error("the configuration is refused")]
    Config(#[from] ConfigError),
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
}

impl Server {
    /// Binds the address and serves it from tasks of the current runtime.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        config.check()?;
        let (config, lowered) = config.fit_open_files(open_files::limit());
        if let Some(lowered) = lowered {
            info!("{lowered}");
        }
        let Config {
            listen: address,
            storage: _,
            max_queues,
            max_waiters,
            http,
            connections,
        } = config;
        let listening = listen(address).and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (local_addr, listener) = listening.map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::InUse(address),
            _ => StartError::Listen { address, source },
        })?;
        let engine = Engine::new(EngineLimits {
            max_queues,
            max_waiters,
        });
        let router = crate::http::router(Arc::clone(&engine), &http);
        let stop = CancellationToken::new();
        let timer = tokio::spawn(Arc::clone(&engine).run_timer());
        let serving = tokio::spawn({
            let stop = stop.clone();
            async move { serve(listener, router, &connections, stop).await }
        });
        Ok(Self {
            local_addr,
            engine,
            stop,
            serving,
            timer,
        })
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
    /// [`grace`](crate::ConnectionLimits::grace) to finish. Fails only if a task of it panicked.
    pub async fn stop(mut self) -> Result<Stopped, JoinError> {
        self.engine.stop();
        self.stop.cancel();
        let stopped = (&mut self.serving).await?;
        (&mut self.timer).await?;
        Ok(stopped)
    }

    /// Resolves if serving ends unasked, which only a bug can do.
    async fn failed(&mut self) -> JoinError {
        let ended = tokio::select! {
            ended = &mut self.serving => ended.map(drop),
            ended = &mut self.timer => ended,
        };
        match ended {
            Err(panicked) => panicked,
            // Stopped by somebody who waits for it elsewhere.
            Ok(()) => std::future::pending().await,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.engine.stop();
        self.stop.cancel();
    }
}

/// `memq-server` and `memq server`: runs until told to stop. The first SIGTERM or SIGINT stops it
/// in order, exit code 0; a second one at once, exit code 128 + signal. Usage errors exit 64, all
/// else 1.
pub fn run(args: Args) -> ExitCode {
    let (config, log_format) = match args.into_config() {
        Ok(read) => read,
        Err(error) => return usage(&error),
    };
    if let Err(error) = telemetry::start(log_format) {
        return usage(&error);
    }
    open_files::raise();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(until_stopped(config)) {
        Ok(End::Stopped) => ExitCode::SUCCESS,
        Ok(End::Interrupted(told)) => {
            // What still runs is left where it is: that was the order.
            runtime.shutdown_background();
            ExitCode::from(told.exit_code())
        }
        Err(error) => failed(error.as_ref()),
    }
}

/// How a run ended.
enum End {
    Stopped,
    Interrupted(Told),
}

async fn until_stopped(config: Config) -> anyhow::Result<End> {
    // Before the address is announced: from then on somebody may tell us to stop.
    let mut signals = Signals::install()?;
    let grace = config.connections.grace;
    let mut server = Server::start(config).await?;
    info!(address = %server.local_addr(), "listening");
    warn!("items are kept in memory: what is acknowledged is lost when this process ends");
    let told = tokio::select! {
        told = signals.next() => told,
        panicked = server.failed() => return Err(panicked.into()),
    };
    info!("told to stop by {told:?}: requests under way have {grace:?} to finish");
    tokio::select! {
        stopped = server.stop() => info!("stopped: {}", stopped?),
        told = signals.next() => {
            warn!("told again by {told:?}: stopping at once");
            return Ok(End::Interrupted(told));
        }
    }
    Ok(End::Stopped)
}

/// Who told us to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::upper_case_acronyms,
    reason = "the signals' own names, as they stand in the log"
)]
enum Told {
    SIGINT,
    SIGTERM,
}

impl Told {
    /// What a shell reports of a program that the signal ended.
    fn exit_code(self) -> u8 {
        let number = match self {
            Self::SIGINT => SignalKind::interrupt(),
            Self::SIGTERM => SignalKind::terminate(),
        };
        u8::try_from(128 + number.as_raw_value()).unwrap_or(u8::MAX)
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn install() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.interrupt.recv() => Told::SIGINT,
            _ = self.terminate.recv() => Told::SIGTERM,
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "there is no log yet, and a person waits for the reason"
)]
fn usage(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(EX_USAGE)
}

fn failed(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    error!(error, "the server failed");
    ExitCode::FAILURE
}
