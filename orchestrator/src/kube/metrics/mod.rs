//! What the controller counts of itself and of its runs.
//!
//! No label is a run's own name: series must not grow with the runs that ever were.

mod itself;
mod runs;

use std::time::Duration;

use kube::Client;
use metrics::{Catalog, Group, PROCESS, Process};
use prometheus::{IntGauge, Registry};

use self::itself::Itself;
use self::runs::Runs;
pub(super) use self::runs::{Shown, UNREADABLE};
use super::cluster::RunKey;
use super::status::RunStatus;

/// Everything that `GET /metrics` of a controller shows.
pub const CATALOG: Catalog = Catalog {
    program: "memq controller",
    place: "`GET /metrics` on the address of `--listen`. The controller that leads tells of the runs; \
            one that waits has no series of them.",
    groups: &[
        Group {
            title: "itself",
            about: "",
            families: itself::FAMILIES,
        },
        Group {
            title: "runs and steps",
            about: "Runs of one spec share their series: numbers are added up, and of ages and ETAs the largest is told. The \
                    spec's name is what its runs are called but for the letters that `generateName` adds; `_unreadable` are \
                    specs that cannot be read, `_other` those past 1,000 names. Gauges go when their last run has ended.",
            families: runs::FAMILIES,
        },
        Group {
            title: "process",
            about: "",
            families: PROCESS,
        },
    ],
};

/// The program that answers, if it is asked what it is.
const PROGRAM: Process = Process {
    program: "memq",
    version: env!("CARGO_PKG_VERSION"),
};

/// The controller's metrics.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    registry: Registry,
    itself: Itself,
    runs: Runs,
}

impl Metrics {
    /// All of them, at zero.
    pub(super) fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        Ok(Self {
            itself: Itself::new(&registry)?,
            runs: Runs::new(&registry)?,
            registry,
        })
    }

    pub(super) fn leads(&self, leads: bool) {
        self.itself.leading.set(i64::from(leads));
    }

    /// A run is looked after for as long as this is held.
    pub(super) fn keeping(&self) -> Keeping {
        self.itself.kept.inc();
        Keeping(self.itself.kept.clone())
    }

    /// How many runs are looked after now.
    pub(super) fn kept(&self) -> u32 {
        u32::try_from(self.itself.kept.get()).unwrap_or(0)
    }

    /// A run was looked at, and what was to be done was done.
    pub(super) fn looked(&self, took: Duration) {
        self.itself.looked(took);
    }

    /// Something failed that is tried again: one of the words of the catalog.
    pub(super) fn failed(&self, what: &str) {
        self.itself.failed(what);
    }

    /// The same client, whose requests are counted.
    pub(super) fn counted(&self, client: Client) -> Client {
        self.itself.counted(client)
    }

    /// A status of a run of this spec was written in place of another.
    pub(super) fn wrote(&self, spec: &str, before: &RunStatus, after: &RunStatus) {
        self.runs.wrote(spec, before, after);
    }

    /// A run of which is told how far it is, for as long as this is held.
    pub(super) fn shown(&self, key: &RunKey) -> Shown {
        self.runs.shown(key)
    }

    /// All of them as Prometheus reads them.
    pub(super) fn text(&self) -> prometheus::Result<String> {
        let mut families = self.registry.gather();
        families.push(self.itself.collect());
        families.extend(self.runs.collect());
        families.extend(PROGRAM.collect());
        metrics::text(families)
    }
}

/// A run that is looked after.
pub(super) struct Keeping(IntGauge);

impl Drop for Keeping {
    fn drop(&mut self) {
        self.0.dec();
    }
}
