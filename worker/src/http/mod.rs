//! A server as a handler: each item is POSTed to it, and its answer is the verdict.
//!
//! It knows what statuses mean, and that a server which is not there yet may come; nothing of leases.

mod retry_after;

use std::error::Error as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use queue_api::{TRACEPARENT, TRACESTATE};
use queue_client::Lease;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url};
use tokio::time::Instant;

use crate::handler::Cut;
use crate::verdict::{Failure, MAX_RESULT_BYTES, Verdict, ack_with};

/// How long a server that takes no connections is waited for: one that starts beside the worker, or
/// anew, may load for a while.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two tries of it, first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// How long one connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// When an item is tried again whose server asked for time without saying how much.
const LATER: Duration = Duration::from_secs(1);
/// Of an answer that is no ack, so much is kept, in bytes.
const SHOWN: usize = 4 * 1024;
/// What a key or a group may not be in a header as it is.
const ESCAPED: AsciiSet = CONTROLS.add(b' ').add(b'%');

/// A server that handles items.
#[derive(Debug)]
pub(crate) struct Endpoint {
    client: Client,
    url: Url,
    /// The address as it is told: without a user and a password.
    shown: String,
    /// The same for every item.
    headers: HeaderMap,
    /// Whether it ever took a connection.
    has_answered: AtomicBool,
    patience: Duration,
}

/// A server that cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadEndpoint {
    #[error("--http is `{url}`: give an address such as http://127.0.0.1:8000/item")]
    Url { url: String },
    #[error("cannot set up a client for handlers")]
    Client(#[source] reqwest::Error),
}

impl Endpoint {
    /// A server at this address, told these things with each item.
    pub(crate) fn new(url: &str, about: &[(&'static str, &str)]) -> Result<Self, BadEndpoint> {
        let bad = || BadEndpoint::Url {
            // It cannot be taken apart: what may be a password is left out.
            url: url.rsplit_once('@').map_or(url, |(_, rest)| rest).into(),
        };
        let parsed = Url::parse(url).map_err(|_| bad())?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
            return Err(bad());
        }
        let client = Client::builder()
            // The address names the handler itself; a proxy is for the world outside.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .user_agent(concat!("memq-worker/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(BadEndpoint::Client)?;
        let mut headers = HeaderMap::new();
        let binary = HeaderValue::from_static("application/octet-stream");
        headers.insert(reqwest::header::CONTENT_TYPE, binary);
        for (name, value) in about {
            headers.insert(HeaderName::from_static(name), escaped(value));
        }
        Ok(Self {
            client,
            shown: shown(&parsed),
            url: parsed,
            headers,
            has_answered: AtomicBool::new(false),
            patience: PATIENCE,
        })
    }

    /// Hands an item over and waits for the answer, or until it is cut short. The time limit counts
    /// from the connection that carried the item.
    pub(crate) async fn handle(
        &self,
        lease: &Lease,
        limit: Option<Duration>,
        cut: impl Future<Output = Cut>,
    ) -> Verdict {
        tokio::select! {
            biased;
            verdict = self.ask(lease, limit) => verdict,
            // The connection closes with the request, which is how its server hears of it.
            cut = cut => cut.verdict(String::new()),
        }
    }

    async fn ask(&self, lease: &Lease, limit: Option<Duration>) -> Verdict {
        let since = Instant::now();
        let mut pause = PAUSES.0;
        let mut waited = false;
        loop {
            let request = self.request(lease).send();
            let answer = async { Ok(judge(request.await?).await) };
            let tried = match limit {
                Some(limit) => match tokio::time::timeout(limit, answer).await {
                    Ok(tried) => tried,
                    Err(_) => return Cut::Limit(limit).verdict(String::new()),
                },
                None => answer.await,
            };
            let error: reqwest::Error = match tried {
                Ok(verdict) => {
                    self.is_there();
                    return verdict;
                }
                Err(error) => error,
            };
            let url = &self.shown;
            if !error.is_connect() {
                self.is_there();
                let text = format!("cannot get the answer of {url}: {}", cause(&error));
                return Verdict::nack(Failure::new(text));
            }
            if since.elapsed() + pause > self.patience {
                let text = format!("cannot get a connection to {url}: {}", cause(&error));
                let failure = Failure::new(text);
                return match self.has_answered.load(Ordering::Relaxed) {
                    true => Verdict::nack(failure),
                    // Not the item's fault, nor that of the next, which would fare no better.
                    false => Verdict::Broken(failure),
                };
            }
            if !std::mem::replace(&mut waited, true) {
                let patience = self.patience.as_secs_f64();
                tracing::info!(item.id = %lease.id, trace.id = lease.trace_id(), error.message = %cause(&error), "{url} takes no connections; trying again for up to {patience} s");
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    fn is_there(&self) {
        self.has_answered.store(true, Ordering::Relaxed);
    }

    fn request(&self, lease: &Lease) -> reqwest::RequestBuilder {
        let mut headers = self.headers.clone();
        headers.insert("memq-item-id", escaped(&lease.id.to_string()));
        headers.insert("memq-attempt", lease.attempt.into());
        headers.insert("memq-priority", lease.priority.into());
        for (name, value) in [
            ("memq-item-key", &lease.key),
            ("memq-item-group", &lease.group),
        ] {
            if let Some(value) = value {
                headers.insert(name, escaped(value));
            }
        }
        if let Some(trace) = lease.trace() {
            let state = trace.tracestate().map(|state| (TRACESTATE, state));
            for (name, value) in [(TRACEPARENT, trace.traceparent())]
                .into_iter()
                .chain(state)
            {
                // Both are visible ASCII and blanks: there is nothing that a header cannot carry.
                headers.extend(
                    value
                        .parse()
                        .ok()
                        .map(|value| (HeaderName::from_static(name), value)),
                );
            }
        }
        let request = self.client.post(self.url.clone());
        request.headers(headers).body(lease.body.0.clone())
    }
}

/// An address as it may be told to anyone.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Refused only by addresses without a host, which have neither.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

/// As it may stand in a header: bytes that are not visible ASCII, and `%`, as `%` and two digits.
fn escaped(value: &str) -> HeaderValue {
    let text = utf8_percent_encode(value, &ESCAPED).to_string();
    // What is left is visible ASCII, which every header may hold.
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// What an answer makes of the item.
async fn judge(mut response: Response) -> Verdict {
    let status = response.status();
    let delay = retry_after::read(response.headers());
    let most = match status.is_success() {
        true => MAX_RESULT_BYTES + 1,
        false => SHOWN,
    };
    let body = match beginning(&mut response, most).await {
        Ok(body) => body,
        Err(error) => {
            let text = format!("answered {status}, and then broke off: {}", cause(&error));
            return Verdict::nack(Failure::new(text));
        }
    };
    if status.is_success() {
        return ack_with(&body).or_no_result();
    }
    let note = match status.is_redirection() {
        true => ", and redirects are not followed",
        false => "",
    };
    let shown = String::from_utf8_lossy(&body);
    let failure = Failure::new(format!("answered {status}{note}")).with_output(shown.trim_end());
    match status {
        StatusCode::UNPROCESSABLE_ENTITY => Verdict::Dead(failure),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Verdict::Release(failure, Some(delay.unwrap_or(LATER)))
        }
        _ => Verdict::nack(failure),
    }
}

/// The first bytes of an answer, up to so many.
async fn beginning(response: &mut Response, most: usize) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while body.len() < most {
        let Some(chunk) = response.chunk().await? else {
            break;
        };
        body.extend_from_slice(&chunk);
    }
    body.truncate(most);
    Ok(body)
}

/// The innermost cause, which is what a person can act on.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost = error.source();
    while let Some(next) = innermost.and_then(std::error::Error::source) {
        innermost = Some(next);
    }
    innermost.map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::lease;

    #[tokio::test]
    async fn a_server_that_never_comes_is_given_up_and_one_that_left_has_failed_the_item() {
        // Bound, so that nobody else gets it, and not listened on.
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
        let url = format!("http://{}/", socket.local_addr().expect("bound"));
        let mut endpoint = Endpoint::new(&url, &[]).expect("an address");
        endpoint.patience = Duration::from_millis(300);
        let since = Instant::now();
        for was_there in [false, true] {
            endpoint.has_answered = was_there.into();
            let (item, limit) = (lease("1"), Some(Duration::from_secs(100)));
            let verdict = endpoint.handle(&item, limit, std::future::pending());
            let failure = match verdict.await {
                Verdict::Broken(failure) if !was_there => failure,
                Verdict::Nack(failure, None) if was_there => failure,
                other => panic!("{other:?}"),
            };
            assert!(
                failure.error.starts_with("cannot get a connection to"),
                "{failure:?}"
            );
        }
        assert!(
            since.elapsed() >= Duration::from_millis(300),
            "it was tried again"
        );
    }

    #[tokio::test]
    async fn an_item_is_sent_with_what_is_known_of_it() {
        let endpoint = Endpoint::new("http://127.0.0.1:1/item", &[("memq-queue", "jobs")]);
        let request = endpoint.expect("an address").request(&lease("the body"));
        let request = request.build().expect("a request");
        let headers = request.headers();
        for (name, value) in [
            ("memq-item-id", "0123456789abcdef0123456789abcdef"),
            ("memq-attempt", "3"),
            ("memq-priority", "-5"),
            ("memq-item-key", "user/42"),
            ("memq-item-group", "customer%20a"),
            (
                "traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            ),
            ("tracestate", "a=1"),
            ("memq-queue", "jobs"),
        ] {
            assert_eq!(headers[name], value, "{name}");
        }
        let body = request.body().and_then(reqwest::Body::as_bytes);
        assert_eq!(body, Some(&b"the body"[..]));
    }

    #[test]
    fn keys_are_escaped_where_a_header_would_change_them() {
        for (key, header) in [
            ("user/42?x=é", "user/42?x=%C3%A9"),
            (" a b", "%20a%20b"),
            ("100%", "100%25"),
        ] {
            assert_eq!(escaped(key).to_str().expect("ASCII"), header);
        }
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        for url in ["", "localhost:80", "ftp://a:hush@x/", "/item", "a:hush@x"] {
            let error = Endpoint::new(url, &[]).expect_err(url).to_string();
            assert!(!error.contains("hush"), "{error}");
            assert!(error.contains("http://127.0.0.1:8000"), "{error}");
        }
        assert!(Endpoint::new("http://localhost:8000/item?x=1", &[]).is_ok());
    }
}
