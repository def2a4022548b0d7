//! Runs: telling a server how far one is, and what it was told of them.

use std::time::Duration;

use queue_api::limits::MAX_PAGE_RUNS;
use queue_api::{Code, RunList, RunName, RunReport};
use reqwest::Method;

use crate::transport::{Call, Repeat};
use crate::{Client, Result};

impl Client {
    /// The last report of each run that the server knows, of the run that began last first.
    pub async fn runs(&self) -> Result<Vec<RunReport>> {
        let mut runs = Vec::new();
        let mut path = format!("/v1/runs?limit={MAX_PAGE_RUNS}");
        loop {
            let call = Call::new(Method::GET, "list the runs", None, path);
            let list: RunList = self.transport().send(&call).await?.json()?;
            runs.extend(list.runs);
            let Some(next) = list.next else {
                return Ok(runs);
            };
            // A number and a name, which need no encoding.
            path = format!("/v1/runs?limit={MAX_PAGE_RUNS}&after={next}");
        }
    }

    /// The last report of a run. One that nobody reported of late is `no_such_run`.
    pub async fn run(&self, name: &RunName) -> Result<RunReport> {
        let call = Call::new(Method::GET, "show a run", None, path(name));
        self.transport().send(&call).await?.json()
    }

    /// Tells how far a run is, in one try that takes no longer than `within`: the next report makes good for
    /// one that did not arrive. [`RunReport::cut_to_limits`] makes any report one that is taken.
    pub async fn report_run(&self, report: &RunReport, within: Duration) -> Result<()> {
        let call = Call::new(Method::PUT, "report a run", None, path(&report.run))
            .try_timeout(within)
            .repeat(Repeat::Never);
        self.transport().send_json(call, report).await.map(drop)
    }

    /// Makes the server forget what it was told of a run; one that it does not know is forgotten. If the run
    /// goes on, its next report brings it back.
    pub async fn forget_run(&self, name: &RunName) -> Result<()> {
        let call = Call::new(Method::DELETE, "forget a run", None, path(name));
        match self.transport().send(&call).await {
            Err(error) if error.code() == Some(Code::NoSuchRun) => Ok(()),
            sent => sent.map(drop),
        }
    }
}

/// A name needs no encoding.
fn path(name: &RunName) -> String {
    format!("/v1/runs/{name}")
}
