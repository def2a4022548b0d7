//! Carries a run out on this machine: processes, a server if there are items, all ends in the joblog.
//!
//! Thin: which step begins is [`crate::flow`]'s to say, what a pool of workers does its planner's, told
//! what has been [observed](crate::plan::Observed). What a run should do in a situation is not decided here.

mod account;
mod attend;
mod conduct;
mod drain;
mod environ;
mod event;
mod follower;
mod guard;
mod halt;
mod launch;
mod loader;
mod memory;
mod own;
mod place;
mod pool;
mod process;
mod rundir;
mod server;
mod session;
mod signals;
mod stage;
mod target;
mod tasks;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;

use crate::flow::Node;
use crate::joblog::{ItemLine, Joblog, Past, Tail};
use crate::spec::{Machine, RunSpec, Step, Trouble, Work, local_trouble};
use crate::view::{Board, DONE, Report, Summary, count, print, print_json};

use environ::Outside;
use queue_api::{ItemId, RunPhase};
use queue_client::TokenArg;
use rundir::RunDir;
use stage::Stage;

pub(crate) use guard::{Args as GuardArgs, guard};
pub(crate) use memory::{Memory, Remembered, find as find_run, folders_of};

/// Largest result of a process in bytes: what a queue takes from an item by default.
const MAX_RESULT_BYTES: usize = 64 * 1024;

/// All that is asked of a run.
#[derive(Debug)]
pub(crate) struct Job {
    /// What to do.
    pub(crate) spec: RunSpec,
    /// Workers of each step that has items, if other than the spec says.
    pub(crate) workers: Option<u32>,
    /// The joblog, if other than in the run's own folder.
    pub(crate) joblog: Option<PathBuf>,
    /// A file of variables that stand for what only a cluster has.
    pub(crate) env_file: Option<PathBuf>,
    /// A server to use in place of our own.
    pub(crate) server: Option<String>,
    /// The token that it asks for.
    pub(crate) token: TokenArg,
    /// How long a server that is gone is waited for.
    pub(crate) server_timeout: Duration,
    /// The time the run may take; of a run of one step whatever the spec says.
    pub(crate) timeout: Option<Duration>,
    /// How long workers and processes may finish what they do when the run is stopped.
    pub(crate) grace: Duration,
    /// What is tried again of an earlier run with the same joblog, if that is what is asked for.
    pub(crate) again_on: Option<AgainOn>,
    /// What another command needs to try it again; written beside the joblog.
    pub(crate) memory: Option<Memory>,
    /// Whether somebody reads along: then the address where the run can be watched is said.
    pub(crate) announce: bool,
    /// The command that goes on with what is not done, given the joblog.
    pub(crate) again: fn(&Path) -> String,
}

/// What is tried again of an earlier run.
#[derive(Debug, Clone, Default)]
pub(crate) struct AgainOn {
    /// These items; absent: all that are not done.
    pub(crate) items: Option<Vec<ItemLine>>,
    /// This step and what comes after it, done or not.
    pub(crate) from: Option<String>,
}

impl AgainOn {
    /// The ids of the items of a step, if items were named.
    fn ids_of(&self, step: &str) -> Option<Vec<ItemId>> {
        let items = self.items.as_ref()?.iter().filter(|item| item.is_of(step));
        Some(items.map(|item| item.id).collect())
    }
}

/// What is said at the end of a run.
#[derive(Debug)]
pub(crate) enum Told {
    /// Of a run that is one pool of workers.
    Pool(Box<Summary>),
    /// Of any other.
    Steps(Report),
}

/// The run needs what this machine does not have. Nothing was begun.
#[derive(Debug, thiserror::Error)]
#[error("this cannot run on this machine:{}", lines(.0))]
pub(crate) struct NotHere(Vec<Trouble>);

fn lines(troubles: &[Trouble]) -> String {
    troubles
        .iter()
        .map(|trouble| format!("\n  {trouble}"))
        .collect()
}

impl Told {
    /// What the program exits with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Pool(summary) => summary.exit_code(),
            Self::Steps(report) => report.exit_code(),
        }
    }

    /// How the run ended, in a word.
    fn phase(&self) -> RunPhase {
        match self.exit_code() {
            DONE => RunPhase::Succeeded,
            // A signal.
            code if code > 128 => RunPhase::Cancelled,
            _ => RunPhase::Failed,
        }
    }

    /// How the run ended, in a sentence.
    fn headline(&self) -> String {
        match self {
            Self::Pool(summary) => summary.headline(),
            Self::Steps(report) => report.headline(),
        }
    }

    /// Prints it for a person.
    pub(crate) fn print(&self) {
        match self {
            Self::Pool(summary) => summary.print(),
            Self::Steps(report) => report.print(),
        }
    }

    /// Prints it as one object of JSON, or of YAML.
    pub(crate) fn print_object(&self, in_yaml: bool) {
        fn put(object: &impl Serialize, in_yaml: bool) {
            // Names, numbers and texts: both have words for all of them.
            match in_yaml {
                true => print(&serde_saphyr::to_string(object).unwrap_or_default()),
                false => drop(print_json(object)),
            }
        }
        match self {
            Self::Pool(summary) => put(&summary.object(), in_yaml),
            Self::Steps(report) => put(&report.object(), in_yaml),
        }
    }
}

/// Carries it out to its end, whichever that is. An error is what kept it from beginning.
pub(crate) async fn run(job: Job) -> anyhow::Result<Told> {
    let outside = Outside::read(job.env_file.as_deref())?;
    let machine = Machine {
        variable: &|name| outside.find(name).is_some(),
        server: job.server.is_some(),
    };
    let troubles: Vec<_> = local_trouble(&job.spec, machine)
        .into_iter()
        .filter(|trouble| trouble.fatal)
        .collect();
    if !troubles.is_empty() {
        return Err(NotHere(troubles).into());
    }
    let rundir = RunDir::make(job.spec.name.as_str())
        .context("cannot make a folder for the run below ./.memq")?;
    let told = Box::pin(run_in(&rundir, job, outside)).await;
    rundir.remove_if_empty();
    told
}

async fn run_in(rundir: &RunDir, job: Job, outside: Outside) -> anyhow::Result<Told> {
    let path = job.joblog.clone().unwrap_or_else(|| rundir.joblog());
    let (joblog, past) = Joblog::open(&path)?;
    one_pool_if_unnamed(&past, &job.spec, &path)?;
    let torn = matches!(past.tail, Tail::Torn { .. });
    let (mut joblog, mut past) = (joblog, past);
    if let Some(from) = job
        .again_on
        .as_ref()
        .and_then(|again| again.from.as_deref())
    {
        joblog.append_anew(from)?;
        past.steps.remove(from);
    }
    if let Some(memory) = &job.memory {
        memory
            .write(rundir, &path)
            .context("cannot write down how the run was started")?;
    }

    let nodes = Node::of(&job.spec.steps);
    let (signals, _listeners) = signals::listen().context("cannot listen for signals")?;
    let board = board(&job.spec);
    let started = Instant::now();
    let stage = Stage::new(
        job,
        nodes,
        rundir.clone(),
        outside,
        signals,
        board,
        joblog,
        past,
    );
    let stage = Arc::new(stage);
    if let Some(server) = stage.server.client_of_given() {
        // Also if no step needs it: whoever gave it watches it.
        stage.account.report_to(&server);
    }
    if torn {
        let name = &stage.job.spec.name;
        stage.board.say(&format!(
            "{name}: took a torn last line away from joblog {}",
            path.display()
        ));
    }
    let told = match stage.is_one_pool() {
        true => one_pool(&stage, &path).await,
        false => steps(&stage, &path, started).await,
    };
    let (phase, how) = ended(&told);
    stage.account.end(phase, how).await;
    stage.server.end().await;
    stage.board.end();
    if let Err(error) = stage.joblog().sync() {
        stage.board.say(&format!("{:#}", anyhow::Error::new(error)));
    }
    told
}

/// How the run ended, for those who watch its server.
fn ended(told: &anyhow::Result<Told>) -> (RunPhase, String) {
    match told {
        Ok(told) => (told.phase(), told.headline()),
        Err(error) => (RunPhase::Failed, format!("{error:#}")),
    }
}

/// Lines without a step are of runs that had but one, with items: of several nobody knows which is meant.
fn one_pool_if_unnamed(past: &Past, spec: &RunSpec, path: &Path) -> anyhow::Result<()> {
    let has_items = |step: &&Step| matches!(step.work, Work::Items(_));
    if past.unnamed.is_empty() || spec.steps.iter().filter(has_items).count() == 1 {
        return Ok(());
    }
    anyhow::bail!(
        "joblog `{}` has items of no step, and the run has not just one step with items: give another file",
        path.display()
    )
}

fn board(spec: &RunSpec) -> Board {
    match spec.steps.as_slice() {
        [step] if matches!(step.work, Work::Items(_)) => Board::of_one(spec.name.as_str()),
        steps => Board::of_steps(steps.iter().map(|step| {
            let waits = match step.after.is_empty() {
                true => String::new(),
                false => format!("waits for {}", step.after.join(", ")),
            };
            (step.name.clone(), waits)
        })),
    }
}

/// A run that is one pool of workers: told as such.
async fn one_pool(stage: &Arc<Stage>, joblog: &Path) -> anyhow::Result<Told> {
    let Work::Items(pool) = &stage.step(0).work else {
        anyhow::bail!("the run's only step has no items");
    };
    stage.account.begins(0);
    let drain = drain::drain(stage.clone(), 0, pool).await?;
    stage.account.drained(&drain.drained);
    let spec = &stage.job.spec;
    Ok(Told::Pool(Box::new(Summary {
        run: spec.name.to_string(),
        generated: spec.generated,
        queue: match &pool.items {
            crate::spec::Items::Queue(_) => None,
            _ => Some(spec.name.to_string()),
        },
        drained: drain.drained,
        elapsed: drain.took.unwrap_or_default(),
        again: (stage.job.again)(joblog),
        joblog: joblog.to_owned(),
        logs: drain.took.map(|_| stage.rundir.path().to_owned()),
        last_lines: drain.last_lines,
        server: stage.server.given(),
    })))
}

async fn steps(stage: &Arc<Stage>, joblog: &Path, started: Instant) -> anyhow::Result<Told> {
    if let Some(url) = stage.server.given()
        && stage.has_items()
    {
        // Better now than when the first step that needs it begins.
        stage
            .reach()
            .await
            .with_context(|| format!("the run has steps with items on {url}"))?;
    }
    stage.board.say(&format!(
        "{}: {}; logs in {}",
        stage.job.spec.name,
        count(stage.nodes.len() as u64, "step"),
        stage.rundir.path().display()
    ));
    let (steps, cut) = conduct::conduct(stage).await;
    Ok(Told::Steps(Report {
        run: stage.job.spec.name.to_string(),
        steps,
        cut,
        elapsed: started.elapsed(),
        again: (stage.job.again)(joblog),
        joblog: joblog.to_owned(),
        logs: stage.rundir.path().to_owned(),
    }))
}
