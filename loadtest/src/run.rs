//! From arguments to figures: the runtime of each command, and the single round of `run`.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{Args, Command, RunArgs, TargetArgs};
use crate::closed_loop::Limits;
use crate::open_loop::Schedule;
use crate::setup::{load, make_queue, measure, measure_paced, new_book};
use crate::talk::{Op, Work};
use crate::target::Target;
use crate::{bench, crash, floor, report, waiters};

pub(crate) fn dispatch(args: Args) -> Result<ExitCode> {
    let done = match args.command {
        Command::Serve(args) => return Ok(queue_server::run(*args)),
        Command::Floor { listen } => as_anyone_would()?.block_on(serve_floor(listen)),
        Command::Run(args) => on_one_core()?.block_on(unless_stopped(run(args))),
        Command::Bench(args) => on_one_core()?.block_on(unless_stopped(bench::bench(*args))),
        Command::Crash(args) => on_one_core()?.block_on(unless_stopped(crash::crash(args))),
        Command::Hold {
            server,
            queue,
            lease,
        } => on_one_core()?.block_on(unless_stopped(crash::hold(&server, queue, lease))),
        Command::Waiters(args) => on_one_core()?.block_on(unless_stopped(waiters::waiters(args))),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// The runtime of a server that nobody tuned: a thread for each core it may use.
fn as_anyone_would() -> Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot make a runtime")
}

/// The client has one core, and so one thread.
fn on_one_core() -> Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot make a runtime")
}

/// Ends the work on a signal by dropping it, and with it the processes it started.
async fn unless_stopped(work: impl Future<Output = Result<()>>) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    tokio::select! {
        done = work => done,
        _ = terminate.recv() => bail!("told to stop before there were figures"),
        _ = tokio::signal::ctrl_c() => bail!("interrupted before there were figures"),
    }
}

async fn serve_floor(listen: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener
        .local_addr()
        .context("a listener without an address")?;
    report::say(&format!("the floor answers at http://{address}"));
    floor::serve(listener)
        .await
        .context("cannot serve the floor")
}

async fn run(args: RunArgs) -> Result<()> {
    let RunArgs {
        target,
        api,
        op,
        queue,
        connections,
        requests,
        duration,
        body_bytes,
        batch,
        rate,
    } = args;
    let TargetArgs {
        server,
        token,
        allow_remote,
    } = target;
    let target = Target::resolve(&server, allow_remote).await?;
    let target = target.with_token(token.token()?.as_ref());
    let book = new_book(body_bytes)?;
    let batch = usize::try_from(batch).context("a batch of that size")?;
    let work = Work {
        api,
        op,
        queue,
        book,
        batch,
    };
    make_queue(&target, &work).await?;
    if op == Op::Take {
        let items = requests * batch as u64;
        report::progress(&format!("loading {items} items into `{}`", work.queue));
        load(&target, &work, items).await?;
    }
    if let Some(rate) = rate {
        let rate = rate as f64;
        // What the time allows; rounding up by a request is no harm.
        let most = (rate * duration.as_secs_f64()).ceil() as u64;
        let requests = requests.min(most);
        let schedule = Schedule { rate, requests };
        let paced = measure_paced(&target, &work, connections, schedule).await?;
        report::say(&report::paced_line(&work.name(), &paced)?);
        return Ok(());
    }
    let round = measure(&target, &work, connections, Limits { requests, duration }).await?;
    report::say(&report::line(&work.name(), &round));
    Ok(())
}
