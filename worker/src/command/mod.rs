//! A command as a handler: one process group an item.
//!
//! `program` is what to run, checked before any item is leased; `process` runs it for one item;
//! `output` keeps what it says. What a handler sees and how it answers is laid down in the design of
//! handlers; leases and wires are not known here.

mod output;
mod process;
mod program;

pub(crate) use program::{NotRunnable, Program};
