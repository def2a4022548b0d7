//! Items on their way into a queue: read one by one, chosen, packed into requests; and what the queue is told of them.
//!
//! It knows bodies and requests' limits. It does not send anything.

mod batch;
mod choice;
mod queue;
mod source;

pub use batch::{Batch, Batcher};
pub use choice::Choice;
pub use queue::queue_settings;
pub use source::{FeedError, LineReader, MAX_BODY_BYTES, Source, Visit};
