//! A typed client of the memq queue server.
//!
//! It knows the calls of `/v1`, how long each may take, and which of them may be repeated after a
//! failure: those whose repetition changes nothing. It keeps leases alive from a task of their own
//! ([`Renewer`]). It does not know what an item means, nor when a worker should stop.

#![forbid(unsafe_code)]

mod address;
mod backup;
mod client;
mod enqueue;
mod error;
mod follow;
mod lease;
mod look;
mod memq;
mod queue;
mod renewer;
mod transport;

pub use address::{DEFAULT_URL, SERVER_VARIABLE, named_server};
pub use client::{Client, ClientBuilder};
pub use enqueue::{Bodies, EnqueueOptions, Placed};
pub use error::Error;
pub use lease::Lease;
pub use look::Look;
pub use memq::MemqClient;
pub use queue::{CARRY_BYTES, QueueClient, carry_bytes};
pub use renewer::Renewer;

/// What a call of this crate answers.
pub type Result<T> = std::result::Result<T, Error>;
