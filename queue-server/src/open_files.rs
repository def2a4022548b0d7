//! How many files the process may open, which bounds the connections it can hold.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::debug;

use telemetry::chain;

/// The limit as it stands.
pub(crate) fn limit() -> usize {
    let current = getrlimit(Resource::Nofile).current;
    current.map_or(usize::MAX, |files| {
        usize::try_from(files).unwrap_or(usize::MAX)
    })
}

/// Raises the limit as far as the process may. The low default is for programs that wait with
/// `select`, which cannot count further; it is no judgement on how many are good for it.
pub(crate) fn raise() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        debug!(
            error.message = %chain(&error),
            "the limit of open files stays as it is"
        );
    }
}
