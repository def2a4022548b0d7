//! Tells a server how far a run is, beside the run: from a task of its own that nobody waits for.
//!
//! Whoever carries the run out leaves the latest report here and goes on. A server that cannot be reached,
//! or does not want to hear it, is a line in the log and nothing else. It does not know what a report says.

mod beat;
mod words;

use std::time::Duration;

use queue_api::RunReport;
use queue_client::Client;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, warn};

use beat::{Beat, Turn};

/// How long a server may take to answer.
const TRY: Duration = Duration::from_secs(5);
/// How long the end of a run is waited for to arrive.
const LAST_WORD: Duration = Duration::from_secs(2);

/// The way of one run's reports to one server.
#[derive(Debug)]
pub(crate) struct Reporter {
    told: watch::Sender<Option<RunReport>>,
    task: AbortOnDropHandle<()>,
}

impl Reporter {
    /// Reports to this server. Dropped it says nothing more.
    pub(crate) fn new(server: Client) -> Self {
        let (told, reports) = watch::channel(None);
        Self {
            told,
            task: AbortOnDropHandle::new(tokio::spawn(report(server, reports))),
        }
    }

    /// How far the run is now. Takes no time; of several in a second the last is sent.
    pub(crate) fn tell(&self, report: RunReport) {
        self.told.send_if_modified(|told| {
            let news = told.as_ref() != Some(&report);
            if news {
                *told = Some(report);
            }
            news
        });
    }

    /// Waits until what was told last has arrived, for a moment at most.
    pub(crate) async fn end(self) {
        let Self { told, task } = self;
        drop(told);
        let _late = timeout(LAST_WORD, task).await;
    }
}

async fn report(server: Client, mut reports: watch::Receiver<Option<RunReport>>) {
    let begin = Instant::now();
    let mut beat = Beat::default();
    loop {
        let due = beat.due().map(|due| begin + due);
        let more = tokio::select! {
            told = reports.changed() => told.is_ok(),
            () = until(due) => {
                tell(&server, &reports, &mut beat, begin).await;
                continue;
            }
        };
        if more {
            let ended = reports.borrow_and_update();
            beat.has_news(ended.as_ref().is_some_and(|it| it.phase.has_ended()));
            continue;
        }
        // What was left here just before the end is news, too; whoever waits does not wait for a pause.
        if beat.is_behind() {
            tell(&server, &reports, &mut beat, begin).await;
        }
        return;
    }
}

async fn tell(
    server: &Client,
    reports: &watch::Receiver<Option<RunReport>>,
    beat: &mut Beat,
    begin: Instant,
) {
    let Some(report) = reports.borrow().clone() else {
        return;
    };
    let report = report.cut_to_limits();
    let run = &report.run;
    let came = server.report_run(&report, TRY).await;
    match (beat.tried(begin.elapsed(), came.is_ok()), came) {
        (Turn::Lost, Err(error)) => {
            let error = crate::kube::say(&error);
            warn!(run.name = %run, server.url = server.url(), error.message = error, "the server does not take reports of the run; going on without");
        }
        (Turn::Found, _) => debug!(run.name = %run, "the server takes reports of the run again"),
        _ => {}
    }
}

/// Sleeps until then; for ever, if there is no then.
async fn until(then: Option<Instant>) {
    match then {
        Some(then) => sleep_until(then).await,
        None => std::future::pending().await,
    }
}
