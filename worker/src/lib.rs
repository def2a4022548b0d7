//! The memq worker: leases items of one queue, runs a handler for each, settles them, and ends when
//! the queue is finished and not before.
//!
//! Layers, from pure to outside: [`slots`] decides what to do next and knows nothing but counts and
//! instants; `outbox` holds what is to be settled; `drain` carries out; handlers (`command`,
//! `builtin`) see one item at a time and know nothing of leases. `kuard` is another program in the
//! same binary: the workload of kuard, with its flags, over its API.

#![forbid(unsafe_code)]

mod args;
mod builtin;
mod command;
mod config;
mod drain;
mod exit;
mod handler;
mod health;
mod init;
mod install;
mod keygen;
mod kuard;
mod log;
mod outbox;
mod run;
mod slots;
mod stop;
mod summary;
mod verdict;

pub use args::{Args, Builtin, LogFormat, UntilArg};
pub use keygen::fingerprint_of_new_key;
pub use kuard::Flags as KuardFlags;
pub use run::run;
