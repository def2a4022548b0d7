//! A gate before one call: it asks the guard, and answers those that are not let through.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use tower::{Layer, Service};

use super::Guard;
use super::refusal::Refusal;
use super::role::Role;
use crate::http::error::ApiError;
use crate::http::kuard::Refused;

/// How a family of calls says its errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Form {
    /// As a problem of RFC 9457.
    Problem,
    /// As a line of text, as kuard does.
    Text,
}

impl Form {
    /// The answer to a request that is not let through.
    pub(in crate::http) fn refuse(self, refusal: Refusal) -> Response {
        let error = ApiError::from(refusal);
        match self {
            Self::Problem => error.into_response(),
            Self::Text => Refused::from(error).into_response(),
        }
    }
}

/// Puts a gate before a call.
#[derive(Debug, Clone)]
pub(in crate::http) struct Gate {
    guard: Arc<Guard>,
    needs: Role,
    form: Form,
    ends: Ends,
}

/// How a call ends whose token is taken out while it is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// By itself, and soon.
    Soon,
    /// It may last, and is dropped. For calls that only look.
    Dropped,
    /// It may last, and ends itself: it has its [`Pass`](super::Pass) among its extensions.
    Itself,
}

impl Gate {
    /// A gate for those who have this role.
    pub(in crate::http) fn new(guard: &Arc<Guard>, needs: Role, form: Form) -> Self {
        Self {
            guard: Arc::clone(guard),
            needs,
            form,
            ends: Ends::Soon,
        }
    }

    /// The same before a call that ends so when its token is taken out.
    pub(super) fn ends(self, ends: Ends) -> Self {
        Self { ends, ..self }
    }
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, call: S) -> Gated<S> {
        let gate = self.clone();
        Gated { gate, call }
    }
}

fn answered(response: Result<Response, Infallible>) -> Response {
    response.unwrap_or_else(|never| match never {})
}

/// A call behind its gate.
#[derive(Debug, Clone)]
pub(in crate::http) struct Gated<S> {
    gate: Gate,
    call: S,
}

impl<S> Service<Request> for Gated<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.call.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let Gate {
            guard,
            needs,
            form,
            ends,
        } = self.gate.clone();
        // The one that was asked whether it is ready is the one that is called.
        let next = self.call.clone();
        let mut call = std::mem::replace(&mut self.call, next);
        Box::pin(async move {
            let admitted = match guard.admit(needs, request.headers()).await {
                Ok(admitted) => admitted,
                Err(refusal) => return Ok(form.refuse(refusal)),
            };
            let pass = (ends != Ends::Soon).then(|| guard.pass(admitted)).flatten();
            match pass {
                Some(pass) if ends == Ends::Dropped => {
                    let answering = pin!(call.call(request).map(answered));
                    Ok(pass.hold(form, answering).await)
                }
                Some(pass) => {
                    request.extensions_mut().insert(pass);
                    call.call(request).await
                }
                None => call.call(request).await,
            }
        })
    }
}
