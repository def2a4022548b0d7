//! A process of a step without items: started under a guard, tried again when it fails, judged.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use tokio::process::Command;
use tokio::sync::watch;

use super::MAX_RESULT_BYTES;
use super::attend::{Asked, watch_over};
use super::environ::without_ours;
use super::launch::{in_ms, this_program};
use super::rundir::{RunDir, last_lines};
use super::stage::Stage;
use crate::plan::{Exit, wait_after};
use crate::tally::one_line;
use crate::view::{Progress, Tried, human};

/// Characters of the last line that a failure is named by.
const SHOWN: usize = 160;
/// What a guard exits with beyond this is a signal's number.
const BY_SIGNAL: i32 = 128;
/// The highest number a signal has.
const LAST_SIGNAL: i32 = 64;

/// What is run.
#[derive(Debug)]
pub(super) struct Program {
    /// The program and its arguments.
    pub(super) words: Vec<OsString>,
    /// Its variables, beside those that each try has.
    pub(super) env: Vec<(String, String)>,
    /// Where its logs lie.
    pub(super) folder: RunDir,
    /// What the names of its files begin with.
    pub(super) files: String,
    /// Further tries if it fails.
    pub(super) retries: u32,
}

/// What came of all tries.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The tries.
    pub(super) tried: Tried,
    /// Why it failed; nothing if it did not, or was stopped.
    pub(super) failure: Option<String>,
    /// Whether it was told to stop before it was through.
    pub(super) stopped: bool,
    /// The last lines of its last try, if that failed.
    pub(super) last_lines: Vec<String>,
    /// When the first try began.
    pub(super) started: Timestamp,
    /// When the last try ended.
    pub(super) ended: Timestamp,
}

impl Program {
    /// Runs it to its end, and again if it fails, until it is told to stop.
    pub(super) async fn run(
        &self,
        stage: &Stage,
        mut asked: watch::Receiver<Asked>,
        (progress, title): (&Progress, &str),
    ) -> Outcome {
        let started = date();
        let mut tries = 1;
        loop {
            let log = self.folder.try_log(&self.files, tries);
            let tried = self.attempt(stage, tries, &log, asked.clone()).await;
            let (exit, result, failure) = match tried {
                Ok((exit, Ok(result))) if exit == Exit::Code(0) => (Some(exit), result, None),
                Ok((exit, Err(error))) => (Some(exit), None, Some(format!("{error:#}"))),
                Ok((exit, Ok(_))) => (Some(exit), None, Some(failure(exit, &log))),
                Err(error) => (None, None, Some(format!("{error:#}"))),
            };
            let stopped = failure.is_some() && *asked.borrow_and_update() > Asked::Work;
            if let Some(failure) = failure
                .as_ref()
                .filter(|_| !stopped && tries <= self.retries)
            {
                let wait = wait_after(tries);
                let of = self.retries + 1;
                let again = human(wait);
                progress.say(&format!(
                    "{title}try {tries} of {of}: {failure}; again in {again}"
                ));
                tokio::select! {
                    () = tokio::time::sleep(wait) => {
                        tries += 1;
                        continue;
                    }
                    _ = asked.changed() => {}
                }
            }
            let stopped = stopped || *asked.borrow() > Asked::Work && failure.is_some();
            return Outcome {
                tried: Tried {
                    tries,
                    exit,
                    result,
                },
                last_lines: match failure {
                    Some(_) => last_lines(&log),
                    None => Vec::new(),
                },
                failure: failure.filter(|_| !stopped),
                stopped,
                started,
                ended: date(),
            };
        }
    }

    /// One try: how it ended, and what it gave back.
    async fn attempt(
        &self,
        stage: &Stage,
        number: u32,
        log: &Path,
        asked: watch::Receiver<Asked>,
    ) -> anyhow::Result<(Exit, anyhow::Result<Option<String>>)> {
        let file = OpenOptions::new().append(true).create(true).open(log);
        let file = file.with_context(|| format!("cannot open log `{}`", log.display()))?;
        let copy = file.try_clone().context("cannot share the log")?;
        let result = self.folder.path().join(format!("{}result", self.files));
        let result = std::path::absolute(result).context("cannot name the result's file")?;
        remove(&result).context("cannot remove the last try's result")?;
        let mut command = Command::new(this_program()?);
        command
            .arg("guard")
            .arg("--grace")
            .arg(in_ms(stage.job.grace));
        command
            .arg("--result")
            .arg(&result)
            .arg("--")
            .args(&self.words);
        without_ours(&mut command);
        let child = command
            .envs(stage.server.told_of_given())
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .env("MEMQ_ATTEMPT", number.to_string())
            .env("MEMQ_RESULT", &result)
            .current_dir(&stage.job.spec.dir)
            .stdin(Stdio::piped())
            .stdout(file)
            .stderr(copy)
            .process_group(0)
            .spawn()
            .context("cannot start a process")?;
        let exit = match watch_over(child, asked).await {
            Exit::Code(code @ BY_SIGNAL..) if code - BY_SIGNAL <= LAST_SIGNAL => {
                Exit::Signal(code - BY_SIGNAL)
            }
            other => other,
        };
        let said = read_result(&result);
        let said = said.context("cannot read its result from $MEMQ_RESULT");
        let _used = remove(&result);
        Ok((exit, said))
    }
}

/// What a process failed with: how it ended and the last it said.
fn failure(exit: Exit, log: &Path) -> String {
    let how = match exit {
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(signal) => format!("killed by signal {signal}"),
        Exit::NotStarted => "lost sight of it".to_owned(),
    };
    match last_lines(log).last() {
        Some(last) => format!("{how}: {}", one_line(last.trim(), SHOWN)),
        None => how,
    }
}

fn read_result(path: &PathBuf) -> anyhow::Result<Option<String>> {
    match path.metadata() {
        // Opening a pipe would wait for whoever writes into it.
        Ok(found) if !found.is_file() => bail!("it is not a regular file"),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let mut bytes = Vec::new();
    // One more than the limit shows that it is over it.
    std::fs::File::open(path)?
        .take(MAX_RESULT_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() > MAX_RESULT_BYTES {
        bail!(
            "it is over the limit of {MAX_RESULT_BYTES} bytes: store it elsewhere and give its place"
        );
    }
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_end();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a date for people: no deadline comes from it"
)]
fn date() -> Timestamp {
    let now = Timestamp::now();
    // As the server dates items: finer than this is noise.
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}
