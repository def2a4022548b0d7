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
use crate::plan::{End, Signal, Why};
use crate::spec::{Items, Pool};
use crate::tally::Tally;
use crate::view::{Drained, Fault, Kind, StepReport, Work, count};

/// What came of the items, and what the worker that ended it said last.
pub(super) struct Drain {
    /// What came of them.
    pub(super) drained: Drained,
    /// How long it took; nothing if nothing was to do.
    pub(super) took: Option<Duration>,
    /// The last lines of the worker that ended it.
    pub(super) last_lines: Vec<String>,
    /// Items that are not done and were not to be tried.
    aside: u64,
}

/// Goes through the items of a step. An error is what kept it from beginning.
pub(super) async fn drain(stage: Arc<Stage>, place: usize, pool: &Pool) -> anyhow::Result<Drain> {
    let drain = match &pool.items {
        Items::Queue(name) => drain_found(stage.clone(), place, pool, name.clone()).await?,
        items => drain_loaded(stage.clone(), place, pool, items.clone()).await?,
    };
    stage.account.items(place, &drain.drained.tally);
    Ok(drain)
}

async fn drain_loaded(
    stage: Arc<Stage>,
    place: usize,
    pool: &Pool,
    items: Items,
) -> anyhow::Result<Drain> {
    let done = stage.done_of(place).items;
    let only = stage.only_of(place);
    let marks = pool.marks.clone();
    if items.are_piped() {
        stage.board.say("reading items from standard input");
    }
    let choosing = tokio::task::spawn_blocking(move || {
        let source = Source::open(items, marks)?;
        let choice = Choice::make(&source, done, only);
        choice.map(|choice| (source, choice))
    });
    let mut signals = stage.signals.clone();
    let (source, choice) = tokio::select! {
        chosen = choosing => chosen.context("the reader of the items stopped")??,
        // A pipe may stay silent for as long as it likes.
        Ok(received) = signals.wait_for(|received| received.first.is_some()) => {
            return Ok(stopped(pool, received.first));
        }
    };
    let aside = choice.aside;
    let tally = Tally::new(choice.total - aside, choice.already);
    if choice.to_do() == 0 {
        return Ok(nothing_to_do(pool, tally).beside(aside));
    }
    stage.works(place)?;
    let started = Instant::now();
    let server = stage.reach().await?;
    let (file, name) = (stage.job.spec.file.clone(), queue_name(&stage, place)?);
    if let Some(again) = &stage.job.again_on
        && !server.is_own()
    {
        let ids = again.ids_of(&stage.step(place).name);
        let (target, ready) = Target::go_on(server, name, ids).await?;
        let what = format!("{} again", count(ready, "item"));
        let tally = Tally::new(choice.already + ready, choice.already);
        let load = |session: &mut Session, _: &Target| session.take_as_loaded();
        let drain = carry_out(stage, place, pool, (started, what), target, tally, load).await?;
        return Ok(drain.beside(aside));
    }
    let target = Target::make(server, name, pool, &choice, &file).await?;
    let mut what = match choice.already {
        _ if aside > 0 => format!("{}, {aside} left aside", count(choice.to_do(), "item")),
        0 => count(choice.to_do(), "item"),
        already => format!("{already} already done, {} to do", choice.to_do()),
    };
    if choice.duplicates > 0 {
        what.push_str(&format!(
            ", {} left out: another has their key",
            choice.duplicates
        ));
    }
    let load = |session: &mut Session, target: &Target| {
        session.load(source, Arc::new(choice), target);
    };
    let drain = carry_out(stage, place, pool, (started, what), target, tally, load).await?;
    Ok(drain.beside(aside))
}

async fn drain_found(
    stage: Arc<Stage>,
    place: usize,
    pool: &Pool,
    name: QueueName,
) -> anyhow::Result<Drain> {
    let started = Instant::now();
    let server = stage.reach().await?;
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

/// Stopped before it was known what there is to do.
fn stopped(pool: &Pool, signal: Option<Signal>) -> Drain {
    let mut drain = nothing_to_do(pool, Tally::new(0, 0));
    drain.drained.end = End::Stopped(Why::Signal(signal.unwrap_or(Signal::Terminate)));
    drain
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
        aside: 0,
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
    stage.account.works_on(place, target.queue.name());
    stage.account.items(place, &tally);
    progress.say(&beginning(&stage, &what, workers, &folder));
    let way = (&target.server, target.queue.name());
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
        aside: 0,
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
    /// The same, with so many items left aside.
    fn beside(self, aside: u64) -> Self {
        Self { aside, ..self }
    }

    /// What came of the step.
    pub(super) fn report(self, name: &str) -> StepReport {
        // What comes after a step rests on all of its items.
        let aside = (self.aside > 0).then(|| Fault {
            kind: Kind::Work,
            text: format!("{} left aside", count(self.aside, "item")),
        });
        let fault = Fault::of(&self.drained).or(aside);
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
