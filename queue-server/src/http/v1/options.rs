//! Options of an enqueue, as a query or a line gives them.
//!
//! It does not know where they stood.

use std::sync::Arc;
use std::time::Duration;

use queue_api::{OptionsError, check_delay, check_group, check_key, check_ttl};
use queue_core::Options;

/// What was said of an item, or of all items of a request that say nothing else.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) delay: Option<Duration>,
    pub(super) priority: Option<i16>,
    pub(super) key: Option<Arc<str>>,
    pub(super) group: Option<Arc<str>>,
    pub(super) ttl: Option<Duration>,
    pub(super) trace: Option<Arc<str>>,
}

impl Given {
    /// Whether nothing was said.
    pub(super) fn is_none(&self) -> bool {
        let Self {
            delay,
            priority,
            key,
            group,
            ttl,
            trace,
        } = self;
        let texts = [key, group, trace];
        delay.is_none()
            && priority.is_none()
            && ttl.is_none()
            && texts.into_iter().all(Option::is_none)
    }

    /// Whether each is within its limits.
    pub(super) fn check(&self) -> Result<(), OptionsError> {
        self.key.as_deref().map_or(Ok(()), check_key)?;
        self.group.as_deref().map_or(Ok(()), check_group)?;
        self.delay.map_or(Ok(()), check_delay)?;
        self.ttl.map_or(Ok(()), check_ttl)
    }

    /// As a queue takes them; none where nothing was said.
    pub(super) fn options(&self) -> Option<Options> {
        (!self.is_none()).then(|| Options {
            priority: self.priority.unwrap_or_default(),
            group: self.group.clone(),
            key: self.key.clone(),
            delay: self.delay.unwrap_or_default(),
            ttl: self.ttl,
            trace: self.trace.clone(),
        })
    }

    /// The same, with what others say where these say nothing.
    pub(super) fn or(self, others: &Self) -> Options {
        Options {
            priority: self.priority.or(others.priority).unwrap_or_default(),
            group: self.group.or_else(|| others.group.clone()),
            key: self.key.or_else(|| others.key.clone()),
            delay: self.delay.or(others.delay).unwrap_or_default(),
            ttl: self.ttl.or(others.ttl),
            trace: self.trace.or_else(|| others.trace.clone()),
        }
    }
}
