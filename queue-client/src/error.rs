//! What can go wrong with a call, sorted by what the caller can do about it.

use queue_api::{Code, Problem};

use crate::token::{BadToken, TokenFrom};

/// The status of an answer to a call without a token that is known.
pub(crate) const UNAUTHENTICATED: u16 = 401;
/// The status of an answer to a call that its token does not allow.
pub(crate) const FORBIDDEN: u16 = 403;

/// Why a call failed. The cause below it, where there is one, is the source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server understood and said no. Decide on [`Error::code`]; the detail is for people.
    #[error("the server answered {}: {}", .0.code, .0.detail)]
    Problem(Box<Problem>),
    /// The server asks for a token, and this client gave none or one that it does not know. The call was
    /// not carried out.
    #[error("cannot {what}: {}", unauthenticated(.token))]
    Unauthenticated {
        /// The operation and its object.
        what: String,
        /// Where the token came from that was refused.
        token: TokenFrom,
    },
    /// The server knows who calls and does not allow it: the detail says which role the call needs. The
    /// call was not carried out.
    #[error("may not {what}: {detail}")]
    Forbidden {
        /// The operation and its object.
        what: String,
        /// What the server said.
        detail: String,
    },
    /// The server could not be reached, or the connection broke before the answer was whole. The
    /// call may have been carried out all the same.
    #[error("cannot reach the server to {what}")]
    Unreachable {
        /// The operation and its object.
        what: String,
        /// What the network said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What answers cannot be talked to by this address: it speaks no TLS at an `https:` one or does at an `http:` one, or
    /// its certificate is not to be trusted. The call was not carried out, and trying again does not help. Once a
    /// client has had an answer a connection that fails so is [`Error::Unreachable`] instead, for then it may pass.
    #[error("cannot {what}: {why}")]
    Tls {
        /// The operation and its object.
        what: String,
        /// What is wrong, and what to do.
        why: String,
        /// What TLS, or who speaks it, said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Something answered, but not as a memq server does: a proxy, another program, another version.
    #[error("cannot {what}: {detail}")]
    Protocol {
        /// The operation and its object.
        what: String,
        /// The HTTP status of the answer.
        status: u16,
        /// What was odd about the answer.
        detail: String,
    },
    /// What was to be sent could not be read, so the server took none of it.
    #[error("cannot {what}: it cannot be read")]
    Unread {
        /// The operation and its object.
        what: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The address of the server is none. Give one such as `http://127.0.0.1:8080`.
    #[error("`{url}` is not the address of a server: {rule}")]
    BadUrl {
        /// The address as given.
        url: String,
        /// What it should be.
        rule: String,
    },
    /// The token cannot be used.
    #[error(transparent)]
    Token(#[from] BadToken),
    /// The HTTP client could not be set up on this machine, for example for want of root
    /// certificates.
    #[error("cannot set up the HTTP client")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// The stable code, if the server gave one.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Problem(problem) => Some(problem.code),
            Self::Unauthenticated { .. } => Some(Code::Unauthenticated),
            Self::Forbidden { .. } => Some(Code::Forbidden),
            _ => None,
        }
    }

    /// The HTTP status of the answer, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Problem(problem) => Some(problem.status),
            Self::Protocol { status, .. } => Some(*status),
            Self::Unauthenticated { .. } => Some(UNAUTHENTICATED),
            Self::Forbidden { .. } => Some(FORBIDDEN),
            _ => None,
        }
    }

    /// Whether the server, or something before it, does not let this caller do this: for want of a token, or
    /// of its role.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self.status(), Some(UNAUTHENTICATED | FORBIDDEN))
    }

    /// Whether the same call may succeed later, unchanged. That it may be repeated without harm is
    /// another matter: the client itself repeats only what is idempotent.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Problem(problem) => {
                problem.code.is_transient() || matches!(problem.code, Code::Internal)
            }
            Self::Protocol { status, .. } => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
            Self::Unauthenticated { .. }
            | Self::Forbidden { .. }
            | Self::Tls { .. }
            | Self::Unread { .. }
            | Self::BadUrl { .. }
            | Self::Token(_)
            | Self::Setup(_) => false,
        }
    }
}

fn unauthenticated(token: &TokenFrom) -> String {
    match token {
        TokenFrom::Nowhere => "the server asks for a token, and none was given".into(),
        token => format!("the server does not know the token in {token}"),
    }
}

/// An error with its causes, on one line.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn std::error::Error + Send + Sync + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
