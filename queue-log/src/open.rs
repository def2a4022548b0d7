//! Opening a log: what it is told, and what it finds.

use std::io;

use crate::Lsn;

/// How a log is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Largest segment in bytes, frames apart that are larger. Segments grow up to it with the log.
    pub segment_bytes: u64,
    /// Most bytes of all segments together; `None`: what the disk has.
    pub max_bytes: Option<u64>,
    /// Go on without what a damaged log lost, instead of refusing to start.
    pub accept_loss: bool,
}

/// What a recovery found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Where the kept log begins.
    pub start: Lsn,
    /// Where the log goes on.
    pub end: Lsn,
    /// Frames that were replayed.
    pub frames: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// The epoch that ended: each start is one.
    pub epoch: u64,
    /// Bytes that were damaged and given up, because [`Options::accept_loss`] said so.
    pub lost: u64,
}

/// What a replayed frame was taken for.
pub type Replayed = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the directory.
    #[error("another process uses it")]
    Locked,
    /// Reading, writing or listing failed.
    #[error("cannot {operation} `{file}`")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        file: String,
        /// Why not.
        source: io::Error,
    },
    /// A frame that was synced is damaged.
    #[error("damaged at byte {offset} of `{file}` (position {lsn}): {reason}")]
    Damaged {
        /// The segment.
        file: String,
        /// Where in it.
        offset: u64,
        /// The address.
        lsn: Lsn,
        /// What is wrong.
        reason: String,
    },
    /// A file was written by a later release.
    #[error("`{file}` has format {found}; this release reads up to {known}")]
    Format {
        /// The segment.
        file: String,
        /// Its format.
        found: u16,
        /// The latest that is known.
        known: u16,
    },
    /// Whoever replays refused a frame.
    #[error("the record at position {lsn} makes no sense")]
    Replay {
        /// The frame.
        lsn: Lsn,
        /// Why it was refused.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl OpenError {
    /// What a failure of the medium means when a file is opened.
    pub(crate) fn io<'a>(
        operation: &'static str,
        file: &'a str,
    ) -> impl FnOnce(io::Error) -> Self + use<'a> {
        move |source| Self::Io {
            operation,
            file: file.to_owned(),
            source,
        }
    }
}
