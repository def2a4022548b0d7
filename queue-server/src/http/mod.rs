//! HTTP: two families of calls on one port, kuard's MemQ API and `/v1`, and what operators ask.

mod answer;
mod compression;
mod encoding;
pub(crate) mod error;
pub(crate) mod guard;
mod hot;
mod input;
mod intake;
mod json;
mod kuard;
mod metrics;
pub(crate) mod openapi;
mod ops;
pub(crate) mod request_id;
mod ui;
mod v1;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::FromRef;
use axum::handler::Handler;
use axum::http::Request;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;

use self::compression::Compressor;
use self::guard::{Form, Gate, Guard, Role};
use self::hot::Hot;
use self::intake::Intake;
use crate::config::HttpLimits;
use crate::engine::Engine;
use crate::runs::Runs;
use crate::serve::{Answers, ArrivingBody};

/// Where kuard's API begins.
const MEMQ: &str = "/memq/server";

/// What handlers reach.
#[derive(Debug, Clone)]
struct App {
    engine: Arc<Engine>,
    guard: Arc<Guard>,
    intake: Arc<Intake>,
    streams: v1::Streams,
    runs: Runs,
}

impl FromRef<App> for Arc<Engine> {
    fn from_ref(app: &App) -> Self {
        Self::clone(&app.engine)
    }
}

/// Everything the server answers.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    app: App,
    router: Router,
    compressor: Compressor,
}

/// Everything the server answers.
pub(crate) fn router(engine: Arc<Engine>, guard: Arc<Guard>, limits: &HttpLimits) -> Calls {
    let app = App {
        engine,
        guard,
        intake: Arc::new(Intake::new(limits.max_request_bytes)),
        streams: v1::Streams::default(),
        runs: Runs::default(),
    };
    let (router, _) = described(&app.guard).split_for_parts();
    // Whatever is not declared needs a token, too.
    let gate = Gate::new(&app.guard, Role::Read, Form::Problem);
    let router = router
        .merge(ui::routes())
        .fallback(error::not_found.layer(gate.clone()))
        .method_not_allowed_fallback(error::method_not_allowed.layer(gate))
        .with_state(app.clone());
    Calls {
        app,
        router,
        compressor: Compressor::default(),
    }
}

/// All routes, with what describes them.
fn described(guard: &Arc<Guard>) -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::frame())
        .merge(v1::routes(guard))
        .merge(ops::routes(guard))
        .nest(MEMQ, kuard::routes(guard))
}

impl Answers for Calls {
    async fn answer(&self, request: Request<ArrivingBody>) -> Response {
        let (guard, path) = (&self.app.guard, request.uri().path());
        if let Err(refusal) = guard.check_site(request.method(), request.headers()) {
            return form(path).refuse(refusal);
        }
        match Hot::find(request.method(), path) {
            Some((call, name)) => match guard.admit(Hot::NEEDS, request.headers()).await {
                Ok(()) => call.answer(&self.app, name, request).await,
                Err(refusal) => form(request.uri().path()).refuse(refusal),
            },
            None if Compressor::is_asked(request.method(), request.headers()) => {
                let answer = self
                    .compressor
                    .answer(self.router.clone(), request.map(Body::new));
                // Few ask, and every call would have a place for it.
                Box::pin(answer).await
            }
            None => self.router.answer(request).await,
        }
    }
}

/// How the calls at a path say their errors.
fn form(path: &str) -> Form {
    match path.strip_prefix(MEMQ) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => Form::Text,
        _ => Form::Problem,
    }
}
