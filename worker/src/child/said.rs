//! What a program says on both of its streams while it has an item: to the worker's log, line by
//! line up to a limit, and kept at both ends for the attempt.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use queue_api::ItemId;
use queue_client::Lease;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, ChildStdout};
use tracing::field::DisplayValue;

use super::output::Stream;

/// Most of one stream of one attempt that goes to the worker's log, in bytes: a program that never
/// stops talking must not fill a disk that is not its own.
const LOGGED: usize = 256 * 1024;
/// Streams that something left behind holds open are read for so long after the child's end.
const LINGER: Duration = Duration::from_secs(1);

/// The item that something is said about.
#[derive(Debug, Clone, Copy)]
struct Topic {
    item: ItemId,
    trace: Option<u128>,
}

/// What was said about one item, or between items.
#[derive(Debug)]
pub(crate) struct Said {
    topic: Option<Topic>,
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

impl Topic {
    fn of(lease: &Lease) -> Self {
        let trace = lease.trace_id();
        Self {
            item: lease.id,
            trace: trace.and_then(|id| u128::from_str_radix(id, 16).ok()),
        }
    }

    fn id(self) -> DisplayValue<ItemId> {
        tracing::field::display(self.item)
    }

    fn trace(self) -> Option<DisplayValue<String>> {
        let id = self.trace?;
        Some(tracing::field::display(format!("{id:032x}")))
    }
}

impl Said {
    pub(crate) fn about(lease: Option<&Lease>) -> Self {
        Self {
            topic: lease.map(Topic::of),
            stdout: Voice::new("stdout"),
            stderr: Voice::new("stderr"),
        }
    }

    /// Takes in what was read.
    pub(crate) fn push(&mut self, which: Which, bytes: &[u8]) {
        let topic = self.topic;
        match which {
            Which::Out => self.stdout.push(topic, bytes),
            Which::Err => self.stderr.push(topic, bytes),
        }
    }

    /// Nothing more is said: what stands there without a line end is a line too.
    pub(crate) fn finish(&mut self) {
        self.stdout.finish(self.topic);
        self.stderr.finish(self.topic);
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
        let topic = self.topic;
        let streams = async {
            tokio::join!(
                self.stdout.pump(topic, stdout),
                self.stderr.pump(topic, stderr)
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
                item.id = topic.map(Topic::id),
                trace.id = topic.and_then(Topic::trace),
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

    fn push(&mut self, topic: Option<Topic>, bytes: &[u8]) {
        self.kept.push(bytes, |line| self.log.line(topic, line));
    }

    fn finish(&mut self, topic: Option<Topic>) {
        self.kept.finish(|line| self.log.line(topic, line));
        self.log.finish(topic);
    }

    async fn pump(&mut self, topic: Option<Topic>, from: Option<impl AsyncRead + Unpin>) {
        let Some(mut from) = from else { return };
        // On the heap: the future that holds it is moved about.
        let mut buffer = vec![0; 8 * 1024];
        loop {
            match from.read(&mut buffer).await {
                Ok(0) => break,
                Ok(read) => self.push(topic, &buffer[..read]),
                Err(error) => {
                    tracing::debug!(item.id = topic.map(Topic::id), trace.id = topic.and_then(Topic::trace), error.message = %error, "cannot read a command's output");
                    break;
                }
            }
        }
        self.finish(topic);
    }
}

impl Log {
    fn line(&mut self, topic: Option<Topic>, line: &str) {
        let stream = self.stream;
        let (item, trace) = (topic.map(Topic::id), topic.and_then(Topic::trace));
        if self.left_out == 0 && line.len() < self.room {
            self.room -= line.len() + 1;
            tracing::info!(target: "handler", { item.id = item, trace.id = trace, handler.stream = stream }, "{line}");
            return;
        }
        if self.left_out == 0 {
            tracing::warn!(target: "handler", { item.id = item, trace.id = trace, handler.stream = stream }, "it says more than {LOGGED} bytes: the rest is left out of this log");
        }
        self.left_out += line.len() + 1;
    }

    fn finish(&mut self, topic: Option<Topic>) {
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            self.room = 0;
            let (item, trace) = (topic.map(Topic::id), topic.and_then(Topic::trace));
            let stream = self.stream;
            tracing::warn!(target: "handler", { item.id = item, trace.id = trace, handler.stream = stream }, "{left_out} bytes were left out of this log");
        }
    }
}
