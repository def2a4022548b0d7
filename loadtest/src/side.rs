//! What a measuring loop asks of one connection's side of a conversation, whatever the protocol.

use anyhow::Result;

use crate::wire::Connection;

/// What an exchange brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// This many items went in, or came out for good.
    Items(u64),
    /// There is nothing left to take; so many came out for good all the same.
    Dry(u64),
}

/// One turn of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turned {
    /// What it brought.
    pub heard: Heard,
    /// Bytes that went out.
    pub sent: u64,
    /// Bytes that came in, heads of HTTP apart.
    pub got: u64,
}

/// One connection's side: it knows what to say next and what the answers mean. A turn is what is
/// timed: one request and its answer, or the few that one item takes where a protocol has no call
/// that does it in one.
pub trait Side: Send + 'static {
    /// Says what is next and hears the answer.
    ///
    /// # Errors
    ///
    /// The connection broke, or the answer is not what it should be.
    fn turn(&mut self, connection: &mut Connection) -> impl Future<Output = Result<Turned>> + Send;

    /// Leaves nothing lent out. Answers how many items came out for good.
    ///
    /// # Errors
    ///
    /// As for a turn.
    fn finish(&mut self, connection: &mut Connection) -> impl Future<Output = Result<u64>> + Send;
}
