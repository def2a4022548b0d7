//! Leases: lending, settling, extending.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::FutureExt as _;
use queue_api::limits::{MAX_LEASE_ITEMS, MAX_SETTLEMENTS, MAX_WORKER_BYTES};
use queue_api::{
    ExtendRequest, ItemId, LeaseAnswer, LeaseRequest, LeaseToken, QueueName, SettleAs,
    SettleRequest, Settled, SettledAnswer, Settlement, Until,
};
use serde::Deserialize;

use super::{Shared, lent, raw};
use crate::engine::{Ask, Engine, LiveQueue, Report, Verdict};
use crate::http::answer::{Json, json};
use crate::http::error::ApiError;
use crate::http::guard::Pass;
use crate::http::input::{
    FromPath, FromQuery, Payload, checked_delay, checked_lease, checked_wait, duration,
};
use crate::http::openapi::{Lends, OneLease, OneQueue, Raw, Settles, SettlesOne};
use crate::http::request_id::Parked;

/// What a shell can say without writing JSON. Fields of the body win.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LeaseQuery {
    /// Answer with the one item as it is, its token in `Memq-Lease`.
    #[serde(default)]
    raw: bool,
    /// How long to park while there is nothing to lend, default 0.
    #[param(value_type = Option<u64>, maximum = 300_000)]
    #[serde(default, deserialize_with = "duration")]
    wait_ms: Option<Duration>,
    /// Length of the leases, default the queue's.
    #[param(value_type = Option<u64>, minimum = 100, maximum = 315_360_000_000_u64)]
    #[serde(default, deserialize_with = "duration")]
    lease_ms: Option<Duration>,
    /// Who asks; kept with the attempt.
    #[param(max_length = 253)]
    worker: Option<String>,
    /// Ends a parked call early when the queue reaches this.
    until: Option<Until>,
}

#[utoipa::path(
    post, path = "/v1/queues/{queue}/lease", tag = "leases", operation_id = "lease",
    summary = "Lease items, and settle earlier leases",
    params(OneQueue, LeaseQuery),
    request_body(content = Option<LeaseRequest>, content_type = "application/json"),
    responses(
        (status = 200, description = "The items, and why there are no more; with `raw` the one item as it is", content((LeaseAnswer = "application/json"), (Raw = "application/octet-stream")), headers(("memq-lease" = LeaseToken, description = "With `raw`: the lease's token"), ("memq-item-id" = ItemId, description = "With `raw`: the item's id"), ("memq-attempt" = u32, description = "With `raw`: which attempt this is"), ("memq-item-key" = String, description = "With `raw`: the item's key, if it has one"), ("memq-item-group" = String, description = "With `raw`: its group, if it is of one"), ("traceparent" = String, description = "With `raw`: the trace it came in with, if it came in one"), ("tracestate" = String, description = "With `raw`: what tracing systems added to that"))),
        (status = 204, description = "With `raw`: there is nothing to lend now"),
        Lends,
    )
)]
pub(super) async fn lease(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
    FromQuery(query): FromQuery<LeaseQuery>,
    pass: Option<Extension<Arc<Pass>>>,
    payload: Payload,
) -> Result<Response, ApiError> {
    let pass = pass.map(|Extension(pass)| pass);
    lend(Asked::of(&engine, &name, query, payload)?, pass).await
}

/// What a lease call asks for, checked.
pub(super) struct Asked {
    queue: Arc<LiveQueue>,
    ask: Ask,
    wait: Duration,
    reports: Vec<Report>,
    raw: bool,
}

impl Asked {
    /// Lets go of the body: it holds the connection's read buffer, and the call may park.
    pub(super) fn of(
        engine: &Engine,
        name: &QueueName,
        query: LeaseQuery,
        payload: Payload,
    ) -> Result<Self, ApiError> {
        let request: LeaseRequest = payload.json_or_default("the lease request")?;
        let queue = engine.queue(name)?;
        let max = request.max.unwrap_or(1);
        if max > MAX_LEASE_ITEMS || (query.raw && max != 1) {
            let most = if query.raw { 1 } else { MAX_LEASE_ITEMS };
            return Err(ApiError::bad_request(format!(
                "max is {max}: give at most {most}"
            )));
        }
        // What the body overrides must still be as it should be.
        let (query_length, query_wait) = (checked_lease(query.lease_ms)?, query.wait_ms);
        let length = checked_lease(request.lease_ms.map(Duration::from_millis))?.or(query_length);
        checked_wait(query_wait)?;
        let wait = request.wait_ms.map(Duration::from_millis).or(query_wait);
        let ask = Ask {
            max: max as usize,
            length,
            worker: checked_worker(request.worker)?.or(checked_worker(query.worker)?),
            until: request.until.or(query.until),
        };
        Ok(Self {
            queue,
            ask,
            reports: reports(request.settle)?,
            wait: checked_wait(wait)?,
            raw: query.raw,
        })
    }
}

/// Lends what is asked for.
///
/// A call whose pass is revoked while it is parked leaves with what it has, as it does when the server stops: what it
/// settled is told, and nothing is lent to nobody. One that has nothing to tell is refused.
pub(super) async fn lend(asked: Asked, pass: Option<Arc<Pass>>) -> Result<Response, ApiError> {
    let Asked {
        queue,
        ask,
        wait,
        reports,
        raw: is_raw,
    } = asked;
    let until = ask.until;
    let revoked = match &pass {
        Some(pass) => pass.revoked().map(drop).boxed(),
        None => pending().boxed(),
    };
    let reply = queue.lease(ask, wait, revoked, &reports).await?;
    let has_settled = !reply.settled.is_empty();
    if let Some(pass) = pass
        && !has_settled
        && reply.granted.items.is_empty()
    {
        pass.check()?;
    }
    let mut response = match is_raw {
        true => raw::answer(&queue, reply.granted, until)?,
        false => {
            let text = lent::answer(queue.incarnation(), reply.granted, &reply.settled);
            json(StatusCode::OK, text)
        }
    };
    // Who settled nothing waits for a reason of its own, and its span lasts as long.
    if has_settled && !reply.parked.is_zero() && telemetry::is_exporting() {
        response.extensions_mut().insert(Parked(reply.parked));
    }
    Ok(response)
}

fn checked_worker(worker: Option<String>) -> Result<Option<Arc<str>>, ApiError> {
    if let Some(worker) = worker
        .as_ref()
        .filter(|worker| worker.len() > MAX_WORKER_BYTES)
    {
        return Err(ApiError::bad_request(format!(
            "the worker's name has {} bytes: give at most {MAX_WORKER_BYTES}",
            worker.len()
        )));
    }
    Ok(worker.map(Arc::from))
}

fn reports(settlements: Vec<Settlement>) -> Result<Vec<Report>, ApiError> {
    check_count(settlements.len())?;
    settlements
        .into_iter()
        .enumerate()
        .map(|(at, settlement)| report(at, settlement))
        .collect()
}

fn check_count(count: usize) -> Result<(), ApiError> {
    if count > MAX_SETTLEMENTS {
        return Err(ApiError::bad_request(format!(
            "the request names {count} leases: give at most {MAX_SETTLEMENTS}"
        )));
    }
    Ok(())
}

fn report(at: usize, settlement: Settlement) -> Result<Report, ApiError> {
    let Settlement {
        lease,
        verdict,
        result,
        error,
        exit_code,
        delay_ms,
        log,
    } = settlement;
    let misplaced = |field: &str| {
        ApiError::bad_request(format!(
            "settle[{at}]: `{}` takes no {field}",
            verdict.as_str()
        ))
    };
    if result.is_some() && verdict != SettleAs::Ack {
        return Err(misplaced("result: say it in error"));
    }
    if error.is_some() && verdict == SettleAs::Ack {
        return Err(misplaced("error: say it in result"));
    }
    let delay = checked_delay(delay_ms.map(Duration::from_millis))?;
    if delay.is_some() && !retries(verdict) {
        return Err(misplaced("delay_ms"));
    }
    let note = match result {
        Some(serde_json::Value::String(text)) => Some(text),
        Some(value) => Some(value.to_string()),
        None => error,
    };
    let note = note.map(String::into_bytes);
    Ok(Report {
        lease,
        verdict: Verdict {
            verdict,
            note,
            exit_code,
            log: log.map(String::into_bytes),
            delay,
        },
    })
}

fn retries(verdict: SettleAs) -> bool {
    matches!(verdict, SettleAs::Nack | SettleAs::Release)
}

#[utoipa::path(
    post, path = "/v1/queues/{queue}/settle", tag = "leases", operation_id = "settle",
    summary = "Say what became of leases, each for itself",
    params(OneQueue),
    request_body(content = SettleRequest, content_type = "application/json"),
    responses(
        (status = 200, description = "What became of each settlement", body = SettledAnswer),
        Settles,
    )
)]
pub(super) async fn settle(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
    payload: Payload,
) -> Result<Json<SettledAnswer>, ApiError> {
    let request: SettleRequest = payload.json("the settle request")?;
    let reports = reports(request.settle)?;
    let settled = engine.queue(&name)?.settle(&reports).await?;
    Ok(Json(SettledAnswer { settled }))
}

#[utoipa::path(
    post, path = "/v1/queues/{queue}/extend", tag = "leases", operation_id = "extend",
    summary = "Make leases longer, each for itself",
    params(OneQueue),
    request_body(content = ExtendRequest, content_type = "application/json"),
    responses(
        (status = 200, description = "What became of each extension", body = SettledAnswer),
        Settles,
    )
)]
pub(super) async fn extend(
    State(engine): Shared,
    FromPath(name): FromPath<QueueName>,
    payload: Payload,
) -> Result<Json<SettledAnswer>, ApiError> {
    let request: ExtendRequest = payload.json("the extend request")?;
    check_count(request.leases.len())?;
    let length = checked_lease(request.lease_ms.map(Duration::from_millis))?;
    let settled = engine.queue(&name)?.extend(&request.leases, length).await?;
    Ok(Json(SettledAnswer { settled }))
}

/// What can be said of one lease that ends its item: of [`OneQuery`], what is no wait.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "it describes; one query is read for all of these calls"
)]
struct EndQuery {
    /// The exit code of the command that handled the item.
    exit_code: Option<i32>,
}

/// What can be said of one lease beside its result or error.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OneQuery {
    /// Retry after this instead of the queue's back-off; with `nack` and `release`.
    #[param(value_type = Option<u64>, maximum = 315_360_000_000_u64)]
    #[serde(default, deserialize_with = "duration")]
    delay_ms: Option<Duration>,
    /// The exit code of the command that handled the item.
    exit_code: Option<i32>,
}

#[utoipa::path(
    post, path = "/v1/leases/{lease}/ack", tag = "leases", operation_id = "ack",
    summary = "The item is done",
    params(OneLease, EndQuery),
    request_body(content = Option<Raw>, description = "The result", content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "It was applied", body = Settled),
        SettlesOne,
    )
)]
pub(super) async fn ack(
    engine: Shared,
    lease: FromPath<LeaseToken>,
    query: FromQuery<OneQuery>,
    payload: Payload,
) -> Result<Json<Settled>, ApiError> {
    settle_one(engine, lease, query, payload, SettleAs::Ack).await
}

#[utoipa::path(
    post, path = "/v1/leases/{lease}/nack", tag = "leases", operation_id = "nack",
    summary = "The attempt failed",
    params(OneLease, OneQuery),
    request_body(content = Option<Raw>, description = "The error", content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "It was applied", body = Settled),
        SettlesOne,
    )
)]
pub(super) async fn nack(
    engine: Shared,
    lease: FromPath<LeaseToken>,
    query: FromQuery<OneQuery>,
    payload: Payload,
) -> Result<Json<Settled>, ApiError> {
    settle_one(engine, lease, query, payload, SettleAs::Nack).await
}

#[utoipa::path(
    post, path = "/v1/leases/{lease}/release", tag = "leases", operation_id = "release",
    summary = "Give the item back, its attempt unspent",
    params(OneLease, OneQuery),
    request_body(content = Option<Raw>, description = "The error", content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "It was applied", body = Settled),
        SettlesOne,
    )
)]
pub(super) async fn release(
    engine: Shared,
    lease: FromPath<LeaseToken>,
    query: FromQuery<OneQuery>,
    payload: Payload,
) -> Result<Json<Settled>, ApiError> {
    settle_one(engine, lease, query, payload, SettleAs::Release).await
}

#[utoipa::path(
    post, path = "/v1/leases/{lease}/dead", tag = "leases", operation_id = "dead",
    summary = "The item can never work",
    params(OneLease, EndQuery),
    request_body(content = Option<Raw>, description = "The error", content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "It was applied", body = Settled),
        SettlesOne,
    )
)]
pub(super) async fn dead(
    engine: Shared,
    lease: FromPath<LeaseToken>,
    query: FromQuery<OneQuery>,
    payload: Payload,
) -> Result<Json<Settled>, ApiError> {
    settle_one(engine, lease, query, payload, SettleAs::Dead).await
}

async fn settle_one(
    State(engine): Shared,
    FromPath(lease): FromPath<LeaseToken>,
    FromQuery(query): FromQuery<OneQuery>,
    payload: Payload,
    verdict: SettleAs,
) -> Result<Json<Settled>, ApiError> {
    let delay = checked_delay(query.delay_ms)?;
    if delay.is_some() && !retries(verdict) {
        let verdict = verdict.as_str();
        return Err(ApiError::bad_request(format!(
            "`{verdict}` takes no delay_ms"
        )));
    }
    let (queue, token) = engine.lease_owner(&lease)?;
    let verdict = Verdict {
        verdict,
        note: Some(payload.bytes().to_vec()).filter(|note| !note.is_empty()),
        exit_code: query.exit_code,
        log: None,
        delay,
    };
    let repeated = queue.settle_one(token, &verdict).await?;
    Ok(Json(applied(lease, repeated, None)))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExtendQuery {
    /// The new length from now, default the queue's.
    #[param(value_type = Option<u64>, minimum = 100, maximum = 315_360_000_000_u64)]
    #[serde(default, deserialize_with = "duration")]
    lease_ms: Option<Duration>,
}

#[utoipa::path(
    post, path = "/v1/leases/{lease}/extend", tag = "leases", operation_id = "extendOne",
    summary = "Make a lease longer",
    params(OneLease, ExtendQuery),
    responses(
        (status = 200, description = "What remains of it", body = Settled),
        SettlesOne,
    )
)]
pub(super) async fn extend_one(
    State(engine): Shared,
    FromPath(lease): FromPath<LeaseToken>,
    FromQuery(query): FromQuery<ExtendQuery>,
) -> Result<Json<Settled>, ApiError> {
    let length = checked_lease(query.lease_ms)?;
    let (queue, token) = engine.lease_owner(&lease)?;
    let remaining = queue.extend_one(token, length).await?;
    Ok(Json(applied(lease, false, Some(remaining))))
}

fn applied(lease: LeaseToken, repeated: bool, lease_ms: Option<u64>) -> Settled {
    Settled {
        lease,
        ok: true,
        repeated,
        code: None,
        lease_ms,
    }
}
