//! What can go wrong with a call, sorted by what the caller can do about it.

use queue_api::{Code, Problem};

/// Why a call failed. The cause below it, where there is one, is the source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server understood and said no. Decide on [`Error::code`]; the detail is for people.
    #[error("the server answered {}: {}", .0.code, .0.detail)]
    Problem(Box<Problem>),
    /// The server could not be reached, or the connection broke before the answer was whole. The
    /// call may have been carried out all the same.
    #[error("cannot reach the server to {what}")]
    Unreachable {
        /// The operation and its object.
        what: String,
        /// What the network said.
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
            _ => None,
        }
    }

    /// The HTTP status of the answer, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Problem(problem) => Some(problem.status),
            Self::Protocol { status, .. } => Some(*status),
            _ => None,
        }
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
            Self::Unread { .. } | Self::BadUrl { .. } | Self::Setup(_) => false,
        }
    }
}

/// An error with its causes, on one line.
pub(crate) struct Chain<'a>(pub(crate) &'a Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = std::error::Error::source(self.0);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
