//! What is done with an item, and what cuts it short: its time limit, a lost lease, a worker that
//! stops.

use std::time::Duration;

use queue_client::Lease;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::args::Builtin;
use crate::builtin;
use crate::command::PerItem;
use crate::http::Endpoint;
use crate::process::Processes;
use crate::verdict::{Failure, Verdict};

/// Handles items, any number at a time.
#[derive(Debug)]
pub(crate) struct Handler {
    pub(crate) work: Work,
    /// Longest an item may take.
    pub(crate) limit: Option<Duration>,
    /// Whether what an item's handler printed is kept with an attempt that was no failure, too.
    pub(crate) keep_all_logs: bool,
}

/// How an item is handled.
#[derive(Debug)]
pub(crate) enum Work {
    /// A command, started for it.
    Command(PerItem),
    /// A process that is there already.
    Process(Processes),
    /// A server.
    Http(Endpoint),
    /// What needs no program.
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
        let (limit, kill) = (self.limit, &halt.kill);
        let verdict = match &self.work {
            Work::Command(command) => command.handle(lease, cut(lease, limit, halt), kill).await,
            // The item's time begins when it is handed over, which these know.
            Work::Process(processes) => {
                let cut = cut(lease, None, halt);
                processes.handle(lease, limit, cut, kill).await
            }
            Work::Http(endpoint) => endpoint.handle(lease, limit, cut(lease, None, halt)).await,
            Work::Builtin(builtin) => {
                tokio::select! {
                    biased;
                    verdict = builtin::handle(*builtin, &lease.body.0) => verdict,
                    cut = cut(lease, limit, halt) => cut.verdict(String::new()),
                }
            }
        };
        match verdict {
            Verdict::Ack { result, .. } if !self.keep_all_logs => Verdict::Ack {
                result,
                log: String::new(),
            },
            other => other,
        }
    }

    /// Looks after what is there while it has no item. Never ends; to be polled anew after each item.
    pub(crate) async fn attend(&self) {
        match &self.work {
            Work::Process(processes) => processes.attend().await,
            Work::Command(_) | Work::Http(_) | Work::Builtin(_) => std::future::pending().await,
        }
    }

    /// Ends what is there beyond an item: asks first, until `end`. Call it when no item is handled
    /// any more.
    pub(crate) async fn close(&self, end: Instant, halt: &Halt) {
        match &self.work {
            Work::Process(processes) => processes.close(end, &halt.kill).await,
            Work::Command(_) | Work::Http(_) | Work::Builtin(_) => {}
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
    /// What that makes of the item, with what its handler printed until then.
    pub(crate) fn verdict(self, output: String) -> Verdict {
        let verdict = match self {
            Self::Lost => Verdict::Lost,
            Self::Limit(limit) => Verdict::nack(Failure::new(format!(
                "stopped at its time limit of {} s",
                limit.as_secs_f64()
            ))),
            Self::Stop => {
                let text = "given back: its worker was told to stop";
                Verdict::Release(Failure::new(text), None)
            }
        };
        verdict.with_output(output)
    }
}
