//! What an answer that is no success says: the error that callers see, and when to ask again.

use std::time::Duration;

use queue_api::{PROBLEM_JSON, Problem};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};

use crate::Error;
use crate::error::{FORBIDDEN, UNAUTHENTICATED};
use crate::token::{Token, TokenFrom};

/// The error that this answer is; `what` is the operation and its object.
pub(crate) fn refusal(
    what: String,
    status: StatusCode,
    headers: &HeaderMap,
    bytes: &[u8],
    token: Option<&Token>,
) -> Error {
    if status.as_u16() == UNAUTHENTICATED {
        // Whoever says so: a proxy before the server may ask for one as well.
        let token = token.map_or(TokenFrom::Nowhere, |token| token.source().clone());
        return Error::Unauthenticated { what, token };
    }
    let is_problem = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|media_type| media_type.starts_with(PROBLEM_JSON));
    let forbidden = is_problem && status.as_u16() == FORBIDDEN;
    if is_problem
        && !forbidden
        && let Ok(problem) = serde_json::from_slice::<Problem>(bytes)
    {
        return Error::Problem(Box::new(problem));
    }
    // A code this version does not know still has words for people; anything else is shown as its
    // first line.
    let words = serde_json::from_slice::<serde_json::Value>(bytes)
        .ok()
        .and_then(|value| Some(value.get("detail")?.as_str()?.to_owned()))
        .unwrap_or_else(|| first_line(bytes));
    if forbidden {
        return Error::Forbidden {
            what,
            detail: words,
        };
    }
    let detail = if words.is_empty() {
        format!("the answer was {status}")
    } else {
        format!("the answer was {status}: {words}")
    };
    Error::Protocol {
        what,
        status: status.as_u16(),
        detail,
    }
}

fn first_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]);
    text.lines().next().unwrap_or_default().trim().into()
}

/// The header in its form of seconds, the one the server uses; a date falls to our own back-off.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}
