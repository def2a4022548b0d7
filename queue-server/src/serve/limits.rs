//! What one connection may cost: each bound with its unit and its reason.

use std::time::Duration;

/// Connections that are answered `overloaded` and closed while the limit is reached. Past these,
/// the kernel's backlog holds whoever comes, so that a flood costs a known number of descriptors.
pub(crate) const TURNED_AWAY: usize = 64;
/// Longest that a connection is read on after its last answer, so that a client that is still
/// sending a refused body reads the refusal instead of a reset.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// Bounds of connections and their requests' arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Most connections served at a time. One past it is answered 429 `overloaded` and closed: a
    /// call left hanging in the backlog would tell nobody why.
    pub max_connections: usize,
    /// Time for a request's head, from its first byte (or from the connection's begin) to its
    /// last: half a request must not hold a connection.
    pub head_timeout: Duration,
    /// Time for each mebibyte of a request's body, or what there is of it, from the end of its head on.
    pub body_timeout: Duration,
    /// Time a kept connection may lie idle. Longer than clients keep theirs (90 s is usual), so
    /// that they close first and no request meets a closing connection.
    pub idle_timeout: Duration,
    /// Time without a byte taken by a client that has an answer to read.
    pub write_timeout: Duration,
    /// Time that requests have to finish once the server is told to stop.
    pub grace: Duration,
    /// Most bytes of a request's head, its first line included.
    pub max_head_bytes: usize,
    /// Most bytes that a connection buffers: what bounds memory at the connection limit.
    pub max_buffer_bytes: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            max_connections: 20_000,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(120),
            write_timeout: Duration::from_secs(30),
            grace: Duration::from_secs(10),
            max_head_bytes: 16 * 1024,
            max_buffer_bytes: 128 * 1024,
        }
    }
}
