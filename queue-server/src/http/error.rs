//! Where errors of `/v1` become HTTP: a stable code and a detail for people outside, the chain of
//! causes for the log inside.
//!
//! Handlers return [`ApiError`] and never build an error answer themselves. What this file does
//! not know: which call failed, and kuard's wire, whose errors are plain text.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use axum::BoxError;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::header::{ALLOW, CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use queue_api::{
    Code, DurationError, NameError, OptionsError, PROBLEM_JSON, Problem, SettingsError,
};

use super::answer::document;
use crate::metrics::Limit;
use crate::serve::BodyTimedOut;

/// Seconds after which a client may repeat what failed for a passing reason: long enough that a
/// crowd of them does not become the reason, short enough that a person does not give up.
const RETRY_AFTER_S: u64 = 1;
/// Longest path that a detail repeats, in characters: it was chosen by the caller.
const MAX_SHOWN: usize = 200;
/// Longest detail, in characters. Errors of form repeat what they stumbled over, and that may be
/// megabytes.
const MAX_DETAIL: usize = 1000;

/// What an answer of 401 asks for. `Basic` is taken, too, and not named: a browser would ask for a user's name
/// in a window of its own.
pub(super) const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Bearer realm="memq""#);

/// An error of `/v1`, on its way to becoming an answer.
#[derive(Debug)]
pub(crate) struct ApiError {
    code: Code,
    detail: String,
    retry_after_s: Option<u64>,
    source: Option<Cause>,
    /// What refused it. It travels in the answer's extensions to where answers are counted.
    limit: Option<Limit>,
}

/// What lay under an answer of 500. It travels in the answer's extensions to the place that knows
/// the request's id, and is logged there, once.
#[derive(Debug, Clone)]
pub(crate) struct Cause(pub(crate) Arc<dyn StdError + Send + Sync>);

impl ApiError {
    /// An error of this code; the detail says what failed, on what, and what to do next.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        if let Some((end, _)) = detail.char_indices().nth(MAX_DETAIL) {
            detail.truncate(end);
            detail.push('…');
        }
        Self {
            code,
            detail,
            retry_after_s: code.is_transient().then_some(RETRY_AFTER_S),
            source: None,
            limit: Limit::of(code),
        }
    }

    /// The same, refused by this limit, if by any.
    pub(crate) fn by(self, limit: Option<Limit>) -> Self {
        Self { limit, ..self }
    }

    /// The request is malformed, and the detail says where.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, detail)
    }

    /// A fault of ours. The caller hears no more than that; the chain goes to the log.
    pub(crate) fn internal(cause: impl StdError + Send + Sync + 'static) -> Self {
        Self {
            source: Some(Cause(Arc::new(cause))),
            ..Self::new(
                Code::Internal,
                "the server failed at this request; its log has the cause under the request's id",
            )
        }
    }

    /// The same, which may succeed after so long, and not before.
    pub(crate) fn again_after(self, after: Duration) -> Self {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        Self {
            retry_after_s: Some(seconds.max(RETRY_AFTER_S)),
            ..self
        }
    }

    /// A body that is not the JSON this call takes. `what` names it: "the lease request".
    pub(crate) fn json(what: &str, error: &serde_json::Error) -> Self {
        Self::bad_request(format!("{what} is not as it should be: {error}"))
    }

    /// The stable code.
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// The limit that refused it, if one did.
    pub(crate) fn limit(&self) -> Option<Limit> {
        self.limit
    }

    /// The detail, for wires that carry their errors in another form.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self {
            code,
            detail,
            retry_after_s,
            source,
            limit,
        } = self;
        let body = serde_json::to_vec(&Problem::new(code, detail)).unwrap_or_default();
        let status =
            StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = document(status, HeaderValue::from_static(PROBLEM_JSON), body);
        let headers = response.headers_mut();
        if let Some(seconds) = retry_after_s {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if code == Code::Unauthenticated {
            headers.insert(WWW_AUTHENTICATE, CHALLENGE);
        }
        if code == Code::RequestTimeout {
            // The rest of the body may still come, and would be read as the next request.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(cause) = source {
            response.extensions_mut().insert(cause);
        }
        if let Some(limit) = limit {
            response.extensions_mut().insert(limit);
        }
        response
    }
}

impl From<NameError> for ApiError {
    fn from(error: NameError) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<DurationError> for ApiError {
    fn from(error: DurationError) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<OptionsError> for ApiError {
    fn from(error: OptionsError) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<SettingsError> for ApiError {
    fn from(error: SettingsError) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::bad_request(format!(
            "the path is not as it should be: {}",
            rejection.body_text()
        ))
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(format!(
            "the query is not as it should be: {}",
            rejection.body_text()
        ))
    }
}

impl From<BoxError> for ApiError {
    /// A body that did not arrive: too slowly, or broken off, or not as HTTP has it.
    fn from(error: BoxError) -> Self {
        let timed_out = causes(&*error).find_map(|cause| cause.downcast_ref::<BodyTimedOut>());
        match timed_out {
            Some(late) => Self::new(Code::RequestTimeout, late.to_string()),
            None => {
                Self::bad_request("the request's body broke off or is not framed as HTTP has it")
            }
        }
    }
}

/// An error and everything under it.
fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// Answers a path that is none of ours.
pub(crate) async fn not_found(uri: Uri) -> ApiError {
    ApiError::new(
        Code::NotFound,
        format!(
            "there is nothing at {}; the calls are under /v1/queues",
            shown(&uri)
        ),
    )
}

/// Answers a method that the path does not have. axum adds `Allow` to the answer.
pub(crate) async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    let detail = format!(
        "{} does not take {method}; see the Allow header",
        shown(&uri)
    );
    let response = ApiError::new(Code::MethodNotAllowed, detail).into_response();
    debug_assert!(
        !response.headers().contains_key(ALLOW),
        "axum knows the methods, we do not"
    );
    response
}

/// The whole answer to a client that sent half a request and stopped, as it goes on the wire.
pub(crate) fn late_head(waited: Duration) -> String {
    let code = Code::RequestTimeout;
    let detail = format!("the request's headers did not arrive within {waited:?}");
    let body = serde_json::to_string(&Problem::new(code, detail)).unwrap_or_default();
    format!(
        "HTTP/1.1 {} Request Timeout\r\ncontent-type: {PROBLEM_JSON}\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}\n",
        code.status(),
        body.len() + 1,
    )
}

fn shown(uri: &Uri) -> String {
    uri.path().chars().take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::header::CONTENT_TYPE;

    use super::*;

    #[tokio::test]
    async fn an_error_is_a_problem_with_a_stable_code() {
        let response = ApiError::new(Code::QueueFull, "queue `q` holds 10 items").into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        let body = to_bytes(response.into_body(), 4096).await.expect("a body");
        let problem: Problem = serde_json::from_slice(&body).expect("a problem");
        assert_eq!(
            problem,
            Problem::new(Code::QueueFull, "queue `q` holds 10 items")
        );
    }

    #[test]
    fn whole_seconds_are_told_and_never_too_few() {
        for (ms, told) in [
            (0, "1"),
            (1, "1"),
            (1_000, "1"),
            (1_001, "2"),
            (9_999, "10"),
        ] {
            let error = ApiError::new(Code::RateLimited, "later");
            let response = error.again_after(Duration::from_millis(ms)).into_response();
            assert_eq!(response.headers()[RETRY_AFTER], told, "{ms} ms");
        }
    }

    #[test]
    fn a_detail_does_not_repeat_a_whole_body() {
        let short = ApiError::bad_request("é".repeat(MAX_DETAIL));
        assert_eq!(short.detail().chars().count(), MAX_DETAIL);
        let cut = ApiError::bad_request("é".repeat(MAX_DETAIL + 1));
        assert_eq!(cut.detail().chars().count(), MAX_DETAIL + 1);
        assert!(cut.detail().ends_with("é…"));
    }

    #[test]
    fn only_what_may_pass_says_when_to_try_again() {
        let refused = ApiError::bad_request("no").into_response();
        assert!(!refused.headers().contains_key(RETRY_AFTER));
        let later = ApiError::new(Code::NotReady, "stopping").into_response();
        assert_eq!(later.headers()[RETRY_AFTER], "1");
    }

    #[tokio::test]
    async fn a_fault_of_ours_shows_its_cause_to_the_log_only() {
        let response = ApiError::internal(std::io::Error::other("disk on fire")).into_response();
        assert_eq!(response.status(), 500);
        let cause = response.extensions().get::<Cause>().expect("a cause");
        assert!(cause.0.to_string().contains("disk on fire"));
        let body = to_bytes(response.into_body(), 4096).await.expect("a body");
        assert!(!String::from_utf8_lossy(&body).contains("fire"));
    }

    #[test]
    fn a_body_that_came_too_late_is_a_time_out_however_deep_it_lies() {
        let late = BodyTimedOut::new(Duration::from_secs(30));
        let error = ApiError::from(BoxError::from(axum::Error::new(axum::Error::new(late))));
        assert_eq!(error.code(), Code::RequestTimeout);
        assert!(error.detail().contains("30"), "{}", error.detail());
        assert_eq!(error.into_response().headers()[CONNECTION], "close");
    }
}
