//! The duties of a container's first process: it must hand signals on, because the kernel ignores
//! those that process 1 has no handler for, and it must bury the orphans of its whole container.
//!
//! Such a process starts itself again as its child and does nothing else. The child is then an
//! ordinary process, whose own children are nobody's business but its own.

use std::io;
use std::process::{Command, ExitCode};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

/// Signals that are the child's to act on.
const FORWARDED: [i32; 6] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2];
/// What shells exit with when they can not run a command.
const CANNOT_RUN: u8 = 126;

/// Supervises a copy of this program if this process is the first of its container. Call it before
/// there are threads.
#[must_use]
pub(crate) fn supervise_if_first() -> Option<ExitCode> {
    if rustix::process::getpid() != Pid::INIT {
        return None;
    }
    let copy = || {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(std::env::args_os().skip(1));
        supervise(command)
    };
    match copy() {
        Ok(code) => Some(ExitCode::from(code)),
        Err(error) => {
            complain(&error);
            Some(ExitCode::from(CANNOT_RUN))
        }
    }
}

#[allow(
    clippy::print_stderr,
    reason = "there is no log yet, and there will be none"
)]
fn complain(error: &io::Error) {
    eprintln!("memq: cannot start itself as a child of the first process: {error}");
}

/// Runs a command to its end, handing signals on and burying whatever else dies. Returns the exit
/// code a shell would give.
fn supervise(mut command: Command) -> io::Result<u8> {
    // Before the child, so that none of its signals is missed.
    let mut signals = Signals::new(FORWARDED.iter().chain(&[SIGCHLD]))?;
    let child = command.spawn()?;
    let child = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("the child has no process id"))?;
    if let Some(code) = bury(child)? {
        return Ok(code);
    }
    for signal in signals.forever() {
        if signal == SIGCHLD {
            if let Some(code) = bury(child)? {
                return Ok(code);
            }
        } else if let Some(signal) = Signal::from_named_raw(signal) {
            // The child may have ended a moment ago; its SIGCHLD is on the way.
            let _ = rustix::process::kill_process(child, signal);
        }
    }
    Err(io::Error::other("the stream of signals ended"))
}

/// Waits for all that is dead, without blocking. The code of the child if it is among them.
fn bury(child: Pid) -> io::Result<Option<u8>> {
    let mut code = None;
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == child => code = Some(code_of(status)),
            Ok(Some(_orphan)) => {}
            Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(code),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn code_of(status: WaitStatus) -> u8 {
    let code = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => i32::from(CANNOT_RUN),
    };
    u8::try_from(code).unwrap_or(u8::MAX)
}
