//! Why the guard lets a request not through, what its sender is told, and how often that was.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use queue_api::Code;

use super::role::Role;
use crate::http::error::ApiError;

/// Why a request is not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Refusal {
    /// It brought no token.
    NoToken,
    /// It brought something else than a token.
    Unreadable,
    /// It brought a token that is none of the server's.
    WrongToken,
    /// Its token was good when the call came, and was taken out before it was answered.
    TakenOut,
    /// Its token is not good for this call.
    Role {
        /// What it is good for.
        has: Role,
        /// What the call needs.
        needs: Role,
    },
    /// A page of another site made a browser send it.
    Foreign,
    /// It asks for the server by a name that is not the server's.
    Host,
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoToken => Self::new(
                Code::Unauthenticated,
                "this call needs a token: send `Authorization: Bearer TOKEN`",
            ),
            Refusal::Unreadable => Self::new(
                Code::Unauthenticated,
                "the Authorization header holds no token: send `Bearer TOKEN`, or `Basic` with the token as the password",
            ),
            Refusal::WrongToken => Self::new(
                Code::Unauthenticated,
                "the token is none of this server's: it is misspelt, or was taken out",
            ),
            // Whoever changes tokens may have the next one ready in a moment. This is also how a client learns that
            // its token was one of ours.
            Refusal::TakenOut => Self::new(
                Code::Unauthenticated,
                "the token was taken out while the call waited",
            )
            .again_after(Duration::ZERO),
            Refusal::Role { has, needs } => Self::new(
                Code::Forbidden,
                format!("the token has the role `{has}` and this call needs `{needs}`"),
            ),
            Refusal::Foreign => Self::new(
                Code::Forbidden,
                "a page of another site made this request, and it could change something",
            ),
            Refusal::Host => Self::new(
                Code::Forbidden,
                "the request's Host is none of this server's names: start the server with --allow-host NAME, or with --tokens",
            ),
        }
    }
}

/// How many requests were refused since the server started, by why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Refusals {
    /// Without a token, or with a wrong one: 401.
    pub(crate) unauthenticated: u64,
    /// With a token whose role is too little: 403.
    pub(crate) forbidden: u64,
    /// Sent by a page of another site: 403.
    pub(crate) foreign: u64,
    /// For a name that is not the server's: 403.
    pub(crate) host: u64,
}

/// Counts them.
#[derive(Debug, Default)]
pub(super) struct Counters {
    unauthenticated: AtomicU64,
    forbidden: AtomicU64,
    foreign: AtomicU64,
    host: AtomicU64,
}

impl Counters {
    pub(super) fn count(&self, refusal: Refusal) {
        let counter = match refusal {
            Refusal::NoToken | Refusal::Unreadable | Refusal::WrongToken | Refusal::TakenOut => {
                &self.unauthenticated
            }
            Refusal::Role { .. } => &self.forbidden,
            Refusal::Foreign => &self.foreign,
            Refusal::Host => &self.host,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Refusals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Refusals {
            unauthenticated: read(&self.unauthenticated),
            forbidden: read(&self.forbidden),
            foreign: read(&self.foreign),
            host: read(&self.host),
        }
    }
}
