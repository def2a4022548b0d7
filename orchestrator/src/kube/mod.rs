//! Runs in a cluster: what Kubernetes is told, what is seen of it, and what is done next.
//!
//! From pure to outside: `status` (what is kept), `render` (objects from a spec), `plan` (what to do next), and the shells around them.

pub mod plan;
pub mod status;
