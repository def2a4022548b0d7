//! A process group and its end.

use std::pin::Pin;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::Child;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A group that was asked to end is killed after this.
const TERM_TIME: Duration = Duration::from_secs(2);
/// What is left of a group when its first process has ended gets this much more.
const STRAGGLE: Duration = Duration::from_millis(500);

/// A process group. Killed when dropped: no way out of a handler leaves one behind by accident.
#[derive(Debug)]
pub(crate) struct Group(Option<Pid>);

impl Group {
    pub(crate) fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }

    /// The child ended by itself: what it left running is its own choice.
    pub(crate) fn leave(mut self) {
        self.0 = None;
    }

    /// Ends the group: asks, waits a moment, kills whatever is left. `child` is the end of the child
    /// itself.
    pub(crate) async fn end<T>(
        mut self,
        mut child: Pin<&mut impl Future<Output = T>>,
        kill: &CancellationToken,
    ) {
        let Some(group) = self.0 else { return };
        let _ = kill_process_group(group, Signal::TERM);
        let mut buried = false;
        let all_gone = async {
            // First the child: dead but not waited for, it still counts as one of the group.
            child.as_mut().await;
            buried = true;
            let stragglers = Instant::now() + STRAGGLE;
            while Instant::now() < stragglers && test_kill_process_group(group).is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = all_gone => {}
            () = tokio::time::sleep(TERM_TIME) => {}
            () = kill.cancelled() => {}
        }
        let _ = kill_process_group(group, Signal::KILL);
        self.0 = None;
        if !buried {
            // Only a moment, unless the kernel holds it.
            let _ = tokio::time::timeout(TERM_TIME, child).await;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
