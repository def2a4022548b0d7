//! Items on their way into a queue: read one by one, chosen, packed into requests, sent; and what the queue is told of
//! them.
//!
//! It knows bodies and requests' limits. It does not know what a run is, nor what handles the items.

mod batch;
mod choice;
mod lines;
mod pour;
mod queue;
mod source;
mod trace;

pub use batch::{Batch, Batcher, Form};
pub use choice::Choice;
pub use lines::LineReader;
pub use pour::{LOAD_OF_RUN, Pour, PourError, Poured, Pouring, begin};
pub use queue::queue_settings;
pub use source::{FeedError, Item, MAX_BODY_BYTES, Source, Visit};
