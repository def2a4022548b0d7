//! Carries a run out: a server, workers as processes, items in, outcomes into the joblog.
//!
//! Thin: it turns what happens into what the planner has [observed](crate::plan::Observed), asks the planner, and does what it says. What a
//! run should do in a situation is not decided here.

mod event;
mod follower;
mod launch;
mod loader;
mod own;
mod place;
mod pool;
mod rundir;
mod session;
mod signals;
mod target;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::feed::{Choice, Source};
use crate::joblog::{Joblog, Tail};
use crate::plan::End;
use crate::spec::{EnvValue, Handler, Items, Pool, RunSpec, Step, Work};
use crate::tally::Tally;
use crate::view::{Progress, Summary, count};

use rundir::RunDir;
use session::Session;
use target::Target;

/// All that is asked of a run.
#[derive(Debug)]
pub(crate) struct Job {
    /// What to do.
    pub(crate) spec: RunSpec,
    /// Workers, if other than the spec says.
    pub(crate) workers: Option<u32>,
    /// The joblog, if other than in the run's own folder.
    pub(crate) joblog: Option<PathBuf>,
    /// A server to use in place of our own.
    pub(crate) server: Option<String>,
    /// How long a server that is gone is waited for.
    pub(crate) server_timeout: Duration,
    /// The time the run may take, if other than the spec says.
    pub(crate) timeout: Option<Duration>,
    /// How long workers may finish what they hold when the run is stopped.
    pub(crate) grace: Duration,
    /// The command that goes on with what is not done, given the joblog.
    pub(crate) again: fn(&std::path::Path) -> String,
}

/// Carries it out to its end, whichever that is. An error is what kept it from beginning.
pub(crate) async fn run(job: Job) -> anyhow::Result<Summary> {
    let rundir = RunDir::make(job.spec.name.as_str())
        .context("cannot make a folder for the run below ./.memq")?;
    let summary = run_in(&rundir, job).await;
    rundir.remove_if_empty();
    summary
}

/// The one step of a run, with its items: no other run is carried out on one machine.
fn only_pool(spec: &RunSpec) -> anyhow::Result<(&Step, &Pool)> {
    let file = spec.file.display();
    let [step] = spec.steps.as_slice() else {
        anyhow::bail!("{file}: a run on this machine has exactly one step");
    };
    let plain = step.env.values().all(|v| matches!(v, EnvValue::Text(_)));
    match &step.work {
        Work::Items(pool)
            if plain
                && step.handler != Handler::Image
                && !matches!(pool.items, Items::Queue(_)) =>
        {
            Ok((step, pool))
        }
        _ => anyhow::bail!(
            "{file}: step `{}` needs a cluster: on this machine a step has items of its own, a \
             command, script or builtin, and plain variables",
            step.name
        ),
    }
}

async fn run_in(rundir: &RunDir, job: Job) -> anyhow::Result<Summary> {
    let (_, pool) = only_pool(&job.spec)?;
    let name = job.spec.name.as_str();
    let joblog_path = job.joblog.clone().unwrap_or_else(|| rundir.joblog());
    let (joblog, past) = Joblog::open(&joblog_path)?;
    let torn = matches!(past.tail, Tail::Torn { .. });

    let source = Source::open(pool.items.clone())?;
    let choosing = tokio::task::spawn_blocking(move || {
        let choice = Choice::make(&source, past.done);
        choice.map(|choice| (source, choice))
    });
    let (source, choice) = choosing
        .await
        .context("the reader of the items stopped")??;
    let tally = Tally::new(choice.total, choice.already);
    let mut summary = Summary {
        run: name.to_owned(),
        generated: job.spec.generated,
        end: End::Complete,
        elapsed: Duration::ZERO,
        tolerate: pool.tolerate,
        again: (job.again)(&joblog_path),
        joblog: joblog_path,
        logs: None,
        last_lines: Vec::new(),
        server: job.server.clone(),
        tally,
    };
    let progress = Progress::new(name, &summary.tally);
    if torn {
        let joblog = summary.joblog.display();
        progress.say(&format!(
            "{name}: took a torn last line away from joblog {joblog}"
        ));
    }
    if choice.to_do() == 0 {
        return Ok(summary);
    }

    let asked = pool.workers;
    // No more workers than it takes to hold every item at once.
    let useful = choice.to_do().div_ceil(u64::from(asked.concurrency));
    let workers = job
        .workers
        .unwrap_or(asked.max)
        .min(u32::try_from(useful).unwrap_or(u32::MAX));
    let started = Instant::now();
    let mut target = Target::prepare(&job, &choice).await?;
    progress.say(&beginning(name, &choice, workers, &job, rundir));
    let mut session = Session::begin(&job, &target, workers, joblog, progress, rundir, started)?;
    session.load(source, Arc::new(choice), &target);
    let end = session.go_on(&mut summary.tally, &mut target).await;
    session.end(&mut summary.tally, &end, &target).await;
    summary.elapsed = started.elapsed();
    target.end().await;

    summary.logs = Some(rundir.path().to_owned());
    if let End::Stopped(crate::plan::Why::Worker(worker, _)) = &end {
        summary.last_lines = rundir.last_lines(*worker);
    }
    summary.end = end;
    Ok(summary)
}

fn beginning(name: &str, choice: &Choice, workers: u32, job: &Job, rundir: &RunDir) -> String {
    let workers = count(u64::from(workers), "worker");
    let what = match choice.already {
        0 => count(choice.to_do(), "item"),
        already => format!("{already} already done, {} to do", choice.to_do()),
    };
    let place = match &job.server {
        Some(url) => format!(" on {url}"),
        None => String::new(),
    };
    format!(
        "{name}: {what}, {workers}{place}; worker logs in {}",
        rundir.path().display()
    )
}
