//! A worker from start to end: log, configuration, surroundings, work, farewell.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use queue_api::Queue;
use queue_client::QueueClient;
use telemetry::LogFormat;

use crate::args::{Args, Instead};
use crate::config::{self, Config, Job, Surroundings};
use crate::drain::{self, Ended};
use crate::exit::Exit;
use crate::health::Health;
use crate::max_dead::MaxDead;
use crate::metrics::Meters;
use crate::{init, install, kuard, stop};

/// Threads for calls, pipes and timers. Handlers are processes or run on threads that may block.
const THREADS: usize = 2;
/// Threads that still make a key are waited for no longer than this at the end.
const FAREWELL: Duration = Duration::from_millis(100);
/// The look at a finished queue for dead items takes no longer unless the exit code depends on it: the
/// server may be gone already.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// Runs a worker to its end. Call it before there are threads: as the first process of a container
/// it starts itself anew.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    if let Some(Instead::Install(args)) = &args.instead {
        return install_program(args);
    }
    if let Some(code) = init::supervise_if_first() {
        return code;
    }
    telemetry::start_log_anyway(args.log_format);
    // The last to go: what ends after it is not exported.
    let _exporting = telemetry::export("memq-worker");
    let (job, surroundings) = match config::read(args) {
        Ok(read) => read,
        Err(error) => {
            let exit = error.exit();
            tracing::error!(error.message = %format_args!("{:#}", anyhow::Error::from(error)), "the worker is set up wrongly");
            return exit.into();
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(error.message = %error, "cannot start the runtime");
            return Exit::Misconfigured.into();
        }
    };
    let code = runtime.block_on(work(job, surroundings));
    runtime.shutdown_timeout(FAREWELL);
    match code {
        Ok(code) => code,
        Err(error) => {
            tracing::error!(error.message = %format_args!("{error:#}"), "the worker cannot work");
            Exit::Misconfigured.into()
        }
    }
}

fn install_program(args: &install::Args) -> ExitCode {
    telemetry::start_log_anyway(LogFormat::Human);
    match install::install(args) {
        Ok(copy) => {
            tracing::info!(file.path = %copy.display(), "installed");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(error.message = %format_args!("{:#}", anyhow::Error::from(error)), "cannot install");
            Exit::Misconfigured.into()
        }
    }
}

async fn work(job: Job, surroundings: Surroundings) -> anyhow::Result<ExitCode> {
    let Surroundings {
        grace,
        health_listen,
        stop_with_stdin,
    } = surroundings;
    let stop = stop::watch(stop_with_stdin).context("cannot watch for signals")?;
    let health = Health::new();
    match job {
        Job::Kuard(workload, token) => {
            listen(&health, health_listen, None).await?;
            Ok(kuard::run(workload, token, &health, stop).await)
        }
        Job::Drain(config) => {
            let queue = config.client.queue(config.queue.clone());
            let meters = Arc::new(Meters::new(config.slots, queue));
            listen(&health, health_listen, Some(Arc::clone(&meters))).await?;
            Ok(drain_queue(*config, grace, health, meters, stop).await)
        }
    }
}

/// Lets a kubelet and Prometheus look, if there is an address for them.
async fn listen(
    health: &Health,
    address: Option<SocketAddr>,
    meters: Option<Arc<Meters>>,
) -> anyhow::Result<()> {
    if let Some(address) = address {
        let bound = health
            .serve(address, meters)
            .await
            .with_context(|| format!("cannot answer health probes on {address}"))?;
        tracing::info!(server.address = %bound, "answering health probes on http://{bound}");
    }
    Ok(())
}

async fn drain_queue(
    config: Config,
    grace: Duration,
    health: Health,
    meters: Arc<Meters>,
    stop: tokio::sync::watch::Receiver<stop::Urgency>,
) -> ExitCode {
    let (queue, slots, server) = (config.queue.clone(), config.slots, config.client.url());
    tracing::info!(queue.name = %queue, worker.slots = slots, server.url = server, worker.name = config.name, "working");
    let (client, max_dead) = (config.client.clone(), config.max_dead);
    let patient = client.with_give_up_after(config.server_timeout);
    let Ended { mut exit, summary } =
        drain::drain(config, grace, health, meters, stop.clone()).await;
    let code = exit.code();
    match exit {
        Exit::Finished => tracing::info!(queue.name = %queue, "the queue is finished: {summary}"),
        _ => {
            tracing::warn!(queue.name = %queue, exit.code = code, "ended before the queue was finished: {summary}");
        }
    }
    if exit == Exit::Finished {
        match max_dead {
            Some(most) => exit = count_the_dead(most, &patient.queue(queue), stop).await,
            None => last_look(&client.queue(queue)).await,
        }
    }
    exit.into()
}

/// Whether the finished queue has no more dead items than it may. Nobody else may look, so a server
/// that does not answer is asked for as long as its patience lasts, or until a signal.
async fn count_the_dead(
    most: MaxDead,
    queue: &QueueClient,
    mut stop: tokio::sync::watch::Receiver<stop::Urgency>,
) -> Exit {
    let name = queue.name();
    let looked = tokio::select! {
        looked = queue.show() => looked,
        Ok(_) = stop.wait_for(|urgency| *urgency != stop::Urgency::GoOn) => {
            tracing::warn!(queue.name = %name, "told to stop before the dead items were counted");
            return Exit::Stopped;
        }
    };
    match looked {
        Ok(queue) if most.allows(&queue) => {
            tell_of_the_dead(&queue);
            Exit::Finished
        }
        Ok(queue) => {
            drain::tell_of_too_many(most, &queue);
            Exit::TooManyDead
        }
        Err(error) => {
            let refused = error.is_refusal();
            let error = anyhow::Error::from(error);
            tracing::error!(
                queue.name = %name,
                error.message = %format_args!("{error:#}"),
                "cannot count the dead items of queue {name}, which --max-dead {most} asks for"
            );
            if refused {
                Exit::Refused
            } else {
                Exit::Unavailable
            }
        }
    }
}

/// The queue as it was left, if its server is still there.
async fn last_look(queue: &QueueClient) {
    if let Ok(Ok(queue)) = tokio::time::timeout(LAST_LOOK, queue.show()).await {
        tell_of_the_dead(&queue);
    }
}

/// A queue is finished with dead items too: nobody should have to find out later.
fn tell_of_the_dead(queue: &Queue) {
    let dead = queue.counts.dead;
    if dead > 0 {
        let queue = &queue.name;
        tracing::warn!(queue.name = %queue, item.count = dead, "items of this queue are dead: `memq logs {queue} --failed` shows why, `memq queue items {queue} --state dead` which");
    }
}
