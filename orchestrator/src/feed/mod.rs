//! Items on their way into a queue: read one by one, chosen, packed into requests.
//!
//! It knows bodies and requests' limits. It does not send anything.

mod batch;
mod choice;
mod source;

pub use batch::{Batch, Batcher};
pub use choice::Choice;
pub use source::{FeedError, LineReader, MAX_BODY_BYTES, Source, Visit};
