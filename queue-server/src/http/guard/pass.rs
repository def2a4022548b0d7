//! What a call that lasts was let in with: when its token is no longer good for it, the call ends.
//!
//! Calls that wait and streams may go on for minutes and days; whoever takes a token out of the file wants to
//! be rid of its holder by then. It knows no call: which of them last, and how they end, is declared with their
//! routes.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::task::ready;

use axum::body::{Body, HttpBody};
use axum::response::Response;
use futures_util::future::FusedFuture;
use futures_util::{FutureExt, TryStreamExt, stream};
use tokio::sync::watch;

use super::Guard;
use super::gate::Form;
use super::refusal::Refusal;
use super::role::Role;
use super::tokens::{Digested, Tokens};

/// A token that was good for a call, and the tokens that are valid from then on.
#[derive(Debug)]
pub(in crate::http) struct Pass {
    pub(super) guard: Arc<Guard>,
    pub(super) valid: watch::Receiver<Arc<Tokens>>,
    pub(super) token: Digested,
    pub(super) needs: Role,
}

/// Ready when a pass is worth nothing any more.
type Revoked = Pin<Box<dyn FusedFuture<Output = Refusal> + Send>>;

/// Why a stream breaks off. It does not end as if all was said.
#[derive(Debug, thiserror::Error)]
#[error("the token of whoever reads this was taken out")]
struct TakenOut;

impl Pass {
    /// The answer of a call that may be dropped at any time; the refusal, if that comes first. What lasts on
    /// in the answer's body breaks off then.
    pub(super) async fn hold(
        &self,
        form: Form,
        answering: Pin<&mut (impl Future<Output = Response> + Send)>,
    ) -> Response {
        let mut revoked: Revoked = Box::pin(self.revoked().fuse());
        let response = tokio::select! {
            // What is done already is told.
            biased;
            response = answering => response,
            refusal = &mut revoked => return form.refuse(self.guard.counted(refusal)),
        };
        match response.body().size_hint().exact() {
            Some(_) => response,
            None => response.map(|body| until(body, revoked)),
        }
    }

    /// The refusal, once it is worth nothing any more.
    pub(in crate::http) fn revoked(&self) -> impl Future<Output = Refusal> + Send + use<> {
        let (mut valid, token, needs) = (self.valid.clone(), self.token, self.needs);
        async move {
            loop {
                let tokens = Arc::clone(&valid.borrow_and_update());
                if let Err(refusal) = is_good(needs, token, &tokens) {
                    return refusal;
                }
                if valid.changed().await.is_err() {
                    // The guard is gone, and the server with it.
                    return pending().await;
                }
            }
        }
    }

    /// Whether it is worth something still, for a call that has nothing to tell but that.
    pub(in crate::http) fn check(&self) -> Result<(), Refusal> {
        let tokens = Arc::clone(&self.valid.borrow());
        is_good(self.needs, self.token, &tokens).map_err(|refusal| self.guard.counted(refusal))
    }
}

fn is_good(needs: Role, token: Digested, tokens: &Tokens) -> Result<(), Refusal> {
    needs
        .allows(tokens.role_of(token))
        .map_err(|refusal| match refusal {
            Refusal::WrongToken => Refusal::TakenOut,
            other => other,
        })
}

/// The body, until its reader may no longer have it.
fn until(body: Body, mut revoked: Revoked) -> Body {
    let mut pieces = body.into_data_stream().map_err(axum::BoxError::from);
    Body::from_stream(stream::poll_fn(move |context| {
        if !revoked.is_terminated() && revoked.as_mut().poll(context).is_ready() {
            return std::task::Poll::Ready(Some(Err(TakenOut.into())));
        }
        let piece = ready!(pieces.try_poll_next_unpin(context));
        std::task::Poll::Ready(piece)
    }))
}
