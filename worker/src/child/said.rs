//! What a program says on both of its streams while it has an item: to the worker's log, line by
//! line up to a limit, and kept at both ends for the attempt.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use queue_api::ItemId;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, ChildStdout};

use super::output::Stream;

/// Most of one stream of one attempt that goes to the worker's log, in bytes: a program that never
/// stops talking must not fill a disk that is not its own.
const LOGGED: usize = 256 * 1024;
/// Streams that something left behind holds open are read for so long after the child's end.
const LINGER: Duration = Duration::from_secs(1);

/// What was said about one item, or between items.
#[derive(Debug)]
pub(crate) struct Said {
    item: Option<ItemId>,
    stdout: Voice,
    stderr: Voice,
}

/// Which of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Out,
    Err,
}

#[derive(Debug)]
struct Voice {
    kept: Stream,
    log: Log,
}

/// The way of one stream into the worker's log.
#[derive(Debug)]
struct Log {
    stream: &'static str,
    room: usize,
    left_out: usize,
}

impl Said {
    pub(crate) fn about(item: Option<ItemId>) -> Self {
        Self {
            item,
            stdout: Voice::new("stdout"),
            stderr: Voice::new("stderr"),
        }
    }

    /// Takes in what was read.
    pub(crate) fn push(&mut self, which: Which, bytes: &[u8]) {
        let item = self.item;
        match which {
            Which::Out => self.stdout.push(item, bytes),
            Which::Err => self.stderr.push(item, bytes),
        }
    }

    /// Nothing more is said: what stands there without a line end is a line too.
    pub(crate) fn finish(&mut self) {
        self.stdout.finish(self.item);
        self.stderr.finish(self.item);
    }

    /// Reads what a child says until it ends, while `meanwhile` runs. Something it left behind may
    /// hold its streams open for ever; that is waited for a moment only.
    pub(crate) async fn listen(
        &mut self,
        child: &mut Child,
        stdout: Option<ChildStdout>,
        stderr: Option<ChildStderr>,
        meanwhile: impl Future<Output = ()>,
    ) -> io::Result<ExitStatus> {
        let item = self.item;
        let streams = async {
            tokio::join!(
                self.stdout.pump(item, stdout),
                self.stderr.pump(item, stderr)
            )
        };
        tokio::pin!(meanwhile, streams);
        let (mut done, mut silent) = (false, false);
        let status = loop {
            tokio::select! {
                status = child.wait() => break status?,
                () = &mut meanwhile, if !done => done = true,
                _ = &mut streams, if !silent => silent = true,
            }
        };
        if !silent && tokio::time::timeout(LINGER, streams).await.is_err() {
            tracing::warn!(
                item = item.map(tracing::field::display),
                "the command ended but something it started holds its output open; going on without"
            );
        }
        Ok(status)
    }

    /// The last line of standard output that says something.
    pub(crate) fn last_line(&self) -> Option<&[u8]> {
        self.stdout.kept.last_line()
    }

    /// Both streams as they are kept with an attempt; what says more of a failure first.
    pub(crate) fn text(&mut self) -> String {
        self.finish();
        let mut text = String::new();
        for voice in [&mut self.stderr, &mut self.stdout] {
            let kept = voice.kept.kept();
            let kept = kept.trim_end();
            if !kept.is_empty() {
                text.push_str(&format!("--- {}\n{kept}\n", voice.log.stream));
            }
        }
        text.truncate(text.trim_end().len());
        text
    }
}

impl Voice {
    fn new(stream: &'static str) -> Self {
        Self {
            kept: Stream::default(),
            log: Log {
                stream,
                room: LOGGED,
                left_out: 0,
            },
        }
    }

    fn push(&mut self, item: Option<ItemId>, bytes: &[u8]) {
        self.kept.push(bytes, |line| self.log.line(item, line));
    }

    fn finish(&mut self, item: Option<ItemId>) {
        self.kept.finish(|line| self.log.line(item, line));
        self.log.finish(item);
    }

    async fn pump(&mut self, item: Option<ItemId>, from: Option<impl AsyncRead + Unpin>) {
        let Some(mut from) = from else { return };
        // On the heap: the future that holds it is moved about.
        let mut buffer = vec![0; 8 * 1024];
        loop {
            match from.read(&mut buffer).await {
                Ok(0) => break,
                Ok(read) => self.push(item, &buffer[..read]),
                Err(error) => {
                    tracing::debug!("cannot read a command's output: {error}");
                    break;
                }
            }
        }
        self.finish(item);
    }
}

impl Log {
    fn line(&mut self, item: Option<ItemId>, line: &str) {
        let stream = self.stream;
        let item = item.map(tracing::field::display);
        if self.left_out == 0 && line.len() < self.room {
            self.room -= line.len() + 1;
            tracing::info!(target: "handler", item, stream, "{line}");
            return;
        }
        if self.left_out == 0 {
            tracing::warn!(target: "handler", item, stream, "it says more than {LOGGED} bytes: the rest is left out of this log");
        }
        self.left_out += line.len() + 1;
    }

    fn finish(&mut self, item: Option<ItemId>) {
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            self.room = 0;
            let (stream, item) = (self.stream, item.map(tracing::field::display));
            tracing::warn!(target: "handler", item, stream, "{left_out} bytes were left out of this log");
        }
    }
}
