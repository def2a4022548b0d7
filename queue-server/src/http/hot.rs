//! The calls that are repeated for every item, told by their path without the router.
//!
//! The router boxes and clones its way to a handler, which took a quarter of what an enqueue costs us.
//! Whatever is not plainly one of these calls, a name that is none for example, goes through the router,
//! where the same handlers and all errors are.

use axum::BoxError;
use axum::body::Bytes;
use axum::http::{Method, Request};
use axum::response::{IntoResponse, Response};
use hyper::body::Body;
use queue_api::QueueName;

use super::guard::Role;
use super::{App, kuard, trace, v1};

/// One of these calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hot {
    Enqueue,
    Lease,
    MemqEnqueue,
    MemqDequeue,
}

impl Hot {
    /// Who may make any of them, as their routes say.
    pub(super) const NEEDS: Role = Role::Work;

    /// The call and its queue, if it is one.
    pub(super) fn find(method: &Method, path: &str) -> Option<(Self, QueueName)> {
        let (call, name) = if let Some(rest) = path.strip_prefix("/v1/queues/") {
            let (name, call) = rest.split_once('/')?;
            let call = match (method, call) {
                (&Method::POST | &Method::PUT, "items") => Self::Enqueue,
                (&Method::POST, "lease") => Self::Lease,
                _ => return None,
            };
            (call, name)
        } else {
            let rest = path.strip_prefix("/memq/server/queues/")?;
            let (name, call) = rest.split_once('/')?;
            let call = match (method, call) {
                (&Method::POST, "enqueue") => Self::MemqEnqueue,
                (&Method::POST, "dequeue") => Self::MemqDequeue,
                _ => return None,
            };
            (call, name)
        };
        Some((call, name.parse().ok()?))
    }

    /// Answers the call.
    pub(super) async fn answer<B>(self, app: &App, name: QueueName, request: Request<B>) -> Response
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send,
    {
        match self {
            Self::Enqueue => v1::enqueue(app, name, request).await.into_response(),
            Self::Lease => v1::lease(app, name, request).await.into_response(),
            Self::MemqEnqueue => {
                let trace = trace::of(request.headers());
                kuard::enqueue_one(app, &name, trace, request.into_body()).await
            }
            Self::MemqDequeue => {
                drop(request);
                kuard::dequeue_one(app, &name).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(method: Method, path: &str) -> Option<(Hot, String)> {
        Hot::find(&method, path).map(|(call, name)| (call, name.to_string()))
    }

    #[test]
    fn the_repeated_calls_are_found() {
        for (method, path, call) in [
            (Method::POST, "/v1/queues/a.b/items", Hot::Enqueue),
            (Method::PUT, "/v1/queues/a.b/items", Hot::Enqueue),
            (Method::POST, "/v1/queues/a.b/lease", Hot::Lease),
            (
                Method::POST,
                "/memq/server/queues/a.b/enqueue",
                Hot::MemqEnqueue,
            ),
            (
                Method::POST,
                "/memq/server/queues/a.b/dequeue",
                Hot::MemqDequeue,
            ),
        ] {
            assert_eq!(find(method, path), Some((call, "a.b".into())), "{path}");
        }
    }

    #[test]
    fn all_else_is_left_to_the_router() {
        for (method, path) in [
            (Method::GET, "/v1/queues/q/items"),
            (Method::PUT, "/v1/queues/q/lease"),
            (Method::PUT, "/memq/server/queues/q/enqueue"),
            (Method::POST, "/v1/queues/q"),
            (Method::POST, "/v1/queues/q/items/"),
            (Method::POST, "/v1/queues/q/items/1"),
            (Method::POST, "/v1/queues/q/seal"),
            (Method::POST, "/v1/queues//items"),
            (Method::POST, "/v1/queues/-q/items"),
            (Method::POST, "/v1/queues/%71/items"),
            (Method::POST, "/memq/server/queues/q/drain"),
            (Method::POST, "/healthz"),
        ] {
            assert_eq!(find(method, path), None, "{path}");
        }
    }
}
