//! The planner against tables, and against a model of a cluster with faults.

mod forms;
mod of_queues;
mod of_rounds;
mod of_runs;
mod of_tries;
mod of_workers;
mod simulation;
mod size;
mod stage;
mod world;
