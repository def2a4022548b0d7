//! The size of a status: what is kept of logs has a bound over all steps together.
//!
//! Objects of a cluster are at most 1.5 MiB, and each change of one is sent whole to all who watch.

use crate::kube::status::{PodFailure, RunStatus};

/// Bytes of logs and messages of failed pods that a run keeps.
const FAILURE_BYTES: usize = 48 * 1024;
/// Bytes of a message beyond that.
const SHORT_MESSAGE: usize = 160;

/// Lets go of the oldest logs and messages beyond the bound.
pub(super) fn keep(status: &mut RunStatus) {
    let size =
        |failure: &PodFailure| failure.message.len() + failure.log.as_ref().map_or(0, String::len);
    let all = status.steps.iter_mut().flat_map(|step| &mut step.failures);
    let mut all: Vec<_> = all.collect();
    let mut bytes: usize = all.iter().map(|failure| size(failure)).sum();
    all.sort_by_key(|failure| failure.at);
    for failure in all {
        if bytes <= FAILURE_BYTES {
            return;
        }
        bytes -= size(failure);
        failure.message = super::text::fit(&failure.message, SHORT_MESSAGE);
        // Empty, not absent: it is not to be read again.
        failure.log = failure.log.as_ref().map(|_| String::new());
        bytes += size(failure);
    }
}
