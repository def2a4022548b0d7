//! `memq-server` and `memq server`: a server as a program of its own, from its arguments to its exit
//! code.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use crate::args::{Args, Command, Settings};
use crate::config::Storage;
use crate::server::{Broken, Server};
use crate::{fsck, open_files};
use telemetry::chain;

/// Exit code of a usage error, as sysexits.h has it.
const EX_USAGE: u8 = 64;

/// `memq-server` and `memq server`: runs until told to stop. The first SIGTERM or SIGINT stops it
/// in order, exit code 0; a second one at once, exit code 128 + signal. Usage errors exit 64, all
/// else 1.
pub fn run(args: Args) -> ExitCode {
    start(args, None::<std::future::Pending<ExitCode>>)
}

/// The same with other work beside it, in the same process. The work hears the signals by itself: its
/// end stops the server in order, and its exit code is the process's.
pub fn run_beside(args: Args, work: impl Future<Output = ExitCode>) -> ExitCode {
    start(args, Some(work))
}

fn start(args: Args, beside: Option<impl Future<Output = ExitCode>>) -> ExitCode {
    if let Some(Command::Fsck(args)) = &args.command {
        return fsck::run(args);
    }
    let settings = match args.into_settings() {
        Ok(settings) => settings,
        Err(error) => return usage(&error),
    };
    if let Err(error) = telemetry::start_log(settings.log_format) {
        return usage(&error);
    }
    // The last to go: what ends after it is not exported.
    let _exporting = telemetry::export("memq-server");
    open_files::raise();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(until_stopped(settings, beside)) {
        Ok(End::Stopped(code)) => {
            // What was acknowledged is on disk. A log that is still being read would be waited for.
            runtime.shutdown_background();
            code
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
    Stopped(ExitCode),
    Interrupted(Told),
}

async fn until_stopped(
    settings: Settings,
    beside: Option<impl Future<Output = ExitCode>>,
) -> anyhow::Result<End> {
    let Settings {
        config,
        log_format: _,
        no_volume,
    } = settings;
    // Before the address is announced: from then on somebody may tell us to stop.
    let mut signals = Signals::install()?;
    let grace = config.connections.grace;
    let kept = match &config.storage {
        Storage::Memory => None,
        Storage::Disk(storage) => Some(storage.data_dir.display().to_string()),
    };
    let access = config.access.clone();
    let mut server = Server::start(config).await?;
    let address = server.local_addr();
    info!(server.address = %address, "listening");
    if access.is_open_on(address) {
        warn!(
            server.address = %address,
            "whoever reaches this address may do everything, and so may every web page that a browser beside it opens: \
             ask for tokens with --tokens FILE, or check names with --allow-host NAME"
        );
    }
    say_where(kept, no_volume);
    let code = match beside {
        None => {
            let told = tokio::select! {
                told = signals.next() => told,
                broken = serve(&mut server) => return Err(broken.into()),
            };
            info!("told to stop by {told:?}: requests under way have {grace:?} to finish");
            ExitCode::SUCCESS
        }
        Some(work) => {
            let code = tokio::select! {
                code = work => code,
                broken = serve(&mut server) => return Err(broken.into()),
            };
            // The signal that ended the work is none that asks for haste.
            signals = Signals::install()?;
            code
        }
    };
    tokio::select! {
        stopped = server.stop() => info!("stopped: {}", stopped?),
        told = signals.next() => {
            warn!("told again by {told:?}: stopping at once");
            return Ok(End::Interrupted(told));
        }
    }
    Ok(End::Stopped(code))
}

/// Nobody should find out by a loss where items are kept.
fn say_where(kept: Option<String>, no_volume: Option<PathBuf>) {
    if let Some(data_dir) = &kept {
        info!(file.path = data_dir, "what is acknowledged is on disk");
        return;
    }
    warn!("items are kept in memory: what is acknowledged is lost when this process ends");
    if let Some(directory) = no_volume {
        let directory = directory.display();
        warn!(
            "no volume is mounted at {directory}: mount one there to keep them, or choose with MEMQ_STORAGE"
        );
    }
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
    eprintln!("error: {}", chain(error));
    ExitCode::from(EX_USAGE)
}

fn failed(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    error!(error.message = %chain(error), "the server failed");
    ExitCode::FAILURE
}
