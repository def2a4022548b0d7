//! The queue service: named queues over HTTP.
//!
//! `engine` holds the queues, `http` speaks of them, `serve` owns the connections, and [`Server`] puts
//! them together, for the program `memq-server` and for programs that bring their own server along.

mod args;
mod config;
mod engine;
mod fsck;
mod http;
pub mod metrics;
mod open_files;
mod program;
mod recent;
mod runs;
mod serve;
mod server;
mod volume;

pub use args::Args;
pub use config::{Access, Config, ConfigError, ConnectionLimits, DiskStorage, HttpLimits, Storage};
pub use http::guard::{BadTokens, TokensError};
pub use http::openapi::document as openapi;
pub use program::{run, run_beside};
/// What a [`Machine`] may bring along, and what a server uses otherwise.
pub use queue_log::{Disk, DiskFile, RealDisk};
pub use serve::Stopped;
pub use server::{Broken, Machine, Server, StartError};
