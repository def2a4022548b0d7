//! Workers as processes of this same program, each in a process group of its own, each with a pipe
//! to its standard input that is never written to: when this process ends, however it ends, the
//! pipe closes and the worker stops.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::event::{Event, Events};
use super::rundir::RunDir;
use crate::plan::Exit;

/// How long a worker that was told to end at once may take to kill what it runs.
const LAST_WORDS: Duration = Duration::from_secs(2);

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
    /// The folder handlers run in.
    pub(super) dir: PathBuf,
}

/// What the workers have been asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Asked {
    Work,
    Stop,
    Die,
}

/// All workers of a run.
#[derive(Debug)]
pub(super) struct Pool {
    launch: Launch,
    rundir: RunDir,
    events: Events,
    asked: watch::Sender<Asked>,
    watchers: JoinSet<()>,
}

impl Pool {
    pub(super) fn new(launch: Launch, rundir: RunDir, events: Events) -> Self {
        Self {
            launch,
            rundir,
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
            dir,
        } = &self.launch;
        let path = self.rundir.worker_log(worker);
        let log = OpenOptions::new().append(true).create(true).open(&path);
        let log = log.with_context(|| format!("cannot open worker log `{}`", path.display()))?;
        let copy = log.try_clone().context("cannot share the worker log")?;
        let mut command = Command::new(program);
        command
            .arg("worker")
            .arg("--name")
            .arg(format!("{name}-{}", worker + 1))
            .args(args);
        // Settings of the caller's own shell are not settings of this run; how much is logged is.
        for (variable, _) in std::env::vars_os() {
            let name = variable.to_string_lossy();
            if name.starts_with("MEMQ_") && name != "MEMQ_LOG" {
                command.env_remove(variable);
            }
        }
        command
            .envs(env.iter().map(|(name, value)| (name, value)))
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

fn raise(asked: &mut Asked, to: Asked) -> bool {
    let raised = *asked < to;
    if raised {
        *asked = to;
    }
    raised
}

/// Holds the worker's pipe and waits for its end; only while it has not been waited for does its
/// number name it, so signals are sent from here.
async fn watch_over(mut child: Child, mut asked: watch::Receiver<Asked>) -> Exit {
    let pipe = child.stdin.take();
    let process = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    // A failure to send means that it has ended already, which the wait will say.
    let term = || process.map(|process| kill_process(process, Signal::TERM));
    let mut now = *asked.borrow_and_update();
    let status = loop {
        if now > Asked::Work {
            term();
        }
        if now == Asked::Die {
            // Asked twice it kills what it runs, which lies in process groups of its own and would
            // be left behind if only the worker were killed.
            term();
            if let Ok(status) = timeout(LAST_WORDS, child.wait()).await {
                break status;
            }
            process.map(|process| kill_process_group(process, Signal::KILL));
            break child.wait().await;
        }
        tokio::select! {
            status = child.wait() => break status,
            changed = asked.changed() => {
                // The pool is gone without having asked: end it, rather than leave it behind.
                now = changed.map_or(Asked::Die, |()| *asked.borrow_and_update());
            }
        }
    };
    drop(pipe);
    status.map_or(Exit::NotStarted, exit_of)
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::NotStarted,
    }
}
