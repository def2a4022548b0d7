//! A process of this same program in a group of its own, told what to do by signals and waited for.
//!
//! It holds a pipe to the process's standard input that is never written to: when this process ends,
//! however it ends, the pipe closes and the other one stops.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::Child;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::plan::Exit;

/// How long a process that was told to end at once may take to kill what it runs.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What a process has been asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(super) enum Asked {
    /// To go on.
    Work,
    /// To stop in peace.
    Stop,
    /// To end at once.
    Die,
}

/// Asks for more than before; tells whether that is a change.
pub(super) fn raise(asked: &mut Asked, to: Asked) -> bool {
    let raised = *asked < to;
    if raised {
        *asked = to;
    }
    raised
}

/// Holds the process's pipe and waits for its end; only while it has not been waited for does its
/// number name it, so signals are sent from here.
pub(super) async fn watch_over(mut child: Child, mut asked: watch::Receiver<Asked>) -> Exit {
    let pipe = child.stdin.take();
    let process = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    // A failure to send means that it has ended already, which the wait will say.
    let term = || process.map(|process| kill_process(process, Signal::TERM));
    let mut now = *asked.borrow_and_update();
    let status = loop {
        if now > Asked::Work {
            term();
        }
        if now == Asked::Die {
            // Asked twice it kills what it runs, which lies in process groups of its own and would
            // be left behind if only the process itself were killed. The second signal is another
            // one: of two that are the same one may be lost.
            process.map(|process| kill_process(process, Signal::INT));
            if let Ok(status) = timeout(LAST_WORDS, child.wait()).await {
                break status;
            }
            process.map(|process| kill_process_group(process, Signal::KILL));
            break child.wait().await;
        }
        tokio::select! {
            status = child.wait() => break status,
            changed = asked.changed() => {
                // Whoever asks is gone without having asked: end it, rather than leave it behind.
                now = changed.map_or(Asked::Die, |()| *asked.borrow_and_update());
            }
        }
    };
    drop(pipe);
    status.map_or(Exit::NotStarted, exit_of)
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::NotStarted,
    }
}
