//! A step that has items: which of them are left, where they go, who works on them, what came of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use queue_api::QueueName;

use super::launch::launch;
use super::rundir::{RunDir, last_lines};
use super::session::Session;
use super::stage::Stage;
use super::target::Target;
use crate::feed::{Choice, Source};
use crate::flow::Phase;
use crate::plan::{End, Why};
use crate::spec::{Items, Pool};
use crate::tally::Tally;
use crate::view::{Drained, Fault, StepReport, Work, count};

/// What came of the items, and what the worker that ended it said last.
pub(super) struct Drain {
    /// What came of them.
    pub(super) drained: Drained,
    /// How long it took; nothing if nothing was to do.
    pub(super) took: Option<Duration>,
    /// The last lines of the worker that ended it.
    pub(super) last_lines: Vec<String>,
}

/// Goes through the items of a step. An error is what kept it from beginning.
pub(super) async fn drain(stage: Arc<Stage>, place: usize, pool: &Pool) -> anyhow::Result<Drain> {
    match &pool.items {
        Items::Queue(name) => drain_found(stage, place, pool, name.clone()).await,
        items => drain_loaded(stage, place, pool, items.clone()).await,
    }
}

async fn drain_loaded(
    stage: Arc<Stage>,
    place: usize,
    pool: &Pool,
    items: Items,
) -> anyhow::Result<Drain> {
    let done = stage.done_of(place).items;
    let source = Source::open(items)?;
    let choosing = tokio::task::spawn_blocking(move || {
        let choice = Choice::make(&source, done);
        choice.map(|choice| (source, choice))
    });
    let (source, choice) = choosing
        .await
        .context("the reader of the items stopped")??;
    let tally = Tally::new(choice.total, choice.already);
    if choice.to_do() == 0 {
        return Ok(nothing_to_do(pool, tally));
    }
    stage.works(place)?;
    let started = Instant::now();
    let server = stage.server.reach().await?;
    let (file, name) = (stage.job.spec.file.clone(), queue_name(&stage, place)?);
    let target = Target::make(server, name, &pool.item, &choice, &file).await?;
    let what = match choice.already {
        0 => count(choice.to_do(), "item"),
        already => format!("{already} already done, {} to do", choice.to_do()),
    };
    let load = |session: &mut Session, target: &Target| {
        session.load(source, Arc::new(choice), target);
    };
    carry_out(stage, place, pool, (started, what), target, tally, load).await
}

async fn drain_found(
    stage: Arc<Stage>,
    place: usize,
    pool: &Pool,
    name: QueueName,
) -> anyhow::Result<Drain> {
    let started = Instant::now();
    let server = stage.server.reach().await?;
    let (target, unfinished, sealed) = Target::find(server, name.clone()).await?;
    let tally = Tally::new(unfinished, 0);
    if unfinished == 0 && sealed {
        return Ok(nothing_to_do(pool, tally));
    }
    stage.works(place)?;
    let mut what = format!("{} of queue {name}", count(unfinished, "item"));
    if !sealed {
        let url = crate::cli::quoted(&target.server.url);
        what.push_str(&format!(
            ", which is not sealed: the step ends when it is (`memq queue seal {name} --server {url}`) and \
             drained"
        ));
    }
    carry_out(
        stage,
        place,
        pool,
        (started, what),
        target,
        tally,
        |session, _| {
            session.take_as_loaded();
        },
    )
    .await
}

fn nothing_to_do(pool: &Pool, tally: Tally) -> Drain {
    Drain {
        drained: Drained {
            end: End::Complete,
            tally,
            tolerate: pool.tolerate,
        },
        took: None,
        last_lines: Vec::new(),
    }
}

async fn carry_out(
    stage: Arc<Stage>,
    place: usize,
    pool: &Pool,
    (started, what): (Instant, String),
    mut target: Target,
    mut tally: Tally,
    begin: impl FnOnce(&mut Session, &Target),
) -> anyhow::Result<Drain> {
    let folder = folder_of(&stage, place)?;
    let workers = workers(&stage, pool, tally.to_do());
    let progress = stage.board.items(place, &tally);
    progress.say(&beginning(&stage, &what, workers, &folder));
    let way = (target.server.url.as_str(), target.queue.name());
    let launch = launch(&stage, place, pool, way, &folder)?;
    let work = (workers, launch);
    let mut session = Session::begin(stage, place, &target, work, progress, &folder, started);
    begin(&mut session, &target);
    let end = session.go_on(&mut tally, &mut target).await;
    session.end(&mut tally, &end, &target).await;
    if matches!(pool.items, Items::Queue(_)) && end == End::Complete {
        // Others may have put more in, or taken some out, while it was being worked on.
        tally.total = tally.already + tally.finished();
    }
    let last_lines = match &end {
        End::Stopped(Why::Worker(worker, _)) => last_lines(&folder.worker_log(*worker)),
        _ => Vec::new(),
    };
    Ok(Drain {
        drained: Drained {
            end,
            tally,
            tolerate: pool.tolerate,
        },
        took: Some(started.elapsed()),
        last_lines,
    })
}

/// The workers to start: no more than it takes to hold every item at once.
fn workers(stage: &Stage, pool: &Pool, to_do: u64) -> u32 {
    let asked = stage.job.workers.unwrap_or(pool.workers.max);
    if matches!(pool.items, Items::Queue(_)) {
        return asked;
    }
    let useful = to_do.div_ceil(u64::from(pool.workers.concurrency));
    asked.min(u32::try_from(useful).unwrap_or(u32::MAX))
}

/// The queue of a step: named after the run if no other step has one.
fn queue_name(stage: &Stage, place: usize) -> anyhow::Result<QueueName> {
    let run = &stage.job.spec.name;
    if stage.is_only_pool(place) {
        return Ok(run.clone());
    }
    let name = format!("{run}.{}", stage.step(place).name);
    name.parse()
        .with_context(|| format!("`{name}` cannot be the name of a queue"))
}

/// The folder of a step's logs: the run's own, if the run is nothing else.
pub(super) fn folder_of(stage: &Stage, place: usize) -> anyhow::Result<RunDir> {
    if stage.is_one_pool() {
        return Ok(stage.rundir.clone());
    }
    let step = &stage.step(place).name;
    let folder = stage.rundir.within(step);
    folder.with_context(|| format!("cannot make a folder for the logs of step {step}"))
}

fn beginning(stage: &Stage, what: &str, workers: u32, folder: &RunDir) -> String {
    let workers = count(u64::from(workers), "worker");
    let place = match stage.server.given() {
        Some(url) => format!(" on {url}"),
        None => String::new(),
    };
    let who = match stage.is_one_pool() {
        true => format!("{}: ", stage.job.spec.name),
        false => String::new(),
    };
    let logs = folder.path().display();
    format!("{who}{what}, {workers}{place}; worker logs in {logs}")
}

impl Drain {
    /// What came of the step.
    pub(super) fn report(self, name: &str) -> StepReport {
        let fault = Fault::of(&self.drained);
        StepReport {
            name: name.to_owned(),
            phase: match fault {
                None => Phase::Succeeded,
                Some(_) => Phase::Failed,
            },
            took: self.took,
            work: match self.took {
                None if self.drained.tally.already > 0 => Work::Before,
                _ => Work::Items(Box::new(self.drained)),
            },
            fault,
            skipped: None,
            last_lines: self.last_lines,
        }
    }
}
