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
pub(crate) mod openapi;
mod ops;
mod rare;
pub(crate) mod request_id;
mod route;
mod trace;
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
use crate::metrics::{Connections, Limit, Requests, Route, Scraper};
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
    scraper: Arc<Scraper>,
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
    routes: HotRoutes,
}

/// Everything the server answers.
pub(crate) fn router(
    engine: Arc<Engine>,
    guard: Arc<Guard>,
    limits: &HttpLimits,
    connections: Arc<Connections>,
) -> Calls {
    let (router, document) = described(&guard).split_for_parts();
    let requests = Requests::new(document.paths.paths.keys().map(String::as_str));
    let routes = HotRoutes::new(&requests);
    let app = App {
        engine,
        guard,
        intake: Arc::new(Intake::new(limits.max_request_bytes)),
        streams: v1::Streams::default(),
        runs: Runs::default(),
        scraper: Arc::new(Scraper::new(requests, connections)),
    };
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
        routes,
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
    async fn answer(&self, mut request: Request<ArrivingBody>) -> Response {
        let (app, path) = (&self.app, request.uri().path());
        let hot = Hot::find(request.method(), path);
        let route = match &hot {
            Some((call, _)) => self.routes.of(*call),
            None => app.scraper.requests.route(path),
        };
        let counting = app.scraper.requests.begin(route, request.method());
        let response = match app.guard.check_site(request.method(), request.headers()) {
            Err(refusal) => form(path).refuse(refusal),
            Ok(()) => match hot {
                Some((call, name)) => match app.guard.admit(Hot::NEEDS, request.headers()).await {
                    Ok(admitted) => {
                        if call == Hot::Lease
                            && let Some(pass) = app.guard.pass(admitted)
                        {
                            request.extensions_mut().insert(pass);
                        }
                        call.answer(app, name, request).await
                    }
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
            },
        };
        counting.answered(response.status());
        if let Some(limit) = response.extensions().get::<Limit>() {
            app.engine.meters().limits.hit(*limit);
        }
        response
    }
}

/// The routes of the calls that are told by their path.
#[derive(Debug, Clone, Copy)]
struct HotRoutes {
    enqueue: Route,
    lease: Route,
    memq_enqueue: Route,
    memq_dequeue: Route,
}

impl HotRoutes {
    fn new(requests: &Requests) -> Self {
        Self {
            enqueue: requests.route("/v1/queues/q/items"),
            lease: requests.route("/v1/queues/q/lease"),
            memq_enqueue: requests.route("/memq/server/queues/q/enqueue"),
            memq_dequeue: requests.route("/memq/server/queues/q/dequeue"),
        }
    }

    fn of(&self, call: Hot) -> Route {
        match call {
            Hot::Enqueue => self.enqueue,
            Hot::Lease => self.lease,
            Hot::MemqEnqueue => self.memq_enqueue,
            Hot::MemqDequeue => self.memq_dequeue,
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
