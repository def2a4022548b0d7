//! Names and ids that clients send: checked once at the edge, then carried by type.

use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits;

/// Why a text is not a name, an id or a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameError {
    what: &'static str,
    rule: &'static str,
    text: String,
}

impl NameError {
    fn new(what: &'static str, rule: &'static str, text: &str) -> Self {
        let text = text.chars().take(limits::MAX_NAME_BYTES).collect();
        Self { what, rule, text }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not {}: {}", self.text, self.what, self.rule)
    }
}

impl core::error::Error for NameError {}

/// The name of a queue: 1 to 128 of `A-Z a-z 0-9 . _ -`, not starting with `.` or `-`, so that it
/// is safe in a URL, a file name, a label and a command line.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(value_type = String, min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_][A-Za-z0-9._-]*$")
)]
#[serde(try_from = "String", into = "String")]
pub struct QueueName(Arc<str>);

impl QueueName {
    /// The name under which many queues are told of as one. No queue is made with it; one that was, by a
    /// version that did not know better, is a queue as others.
    pub const REST: &'static str = "_other";

    /// Whether no queue may be made with this name.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.as_str() == Self::REST
    }
}

/// What names of queues and of runs are made of.
fn is_name(text: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=limits::MAX_NAME_BYTES).contains(&text.len())
        && text.bytes().all(legal)
        && !text.starts_with(['.', '-'])
}

const NAME_RULE: &str = "use 1 to 128 of A-Z a-z 0-9 . _ - and do not start with . or -";

/// What each kind of name can do: it is read by that rule, and written as it is.
macro_rules! name {
    ($name:ident, $what:literal) => {
        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                match is_name(text) {
                    true => Ok(Self(text.into())),
                    false => Err(NameError::new($what, NAME_RULE, text)),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name!(QueueName, "a queue name");

/// The name of a run that is reported: of the same form as the name of a queue.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(value_type = String, min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_][A-Za-z0-9._-]*$")
)]
#[serde(try_from = "String", into = "String")]
pub struct RunName(Arc<str>);

name!(RunName, "a run name");

/// The id of an item: 32 lower-case hex digits, never given to two items.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(value_type = String, min_length = 32, max_length = 32, pattern = "^[0-9a-f]{32}$")
)]
#[serde(try_from = "String", into = "String")]
pub struct ItemId(u128);

impl ItemId {
    /// The id made of a queue's incarnation and the item's sequence number in it. Derived, so that
    /// nothing is stored for it.
    #[must_use]
    pub fn derive(incarnation: u64, sequence: u64) -> Self {
        Self(u128::from(incarnation) << 64 | u128::from(sequence))
    }

    /// The queue incarnation and the sequence number the id was made of.
    #[must_use]
    pub fn parts(self) -> (u64, u64) {
        ((self.0 >> 64) as u64, self.0 as u64)
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ItemId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 32 && text.bytes().all(lower_hex) {
            u128::from_str_radix(text, 16)
                .map(Self)
                .map_err(|_| NameError::new("an item id", "use 32 lower-case hex digits", text))
        } else {
            Err(NameError::new(
                "an item id",
                "use 32 lower-case hex digits",
                text,
            ))
        }
    }
}

impl TryFrom<String> for ItemId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<ItemId> for String {
    fn from(id: ItemId) -> Self {
        id.to_string()
    }
}

/// Names one lease of one item. Opaque to clients, URL-safe, at most 64 bytes, never issued twice.
///
/// Any text of that form is accepted: whether it names a live lease is the server's to say, with
/// `lease_lost`, not a matter of grammar.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(value_type = String, min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")
)]
#[serde(try_from = "String", into = "String")]
pub struct LeaseToken(String);

impl LeaseToken {
    /// The token as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LeaseToken {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        if (1..=limits::MAX_TOKEN_BYTES).contains(&text.len()) && text.bytes().all(legal) {
            Ok(Self(text.into()))
        } else {
            Err(NameError::new(
                "a lease token",
                "send it exactly as the lease answer gave it",
                text,
            ))
        }
    }
}

impl TryFrom<String> for LeaseToken {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<LeaseToken> for String {
    fn from(token: LeaseToken) -> Self {
        token.0
    }
}

impl fmt::Display for LeaseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for LeaseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_name_is_safe_wherever_it_is_written() {
        let longest = "a".repeat(limits::MAX_NAME_BYTES);
        for good in ["a", "keygen", "A.b_c-9", "_x", "9", longest.as_str()] {
            assert!(good.parse::<QueueName>().is_ok(), "{good}");
        }
        let too_long = "a".repeat(limits::MAX_NAME_BYTES + 1);
        for bad in [
            "",
            ".hidden",
            "-rf",
            "a/b",
            "a b",
            "é",
            "a\n",
            "..",
            too_long.as_str(),
        ] {
            assert!(bad.parse::<QueueName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_item_id_reads_back_as_what_it_was_made_of() {
        let id = ItemId::derive(0xfeed_0000_0000_0001, 42);
        assert_eq!(id.to_string(), "feed000000000001000000000000002a");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.parts(), (0xfeed_0000_0000_0001, 42));
        assert!(
            "FEED000000000001000000000000002a"
                .parse::<ItemId>()
                .is_err()
        );
        assert!(
            "+eed000000000001000000000000002a"
                .parse::<ItemId>()
                .is_err()
        );
    }

    #[test]
    fn a_token_is_opaque_but_bounded() {
        assert!("abc_DEF-123".parse::<LeaseToken>().is_ok());
        assert!(
            "a".repeat(limits::MAX_TOKEN_BYTES)
                .parse::<LeaseToken>()
                .is_ok()
        );
        assert!(
            "a".repeat(limits::MAX_TOKEN_BYTES + 1)
                .parse::<LeaseToken>()
                .is_err()
        );
        assert!("a/b".parse::<LeaseToken>().is_err());
        assert!("".parse::<LeaseToken>().is_err());
    }
}
