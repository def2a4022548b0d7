//! Where a run and its steps are, in the words of the wire.

use queue_api::{RunPhase, StepPhase};

use crate::flow::Phase;
use crate::kube::status;

impl From<Phase> for StepPhase {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Pending => Self::Pending,
            Phase::Running => Self::Running,
            Phase::Succeeded => Self::Succeeded,
            Phase::Failed => Self::Failed,
            Phase::Skipped => Self::Skipped,
        }
    }
}

impl From<status::RunPhase> for RunPhase {
    fn from(phase: status::RunPhase) -> Self {
        match phase {
            status::RunPhase::Pending => Self::Pending,
            status::RunPhase::Running => Self::Running,
            status::RunPhase::Stopping => Self::Stopping,
            status::RunPhase::Succeeded => Self::Succeeded,
            status::RunPhase::Failed => Self::Failed,
            status::RunPhase::Cancelled => Self::Cancelled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// People read both: the words of `memq ls` and `memq show`, and those of the page.
    #[test]
    fn a_phase_is_the_same_word_wherever_it_stands() {
        use status::RunPhase as Kept;
        for phase in [
            Kept::Pending,
            Kept::Running,
            Kept::Stopping,
            Kept::Succeeded,
            Kept::Failed,
            Kept::Cancelled,
        ] {
            assert_eq!(format!("{:?}", RunPhase::from(phase)), format!("{phase:?}"));
            assert_eq!(RunPhase::from(phase).has_ended(), phase.has_ended());
        }
        for phase in [
            Phase::Pending,
            Phase::Running,
            Phase::Succeeded,
            Phase::Failed,
            Phase::Skipped,
        ] {
            assert_eq!(
                format!("{:?}", StepPhase::from(phase)),
                format!("{phase:?}")
            );
        }
    }
}
