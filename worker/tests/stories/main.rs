//! The worker as its users meet it: the real program against a real server, on real processes.
#![allow(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping it"
)]
#![allow(clippy::print_stderr, reason = "a test that is passed over says so")]

mod ahead;
mod bench;
mod builtins;
mod commands;
mod crash;
mod dead;
mod docs;
mod faults;
mod finish;
mod first_process;
mod health;
mod http;
mod idle;
mod install;
mod kuard;
mod logs;
mod metrics;
mod processes;
mod proxy;
mod stop;
mod tls;
mod tokens;
