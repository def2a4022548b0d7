//! HTTP: two families of calls on one port, kuard's MemQ API and `/v1`, and what operators ask.

mod answer;
mod compression;
mod encoding;
pub(crate) mod error;
mod hot;
mod input;
mod intake;
mod json;
mod kuard;
mod metrics;
pub(crate) mod openapi;
mod ops;
pub(crate) mod request_id;
mod v1;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::FromRef;
use axum::http::Request;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;

use self::compression::Compressor;
use self::hot::Hot;
use self::intake::Intake;
use crate::config::HttpLimits;
use crate::engine::Engine;
use crate::runs::Runs;
use crate::serve::{Answers, ArrivingBody};

/// What handlers reach.
#[derive(Debug, Clone)]
struct App {
    engine: Arc<Engine>,
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
pub(crate) fn router(engine: Arc<Engine>, limits: &HttpLimits) -> Calls {
    let app = App {
        engine,
        intake: Arc::new(Intake::new(limits.max_request_bytes)),
        streams: v1::Streams::default(),
        runs: Runs::default(),
    };
    let (router, _) = described().split_for_parts();
    let router = router
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .with_state(app.clone());
    Calls {
        app,
        router,
        compressor: Compressor::default(),
    }
}

/// All routes, with what describes them.
fn described() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::frame())
        .merge(v1::routes())
        .merge(ops::routes())
        .nest("/memq/server", kuard::routes())
}

impl Answers for Calls {
    async fn answer(&self, request: Request<ArrivingBody>) -> Response {
        match Hot::find(request.method(), request.uri().path()) {
            Some((call, name)) => call.answer(&self.app, name, request).await,
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
