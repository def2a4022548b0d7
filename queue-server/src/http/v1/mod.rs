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
mod raw;
mod repeat;
mod runs;
mod teller;

use std::sync::Arc;

use axum::BoxError;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Body;
use queue_api::QueueName;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;
use super::encoding::Encoding;
use super::error::ApiError;
use super::guard::{Form, Guard, Routes};
use super::input::FromQuery;
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
///
/// Its head is read before the call is made: it holds the connection's read buffer, and whatever a call once
/// held has a place in it to its end. This is so of a lease, too.
pub(super) fn enqueue<B>(
    app: &App,
    name: QueueName,
    request: Request<B>,
) -> impl Future<Output = Result<Response, ApiError>> + Send
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send,
{
    let (parts, body) = request.into_parts();
    let query = FromQuery::of(&parts.uri);
    let head = items::Head::of(&parts.headers);
    let encoding = Encoding::of(&parts.headers);
    drop(parts);
    async move {
        let (FromQuery(query), head) = (query?, head?);
        let payload = app.intake.read_as(encoding?, body).await?;
        items::enter(&app.engine, &name, query, head, &payload).await
    }
}

/// A lease call that needs no router.
pub(super) fn lease<B>(
    app: &App,
    name: QueueName,
    request: Request<B>,
) -> impl Future<Output = Result<Response, ApiError>> + Send
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send,
{
    let (mut parts, body) = request.into_parts();
    let query = FromQuery::of(&parts.uri);
    let encoding = Encoding::of(&parts.headers);
    let pass = parts.extensions.remove();
    drop(parts);
    async move {
        let FromQuery(query) = query?;
        let payload = app.intake.read_as(encoding?, body).await?;
        let asked = leases::Asked::of(&app.engine, &name, query, payload)?;
        leases::lend(asked, pass).await
    }
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
