//! Outcomes as they come: one long answer read line by line, made anew where it breaks.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures_util::{Stream, StreamExt, stream};
use queue_api::Outcome;

use crate::transport::{backoff, unreachable};
use crate::{Error, QueueClient, Result};

/// A stream that says nothing for so long is opened anew: nothing is lost by it, and a connection
/// that died unnoticed is found out.
const SILENCE: Duration = Duration::from_secs(60);
/// A stream that was open for so long was none that fails, whether anything was said or not.
const STEADY: Duration = Duration::from_secs(1);
/// Longest line: a body and a result of the largest request each, as JSON at its worst, is less.
const MAX_LINE_BYTES: usize = 256 * 1024 * 1024;

type Delays = Box<dyn Iterator<Item = Duration> + Send>;

struct Follower {
    queue: QueueClient,
    after: u64,
    response: Option<reqwest::Response>,
    buffer: BytesMut,
    /// When the last stream was opened, until a failure after that.
    opened: Option<Instant>,
    /// Since when no stream holds, and the waits between tries meanwhile.
    failing: Option<(Instant, Delays)>,
    ended: bool,
}

/// What the next step of a follower gives.
enum Step {
    Outcome(Box<Outcome>),
    Again,
    End,
}

pub(crate) fn follow(
    queue: QueueClient,
    after: u64,
) -> impl Stream<Item = Result<Outcome>> + Send + use<> {
    let follower = Follower {
        queue,
        after,
        response: None,
        buffer: BytesMut::new(),
        opened: None,
        failing: None,
        ended: false,
    };
    stream::unfold(follower, |mut follower| async move {
        let item = follower.next().await?;
        Some((item, follower))
    })
    .boxed()
}

impl Follower {
    async fn next(&mut self) -> Option<Result<Outcome>> {
        while !self.ended {
            let failure = match self.step().await {
                Ok(Step::Outcome(outcome)) => {
                    self.after = outcome.outcome;
                    self.failing = None;
                    return Some(Ok(*outcome));
                }
                Ok(Step::Again) => continue,
                Ok(Step::End) => break,
                Err(error) => error,
            };
            self.response = None;
            self.buffer.clear();
            let opened = self.opened.take();
            if opened.is_some_and(|opened| opened.elapsed() >= STEADY) {
                self.failing = None;
            }
            if let Err(error) = self.pause(failure).await {
                self.ended = true;
                return Some(Err(error));
            }
        }
        self.ended = true;
        None
    }

    async fn step(&mut self) -> Result<Step> {
        if let Some(line) = self.line()? {
            return Ok(line);
        }
        let Some(response) = &mut self.response else {
            self.response = Some(self.queue.open_outcomes(self.after).await?);
            self.opened = Some(Instant::now());
            return Ok(Step::Again);
        };
        let what = || format!("follow outcomes of queue {}", self.queue.name());
        match tokio::time::timeout(SILENCE, response.chunk()).await {
            Err(_silent) => {
                self.response = None;
                self.buffer.clear();
                Ok(Step::Again)
            }
            Ok(Err(error)) => Err(unreachable(what(), error)),
            Ok(Ok(Some(bytes))) => {
                self.buffer.extend_from_slice(&bytes);
                Ok(Step::Again)
            }
            Ok(Ok(None)) => self.at_end().await,
        }
    }

    /// The next whole line of the buffer.
    fn line(&mut self) -> Result<Option<Step>> {
        let odd = |detail: String| Error::Protocol {
            what: format!("follow outcomes of queue {}", self.queue.name()),
            status: 200,
            detail,
        };
        let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') else {
            if self.buffer.len() > MAX_LINE_BYTES {
                return Err(odd(format!("a line of more than {MAX_LINE_BYTES} bytes")));
            }
            return Ok(None);
        };
        let line = self.buffer.split_to(end + 1);
        if line.trim_ascii().is_empty() {
            return Ok(Some(Step::Again));
        }
        match serde_json::from_slice(&line) {
            Ok(outcome) => Ok(Some(Step::Outcome(outcome))),
            Err(e) => Err(odd(format!("odd outcome: {e}"))),
        }
    }

    /// The answer ended whole: the queue is drained, or a server is stopping.
    async fn at_end(&mut self) -> Result<Step> {
        self.response = None;
        self.buffer.clear();
        let queue = self.queue.show().await?;
        if !queue.drained {
            let stopping = std::io::Error::other("the stream ended before the queue was drained");
            let what = format!("follow outcomes of queue {}", queue.name);
            return Err(unreachable(what, stopping));
        }
        Ok(Step::End)
    }

    /// Waits before the next try, or gives the failure back when it is final or has lasted too long.
    async fn pause(&mut self, failure: Error) -> Result<()> {
        if !failure.is_transient() && !self.queue.may_pass(&failure) {
            return Err(failure);
        }
        let (since, delays) = self
            .failing
            .get_or_insert_with(|| (Instant::now(), Box::new(backoff())));
        let delay = delays.next().unwrap_or(SILENCE);
        if since.elapsed() + delay > self.queue.patience() {
            return Err(failure);
        }
        tokio::time::sleep(delay).await;
        Ok(())
    }
}
