//! What comes in, checked for form; what is wrong with it becomes an [`ApiError`].

use std::collections::HashMap;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::Uri;
use axum::http::request::Parts;
use queue_api::limits;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer};
use tokio::sync::OwnedSemaphorePermit;

use super::App;
use super::encoding::Encoding;
use super::error::ApiError;

/// A part of the path.
pub(super) struct FromPath<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for FromPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(value) = Path::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// The query.
pub(super) struct FromQuery<T>(pub(super) T);

impl<T: DeserializeOwned> FromQuery<T> {
    /// The query of a request to this address.
    pub(super) fn of(uri: &Uri) -> Result<Self, ApiError> {
        let Query(value) = Query::try_from_uri(uri)?;
        Ok(Self(value))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for FromQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::of(&parts.uri)
    }
}

/// The body of a request, whole.
#[derive(Debug)]
pub(super) struct Payload {
    bytes: Bytes,
    /// Its place among the large ones, where it is one.
    _room: Option<OwnedSemaphorePermit>,
}

impl FromRequest<App> for Payload {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let encoding = Encoding::of(request.headers())?;
        app.intake.read_as(encoding, request.into_body()).await
    }
}

impl Payload {
    pub(super) fn new(bytes: Bytes, room: Option<OwnedSemaphorePermit>) -> Self {
        Self { bytes, _room: room }
    }

    /// The bytes as they came.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The body as JSON, whatever its content type: `curl -d` sends another. An empty body is the
    /// default, for calls whose every field may be absent.
    pub(super) fn json_or_default<T: DeserializeOwned + Default>(
        &self,
        what: &str,
    ) -> Result<T, ApiError> {
        if self.bytes.is_empty() {
            Ok(T::default())
        } else {
            self.json(what)
        }
    }

    /// The body as a JSON object, whatever its content type.
    pub(super) fn json<T: DeserializeOwned>(&self, what: &str) -> Result<T, ApiError> {
        let told = |error| ApiError::json(what, &error);
        // serde reads an array as an object by position: `[1]` would be a lease of one item.
        if self.bytes.trim_ascii_start().starts_with(b"[") {
            serde_json::from_slice::<HashMap<String, IgnoredAny>>(&self.bytes).map_err(told)?;
        }
        serde_json::from_slice(&self.bytes).map_err(told)
    }
}

/// A duration in a query: milliseconds, or as people write it.
pub(super) fn duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    queue_api::parse_duration(&text)
        .map(Some)
        .map_err(D::Error::custom)
}

/// How long a call may park.
pub(super) fn checked_wait(wait: Option<Duration>) -> Result<Duration, ApiError> {
    let wait = wait.unwrap_or(Duration::ZERO);
    if wait > limits::MAX_WAIT {
        return Err(ApiError::bad_request(format!(
            "wait_ms is {}: give at most {}",
            wait.as_millis(),
            limits::MAX_WAIT.as_millis()
        )));
    }
    Ok(wait)
}

/// A lease's length.
pub(super) fn checked_lease(length: Option<Duration>) -> Result<Option<Duration>, ApiError> {
    let range = limits::MIN_LEASE..=limits::MAX_DURATION;
    if let Some(length) = length.filter(|length| !range.contains(length)) {
        return Err(ApiError::bad_request(format!(
            "lease_ms is {}: give {} to {}",
            length.as_millis(),
            limits::MIN_LEASE.as_millis(),
            limits::MAX_DURATION.as_millis()
        )));
    }
    Ok(length)
}

/// A retry's delay.
pub(super) fn checked_delay(delay: Option<Duration>) -> Result<Option<Duration>, ApiError> {
    if let Some(delay) = delay.filter(|delay| *delay > limits::MAX_DURATION) {
        return Err(ApiError::bad_request(format!(
            "delay_ms is {}: give at most {}",
            delay.as_millis(),
            limits::MAX_DURATION.as_millis()
        )));
    }
    Ok(delay)
}
