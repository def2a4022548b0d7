//! A typed client of the memq queue server.
//!
//! It knows the calls of `/v1`, how long each may take, and which of them may be repeated after a
//! failure: those whose repetition changes nothing. It keeps leases alive from a task of their own
//! ([`Renewer`]). It does not know what an item means, nor when a worker should stop.
//!
//! ```
//! use queue_api::{LeaseRequest, SettleAs, Settlement};
//! use queue_client::{Client, EnqueueOptions};
//!
//! # use queue_server::{Config, Server, Storage};
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let config = Config { listen: ([127, 0, 0, 1], 0).into(), storage: Storage::Memory, ..Config::default() };
//! # let mut server = Server::start(config).await?;
//! # server.recovered().await?;
//! # let url = server.url();
//! let queue = Client::new(&url)?.queue("thumbs".parse()?);
//! let options = EnqueueOptions { create: true, seal: true, ..EnqueueOptions::default() };
//! queue.enqueue_lines("a.png\nb.png\n", options).await?;
//!
//! let renewer = queue.renewer(None);
//! let answer = queue.lease(&LeaseRequest { max: Some(2), ..LeaseRequest::default() }).await?;
//! for item in answer.items {
//!     let lease = renewer.hold(item); // renewed until it is dropped
//!     let ack = Settlement::new(lease.lease.clone(), SettleAs::Ack);
//!     queue.settle(vec![ack]).await?;
//! }
//! assert!(queue.show().await?.drained);
//! # Ok(())
//! # }
//! ```
//!
//! `examples/drain.rs` is a whole worker.
//!
//! # What is repeated
//!
//! A call that fails on the way is made again, with growing pauses, for as long as the client's patience lasts
//! ([`ClientBuilder::give_up_after`], [`QueueClient::with_give_up_after`]): but only if doing it twice is as
//! doing it once.
//!
//! - [`enqueue`](QueueClient::enqueue) and its kin carry an `Idempotency-Key`: the caller's, or one that the client
//!   makes up. A client without patience repeats nothing, and sends only keys it was given.
//! - A [`lease`](QueueClient::lease) whose answer was lost runs out, and its items come back.
//! - The settlement that made an item's last step answers the same again.
//! - [`delete`](QueueClient::delete) and [`cancel`](QueueClient::cancel) take what is gone after a try that broke off
//!   for done.
//! - [`purge`](QueueClient::purge) and [`redrive`](QueueClient::redrive) would take what came meanwhile: they are
//!   repeated only where the server certainly did nothing. Backups and restores are never begun again.
//!
//! A call that was refused for its [`Token`] was not carried out: if the token's file holds another by then, the call
//! is made once more with that. If that is of no help, but the token was let in before or its file has changed, tokens
//! may be changing: the call is made again and again for two minutes, or as long as the patience lasts if that is less.
//!
//! A refusal that may pass (429, 503, 507) is a failure on the way; any other is final and comes as
//! [`Error::Problem`] with its code.

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
mod refusal;
mod renewer;
mod runs;
mod tls;
mod token;
mod transport;

pub use address::{DEFAULT_URL, SERVER_VARIABLE, named_server};
pub use client::{Client, ClientBuilder, check_address, without_user};
pub use enqueue::{Bodies, EnqueueOptions, Placed};
pub use error::Error;
pub use lease::Lease;
pub use look::Look;
pub use memq::MemqClient;
pub use queue::{CARRY_BYTES, QueueClient, carry_bytes};
pub use renewer::Renewer;
#[cfg(feature = "clap")]
pub use token::TokenArg;
pub use token::{BadToken, TOKEN_FILE_VARIABLE, TOKEN_VARIABLE, Token, TokenFrom};

pub use reqwest::header::HeaderValue;

/// What a call of this crate answers.
pub type Result<T> = std::result::Result<T, Error>;
