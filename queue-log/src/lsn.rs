//! Positions in a log.

use std::fmt;

/// A position in the stream of bytes that all frames of a log make, from its first start on: never
/// reused, so a byte of the log has one address for as long as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Lsn(pub u64);

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
