//! Who may call: tokens and their roles, and what browsers are made to send.
//!
//! A server without tokens lets everybody call, as a queue on one's own machine should. Even then no page of
//! another site may reach it through a browser. With tokens a call needs the role that is declared with its
//! route ([`Routes`]). It knows roles and no queues: a token is good for all of them.

mod credentials;
mod file;
mod gate;
mod pass;
mod refusal;
mod role;
mod routes;
mod site;
mod tokens;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, Method};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use self::credentials::Credentials;
pub use self::file::TokensError;
pub(crate) use self::file::check_file;
use self::file::{LOOK_EVERY, TokensFile};
pub(super) use self::gate::{Form, Gate};
pub(super) use self::pass::Pass;
use self::refusal::Counters;
pub(super) use self::refusal::Refusal;
pub(crate) use self::refusal::Refusals;
pub(super) use self::role::Role;
pub(super) use self::routes::{Routes, schemes};
use self::site::Hosts;
pub use self::tokens::BadTokens;
use self::tokens::Digested;
use crate::config::Access;

/// Lets requests through, or not. The default lets everybody do everything.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    tokens: Option<TokensFile>,
    /// The names the server may be asked by; none where any will do.
    hosts: Option<Hosts>,
    refused: Counters,
}

impl Guard {
    /// The guard of a server that listens there.
    pub(crate) fn new(access: &Access, listening: SocketAddr) -> Result<Self, TokensError> {
        Ok(Self {
            tokens: access.tokens.as_deref().map(TokensFile::open).transpose()?,
            hosts: Hosts::of(access, listening),
            refused: Counters::default(),
        })
    }

    /// Looks after the file of tokens until told to stop.
    pub(crate) async fn watch(&self, stop: CancellationToken) {
        let Some(tokens) = &self.tokens else {
            return stop.cancelled().await;
        };
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = looks.tick() => tokens.look().await,
            }
        }
    }

    /// How many requests were refused since the server started, by why.
    pub(crate) fn refused(&self) -> Refusals {
        self.refused.read()
    }

    /// Whether calls need a token.
    pub(super) fn asks_for_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Whether the request is one that a browser may send, or no browser's. To be asked of every request, before
    /// it is known what it is about.
    pub(super) fn check_site(&self, method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
        let refusal = if self
            .hosts
            .as_ref()
            .is_some_and(|hosts| !hosts.allow(headers))
        {
            Refusal::Host
        } else if site::is_foreign(method, headers) {
            Refusal::Foreign
        } else {
            return Ok(());
        };
        Err(self.counted(refusal))
    }

    /// Whether the sender may make a call that needs this role. A token that is not known may have come into
    /// the file since: that is looked at before it is refused.
    pub(super) async fn admit(
        &self,
        needs: Role,
        headers: &HeaderMap,
    ) -> Result<Admitted, Refusal> {
        let Some(tokens) = &self.tokens else {
            return Ok(Admitted(None));
        };
        let mut judged = judge(tokens, needs, headers);
        if judged == Err(Refusal::WrongToken) {
            // Rare, and every call would have a place for it.
            Box::pin(tokens.look()).await;
            judged = judge(tokens, needs, headers);
        }
        judged
            .map(|token| Admitted(Some((token, needs))))
            .map_err(|refusal| self.counted(refusal))
    }

    /// What a call that lasts was let in with; `None` where no token is asked for.
    pub(super) fn pass(self: &Arc<Self>, admitted: Admitted) -> Option<Arc<Pass>> {
        let (tokens, Admitted(Some((token, needs)))) = (self.tokens.as_ref()?, admitted) else {
            return None;
        };
        Some(Arc::new(Pass {
            guard: Arc::clone(self),
            valid: tokens.valid(),
            token,
            needs,
        }))
    }

    fn counted(&self, refusal: Refusal) -> Refusal {
        self.refused.count(refusal);
        refusal
    }
}

/// What a call was let in with: a token that is good for its role, or nothing where none is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Admitted(Option<(Digested, Role)>);

fn judge(tokens: &TokensFile, needs: Role, headers: &HeaderMap) -> Result<Digested, Refusal> {
    let token = match Credentials::of(headers) {
        Credentials::None => return Err(Refusal::NoToken),
        Credentials::Unreadable => return Err(Refusal::Unreadable),
        Credentials::Token(token) => Digested::of(&token),
    };
    needs.allows(tokens.role_of(token)).map(|()| token)
}
