//! What an item is given besides its body: where it stands in the order, until when it is wanted, and
//! what makes it the same item as another.
//!
//! It does not know what the queue makes of them.

use alloc::sync::Arc;

use crate::lanes::GroupId;
use crate::time::Time;

/// A group of items that take turns with other groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Drawn when the first of its items came in; never [`GroupId::NONE`].
    pub id: GroupId,
    /// What the caller calls it.
    pub name: Arc<str>,
}

/// What an item was given besides its body. [`Terms::default`] is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    /// Higher ones are lent first.
    pub priority: i16,
    /// With whom it takes turns.
    pub group: Option<Group>,
    /// While an item with this key is ready, delayed or leased, and for the key window of its queue, no
    /// other one comes in.
    pub key: Option<Arc<str>>,
    /// From this instant on it is not lent any more.
    pub expires: Option<Time>,
    /// Goes with it and is told with it; the queue does not look into it.
    pub trace: Option<Arc<str>>,
}

impl Terms {
    /// Whether it has a place of its own in the order: a group or a priority.
    #[must_use]
    pub fn has_lane(&self) -> bool {
        self.group.is_some() || self.priority != 0
    }
}

/// What an item that is in the queue was given, as the queue keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TermsOf<'a> {
    /// Its priority, 0 for most.
    pub priority: i16,
    /// The name of its group.
    pub group: Option<&'a Arc<str>>,
    /// The key it came with, whoever has that key by now.
    pub key: Option<&'a str>,
    /// Until when it is wanted.
    pub expires: Option<Time>,
    /// The trace it came in with.
    pub trace: Option<&'a Arc<str>>,
}
