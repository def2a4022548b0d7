//! One process that runs: items are written to its standard input, its answers read from its file
//! descriptor 3, what it prints is listened to all the while.

use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use command_fds::{CommandFdExt as _, FdMapping};
use queue_api::ItemId;
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::line::{self, MAX_ANSWER};
use crate::child::{Group, Program, Said, Which, headline};
use crate::handler::Cut;
use crate::verdict::{Failure, Verdict};

/// Where a process writes its answers: out of reach of whatever prints.
const ANSWERS: i32 = 3;
/// A process that has closed its ends of the pipes has so long to end by itself, so that it is known
/// how it ended; longer than whatever it left behind is listened to.
const EXIT_TIME: Duration = Duration::from_secs(3);
/// Read at a time.
const CHUNK: usize = 8 * 1024;
/// What a pipe holds as Linux makes it: what was in it when the answer was read is no more than this.
const PIPE: usize = 64 * 1024;

/// A process that runs.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    group: Group,
    stdin: ChildStdin,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    answers: pipe::Receiver,
    /// Read of the answers and not used yet.
    unread: Vec<u8>,
    /// The item's line, and how much of it is written.
    line: Vec<u8>,
    written: usize,
    buffers: Box<[[u8; CHUNK]; 2]>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Fault {
    /// It was cut short.
    Cut(Cut),
    /// It ended, or closed the pipes between us.
    Ended,
    /// It does something that makes no sense.
    Odd(String),
}

impl Running {
    pub(super) fn start(program: &Program) -> io::Result<Self> {
        let (answers, theirs) = io::pipe()?;
        let mut command = program.command(program.arguments());
        // An item is in its line; these would be those of a worker around this one.
        for name in ["", "_FILE", "_ID", "_KEY", "_GROUP"] {
            command.env_remove(format!("MEMQ_ITEM{name}"));
        }
        for name in ["MEMQ_ATTEMPT", "MEMQ_PRIORITY", "MEMQ_RESULT"] {
            command.env_remove(name);
        }
        let mapping = FdMapping {
            parent_fd: theirs.into(),
            child_fd: ANSWERS,
        };
        let mapped = command.as_std_mut().fd_mappings(vec![mapping]);
        mapped.map_err(io::Error::other)?;
        let mut child = command.spawn()?;
        // Ours of their end of the pipe is closed with it: the end of the process is the end of file.
        drop(command);
        let stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        tracing::info!(process.pid = child.id(), "started a process for items");
        Ok(Self {
            group: Group::of(&child),
            child,
            stdin,
            stdout,
            stderr,
            answers: pipe::Receiver::from_owned_fd(answers.into())?,
            unread: Vec::with_capacity(CHUNK),
            line: Vec::new(),
            written: 0,
            buffers: Box::new([[0; CHUNK]; 2]),
        })
    }

    /// Where the next item's line is to be put.
    pub(super) fn line(&mut self) -> &mut Vec<u8> {
        self.written = 0;
        &mut self.line
    }

    /// Whether the process read anything of the item's line: what it did not is still in the pipe.
    pub(super) fn took_any(&self) -> bool {
        let unread = rustix::io::ioctl_fionread(&self.stdin).unwrap_or(0);
        self.written as u64 > unread
    }

    /// Reads what it prints while it has no item, as much as is there but no more than a pipe holds.
    /// `context` is woken when there is more.
    pub(super) fn poll_idle(&mut self, said: &mut Option<Said>, context: &mut Context<'_>) {
        let [out_buffer, err_buffer] = &mut *self.buffers;
        let mut hear = |which, bytes: &[u8]| {
            said.get_or_insert_with(|| Said::about(None))
                .push(which, bytes);
        };
        let out = poll_some(&mut self.stdout, out_buffer, context, |bytes| {
            hear(Which::Out, bytes);
        });
        let err = poll_some(&mut self.stderr, err_buffer, context, |bytes| {
            hear(Which::Err, bytes);
        });
        if out || err {
            context.waker().wake_by_ref();
        }
    }

    /// Reads what it has printed so far without an item.
    pub(super) fn drain_idle(&mut self, said: &mut Option<Said>) {
        let [out_buffer, err_buffer] = &mut *self.buffers;
        let mut hear = |which, bytes: &[u8]| {
            said.get_or_insert_with(|| Said::about(None))
                .push(which, bytes);
        };
        drain(self.stdout.as_ref(), out_buffer, |bytes| {
            hear(Which::Out, bytes);
        });
        drain(self.stderr.as_ref(), err_buffer, |bytes| {
            hear(Which::Err, bytes);
        });
    }

    /// Whether it said no more than its answer.
    pub(super) fn is_in_step(&self) -> bool {
        self.unread.is_empty()
    }

    /// Hands the line over and waits for the answer.
    pub(super) async fn serve(
        &mut self,
        item: ItemId,
        said: &mut Said,
        limit: Option<Duration>,
        mut cut: Pin<&mut impl Future<Output = Cut>>,
    ) -> Result<Verdict, Fault> {
        let Self {
            child,
            stdin,
            stdout,
            stderr,
            answers,
            unread,
            line,
            written,
            buffers,
            group: _,
        } = self;
        let [out_buffer, err_buffer] = &mut **buffers;
        let too_late = async {
            match limit {
                Some(limit) => {
                    tokio::time::sleep(limit).await;
                    Cut::Limit(limit)
                }
                None => std::future::pending().await,
            }
        };
        tokio::pin!(too_late);
        let answer = loop {
            let scanned = unread.len();
            tokio::select! {
                biased;
                read = answers.read_buf(unread) => {
                    let read = read.unwrap_or(0);
                    if read == 0 {
                        return Err(Fault::Ended);
                    }
                    let end = unread[scanned..].iter().position(|&byte| byte == b'\n');
                    if let Some(end) = end {
                        break scanned + end;
                    }
                    if unread.len() > MAX_ANSWER {
                        let odd = format!("its answer is longer than {MAX_ANSWER} bytes");
                        return Err(Fault::Odd(odd));
                    }
                }
                _ = child.wait() => {
                    // It may have answered with its last breath.
                    drain(Some(&*answers), out_buffer, |bytes| unread.extend_from_slice(bytes));
                    match unread.iter().position(|&byte| byte == b'\n') {
                        Some(end) if *written == line.len() => break end,
                        _ => return Err(Fault::Ended),
                    }
                }
                cut = cut.as_mut() => return Err(Fault::Cut(cut)),
                cut = &mut too_late => return Err(Fault::Cut(cut)),
                wrote = stdin.write(&line[*written..]), if *written < line.len() => match wrote {
                    Ok(bytes) => *written += bytes,
                    Err(_) => return Err(Fault::Ended),
                },
                // In turns: a flood on one of them must not drown the other.
                heard = async {
                    tokio::select! {
                        read = read_some(stdout, out_buffer) => (Which::Out, read),
                        read = read_some(stderr, err_buffer) => (Which::Err, read),
                    }
                } => match heard {
                    (Which::Out, read) => said.push(Which::Out, &out_buffer[..read]),
                    (Which::Err, read) => said.push(Which::Err, &err_buffer[..read]),
                },
            }
        };
        // What it printed before it answered is in the pipes by now.
        drain(stdout.as_ref(), out_buffer, |bytes| {
            said.push(Which::Out, bytes);
        });
        drain(stderr.as_ref(), err_buffer, |bytes| {
            said.push(Which::Err, bytes);
        });
        if *written < line.len() {
            return Err(Fault::Odd("it answered before it had read its item".into()));
        }
        let verdict = line::read(&unread[..answer], item).map_err(Fault::Odd);
        unread.drain(..=answer);
        verdict
    }

    /// It ended, or seems to: how, once it has, and whether it broke down, rather than to end as if all were done.
    pub(super) async fn buried(
        mut self,
        said: &mut Said,
        kill: &CancellationToken,
    ) -> (Failure, bool) {
        let (stdout, stderr) = (self.stdout.take(), self.stderr.take());
        // Its standard input stays open: a program that stopped answering and goes on would else end because of
        // us, with a code that looks as if it had broken down.
        let listen = said.listen(&mut self.child, stdout, stderr, std::future::ready(()));
        tokio::pin!(listen);
        match tokio::time::timeout(EXIT_TIME, &mut listen).await {
            Ok(Ok(status)) => {
                let failure = Failure {
                    exit_code: status.code(),
                    ..Failure::new(format!("the process {}", headline(status)))
                };
                (failure, !status.success())
            }
            Ok(Err(error)) => {
                let failure = Failure::new(format!("lost sight of the process: {error}"));
                (failure, false)
            }
            Err(_) => {
                self.group.end(listen, kill).await;
                let failure = Failure::new(
                    "the process closed its standard input or file descriptor 3 and went on",
                );
                (failure, false)
            }
        }
    }

    /// Ends it, with all that it started, and listens to its last words.
    pub(super) async fn end(mut self, said: &mut Said, kill: &CancellationToken) {
        let (stdout, stderr) = (self.stdout.take(), self.stderr.take());
        drop(self.stdin);
        let listen = said.listen(&mut self.child, stdout, stderr, std::future::ready(()));
        tokio::pin!(listen);
        self.group.end(listen, kill).await;
    }

    /// Closes its standard input, and ends it if it is still there at `end`.
    pub(super) async fn close(mut self, end: Instant, kill: &CancellationToken) {
        let mut said = Said::about(None);
        let (stdout, stderr) = (self.stdout.take(), self.stderr.take());
        drop(self.stdin);
        let listen = said.listen(&mut self.child, stdout, stderr, std::future::ready(()));
        tokio::pin!(listen);
        tokio::select! {
            biased;
            _ = &mut listen => return self.group.leave(),
            () = tokio::time::sleep_until(end) => {}
            () = kill.cancelled() => {}
        }
        tracing::warn!("a process went on although its standard input was closed; ending it");
        self.group.end(listen, kill).await;
    }
}

/// Reads what is there; never ends once the stream is at its end.
async fn read_some(stream: &mut Option<impl AsyncRead + Unpin>, buffer: &mut [u8]) -> usize {
    if let Some(open) = stream {
        if let Ok(read @ 1..) = open.read(buffer).await {
            return read;
        }
        *stream = None;
    }
    std::future::pending().await
}

/// Reads what is there; whether there may be more already.
fn poll_some(
    stream: &mut Option<impl AsyncRead + Unpin>,
    buffer: &mut [u8],
    context: &mut Context<'_>,
    mut to: impl FnMut(&[u8]),
) -> bool {
    for _ in 0..PIPE / CHUNK {
        let Some(open) = stream else { return false };
        let mut read = ReadBuf::new(buffer);
        match Pin::new(open).poll_read(context, &mut read) {
            Poll::Pending => return false,
            Poll::Ready(Ok(())) if !read.filled().is_empty() => to(read.filled()),
            Poll::Ready(_) => *stream = None,
        }
    }
    true
}

/// Reads what is there now, past the runtime: it may not have heard of it yet.
fn drain(stream: Option<&impl AsFd>, buffer: &mut [u8], mut to: impl FnMut(&[u8])) {
    let Some(stream) = stream else { return };
    for _ in 0..PIPE / CHUNK {
        match rustix::io::read(stream, &mut *buffer) {
            Ok(read @ 1..) => to(&buffer[..read]),
            Err(Errno::INTR) => {}
            // Nothing more yet, or at its end, which the next reader finds out.
            Ok(0) | Err(_) => break,
        }
    }
}
