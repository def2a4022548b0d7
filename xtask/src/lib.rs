//! The project's own commands, and the house rules that its tests keep.
//!
//! [`steps`] runs other programs and names the one that failed. [`house`] reads the workspace's
//! sources and says what breaks a rule; `tests/house.rs` holds the workspace to them. Neither knows
//! anything about queues.

#![forbid(unsafe_code)]

pub mod house;
pub mod steps;
