//! Being told to stop: whoever waits hears it, and what was made in the cluster is still taken away.

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Whether the whole of it was told to stop.
pub(super) static STOP: Stop = Stop {
    told: Mutex::new(false),
    bell: Condvar::new(),
};

/// What is told once and heard everywhere.
pub(super) struct Stop {
    told: Mutex<bool>,
    bell: Condvar,
}

impl Stop {
    /// Listens for Ctrl-C and SIGTERM from now on; the second ends the process at once.
    pub(super) fn listen(&'static self) -> Result<()> {
        let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot listen for signals")?;
        thread::spawn(move || {
            for signal in signals.forever() {
                if self.is_told() {
                    let _unknown = signal_hook::low_level::emulate_default_handler(signal);
                }
                self.tell();
            }
        });
        Ok(())
    }

    fn tell(&self) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_all();
    }

    pub(super) fn is_told(&self) -> bool {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a little time pass between two looks, less if it is told meanwhile.
    pub(super) fn pause(&self, time: Duration) {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let _woken = self.bell.wait_timeout(told, time);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn whoever_waits_hears_it() {
        static HERE: Stop = Stop {
            told: Mutex::new(false),
            bell: Condvar::new(),
        };
        let began = Instant::now();
        let waits = thread::spawn(|| {
            while !HERE.is_told() {
                HERE.pause(Duration::from_secs(600));
            }
        });
        while !waits.is_finished() {
            HERE.tell();
            assert!(began.elapsed() < Duration::from_secs(60), "nobody heard it");
        }
    }
}
