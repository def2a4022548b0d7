//! What is done with an item, and what cuts it short: its time limit, a lost lease, a worker that
//! stops.

use std::time::Duration;

use queue_client::Lease;
use tokio_util::sync::CancellationToken;

use crate::args::Builtin;
use crate::builtin;
use crate::command::Program;
use crate::verdict::{Failure, Verdict};

/// Handles items, any number at a time.
#[derive(Debug)]
pub(crate) struct Handler {
    pub(crate) work: Work,
    /// Longest an item may take.
    pub(crate) limit: Option<Duration>,
}

/// How an item is handled.
#[derive(Debug)]
pub(crate) enum Work {
    Command(Program),
    Builtin(Builtin),
}

/// Cuts handlers short when the worker stops.
#[derive(Debug, Clone, Default)]
pub(crate) struct Halt {
    /// The grace is over: end what runs, in its own way where there is one.
    pub(crate) end: CancellationToken,
    /// End it at once.
    pub(crate) kill: CancellationToken,
}

/// What cut a handler short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Its time limit passed.
    Limit(Duration),
    /// Another worker may have the item by now.
    Lost,
    /// The worker stops.
    Stop,
}

impl Handler {
    /// Handles one item to its end or until it is cut short.
    pub(crate) async fn handle(&self, lease: &Lease, halt: &Halt) -> Verdict {
        let cut = cut(lease, self.limit, halt);
        match &self.work {
            Work::Command(program) => program.handle(lease, cut, &halt.kill).await,
            Work::Builtin(builtin) => {
                tokio::select! {
                    biased;
                    verdict = builtin::handle(*builtin, &lease.body.0) => verdict,
                    cut = cut => cut.verdict(Failure::default()),
                }
            }
        }
    }
}

/// Ends when the handler is to be cut short. An item past its own limit has failed, even if the
/// worker stops as well.
async fn cut(lease: &Lease, limit: Option<Duration>, halt: &Halt) -> Cut {
    let limit_passes = async {
        match limit {
            Some(limit) => {
                tokio::time::sleep(limit).await;
                limit
            }
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = lease.lost() => Cut::Lost,
        limit = limit_passes => Cut::Limit(limit),
        () = halt.end.cancelled() => Cut::Stop,
    }
}

impl Cut {
    /// What that makes of the item; the failure holds what the handler said until then.
    pub(crate) fn verdict(self, failure: Failure) -> Verdict {
        let with = |headline: String| Failure {
            error: match failure.error.is_empty() {
                true => headline,
                false => format!("{headline}\n{}", failure.error),
            },
            exit_code: None,
        };
        match self {
            Self::Lost => Verdict::Lost,
            Self::Limit(limit) => Verdict::Nack(with(format!(
                "stopped at its time limit of {} s",
                limit.as_secs_f64()
            ))),
            Self::Stop => {
                Verdict::Release(with("given back: its worker was told to stop".into()), None)
            }
        }
    }
}
