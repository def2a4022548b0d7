//! Routes and the role that each needs: there is no way to add one here without saying who may call it.

use std::sync::Arc;

use queue_api::Code;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::Guard;
use super::gate::{Ends, Form, Gate};
use super::role::Role;
use crate::http::App;
use crate::http::openapi::{problem, text_problem};

/// The ways to show a token, as the description names them.
const BEARER: &str = "bearer";
const BASIC: &str = "basic";

/// Routes of one family, each with who may call it.
pub(in crate::http) struct Routes {
    guard: Arc<Guard>,
    form: Form,
    router: OpenApiRouter<App>,
}

impl Routes {
    /// None yet.
    pub(in crate::http) fn new(guard: &Arc<Guard>, form: Form) -> Self {
        Self {
            guard: Arc::clone(guard),
            form,
            router: OpenApiRouter::default(),
        }
    }

    /// Adds calls that need no token.
    pub(in crate::http) fn open(self, routes: UtoipaMethodRouter<App>) -> Self {
        self.add(None, Ends::Soon, routes)
    }

    /// Adds calls that need [`Role::Read`].
    pub(in crate::http) fn read(self, routes: UtoipaMethodRouter<App>) -> Self {
        self.add(Some(Role::Read), Ends::Soon, routes)
    }

    /// Adds calls that need [`Role::Read`], and may last: they are dropped when their token is taken out.
    pub(in crate::http) fn read_lasting(self, routes: UtoipaMethodRouter<App>) -> Self {
        self.add(Some(Role::Read), Ends::Dropped, routes)
    }

    /// Adds calls that need [`Role::Work`], and may last: they end themselves when their token is taken out.
    pub(in crate::http) fn work_lasting(self, routes: UtoipaMethodRouter<App>) -> Self {
        self.add(Some(Role::Work), Ends::Itself, routes)
    }

    /// Adds calls that need [`Role::Work`].
    pub(in crate::http) fn work(self, routes: UtoipaMethodRouter<App>) -> Self {
        self.add(Some(Role::Work), Ends::Soon, routes)
    }

    /// Adds calls that need [`Role::Admin`].
    pub(in crate::http) fn admin(self, routes: UtoipaMethodRouter<App>) -> Self {
        self.add(Some(Role::Admin), Ends::Soon, routes)
    }

    /// The router with all of them.
    pub(in crate::http) fn done(self) -> OpenApiRouter<App> {
        self.router
    }

    fn add(
        self,
        needs: Option<Role>,
        ends: Ends,
        (schemas, mut paths, mut methods): UtoipaMethodRouter<App>,
    ) -> Self {
        let Self {
            guard,
            form,
            router,
        } = self;
        for operation in paths.paths.values_mut().flat_map(operations) {
            describe(operation, needs, form);
        }
        // Nobody pays for what is not asked for.
        if let Some(needs) = needs.filter(|_| guard.asks_for_tokens()) {
            methods = methods.route_layer(Gate::new(&guard, needs, form).ends(ends));
        }
        Self {
            guard,
            form,
            router: router.routes((schemas, paths, methods)),
        }
    }
}

/// The calls of a path, whatever their methods.
fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem {
        get,
        put,
        post,
        delete,
        ..
    } = path;
    [get, put, post, delete].into_iter().flatten()
}

/// How a token is shown: the names of the ways, and what they are.
pub(in crate::http) fn schemes() -> [(&'static str, SecurityScheme); 2] {
    let http = |scheme, description| {
        let scheme = HttpBuilder::new().scheme(scheme);
        SecurityScheme::Http(scheme.description(Some(description)).build())
    };
    [
        (BEARER, http(HttpAuthScheme::Bearer, "The token")),
        (
            BASIC,
            http(
                HttpAuthScheme::Basic,
                "The token as the password, with any user name",
            ),
        ),
    ]
}

/// Says of a call who may make it, and what others are answered.
fn describe(operation: &mut Operation, needs: Option<Role>, form: Form) {
    let required =
        |role: Role| [BEARER, BASIC].map(|way| SecurityRequirement::new(way, [role.as_str()]));
    operation.security = Some(needs.map(required).into_iter().flatten().collect());
    let codes = match needs {
        None => &[Code::Forbidden][..],
        Some(_) => &[Code::Unauthenticated, Code::Forbidden],
    };
    for code in codes {
        let response = match form {
            Form::Problem => problem(code.status(), &[*code]),
            Form::Text => text_problem(code.title()),
        };
        let responses = &mut operation.responses.responses;
        responses.insert(code.status().to_string(), response.into());
    }
}
