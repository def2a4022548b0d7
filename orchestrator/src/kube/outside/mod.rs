//! What a person does with runs in a cluster from outside of it: submit, look, follow, cancel, examine.
//!
//! It makes what a run needs and follows what becomes of it. It never makes or changes a Job of a step:
//! that is the controller's, and a run goes on without whoever looks at it from here.

pub(crate) mod bundle;
pub(crate) mod connect;
pub(crate) mod doctor;
pub(crate) mod fill;
pub(crate) mod follow;
pub(crate) mod forward;
pub(crate) mod leave;
pub(crate) mod needs;
pub(crate) mod order;
pub(crate) mod outcomes;
pub(crate) mod reach;
pub(crate) mod records;
pub(crate) mod stage;
pub(crate) mod submit;
pub(crate) mod verdict;

#[cfg(test)]
mod tests;
