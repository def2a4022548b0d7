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
    lasting: bool,
}

impl Gate {
    /// A gate for those who have this role.
    pub(in crate::http) fn new(guard: &Arc<Guard>, needs: Role, form: Form) -> Self {
        Self {
            guard: Arc::clone(guard),
            needs,
            form,
            lasting: false,
        }
    }

    /// The same before a call that may last, and is to end when its token is taken out.
    pub(super) fn lasting(self, lasting: bool) -> Self {
        Self { lasting, ..self }
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

    fn call(&mut self, request: Request) -> Self::Future {
        let Gate {
            guard,
            needs,
            form,
            lasting,
        } = self.gate.clone();
        // The one that was asked whether it is ready is the one that is called.
        let next = self.call.clone();
        let mut call = std::mem::replace(&mut self.call, next);
        Box::pin(async move {
            match guard.admit(needs, request.headers()).await {
                Ok(admitted) if lasting => {
                    let answering = pin!(call.call(request).map(answered));
                    Ok(guard.hold(admitted, form, answering).await)
                }
                Ok(_) => call.call(request).await,
                Err(refusal) => Ok(form.refuse(refusal)),
            }
        })
    }
}
