//! The workers of a step that has items: processes of this same program, each in a process group of
//! its own, each stopped by its standard input when this process ends.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Context as _;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::attend::{Asked, raise, watch_over};
use super::environ::without_ours;
use super::event::{Event, Events};
use super::rundir::RunDir;
use super::server::Environment;

/// How a worker is started.
#[derive(Debug)]
pub(super) struct Launch {
    /// This program.
    pub(super) program: PathBuf,
    /// Its arguments after `worker --name NAME`.
    pub(super) args: Vec<OsString>,
    /// The worker's name without its number.
    pub(super) name: String,
    /// Variables of the step.
    pub(super) env: Vec<(String, String)>,
    /// What it is told of the server.
    pub(super) server: Environment,
    /// The folder handlers run in.
    pub(super) dir: PathBuf,
}

/// All workers of a step.
#[derive(Debug)]
pub(super) struct Pool {
    launch: Launch,
    folder: RunDir,
    events: Events,
    asked: watch::Sender<Asked>,
    watchers: JoinSet<()>,
}

impl Pool {
    pub(super) fn new(launch: Launch, folder: RunDir, events: Events) -> Self {
        Self {
            launch,
            folder,
            events,
            asked: watch::Sender::new(Asked::Work),
            watchers: JoinSet::new(),
        }
    }

    /// Starts a worker, counted from 0. Its end is told as an event.
    pub(super) fn start(&mut self, worker: usize) -> anyhow::Result<()> {
        let child = self.spawn(worker)?;
        let (events, asked) = (self.events.clone(), self.asked.subscribe());
        self.watchers.spawn(async move {
            let exit = watch_over(child, asked).await;
            events.tell(Event::WorkerEnded { worker, exit }).await;
        });
        Ok(())
    }

    fn spawn(&self, worker: usize) -> anyhow::Result<Child> {
        let Launch {
            program,
            args,
            name,
            env,
            server,
            dir,
        } = &self.launch;
        let path = self.folder.worker_log(worker);
        let log = OpenOptions::new().append(true).create(true).open(&path);
        let log = log.with_context(|| format!("cannot open worker log `{}`", path.display()))?;
        let copy = log.try_clone().context("cannot share the worker log")?;
        let mut command = Command::new(program);
        command
            .arg("worker")
            .arg("--name")
            .arg(format!("{name}-{}", worker + 1))
            .args(args);
        without_ours(&mut command);
        command
            .envs(env.iter().map(|(name, value)| (name, value)))
            .envs(server.iter().map(|(name, value)| (name, value)))
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(copy)
            .process_group(0)
            .spawn()
            .with_context(|| {
                format!(
                    "cannot start worker {} of `{}`",
                    worker + 1,
                    program.display()
                )
            })
    }

    /// Asks all workers to stop; those that will be started later, too.
    pub(super) fn stop(&self) {
        self.asked
            .send_if_modified(|asked| raise(asked, Asked::Stop));
    }

    /// Kills all workers.
    pub(super) fn kill(&self) {
        self.asked
            .send_if_modified(|asked| raise(asked, Asked::Die));
    }
}
