//! How far a run is and when it may be through, in words for a column.

use std::time::Duration;

use super::view::View;
use crate::flow::Phase;
use crate::kube::status::{RunStatus, StepStatus};
use crate::spec::Work;

/// Puts down progress and the time that is left.
pub(super) fn show(view: &View<'_>, status: &mut RunStatus) {
    status.progress = progress(view, status);
    status.eta = if status.finished_at.is_some() {
        String::new()
    } else {
        eta(status).unwrap_or_default()
    };
}

fn progress(view: &View<'_>, status: &RunStatus) -> String {
    let pools = || status.steps.iter().filter_map(|step| step.pool.as_ref());
    let has_items = |work: &Work| matches!(work, Work::Items(_));
    if view.run.steps.iter().any(|step| has_items(&step.work)) {
        let through: u64 = pools()
            .map(super::super::status::PoolStatus::finished)
            .fold(0, u64::saturating_add);
        let total: u64 = pools().map(|pool| pool.total).fold(0, u64::saturating_add);
        return format!("{through}/{total}");
    }
    let ended = status.steps.iter().filter(|step| step.phase.has_ended());
    format!("{}/{}", ended.count(), status.steps.len())
}

/// The range in which the last of the pools that run is through; none if anything else is to come.
fn eta(status: &RunStatus) -> Option<String> {
    let open = status.steps.iter().filter(|step| !step.phase.has_ended());
    let ends = open.map(|step: &StepStatus| {
        let sizing = step.pool.as_ref()?.sizing.as_ref();
        sizing?.eta.filter(|_| step.phase == Phase::Running)
    });
    let ends = ends.collect::<Option<Vec<_>>>()?;
    let low = ends.iter().map(|eta| eta.low).max()?;
    let high = ends.iter().map(|eta| eta.high).max()?;
    let (low, high) = (rough(low), rough(high));
    Some(if low == high {
        low
    } else {
        format!("{low}..{high}")
    })
}

/// A time with as much of it as one wants to know: `45s`, `3m`, `2h10m`, `4d`.
pub(super) fn rough(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{minutes}m"),
        7200..172_800 if minutes % 60 == 0 => format!("{hours}h"),
        7200..172_800 => format!("{hours}h{}m", minutes % 60),
        _ => format!("{}d", hours / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_roughly() {
        let times = [0, 45, 119, 120, 3599, 7200, 7800, 345_600];
        let told = times.map(|seconds| rough(Duration::from_secs(seconds)));
        assert_eq!(
            told,
            ["0s", "45s", "119s", "2m", "59m", "2h", "2h10m", "4d"]
        );
    }
}
