//! One call over HTTP: its time-out, whether it may be repeated, and what its answer means.
//!
//! Knows nothing of queues beyond their names in messages; what is sent and read is the callers'.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::Bytes;
use queue_api::{IDEMPOTENCY_REPLAYED, QueueName, TRACEPARENT, TRACESTATE, Trace};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Chain;
use crate::refusal::{refusal, retry_after};
use crate::token::Token;
use crate::{Error, Result, tls};

/// How long a call that does not park may take, each try.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a call with a large body may take, each try: 16 MiB at 300 kB/s.
pub(crate) const UPLOAD_TIMEOUT: Duration = Duration::from_secs(60);
/// What a parked call gets beyond the time it asked to be parked.
pub(crate) const PARK_MARGIN: Duration = Duration::from_secs(10);
/// First wait before a repetition.
const MIN_DELAY: Duration = Duration::from_millis(50);
/// Longest wait of our own choosing before a repetition.
const MAX_DELAY: Duration = Duration::from_secs(5);

/// Whoever would wait longer than this learns at once that the server is out of reach.
const WORTH_A_WARNING: Duration = Duration::from_secs(60);

/// When a failed call may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Whenever it may help: doing it twice is as doing it once.
    Freely,
    /// Only if it was certainly not carried out.
    Unsent,
    /// Never: the caller has its own plan.
    Never,
}

/// A call to be made.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    method: Method,
    does: &'static str,
    queue: Option<&'a QueueName>,
    /// Path and query below the base address.
    path: String,
    body: Option<(Bytes, &'static str)>,
    header: Option<(&'static str, String)>,
    trace: Option<&'a Trace>,
    try_timeout: Duration,
    repeat: Repeat,
    /// The server asks for no token, so that its answer says nothing of ours.
    open: bool,
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        method: Method,
        does: &'static str,
        queue: Option<&'a QueueName>,
        path: impl Into<String>,
    ) -> Self {
        Self {
            method,
            does,
            queue,
            path: path.into(),
            body: None,
            header: None,
            trace: None,
            try_timeout: CALL_TIMEOUT,
            repeat: Repeat::Freely,
            open: false,
        }
    }

    /// Anybody may make it.
    pub(crate) fn open_to_all(mut self) -> Self {
        self.open = true;
        self
    }

    pub(crate) fn body(mut self, bytes: impl Into<Bytes>, media_type: &'static str) -> Self {
        self.body = Some((bytes.into(), media_type));
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: String) -> Self {
        self.header = Some((name, value));
        self
    }

    /// It is part of this trace.
    pub(crate) fn trace(mut self, trace: Option<&'a Trace>) -> Self {
        self.trace = trace;
        self
    }

    /// Adds a query, already encoded; an empty one is none.
    pub(crate) fn query(mut self, query: &str) -> Self {
        if !query.is_empty() {
            self.path = format!("{}?{query}", self.path);
        }
        self
    }

    pub(crate) fn repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }

    pub(crate) fn try_timeout(mut self, timeout: Duration) -> Self {
        self.try_timeout = timeout;
        self
    }

    /// The call parks for this long at most.
    pub(crate) fn parks(self, wait: Duration) -> Self {
        let timeout = self.try_timeout.max(wait + PARK_MARGIN);
        self.try_timeout(timeout)
    }

    /// The operation and its object, for errors.
    pub(crate) fn what(&self) -> String {
        match self.queue {
            Some(queue) => format!("{} queue {queue}", self.does),
            None => self.does.into(),
        }
    }
}

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Answer {
    what: String,
    status: StatusCode,
    replayed: bool,
    bytes: Bytes,
}

impl Answer {
    /// Whether it repeats what an earlier request of the same idempotency key got.
    pub(crate) fn is_replayed(&self) -> bool {
        self.replayed
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.status == StatusCode::NO_CONTENT
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.bytes).map_err(|e| self.odd(&format!("odd answer: {e}")))
    }

    pub(crate) fn odd(&self, detail: &str) -> Error {
        Error::Protocol {
            what: self.what.clone(),
            status: self.status.as_u16(),
            detail: detail.into(),
        }
    }
}

/// A failed try.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    /// The server did certainly not carry it out.
    pub(crate) unsent: bool,
    retry_after: Option<Duration>,
}

/// The way to one server.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    http: reqwest::Client,
    base: String,
    token: Option<Token>,
    give_up_after: Duration,
    /// Tries that failed and were made again, of this and of all that it was made of.
    retries: Arc<AtomicU64>,
    /// Something has answered there: what fails from then on may pass.
    answered: Arc<AtomicBool>,
}

impl Transport {
    pub(crate) fn new(
        http: reqwest::Client,
        base: String,
        token: Option<Token>,
        give_up_after: Duration,
    ) -> Self {
        Self {
            http,
            base,
            token,
            give_up_after,
            retries: Arc::default(),
            answered: Arc::default(),
        }
    }

    pub(crate) fn with_give_up_after(&self, give_up_after: Duration) -> Self {
        Self {
            give_up_after,
            ..self.clone()
        }
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn give_up_after(&self) -> Duration {
        self.give_up_after
    }

    pub(crate) fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Sends the call, again and again while that may help, is harmless, and patience lasts. A
    /// call that was parked for long before it failed has its patience counted from the failure.
    pub(crate) async fn send(&self, call: &Call<'_>) -> Result<Answer> {
        self.attempt(call).await.map_err(|failure| failure.error)
    }

    /// The same with a value as its body.
    pub(crate) async fn send_json<T: Serialize + Sync>(
        &self,
        call: Call<'_>,
        value: &T,
    ) -> Result<Answer> {
        let bytes = serde_json::to_vec(value).map_err(|e| Error::Protocol {
            what: call.what(),
            status: 0,
            detail: format!("the request is not JSON: {e}"),
        })?;
        self.send(&call.body(bytes, "application/json")).await
    }

    /// The same, for whoever must know whether the last try can have been carried out.
    pub(crate) async fn attempt(&self, call: &Call<'_>) -> std::result::Result<Answer, Failure> {
        let mut delays = backoff();
        let mut failing_since = None;
        loop {
            let failure = match self.once(call).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let awaited = call.repeat != Repeat::Never && self.may_pass(&failure.error);
            let repeatable = match call.repeat {
                // What was refused was not carried out.
                _ if awaited => true,
                Repeat::Freely => failure.error.is_transient(),
                Repeat::Unsent => failure.unsent && failure.error.is_transient(),
                Repeat::Never => false,
            };
            if !repeatable {
                return Err(failure);
            }
            let first = failing_since.is_none();
            let since = *failing_since.get_or_insert_with(Instant::now);
            let own = delays.next().unwrap_or(MAX_DELAY);
            let delay = failure.retry_after.map_or(own, |asked| asked.max(own));
            if since.elapsed().saturating_add(delay) > self.give_up_after {
                return Err(failure);
            }
            let error = Chain(&failure.error);
            if first && !awaited && self.give_up_after >= WORTH_A_WARNING {
                let patience = self.give_up_after.as_secs();
                tracing::warn!(error.message = %error, "a call failed; trying again for up to {patience} s");
            } else {
                tracing::debug!(error.message = %error, delay_ms = delay.as_millis() as u64, "a call failed; trying again");
            }
            tokio::time::sleep(delay).await;
            self.retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn once(&self, call: &Call<'_>) -> std::result::Result<Answer, Failure> {
        let token = self.header();
        let ask = |token: Option<HeaderValue>| {
            let request = self.request(call, token.as_ref());
            self.answer(call, request.timeout(call.try_timeout))
        };
        let answer = ask(token.clone()).await;
        // A refusal that may pass, as the server says: the token was taken out while the call waited.
        if let (Err(failure), Some(known)) = (&answer, &self.token)
            && let Error::Unauthenticated { .. } = failure.error
            && failure.retry_after.is_some()
        {
            known.was_known();
        }
        let failure = answer.as_ref().err().map(|failure| &failure.error);
        let (shown, answer) = match self.newer(token.as_ref(), failure).await {
            Some(newer) => (Some(newer.clone()), ask(Some(newer)).await),
            None => (token, answer),
        };
        let failure = answer.as_ref().err().map(|failure| &failure.error);
        self.note(call, shown.as_ref(), failure);
        answer
    }

    /// After a call that showed this: whether the server knows it.
    fn note(&self, call: &Call<'_>, shown: Option<&HeaderValue>, failure: Option<&Error>) {
        // An answer of something else on the way is no word of the server.
        let let_in = failure.is_none_or(|error| {
            error.code().is_some() && !error.is_refusal() && !error.is_transient()
        });
        if let (true, false, Some(token), Some(shown)) = (let_in, call.open, &self.token, shown) {
            token.accepted(shown);
        }
    }

    /// Whether this is the refusal of a token that may be let in soon: tokens are being changed, and the server
    /// or this client's file is late.
    pub(crate) fn may_pass(&self, error: &Error) -> bool {
        let Error::Unauthenticated { .. } = error else {
            return false;
        };
        let token = self.token.as_ref();
        token.is_some_and(|token| token.may_pass(self.give_up_after))
    }

    /// The value of `Authorization` as it is now.
    fn header(&self) -> Option<HeaderValue> {
        self.token.as_ref().map(Token::header)
    }

    /// After a try with this token: the one to try again with, where it was refused and there is another by now.
    async fn newer(
        &self,
        used: Option<&HeaderValue>,
        failure: Option<&Error>,
    ) -> Option<HeaderValue> {
        failure.filter(|error| error.is_refusal())?;
        self.token.as_ref()?.newer(used?).await
    }

    /// Makes a call whose body is read while it is sent, without an end in time. Tried once.
    pub(crate) async fn send_once(&self, call: &Call<'_>, body: reqwest::Body) -> Result<Answer> {
        let request = self.request(call, self.header().as_ref());
        let answer = self.answer(call, request.body(body)).await;
        answer.map_err(|failure| failure.error)
    }

    async fn answer(
        &self,
        call: &Call<'_>,
        request: reqwest::RequestBuilder,
    ) -> std::result::Result<Answer, Failure> {
        let failed = |unsent, error| Failure {
            unsent,
            error,
            retry_after: None,
        };
        let response = match request.send().await {
            Ok(response) => response,
            Err(e) => return Err(failed(e.is_connect(), self.broken(call.what(), e).await)),
        };
        self.answered.store(true, Ordering::Relaxed);
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await;
        let bytes = bytes.map_err(|e| failed(false, unreachable(call.what(), e)))?;
        if status.is_success() {
            let what = call.what();
            return Ok(Answer {
                what,
                status,
                replayed: headers.contains_key(IDEMPOTENCY_REPLAYED),
                bytes,
            });
        }
        let error = self.refused(call, status, &headers, &bytes).await;
        Err(Failure {
            // A proxy says the same when it had sent the call on.
            unsent: matches!(status.as_u16(), 429 | 503) && error.code().is_some(),
            error,
            retry_after: retry_after(&headers),
        })
    }

    /// Opens a call whose answer is read as it comes, without an end in time. Tried once.
    pub(crate) async fn open(&self, call: &Call<'_>) -> Result<reqwest::Response> {
        let token = self.header();
        let opened = self.open_with(call, token.as_ref()).await;
        let (shown, opened) = match self.newer(token.as_ref(), opened.as_ref().err()).await {
            Some(newer) => {
                let opened = self.open_with(call, Some(&newer)).await;
                (Some(newer), opened)
            }
            None => (token, opened),
        };
        self.note(call, shown.as_ref(), opened.as_ref().err());
        opened
    }

    async fn open_with(
        &self,
        call: &Call<'_>,
        token: Option<&HeaderValue>,
    ) -> Result<reqwest::Response> {
        let request = self.request(call, token).send();
        let response = match tokio::time::timeout(call.try_timeout, request).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.broken(call.what(), error).await),
            Err(late) => return Err(unreachable(call.what(), late)),
        };
        self.answered.store(true, Ordering::Relaxed);
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_success() {
            return Ok(response);
        }
        let bytes = response
            .bytes()
            .await
            .map_err(|e| unreachable(call.what(), e))?;
        Err(self.refused(call, status, &headers, &bytes).await)
    }

    /// Why there is no answer. A server that was there may be replaced by another just now, whatever it looks like.
    async fn broken(&self, what: String, error: reqwest::Error) -> Error {
        match self.answered.load(Ordering::Relaxed) {
            true => unreachable(what, error),
            false => tls::broken(&self.base, what, error).await,
        }
    }

    /// What an answer says that is no success.
    async fn refused(
        &self,
        call: &Call<'_>,
        status: StatusCode,
        headers: &HeaderMap,
        bytes: &[u8],
    ) -> Error {
        let error = refusal(call.what(), status, headers, bytes, self.token.as_ref());
        tls::refused(&self.base, error).await
    }

    fn request(&self, call: &Call<'_>, token: Option<&HeaderValue>) -> reqwest::RequestBuilder {
        let url = format!("{}{}", self.base, call.path);
        let mut request = self.http.request(call.method.clone(), url);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, token);
        }
        if let Some((name, value)) = &call.header {
            request = request.header(*name, value);
        }
        if let Some(trace) = call.trace {
            request = request.header(TRACEPARENT, trace.traceparent());
            if let Some(state) = trace.tracestate() {
                request = request.header(TRACESTATE, state);
            }
        }
        match &call.body {
            Some((bytes, media_type)) => request
                .header(CONTENT_TYPE, *media_type)
                .body(bytes.clone()),
            None => request,
        }
    }
}

/// Growing waits between repetitions, with jitter so that clients which failed together do not come
/// back together.
pub(crate) fn backoff() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(MIN_DELAY)
        .with_max_delay(MAX_DELAY)
        .without_max_times()
        .build()
}

pub(crate) fn unreachable(
    what: String,
    source: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::Unreachable {
        what,
        source: Box::new(source),
    }
}
