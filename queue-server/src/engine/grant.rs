//! What a lease call is given, and bytes that may have to be read from disk first.

use std::sync::Arc;

use queue_api::{QueueState, Trace};
use queue_core::{Fence, Seq, TermsOf, Time};

use super::bodies::Stored;
use super::store::{Logged, Rest};

/// Bytes on their way to an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bytes {
    /// A copy.
    Here(Vec<u8>),
    /// Still to be read.
    Logged(Logged),
}

impl Bytes {
    /// The copy that was read.
    ///
    /// # Panics
    /// If it was not read.
    pub(super) fn here(&self) -> &[u8] {
        match self {
            Self::Here(bytes) => bytes,
            Self::Logged(logged) => unreachable!("{logged:?} was read before it is looked at"),
        }
    }

    /// A copy, or where to read.
    pub(super) fn of(stored: Stored<'_>) -> Self {
        match stored {
            Stored::Here(bytes) => Self::Here(bytes.to_vec()),
            Stored::Logged(logged) => Self::Logged(logged),
        }
    }

    /// The copy.
    ///
    /// # Panics
    /// If it was not read.
    pub(crate) fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Here(bytes) => bytes,
            Self::Logged(logged) => unreachable!("{logged:?} was read before it is answered"),
        }
    }
}

/// One item lent out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) seq: Seq,
    pub(crate) fence: Fence,
    pub(crate) deadline: Time,
    pub(crate) attempt: u32,
    pub(crate) enqueued: Time,
    pub(crate) body: Bytes,
    /// What it was given besides its body, if anything.
    pub(crate) terms: Option<Box<Shown>>,
}

/// What a worker is told of an item that was given more than a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) priority: i16,
    pub(crate) group: Option<Arc<str>>,
    pub(crate) key: Option<Box<str>>,
    pub(crate) trace: Option<Trace>,
}

impl From<TermsOf<'_>> for Shown {
    fn from(terms: TermsOf<'_>) -> Self {
        Self {
            priority: terms.priority,
            group: terms.group.cloned(),
            key: terms.key.map(Box::from),
            trace: terms.trace.and_then(|text| Trace::from_text(text)),
        }
    }
}

/// The answer to a lease call, as of `now`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) now: Time,
    pub(crate) items: Vec<Grant>,
    /// Why there are items, or none.
    pub(crate) state: QueueState,
    /// What must be on disk before it is answered: the items, and their leases; or what ended the
    /// queue's work.
    pub(super) rest: Rest,
}
