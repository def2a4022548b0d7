//! One command for one item: start it, feed it, listen to it, end it, judge it.

use std::ffi::OsStr;
use std::future::Future;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use queue_client::Lease;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::output::Stream;
use super::program::Program;
use crate::handler::Cut;
use crate::verdict::{Failure, MAX_RESULT_BYTES, Verdict, ack_with};

/// Longest text the kernel takes as one argument or one variable, with its end.
const MAX_STRING: usize = 128 * 1024 - 1;
/// A group that was asked to end is killed after this.
const TERM_TIME: Duration = Duration::from_secs(2);
/// What is left of a group when its command has ended gets this much more.
const STRAGGLE: Duration = Duration::from_millis(500);
/// Streams that something left behind holds open are read for so long after the command's end.
const LINGER: Duration = Duration::from_secs(1);
/// How long an item waits that could not be started for want of memory or processes.
const NO_ROOM_DELAY: Duration = Duration::from_secs(1);
/// Exit code of a command that gives its item back.
const GIVE_BACK: i32 = 75;
/// Bodies up to this are written to their file on the spot; larger ones on a thread that may block.
const SMALL: usize = 64 * 1024;

impl Program {
    /// Runs the command for an item, to its end or until it is cut short.
    pub(crate) async fn handle(
        &self,
        lease: &Lease,
        cut: impl Future<Output = Cut>,
        kill: &CancellationToken,
    ) -> Verdict {
        let body = &lease.body.0;
        if self.takes_item_as_argument() && !fits(body, "") {
            return Verdict::Dead(Failure::new(format!(
                "the item of {} bytes does not fit into an argument: read it from standard input or from $MEMQ_ITEM_FILE",
                body.len()
            )));
        }
        let files = match Files::write(self, body).await {
            Ok(files) => files,
            Err(error) => return no_room(&format!("cannot write the item's file: {error}")),
        };
        let mut child = match self.command(lease, &files).spawn() {
            Ok(child) => child,
            Err(error) => return self.not_started(&error),
        };
        let mut said = Said::default();
        let group = Group::of(&child);
        let ended = {
            let listen = said.listen(&mut child, lease);
            tokio::pin!(listen);
            tokio::select! {
                biased;
                status = &mut listen => {
                    group.leave();
                    Ok(status)
                }
                cut = cut => {
                    // It is listened to until its end: one that cleans up may say so.
                    group.end(listen, kill).await;
                    Err(cut)
                }
            }
        };
        match ended {
            Ok(Ok(status)) => self.judge(status, said, &files),
            Ok(Err(error)) => {
                Verdict::Nack(Failure::new(format!("lost sight of the command: {error}")))
            }
            Err(cut) => cut.verdict(Failure::new(said.text().trim_end())),
        }
    }

    fn command(&self, lease: &Lease, files: &Files) -> Command {
        let body = &lease.body.0;
        let mut command = Command::new(&self.path);
        command
            .arg0(&self.name)
            .args(self.arguments_for(body))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("MEMQ_ITEM_FILE", &files.item)
            .env("MEMQ_RESULT", &files.result)
            .env("MEMQ_ITEM_ID", lease.id.to_string())
            .env("MEMQ_ATTEMPT", lease.attempt.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if fits(body, "MEMQ_ITEM=") {
            command.env("MEMQ_ITEM", OsStr::from_bytes(body));
        } else {
            tracing::warn!(
                item = %lease.id,
                bytes = body.len(),
                "the item does not fit into MEMQ_ITEM: read standard input or $MEMQ_ITEM_FILE"
            );
            // Not that of a worker around this one.
            command.env_remove("MEMQ_ITEM");
        }
        command
    }

    /// What a command that could not be started means.
    fn not_started(&self, error: &io::Error) -> Verdict {
        let text = format!("cannot start `{}`: {error}", self.path.display());
        match Errno::from_io_error(error) {
            Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE) => no_room(&text),
            Some(Errno::TOOBIG) => Verdict::Dead(Failure::new(text)),
            _ => Verdict::Broken(Failure::new(text)),
        }
    }

    fn judge(&self, status: ExitStatus, mut said: Said, files: &Files) -> Verdict {
        if status.success() {
            return match files.result() {
                Ok(Some(result)) => ack_with(&result),
                Ok(None) => ack_with(said.stdout.last_line().unwrap_or_default()).or_no_result(),
                Err(error) => Verdict::Nack(Failure {
                    error: format!("cannot read its result from $MEMQ_RESULT: {error}"),
                    exit_code: Some(0),
                }),
            };
        }
        let headline = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exited with code {code}"),
            (None, Some(signal)) => format!("was killed by signal {signal}"),
            (None, None) => format!("ended oddly: {status}"),
        };
        let failure = Failure {
            error: format!("{headline}\n{}", said.text()).trim_end().to_owned(),
            exit_code: status.code(),
        };
        match status.code() {
            Some(code) if self.dead_on.contains(&code) => Verdict::Dead(failure),
            Some(GIVE_BACK) => Verdict::Release(failure, None),
            _ => Verdict::Nack(failure),
        }
    }
}

impl Verdict {
    /// Saying nothing is no result.
    fn or_no_result(self) -> Self {
        match self {
            Self::Ack { result } => Self::Ack {
                result: result.filter(|text| !text.is_empty()),
            },
            other => other,
        }
    }
}

/// Not the item's fault, and it may be better in a moment.
fn no_room(text: &str) -> Verdict {
    tracing::warn!("{text}; giving the item back");
    Verdict::Release(Failure::new(text), Some(NO_ROOM_DELAY))
}

/// Whether the kernel takes this as one string behind that prefix.
fn fits(body: &[u8], prefix: &str) -> bool {
    prefix.len() + body.len() <= MAX_STRING && !body.contains(&0)
}

/// The files of one item: its body, and where its result may be written. Gone when dropped.
struct Files {
    item: PathBuf,
    result: PathBuf,
}

impl Files {
    async fn write(program: &Program, body: &[u8]) -> io::Result<Self> {
        // Not the item's id: the same item may still be ending in another slot.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Relaxed);
        let dir = program.files.path();
        let files = Self {
            item: dir.join(format!("{number}.item")),
            result: dir.join(format!("{number}.result")),
        };
        if body.len() <= SMALL {
            std::fs::write(&files.item, body)?;
        } else {
            tokio::fs::write(&files.item, body).await?;
        }
        Ok(files)
    }

    fn result(&self) -> io::Result<Option<Vec<u8>>> {
        use std::io::Read;
        match std::fs::metadata(&self.result) {
            // Opening a pipe would wait for whoever writes into it.
            Ok(metadata) if !metadata.is_file() => {
                return Err(io::Error::other("it is not a regular file"));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        let file = std::fs::File::open(&self.result)?;
        // One more than the limit shows that it is over it.
        let mut bytes = Vec::new();
        file.take(MAX_RESULT_BYTES as u64 + 1)
            .read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in [&self.item, &self.result] {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::debug!("cannot remove {}: {error}", path.display());
                }
                _ => {}
            }
        }
    }
}

/// The streams of a command.
#[derive(Debug, Default)]
struct Said {
    stdout: Stream,
    stderr: Stream,
}

impl Said {
    /// Feeds the command and reads what it says until it ends. Something it left behind may hold its
    /// streams open for ever; that is waited for a moment only.
    async fn listen(&mut self, child: &mut Child, lease: &Lease) -> io::Result<ExitStatus> {
        let item = lease.id;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let feed = feed(stdin, &lease.body.0);
        let out = pump(stdout, &mut self.stdout, |line| {
            tracing::info!(target: "handler", %item, stream = "stdout", "{line}");
        });
        let err = pump(stderr, &mut self.stderr, |line| {
            tracing::info!(target: "handler", %item, stream = "stderr", "{line}");
        });
        let streams = async { tokio::join!(out, err) };
        tokio::pin!(feed, streams);
        let (mut fed, mut silent) = (false, false);
        let status = loop {
            tokio::select! {
                status = child.wait() => break status?,
                () = &mut feed, if !fed => fed = true,
                _ = &mut streams, if !silent => silent = true,
            }
        };
        if !silent && tokio::time::timeout(LINGER, streams).await.is_err() {
            tracing::warn!(%item, "the command ended but something it started holds its output open; going on without");
        }
        Ok(status)
    }

    /// Both streams as they are kept with a failed attempt; what says more of a failure first.
    fn text(&mut self) -> String {
        self.stdout.finish(|_| {});
        self.stderr.finish(|_| {});
        let mut text = String::new();
        for (name, stream) in [("stderr", &mut self.stderr), ("stdout", &mut self.stdout)] {
            let kept = stream.kept();
            let kept = kept.trim_end();
            if !kept.is_empty() {
                text.push_str(&format!("--- {name}\n{kept}\n"));
            }
        }
        text
    }
}

/// Writes the item to the command's standard input. A command that does not read it is no failure.
async fn feed(stdin: Option<ChildStdin>, body: &[u8]) {
    if let Some(mut stdin) = stdin
        && let Err(error) = stdin.write_all(body).await
    {
        tracing::trace!("the command did not read its item: {error}");
    }
}

async fn pump(from: Option<impl AsyncRead + Unpin>, to: &mut Stream, mut log: impl FnMut(&str)) {
    let Some(mut from) = from else { return };
    // On the heap: the future that holds it is moved about.
    let mut buffer = vec![0; 8 * 1024];
    loop {
        match from.read(&mut buffer).await {
            Ok(0) => break,
            Ok(read) => to.push(&buffer[..read], &mut log),
            Err(error) => {
                tracing::debug!("cannot read a command's output: {error}");
                break;
            }
        }
    }
    to.finish(log);
}

/// A process group. Killed when dropped: no way out of a handler leaves one behind by accident.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }

    /// The command ended by itself: what it left running is its own choice.
    fn leave(mut self) {
        self.0 = None;
    }

    /// Ends the group: asks, waits a moment, kills whatever is left. `command` is the end of the
    /// command itself.
    async fn end<T>(
        mut self,
        mut command: Pin<&mut impl Future<Output = T>>,
        kill: &CancellationToken,
    ) {
        let Some(group) = self.0 else { return };
        let _ = kill_process_group(group, Signal::TERM);
        let mut buried = false;
        let all_gone = async {
            // First the command: dead but not waited for, it still counts as one of the group.
            command.as_mut().await;
            buried = true;
            let stragglers = Instant::now() + STRAGGLE;
            while Instant::now() < stragglers && test_kill_process_group(group).is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = all_gone => {}
            () = tokio::time::sleep(TERM_TIME) => {}
            () = kill.cancelled() => {}
        }
        let _ = kill_process_group(group, Signal::KILL);
        self.0 = None;
        if !buried {
            // Only a moment, unless the kernel holds it.
            let _ = tokio::time::timeout(TERM_TIME, command).await;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
