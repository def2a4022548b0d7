//! Roles: what a token lets its holder do.
//!
//! Which call needs which role stands where the call is declared, see [`super::Routes`].

use std::fmt;

use super::refusal::Refusal;

/// What a token lets its holder do; each role includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Look at everything and change nothing.
    Read,
    /// Put items in, lease them and settle them.
    Work,
    /// Make and delete queues, and what cannot be undone.
    Admin,
}

impl Role {
    /// All roles, the weakest first.
    pub(super) const ALL: [Self; 3] = [Self::Read, Self::Work, Self::Admin];

    /// The role as it is written in a file of tokens and told in answers.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Work => "work",
            Self::Admin => "admin",
        }
    }

    /// The role that this word names.
    pub(super) fn named(word: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str().as_bytes() == word)
    }

    /// Whether a holder of this role may make a call that needs the other.
    pub(super) fn includes(self, needed: Self) -> bool {
        self >= needed
    }

    /// Whether a call that needs this role is for whoever has the other, or none.
    pub(super) fn allows(self, has: Option<Self>) -> Result<(), Refusal> {
        match has {
            None => Err(Refusal::WrongToken),
            Some(has) if has.includes(self) => Ok(()),
            Some(has) => Err(Refusal::Role { has, needs: self }),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
