//! The calls of `/v1`.

mod backup;
mod events;
mod items;
mod leases;
mod lent;
mod look;
mod ndjson;
mod options;
mod outcomes;
mod queues;
mod repeat;
mod runs;
mod teller;

use std::sync::Arc;

use axum::BoxError;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use hyper::body::Body;
use queue_api::QueueName;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::encoding::Encoding;
use super::error::ApiError;
use super::input::{FromPath, FromQuery};
use crate::engine::{Engine, Fault};
pub(super) use events::Streams;

pub(super) type Shared = State<Arc<Engine>>;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(backup::backup))
        .routes(routes!(backup::restore))
        .routes(routes!(queues::list))
        .routes(routes!(queues::show, queues::put, queues::delete))
        .routes(routes!(queues::seal))
        .routes(routes!(queues::reopen))
        .routes(routes!(queues::pause))
        .routes(routes!(queues::resume))
        .routes(routes!(queues::purge))
        .routes(routes!(items::enqueue, look::list))
        .routes(routes!(look::show, look::cancel))
        .routes(routes!(look::log))
        .routes(routes!(look::redrive))
        .routes(routes!(leases::lease))
        .routes(routes!(leases::settle))
        .routes(routes!(leases::extend))
        .routes(routes!(leases::ack))
        .routes(routes!(leases::nack))
        .routes(routes!(leases::release))
        .routes(routes!(leases::dead))
        .routes(routes!(leases::extend_one))
        .routes(routes!(outcomes::wait))
        .routes(routes!(outcomes::outcomes))
        .routes(routes!(events::events))
        .routes(routes!(runs::list))
        .routes(routes!(runs::show, runs::put, runs::delete))
}

/// An enqueue that needs no router.
pub(super) async fn enqueue<B>(app: &App, name: QueueName, parts: Parts, body: B) -> Response
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send,
{
    let answered = async {
        let mut parts = parts;
        let query = FromQuery::from_request_parts(&mut parts, app).await?;
        let head = items::Head::from_request_parts(&mut parts, app).await?;
        let encoding = Encoding::of(&parts.headers)?;
        // They hold the connection's read buffer.
        drop(parts);
        let payload = app.intake.read_as(encoding, body).await?;
        let engine = State(Arc::clone(&app.engine));
        items::enqueue(engine, FromPath(name), query, head, payload).await
    };
    answered.await.into_response()
}

/// A lease call that needs no router.
pub(super) async fn lease<B>(app: &App, name: QueueName, parts: Parts, body: B) -> Response
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send,
{
    let answered = async {
        let mut parts = parts;
        let query = FromQuery::from_request_parts(&mut parts, app).await?;
        let encoding = Encoding::of(&parts.headers)?;
        drop(parts);
        let payload = app.intake.read_as(encoding, body).await?;
        let engine = State(Arc::clone(&app.engine));
        leases::lease(engine, FromPath(name), query, payload).await
    };
    answered.await.into_response()
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        let error = Self::new(fault.code(), fault.to_string());
        match fault.retry_after() {
            Some(after) => error.again_after(after),
            None => error,
        }
    }
}
