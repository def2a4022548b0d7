//! One connection from its first byte to its last.
//!
//! It drives hyper, and beside it what hyper has no notion of: the clock of each side's moves, the
//! order to close, and a decent end: a client that is late with half a request is told so, and one
//! that is still sending a refused body gets to read the refusal.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::WaitForCancellationFuture;
use tracing::debug;

use super::body::{AnsweringBody, ArrivingBody};
use super::clock::{Clock, bound};
use super::io::WatchedStream;
use super::limits::{ConnectionLimits, LINGER};
use super::signals::{Phase, Signals};
use super::waker::Left;
use super::{Answers, Shared};
use crate::http::request_id;
use telemetry::chain;

/// Whether a connection is kept after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// For as many requests as the client likes.
    Alive,
    /// It ends with its first answer.
    One,
}

/// Serves one connection until it ends, by whichever side.
pub(super) async fn serve(
    stream: TcpStream,
    answers: impl Answers,
    keep: Keep,
    shared: Arc<Shared>,
) {
    // Answers are small and complete when written: waiting for more to send only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        let error = &error as &dyn std::error::Error;
        debug!(error.message = %chain(error), "connection ended before it began");
        return;
    }
    let limits = &shared.limits;
    let signals = Arc::new(Signals::default());
    let service =
        service_fn(|request| answer(&answers, request, limits.body_timeout, Arc::clone(&signals)));
    let io = TokioIo::new(WatchedStream::new(stream, Arc::clone(&signals)));
    let mut connection = http1::Builder::new()
        .keep_alive(keep == Keep::Alive)
        // The clock below bounds the head, and idle time apart from it.
        .header_read_timeout(None)
        // Headers are bounded in number by hyper's own 100, which it keeps on the stack; any
        // number of ours would cost an allocation a request.
        .max_header_size(limits.max_head_bytes)
        .max_buf_size(limits.max_buffer_bytes)
        .serve_connection(io, service);

    let timer = pin!(tokio::time::sleep(limits.head_timeout));
    let mut clock = Clock::new(timer);
    let closing = pin!(shared.closing.cancelled());
    let mut order = CloseOrder::new(closing);
    let end = poll_fn(|cx| {
        loop {
            // First of all, so that a request that has arrived is answered before an order to close.
            if let Poll::Ready(result) = Pin::new(&mut connection).poll(cx) {
                return Poll::Ready(End::Done(result));
            }
            if order.arrives(cx, &shared) {
                Pin::new(&mut connection).graceful_shutdown();
                continue;
            }
            return clock.poll_late(cx, &signals, limits).map(End::Late);
        }
    })
    .await;

    let stream = connection.into_parts().io.into_inner().into_inner();
    if let Err(error) = close(stream, end, &signals, limits).await {
        let error = &error as &dyn std::error::Error;
        debug!(error.message = %chain(error), "connection broke off while it was closed");
    }
}

enum End {
    Done(hyper::Result<()>),
    Late(Phase),
}

/// Parts from the client as the end of the connection demands.
async fn close(
    stream: TcpStream,
    end: End,
    signals: &Signals,
    limits: &ConnectionLimits,
) -> io::Result<()> {
    match end {
        End::Done(Ok(())) if signals.body_is_unread() => linger(stream).await,
        End::Done(Ok(())) => Ok(()),
        End::Done(Err(error)) => {
            let error = &error as &dyn std::error::Error;
            debug!(error.message = %chain(error), "connection broke off");
            Ok(())
        }
        End::Late(Phase::Head) => refuse_late_head(stream, limits).await,
        End::Late(phase) => {
            debug!(connection.phase = ?phase, "client took too long");
            Ok(())
        }
    }
}

/// One request and its answer. Nothing happens before the first poll, so that what is made then is
/// made in its place and not moved there.
fn answer<A: Answers>(
    answers: &A,
    request: Request<Incoming>,
    body_timeout: Duration,
    signals: Arc<Signals>,
) -> impl Future<Output = Result<Response<AnsweringBody>, Infallible>> {
    signals.begin();
    async move {
        let request =
            request.map(|body| ArrivingBody::new(body, body_timeout, Arc::clone(&signals)));
        let response = request_id::answer(request, |request| answers.answer(request)).await;
        Ok(response.map(|body| AnsweringBody::new(body, signals)))
    }
}

/// The order to close, which all connections wait for.
struct CloseOrder<'a, 'b> {
    closing: Pin<&'a mut WaitForCancellationFuture<'b>>,
    left: Left,
    arrived: bool,
}

impl<'a, 'b> CloseOrder<'a, 'b> {
    fn new(closing: Pin<&'a mut WaitForCancellationFuture<'b>>) -> Self {
        Self {
            closing,
            left: Left::default(),
            arrived: false,
        }
    }

    /// True once: when the order has arrived.
    fn arrives(&mut self, cx: &mut Context<'_>, shared: &Shared) -> bool {
        if self.arrived {
            return false;
        }
        self.arrived = if self.left.stands(cx) {
            shared.is_closing.load(Ordering::Acquire)
        } else {
            self.closing.as_mut().poll(cx).is_ready()
        };
        self.arrived
    }
}

/// Tells a client that has sent half a head and stopped. hyper has no answer to that.
async fn refuse_late_head(mut stream: TcpStream, limits: &ConnectionLimits) -> io::Result<()> {
    let waited = bound(Phase::Head, limits).unwrap_or_default();
    let answer = crate::http::error::late_head(waited);
    timeout(LINGER, stream.write_all(answer.as_bytes())).await??;
    linger(stream).await
}

/// Closes our side and reads on until the client closes its own. A socket closed with bytes unread
/// answers with a reset, and a reset takes the answer out of the client's hands.
async fn linger(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    // On the heap, for an array would be a part of every connection's task, however it ends.
    let mut unread = vec![0; 4096];
    let to_the_end = async {
        while stream.read(&mut unread).await? > 0 {}
        io::Result::Ok(())
    };
    match timeout(LINGER, to_the_end).await {
        Ok(ended) => ended,
        Err(_) => Ok(()),
    }
}
