//! `memq guard`: one command of a step, watched over by a process of its own.
//!
//! The run holds a pipe to the guard's standard input and never writes to it. When the run ends, however
//! it ends, the pipe closes and the guard ends the command, so that a run that is killed leaves nothing
//! behind that a later one would meet. What the guard is told by signals it hands on. It knows neither
//! steps nor tries.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::MAX_RESULT_BYTES;

/// Output that something left behind holds open is read for so long after the command's end.
const LINGER: Duration = Duration::from_secs(1);
/// What a shell exits with where there is no such command.
const NOT_FOUND: u8 = 127;
/// What a shell exits with where a command cannot be run.
const NOT_RUNNABLE: u8 = 126;
/// A signal's number is added to this, as shells do.
const BY_SIGNAL: i32 = 128;

/// What a guard is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How long the command may take to end once it is told to.
    #[arg(long, value_parser = queue_api::parse_duration_with_unit)]
    grace: Duration,
    /// Where the last line of its output goes if it succeeds and has not written there itself.
    #[arg(long)]
    result: PathBuf,
    /// The command.
    #[arg(required = true, last = true)]
    command: Vec<OsString>,
}

/// Runs the command to its end; gives what to exit with.
pub(crate) async fn guard(args: Args) -> anyhow::Result<u8> {
    let Args {
        grace,
        result,
        command,
    } = args;
    // Before the command is there: a signal must not end the guard alone.
    let mut told = listen().context("cannot listen for signals")?;
    let (program, arguments) = command.split_first().context("there is no command")?;
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            let program = program.to_string_lossy();
            let _gone = writeln!(std::io::stderr(), "cannot start `{program}`: {error}");
            let missing = error.kind() == std::io::ErrorKind::NotFound;
            return Ok(if missing { NOT_FOUND } else { NOT_RUNNABLE });
        }
    };
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    // A failure to send means that the group is gone, which the wait will say.
    let send = |signal| group.map(|group| kill_process_group(group, signal));
    let mut last_line = LastLine::default();
    let status = {
        let stdout = child.stdout.take();
        let listening = pass_on(stdout, &mut last_line);
        tokio::pin!(listening);
        let (mut silent, mut kill_at) = (false, None);
        let status = loop {
            tokio::select! {
                status = child.wait() => break status.context("cannot wait for the command")?,
                () = &mut listening, if !silent => silent = true,
                Some(()) = told.recv() => match kill_at {
                    None => {
                        kill_at = Some(Instant::now() + grace);
                        send(Signal::TERM);
                    }
                    Some(_) => drop(send(Signal::KILL)),
                },
                () = sleep_until(kill_at.unwrap_or_else(Instant::now)), if kill_at.is_some() => {
                    kill_at = Some(Instant::now() + LINGER);
                    send(Signal::KILL);
                }
            }
        };
        if kill_at.is_some() {
            // What it started was told to end as well, and had as much time.
            send(Signal::KILL);
        }
        if !silent {
            let _held_open = timeout(LINGER, listening).await;
        }
        status
    };
    if status.success()
        && !result.exists()
        && let Some(line) = last_line.of_text()
    {
        std::fs::write(&result, line)
            .with_context(|| format!("cannot write the result to `{}`", result.display()))?;
    }
    Ok(code_of(status))
}

fn code_of(status: ExitStatus) -> u8 {
    let code = match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => BY_SIGNAL + signal,
        (None, None) => BY_SIGNAL,
    };
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// Tells of every signal that asks for an end, and of the end of standard input.
fn listen() -> std::io::Result<mpsc::Receiver<()>> {
    let (sender, told) = mpsc::channel(8);
    for kind in [
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::hangup(),
    ] {
        let (mut arrivals, sender) = (signal(kind)?, sender.clone());
        tokio::spawn(async move {
            while arrivals.recv().await.is_some() {
                if sender.send(()).await.is_err() {
                    return;
                }
            }
        });
    }
    // A thread of its own: a read of standard input cannot be cancelled.
    std::thread::Builder::new()
        .name("stdin".into())
        .spawn(move || {
            let (mut buffer, mut input) = ([0; 64], std::io::stdin().lock());
            while input.read(&mut buffer).is_ok_and(|read| read > 0) {}
            let _over = sender.blocking_send(());
        })?;
    Ok(told)
}

/// Hands the command's output on, and remembers its last line.
async fn pass_on(from: Option<impl AsyncRead + Unpin>, last_line: &mut LastLine) {
    let Some(mut from) = from else { return };
    let mut buffer = vec![0; 8 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let mut out = std::io::stdout().lock();
        // A full disk must not end the command: what it says is lost, what it does is not.
        let _lost = out.write_all(&buffer[..read]).and_then(|()| out.flush());
        last_line.push(&buffer[..read]);
    }
}

/// The last line that says something; of a longer one the beginning is kept.
#[derive(Debug, Default)]
struct LastLine {
    whole: Vec<u8>,
    open: Vec<u8>,
}

impl LastLine {
    fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = MAX_RESULT_BYTES.saturating_sub(self.open.len());
            self.open.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                if !self.open.trim_ascii().is_empty() {
                    std::mem::swap(&mut self.whole, &mut self.open);
                }
                self.open.clear();
            }
        }
    }

    fn of_text(&self) -> Option<&[u8]> {
        let open = self.open.trim_ascii();
        let line = if open.is_empty() {
            self.whole.trim_ascii()
        } else {
            open
        };
        (!line.is_empty()).then_some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last_of(pieces: &[&str]) -> Option<String> {
        let mut line = LastLine::default();
        for piece in pieces {
            line.push(piece.as_bytes());
        }
        line.of_text()
            .map(|line| String::from_utf8_lossy(line).into_owned())
    }

    #[test]
    fn the_last_line_that_says_something_is_remembered_however_it_arrives() {
        for (pieces, wanted) in [
            (&["a\nb\n"][..], Some("b")),
            (&["a\n", "b\n\n  \n"], Some("b")),
            (&["a\nb", "c"], Some("bc")),
            (&["a\nbc\r\n"], Some("bc")),
            (&["\n\n"], None),
            (&[], None),
        ] {
            assert_eq!(last_of(pieces).as_deref(), wanted, "{pieces:?}");
        }
    }

    #[test]
    fn a_line_without_an_end_takes_no_more_than_its_share() {
        let long = "x".repeat(MAX_RESULT_BYTES);
        assert_eq!(
            last_of(&[&long, &long]).map(|line| line.len()),
            Some(MAX_RESULT_BYTES)
        );
    }
}
