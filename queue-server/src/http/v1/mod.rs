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
use super::guard::{Form, Guard, Routes};
use super::input::{FromPath, FromQuery};
use crate::engine::{Engine, Fault};
pub(super) use events::Streams;

pub(super) type Shared = State<Arc<Engine>>;

pub(super) fn routes(guard: &Arc<Guard>) -> OpenApiRouter<App> {
    Routes::new(guard, Form::Problem)
        .admin(routes!(backup::backup))
        .admin(routes!(backup::restore))
        .read(routes!(queues::list))
        .read(routes!(queues::show))
        .admin(routes!(queues::put, queues::delete))
        .work(routes!(queues::seal))
        .admin(routes!(queues::reopen))
        .admin(routes!(queues::pause))
        .admin(routes!(queues::resume))
        .admin(routes!(queues::purge))
        .work(routes!(items::enqueue))
        .read(routes!(look::list))
        .read(routes!(look::show))
        .admin(routes!(look::cancel))
        .read(routes!(look::log))
        .admin(routes!(look::redrive))
        .work_lasting(routes!(leases::lease))
        .work(routes!(leases::settle))
        .work(routes!(leases::extend))
        .work(routes!(leases::ack))
        .work(routes!(leases::nack))
        .work(routes!(leases::release))
        .work(routes!(leases::dead))
        .work(routes!(leases::extend_one))
        .read_lasting(routes!(outcomes::wait))
        .read_lasting(routes!(outcomes::outcomes))
        .read_lasting(routes!(events::events))
        .read(routes!(runs::list))
        .read(routes!(runs::show))
        .work(routes!(runs::put, runs::delete))
        .done()
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
        let error = Self::new(fault.code(), fault.to_string()).by(fault.limit());
        match fault.retry_after() {
            Some(after) => error.again_after(after),
            None => error,
        }
    }
}
