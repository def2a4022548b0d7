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

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::extract::Request;
    use axum::http::StatusCode;
    use queue_api::RunPhase;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    use super::*;

    /// A server that takes every report, and what tells of each that came.
    async fn server() -> (Client, mpsc::UnboundedReceiver<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (came, comes) = mpsc::unbounded_channel();
        let app = Router::new().fallback(async move |_: Request| {
            came.send(()).expect("the test goes on");
            StatusCode::NO_CONTENT
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        let client = Client::new(&format!("http://{address}")).expect("an address");
        (client, comes)
    }

    fn running() -> RunReport {
        RunReport {
            run: "r".parse().expect("a name"),
            spec: "r".into(),
            namespace: None,
            phase: RunPhase::Running,
            started: jiff::Timestamp::UNIX_EPOCH,
            ended: None,
            message: None,
            updated: None,
            stale: false,
            steps: Vec::new(),
        }
    }

    #[tokio::test]
    async fn the_same_report_is_no_news() {
        let (client, mut came) = server().await;
        let report = running();
        let reporter = Reporter::new(client);
        reporter.tell(report.clone());
        came.recv().await.expect("it is told");
        reporter.tell(report);
        // Whatever is news is told before the end.
        reporter.end().await;
        assert_eq!(came.try_recv(), Err(mpsc::error::TryRecvError::Empty));
    }

    #[tokio::test]
    async fn what_changed_just_before_the_end_is_told() {
        let (client, mut came) = server().await;
        let mut report = running();
        let reporter = Reporter::new(client);
        reporter.tell(report.clone());
        came.recv().await.expect("it is told");
        report.phase = RunPhase::Succeeded;
        reporter.tell(report);
        reporter.end().await;
        came.try_recv().expect("it is told");
    }
}
