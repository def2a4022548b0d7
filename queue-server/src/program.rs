//! `memq-server` and `memq server`: a server as a program of its own, from its arguments to its exit
//! code.

use std::io;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use crate::args::{Args, Command};
use crate::config::{Config, Storage};
use crate::server::{Broken, Server};
use crate::telemetry;
use crate::{fsck, open_files};

/// Exit code of a usage error, as sysexits.h has it.
const EX_USAGE: u8 = 64;

/// `memq-server` and `memq server`: runs until told to stop. The first SIGTERM or SIGINT stops it
/// in order, exit code 0; a second one at once, exit code 128 + signal. Usage errors exit 64, all
/// else 1.
pub fn run(args: Args) -> ExitCode {
    if let Some(Command::Fsck(args)) = &args.command {
        return fsck::run(args);
    }
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
        Ok(End::Stopped) => {
            // What was acknowledged is on disk. A log that is still being read would be waited for.
            runtime.shutdown_background();
            ExitCode::SUCCESS
        }
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
    let kept = match &config.storage {
        Storage::Memory => None,
        Storage::Disk(storage) => Some(storage.data_dir.display().to_string()),
    };
    let mut server = Server::start(config).await?;
    info!(address = %server.local_addr(), "listening");
    match kept {
        Some(data_dir) => info!(data_dir, "what is acknowledged is on disk"),
        None => {
            warn!("items are kept in memory: what is acknowledged is lost when this process ends");
        }
    }
    let told = tokio::select! {
        told = signals.next() => told,
        broken = serve(&mut server) => return Err(broken.into()),
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

/// Serves until that is no longer possible.
async fn serve(server: &mut Server) -> Broken {
    match server.recovered().await {
        Ok(()) => info!("ready"),
        Err(broken) => return broken,
    }
    server.broken().await
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
