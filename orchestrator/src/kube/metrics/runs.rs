//! What runs and steps do, and how their workers are sized.

mod going;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{Family, Label};
use prometheus::proto::MetricFamily;
use prometheus::{HistogramVec, IntCounterVec, Registry};

use self::going::Going;
use crate::flow::Phase;
use crate::kube::clock;
use crate::kube::cluster::RunKey;
use crate::kube::status::{RunPhase, RunStatus};

/// Most specs that have series of their own: names may be made up by machines.
const MOST_SPECS: usize = 1_000;
/// The name of all others.
const OTHER: &str = "_other";
/// The name of those that cannot be read.
pub(in crate::kube) const UNREADABLE: &str = "_unreadable";

/// From ten seconds to four days.
const DURATIONS: &[f64] = &[
    10.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0, 86400.0, 345_600.0,
];

const SPEC: Label = Label::any("spec", "the spec's name");
/// Where runs are that have not ended.
const PHASES: [&str; 3] = ["pending", "running", "stopping"];
/// The conditions that are told.
const HOLDING: [&str; 3] = ["Blocked", "CapacityBlocked", "DeadlineInfeasible"];
const STEP: Label = Label::any("step", "the step's name in the spec");
/// How runs end, as [`result`] says it.
const RESULTS: [&str; 3] = ["succeeded", "failed", "cancelled"];
const RESULT: Label = Label::of("result", &RESULTS);
/// How steps end.
const STEP_RESULTS: [&str; 3] = ["succeeded", "failed", "skipped"];

/// The words for what decided a number of workers, as [`word`] says them.
const CAPS: [&str; 17] = [
    "deadline",
    "economy",
    "useful_work",
    "backlog",
    "quota",
    "nodes",
    "rate_limit",
    "max",
    "min",
    "knee",
    "cold_start",
    "step_up",
    "steady",
    "started",
    "tail",
    "hold",
    "capacity_blocked",
];

const ENDED: Family = Family::counter(
    "memq_runs_total",
    "runs",
    "Runs that have ended, by result.",
)
.by(&[SPEC, RESULT]);
const DURATION: Family = Family::seconds(
    "memq_run_duration_seconds",
    DURATIONS,
    "How long runs took from when the controller took them up to their end.",
)
.by(&[SPEC, RESULT]);
const STEPS_ENDED: Family = Family::counter(
    "memq_steps_total",
    "steps",
    "Steps that have ended, by result.",
)
.by(&[SPEC, STEP, Label::of("result", &STEP_RESULTS)]);
const PODS_FAILED: Family = Family::counter(
    "memq_pods_failed_total",
    "pods",
    "Pods of runs that ended without success.",
)
.by(&[SPEC, STEP]);

const RUNS: Family = Family::gauge(
    "memq_runs",
    "runs",
    "Runs that have not ended, by where they are.",
)
.by(&[SPEC, Label::of("phase", &PHASES)]);
const AGE: Family = Family::gauge(
    "memq_run_age_seconds",
    "seconds",
    "How long the oldest run of a spec that has not ended has been running.",
)
.by(&[SPEC]);
const CONDITIONS: Family = Family::gauge(
    "memq_run_conditions",
    "runs",
    "Runs that have not ended for which a condition holds: something keeps their pods from starting, no node takes \
     them, or no number of workers that is allowed meets the deadline.",
)
.by(&[
    SPEC,
    Label::of("condition", &HOLDING),
]);

const ITEMS: Family = Family::gauge(
    "memq_step_items",
    "items",
    "Items of a step that runs, by state.",
)
.by(&[SPEC, STEP, Label::of("state", &["left", "done", "dead"])]);
const ETA: Family = Family::gauge(
    "memq_step_eta_seconds",
    "seconds",
    "When all items of a step may be done, from now: if all goes well, and if it does not go worse than it went.",
)
.by(&[SPEC, STEP, Label::of("bound", &["low", "high"])])
.when("while a speed is known");
const WORKERS: Family = Family::gauge(
    "memq_step_workers",
    "workers",
    "Workers of a step: wanted, and as pods that run, that are pending, and that hold a lease.",
)
.by(&[
    SPEC,
    STEP,
    Label::of("state", &["wanted", "running", "pending", "busy"]),
]);
const BINDING: Family = Family::gauge(
    "memq_step_binding_cap",
    "steps",
    "What decided the number of workers that are wanted: 1 for that, and no series for the rest.",
)
.by(&[SPEC, STEP, Label::of("cap", &CAPS)]);
const SIZING_WORKERS: Family = Family::gauge(
    "memq_step_sizing_workers",
    "workers",
    "The number of workers that each term of the sizing comes to, target being all of them before the pace of change; \
     a term that is not known or does not apply has no series.",
)
.by(&[
    SPEC,
    STEP,
    Label::of(
        "term",
        &[
            "deadline",
            "economy",
            "useful_work",
            "backlog",
            "quota",
            "nodes",
            "rate_limit",
            "knee",
            "max",
            "min",
            "target",
        ],
    ),
]);
const SIZING_SECONDS: Family = Family::gauge(
    "memq_step_sizing_seconds",
    "seconds",
    "What the sizing reckons with: the time for an item, its 95th percentile, the 90th percentile of a pod's start-up, the \
     work that is left, and the time before the deadline; a term that is not known has no series.",
)
.by(&[
    SPEC,
    STEP,
    Label::of("term", &["item", "item_p95", "startup", "work", "deadline"]),
]);

/// Every family of this module.
pub(super) const FAMILIES: &[&Family] = &[
    &ENDED,
    &DURATION,
    &STEPS_ENDED,
    &PODS_FAILED,
    &RUNS,
    &AGE,
    &CONDITIONS,
    &ITEMS,
    &ETA,
    &WORKERS,
    &BINDING,
    &SIZING_WORKERS,
    &SIZING_SECONDS,
];

/// What is counted of runs that end, and known of those that go on.
#[derive(Debug, Clone)]
pub(super) struct Runs {
    ended: IntCounterVec,
    durations: HistogramVec,
    steps: IntCounterVec,
    pods_failed: IntCounterVec,
    specs: Arc<Mutex<BTreeSet<String>>>,
    going: Arc<Mutex<BTreeMap<RunKey, Going>>>,
}

/// A run that is looked after. Dropped, nothing is told of it any more.
#[derive(Debug)]
pub(in crate::kube) struct Shown {
    key: RunKey,
    runs: Runs,
}

impl Runs {
    /// Without a run, and in a registry as far as runs have ended.
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let runs = Self {
            ended: ENDED.to_counters(),
            durations: DURATION.to_histograms(),
            steps: STEPS_ENDED.to_counters(),
            pods_failed: PODS_FAILED.to_counters(),
            specs: Arc::default(),
            going: Arc::default(),
        };
        let Self {
            ended,
            durations,
            steps,
            pods_failed,
            specs: _,
            going: _,
        } = runs.clone();
        registry.register(Box::new(ended))?;
        registry.register(Box::new(durations))?;
        registry.register(Box::new(steps))?;
        registry.register(Box::new(pods_failed))?;
        // These end as soon as they are taken up.
        runs.begin(UNREADABLE, &RunStatus::default());
        Ok(runs)
    }

    /// Has the series of what may yet be counted of a spec, so that the first time is a change that can be seen.
    fn begin(&self, spec: &str, status: &RunStatus) {
        for result in RESULTS {
            self.ended.with_label_values(&[spec, result]);
        }
        for step in &status.steps {
            for result in STEP_RESULTS {
                self.steps.with_label_values(&[spec, &step.name, result]);
            }
            self.pods_failed.with_label_values(&[spec, &step.name]);
        }
    }

    /// A status was written in place of another.
    pub(super) fn wrote(&self, spec: &str, before: &RunStatus, after: &RunStatus) {
        let spec = self.label(spec);
        if let Some(result) = result(after.phase).filter(|_| result(before.phase).is_none()) {
            self.ended.with_label_values(&[&spec, result]).inc();
            if let Some((began, ended)) = after.started_at.zip(after.finished_at) {
                let took = ended.duration_since(began).as_secs_f64();
                let durations = self.durations.with_label_values(&[&spec, result]);
                durations.observe(took.max(0.0));
            }
        }
        for (place, step) in after.steps.iter().enumerate() {
            let before = before.steps.get(place);
            let labels = [spec.as_str(), step.name.as_str()];
            let ended = before.is_some_and(|before| before.phase.has_ended());
            if step.phase.has_ended() && !ended {
                let result = match step.phase {
                    Phase::Succeeded => "succeeded",
                    Phase::Skipped => "skipped",
                    _ => "failed",
                };
                let steps = self
                    .steps
                    .with_label_values(&[labels[0], labels[1], result]);
                steps.inc();
            }
            let failed = before.map_or(0, |before| before.failed_pods);
            let more = step.failed_pods.saturating_sub(failed);
            self.pods_failed.with_label_values(&labels).inc_by(more);
        }
    }

    /// A run of which is told what is [shown](Shown::is), as long as this is held.
    pub(super) fn shown(&self, key: &RunKey) -> Shown {
        Shown {
            key: key.clone(),
            runs: self.clone(),
        }
    }

    /// What is told of the runs that go on.
    pub(super) fn collect(&self) -> Vec<MetricFamily> {
        going::collect(self.going().values(), clock::now())
    }

    fn going(&self) -> MutexGuard<'_, BTreeMap<RunKey, Going>> {
        // Each change is complete in itself.
        self.going.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn label(&self, spec: &str) -> String {
        let mut specs = self.specs.lock().unwrap_or_else(PoisonError::into_inner);
        if specs.len() < MOST_SPECS && !specs.contains(spec) {
            specs.insert(spec.to_owned());
        }
        let known = specs.contains(spec);
        if known { spec } else { OTHER }.to_owned()
    }
}

impl Shown {
    /// The run is of this spec, and stands there.
    pub(in crate::kube) fn is(&self, spec: &str, status: &RunStatus) {
        let spec = self.runs.label(spec);
        // Of one that has ended as well: the next of its spec may fail at once.
        self.runs.begin(&spec, status);
        if status.phase.has_ended() {
            self.runs.going().remove(&self.key);
            return;
        }
        let going = Going::of(spec, status);
        self.runs.going().insert(self.key.clone(), going);
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.runs.going().remove(&self.key);
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
