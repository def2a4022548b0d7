//! Answers that wait for the disk.
//!
//! The log's thread says how far it has come; one task lets go of whoever waited for that. One task,
//! because each wake-up from the log's thread would cross threads: a group of a hundred commands
//! costs one such crossing.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, Waker};

use queue_log::{Lsn, Progress};
use tokio::sync::Notify;

/// What an answer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::engine) struct Rest {
    /// Must survive the machine.
    pub(in crate::engine) durable: Lsn,
    /// Must survive the process.
    pub(in crate::engine) written: Lsn,
}

impl Rest {
    /// This, and something else that must survive the machine.
    pub(in crate::engine) fn and(self, durable: Lsn) -> Self {
        Self {
            durable: self.durable.max(durable),
            ..self
        }
    }
}

/// The log failed: nothing that waits will be on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) struct LogFailed(pub(in crate::engine) String);

/// Where answers wait.
#[derive(Debug, Default)]
pub(super) struct Gate {
    written: AtomicU64,
    durable: AtomicU64,
    has_failed: AtomicBool,
    failure: OnceLock<LogFailed>,
    waiting: Mutex<Vec<(Rest, Waker)>>,
    moved: Notify,
}

impl Gate {
    /// Takes note of how far the log has come. Called by the log's thread.
    pub(super) fn advance(&self, progress: &Progress) {
        self.written.store(progress.written.0, Ordering::Release);
        self.durable.store(progress.durable.0, Ordering::Release);
        if let Some(error) = &progress.failed {
            self.failure.get_or_init(|| LogFailed(error.to_string()));
            self.has_failed.store(true, Ordering::Release);
        }
        self.moved.notify_one();
    }

    /// Resolves when the log has moved since the last time.
    pub(super) async fn moved(&self) {
        self.moved.notified().await;
    }

    /// Wakes those who have what they wait for.
    pub(super) fn release(&self) {
        let mut waiting = self.lock();
        let all = self.failure().is_some();
        let ready = waiting.extract_if(.., |(rest, _)| all || self.has(*rest));
        let ready: Vec<Waker> = ready.map(|(_, waker)| waker).collect();
        drop(waiting);
        ready.into_iter().for_each(Waker::wake);
    }

    /// Why the log failed, if it did.
    pub(super) fn failure(&self) -> Option<&LogFailed> {
        match self.has_failed.load(Ordering::Acquire) {
            true => self.failure.get(),
            false => None,
        }
    }

    /// Waits until everything that an answer rests on is where it must be.
    pub(super) async fn wait(&self, rest: Rest) -> Result<(), LogFailed> {
        poll_fn(|context| {
            if self.has(rest) {
                return Poll::Ready(Ok(()));
            }
            let mut waiting = self.lock();
            // Looked at again under the lock: the release may have gone by meanwhile.
            if self.has(rest) {
                return Poll::Ready(Ok(()));
            }
            if let Some(failed) = self.failure() {
                return Poll::Ready(Err(failed.clone()));
            }
            waiting.push((rest, context.waker().clone()));
            Poll::Pending
        })
        .await
    }

    fn has(&self, rest: Rest) -> bool {
        rest.durable.0 <= self.durable.load(Ordering::Acquire)
            && rest.written.0 <= self.written.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Rest, Waker)>> {
        // Nothing that is done under the lock can panic half way.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use super::*;

    fn progress(written: u64, durable: u64) -> Progress {
        Progress {
            written: Lsn(written),
            durable: Lsn(durable),
            failed: None,
        }
    }

    fn rest(durable: u64, written: u64) -> Rest {
        Rest {
            durable: Lsn(durable),
            written: Lsn(written),
        }
    }

    #[tokio::test]
    async fn an_answer_waits_for_what_it_rests_on() {
        let gate = Arc::new(Gate::default());
        let wait = |rest| {
            let gate = Arc::clone(&gate);
            tokio::spawn(async move { gate.wait(rest).await })
        };
        gate.wait(rest(0, 0)).await.expect("it rests on nothing");
        let lease = wait(rest(0, 10));
        let enqueue = wait(rest(10, 0));
        while gate.lock().len() < 2 {
            tokio::task::yield_now().await;
        }
        gate.advance(&progress(10, 0));
        gate.release();
        assert_eq!(lease.await.expect("a task"), Ok(()));
        assert!(!enqueue.is_finished(), "written is not durable");
        gate.advance(&progress(10, 10));
        gate.release();
        assert_eq!(enqueue.await.expect("a task"), Ok(()));
    }

    #[tokio::test]
    async fn a_failed_log_lets_nobody_wait() {
        let gate = Arc::new(Gate::default());
        let waiting = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.wait(rest(10, 0)).await }
        });
        while gate.lock().is_empty() {
            tokio::task::yield_now().await;
        }
        gate.advance(&Progress {
            failed: Some(Arc::new(io::Error::other("the disk is gone"))),
            ..progress(5, 5)
        });
        gate.release();
        let failed = Err(LogFailed("the disk is gone".into()));
        assert_eq!(waiting.await.expect("a task"), failed);
        assert_eq!(gate.wait(rest(10, 0)).await, failed);
        assert_eq!(gate.wait(rest(5, 0)).await, Ok(()), "it is on disk");
    }
}
