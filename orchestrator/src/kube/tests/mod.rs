//! Stories of the controller against a fake API server and a real queue server.
//!
//! A test plays Kubernetes and the workers: it starts and ends pods and goes through queues. Everything
//! else is the controller itself.

mod of_answers;
mod of_crashes;
mod of_ephemeral;
mod of_leaders;
mod of_loads;
mod of_queues;
mod of_reports;
mod of_rest;
mod of_runs;
mod of_watches;
mod world;
