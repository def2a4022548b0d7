//! What becomes of what a run brought along, once nobody follows it any more.
//!
//! It holds the run's queues and controller: as long as the run may go on, nobody takes it away, whatever kept it
//! from being seen. Whoever followed is told how to look at it and how to stop it instead.

use kube::Client;

use super::bundle::{self, Brought};
use super::records::Record;
use super::verdict::{End, Report};
use crate::kube::status::RunPhase;

/// Takes away what a run brought, if nothing needs it any more; what is to be said of that.
pub(crate) async fn leave(
    client: &Client,
    record: &Record,
    brought: Option<&Brought>,
    followed: Result<&Report, &anyhow::Error>,
) -> Option<String> {
    let Record {
        name, namespace, ..
    } = record;
    let goes_on = || {
        format!(
            "{name}: it may still go on in the cluster: `memq wait {name} -n {namespace}` looks, \
             `memq cancel {name} -n {namespace}` stops it"
        )
    };
    let report = match followed {
        Ok(report) if matches!(report.end, End::Detached | End::Unfinished(_)) => return None,
        Ok(report) if is_over(report) => report,
        _ => return Some(goes_on()),
    };
    let error = bundle::take_away(client, brought?).await.err()?;
    let job = bundle::job(&report.record.name);
    Some(format!(
        "{error}; if it has not ended by itself, `kubectl delete job {job} -n {namespace}` takes it away"
    ))
}

/// Whether nothing of it goes on: it has ended, is lost, or never began.
fn is_over(report: &Report) -> bool {
    let status = report.record.status.as_ref();
    matches!(report.end, End::Lost(_))
        || status.is_ok_and(|s| s.phase.has_ended() || s.phase == RunPhase::Pending)
}
