//! The two bodies of a request: the one that arrives, which has a time to do so, and the one that
//! answers, whose end is the request's end.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::Sleep;

use super::signals::Signals;

/// The request's body did not arrive within its time. Whoever reads the body finds this in its
/// chain of causes; the answer is `request_timeout`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BodyTimedOut {
    bound: Duration,
}

impl BodyTimedOut {
    pub(crate) fn new(bound: Duration) -> Self {
        Self { bound }
    }
}

impl fmt::Display for BodyTimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the request's body, or a mebibyte of it, did not arrive within {:?}; send less at a time",
            self.bound
        )
    }
}

impl std::error::Error for BodyTimedOut {}

/// Bytes of a body that get the whole time again: a backup is longer than any time for a request, and one
/// that brings a byte now and then still ends.
const PORTION: usize = 1024 * 1024;

/// A request's body on its way in.
pub(crate) struct ArrivingBody {
    inner: Incoming,
    bound: Duration,
    /// Made when the body is first waited for: most arrive with their head and need no timer.
    timer: Option<Pin<Box<Sleep>>>,
    /// Bytes since the time was last given.
    arrived: usize,
    ended: bool,
    signals: Arc<Signals>,
}

impl ArrivingBody {
    pub(super) fn new(inner: Incoming, bound: Duration, signals: Arc<Signals>) -> Self {
        Self {
            inner,
            bound,
            timer: None,
            arrived: 0,
            ended: false,
            signals,
        }
    }
}

impl Body for ArrivingBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(frame) => {
                this.ended = frame.is_none();
                if let Some(Ok(frame)) = &frame {
                    this.arrived += frame.data_ref().map_or(0, Bytes::len);
                }
                if this.arrived >= PORTION {
                    this.arrived = 0;
                    this.timer = None;
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => {
                let bound = this.bound;
                let timer = this
                    .timer
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep(bound)));
                ready!(timer.as_mut().poll(cx));
                Poll::Ready(Some(Err(BodyTimedOut::new(bound).into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for ArrivingBody {
    fn drop(&mut self) {
        if !self.ended && !self.inner.is_end_stream() {
            self.signals.leave_body();
        }
    }
}

/// An answer's body on its way out. Dropped when its last byte is with the connection, or when
/// the connection is gone.
pub(super) struct AnsweringBody {
    inner: axum::body::Body,
    signals: Arc<Signals>,
}

impl AnsweringBody {
    pub(super) fn new(inner: axum::body::Body, signals: Arc<Signals>) -> Self {
        Self { inner, signals }
    }
}

impl Body for AnsweringBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for AnsweringBody {
    fn drop(&mut self) {
        self.signals.finish();
    }
}
