//! What the controller counts of itself and of its runs.
//!
//! No label is a run's own name: series must not grow with the runs that ever were.

mod itself;
mod runs;

use metrics::{Catalog, Group, PROCESS};
use prometheus::{Encoder as _, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

use super::status::{RunPhase, RunStatus};
use crate::flow::Phase;

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
            about: "Runs of one spec share their series: numbers are added up, and of ages and ETAs the largest \
                    is told. The spec's name is what its runs are called but for the letters that `generateName` adds. \
                    Gauges go when their last run has ended.",
            families: runs::FAMILIES,
        },
        Group {
            title: "process",
            about: "",
            families: PROCESS,
        },
    ],
};

/// The controller's metrics.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    registry: Registry,
    leading: IntGauge,
    kept: IntGauge,
    looks: IntCounter,
    runs: IntCounterVec,
    steps: IntCounterVec,
    pods_failed: IntCounter,
    errors: IntCounterVec,
}

impl Metrics {
    /// All of them, at zero.
    pub(super) fn new() -> prometheus::Result<Self> {
        let metrics = Self {
            registry: Registry::new(),
            leading: IntGauge::new(
                "memq_controller_leader",
                "1 while this controller holds the lease and works, 0 while it waits.",
            )?,
            kept: IntGauge::new(
                "memq_controller_runs",
                "Runs this controller looks after now.",
            )?,
            looks: IntCounter::new(
                "memq_controller_looks_total",
                "Times a run was looked at and planned.",
            )?,
            runs: IntCounterVec::new(
                Opts::new("memq_runs_total", "Runs that have ended, by result."),
                &["result"],
            )?,
            steps: IntCounterVec::new(
                Opts::new("memq_steps_total", "Steps that have ended, by result."),
                &["result"],
            )?,
            pods_failed: IntCounter::new(
                "memq_pods_failed_total",
                "Pods of runs that ended without success.",
            )?,
            errors: IntCounterVec::new(
                Opts::new(
                    "memq_controller_errors_total",
                    "Things that failed and are tried again, by what.",
                ),
                &["what"],
            )?,
        };
        let Self {
            registry,
            leading,
            kept,
            looks,
            runs,
            steps,
            pods_failed,
            errors,
        } = &metrics;
        registry.register(Box::new(leading.clone()))?;
        registry.register(Box::new(kept.clone()))?;
        registry.register(Box::new(looks.clone()))?;
        registry.register(Box::new(runs.clone()))?;
        registry.register(Box::new(steps.clone()))?;
        registry.register(Box::new(pods_failed.clone()))?;
        registry.register(Box::new(errors.clone()))?;
        Ok(metrics)
    }

    pub(super) fn leads(&self, leads: bool) {
        self.leading.set(i64::from(leads));
    }

    /// A run is looked after for as long as this is held.
    pub(super) fn keeping(&self) -> Keeping {
        self.kept.inc();
        Keeping(self.kept.clone())
    }

    /// How many runs are looked after now.
    pub(super) fn kept(&self) -> u32 {
        u32::try_from(self.kept.get()).unwrap_or(0)
    }

    pub(super) fn looked(&self) {
        self.looks.inc();
    }

    pub(super) fn failed(&self, what: &str) {
        self.errors.with_label_values(&[what]).inc();
    }

    /// A status was written in place of another.
    pub(super) fn wrote(&self, before: &RunStatus, after: &RunStatus) {
        if let Some(result) = result(after.phase).filter(|_| result(before.phase).is_none()) {
            self.runs.with_label_values(&[result]).inc();
        }
        for (place, step) in after.steps.iter().enumerate() {
            let before = before.steps.get(place);
            let ended = before.is_some_and(|before| before.phase.has_ended());
            if step.phase.has_ended() && !ended {
                let result = match step.phase {
                    Phase::Succeeded => "succeeded",
                    Phase::Skipped => "skipped",
                    _ => "failed",
                };
                self.steps.with_label_values(&[result]).inc();
            }
            let failed = before.map_or(0, |before| before.failed_pods);
            self.pods_failed
                .inc_by(step.failed_pods.saturating_sub(failed));
        }
    }

    /// All of them as Prometheus reads them.
    pub(super) fn text(&self) -> prometheus::Result<String> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// A run that is looked after.
pub(super) struct Keeping(IntGauge);

impl Drop for Keeping {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn result(phase: RunPhase) -> Option<&'static str> {
    match phase {
        RunPhase::Succeeded => Some("succeeded"),
        RunPhase::Failed => Some("failed"),
        RunPhase::Cancelled => Some("cancelled"),
        RunPhase::Pending | RunPhase::Running | RunPhase::Stopping => None,
    }
}
