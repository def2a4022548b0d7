//! A model of what a run lives among, written from the facts in the Job controller's rules: Jobs, pods, workers, a
//! queue, and a controller process that crashes. Time is virtual, chance comes from a seed.
//!
//! It does not know the planner's insides; it is told actions and shows what can be seen.

mod chance;
mod cluster;
mod driver;
mod items;
mod sight;
mod worker;

pub(super) use cluster::{Fate, Weather};
pub(super) use driver::{Driver, Faults};
pub(super) use items::Items;
pub(super) use worker::Habits;
