//! The memq worker: leases items of one queue, runs a handler for each, settles them, and ends when
//! the queue is finished and not before.
//!
//! Layers, from pure to outside: [`slots`] decides what to do next and knows nothing but counts and
//! instants; `outbox` holds what is to be settled; `drain` carries out; handlers (`command`,
//! `process`, `http`, `builtin`) see one item at a time and know nothing of leases; `child` is what
//! those share that start programs. `kuard` is another program in the same binary: the workload of
//! kuard, with its flags, over its API.

#![forbid(unsafe_code)]

mod args;
mod builtin;
mod child;
mod command;
mod config;
mod drain;
mod exit;
mod handler;
mod health;
mod http;
mod init;
mod install;
mod keygen;
mod kuard;
mod max_dead;
pub mod metrics;
mod outbox;
mod process;
mod run;
mod slots;
mod stop;
mod summary;
#[cfg(test)]
mod testing;
mod verdict;
mod work;

pub use args::{Args, Builtin, KeepLogs, UntilArg};
pub use keygen::fingerprint_of_new_key;
pub use kuard::Flags as KuardFlags;
pub use max_dead::{MaxDead, NoMaxDead};
pub use run::run;
pub use telemetry::LogFormat;
