//! What runs and steps do, and how their workers are sized.

use metrics::{Family, Label};

/// From ten seconds to four days.
const DURATIONS: &[f64] = &[
    10.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0, 86400.0, 345_600.0,
];

const SPEC: Label = Label::any("spec", "the spec's name");
const STEP: Label = Label::any("step", "the step's name in the spec");
const RESULT: Label = Label::of("result", &["succeeded", "failed", "cancelled"]);

/// The words for what decided a number of workers.
pub(super) const CAPS: &[&str] = &[
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

pub(super) const ENDED: Family = Family::counter(
    "memq_runs_total",
    "runs",
    "Runs that have ended, by result.",
)
.by(&[SPEC, RESULT]);
pub(super) const DURATION: Family = Family::seconds(
    "memq_run_duration_seconds",
    DURATIONS,
    "How long runs took from when the controller took them up to their end.",
)
.by(&[SPEC, RESULT]);
pub(super) const STEPS_ENDED: Family = Family::counter(
    "memq_steps_total",
    "steps",
    "Steps that have ended, by result.",
)
.by(&[
    SPEC,
    STEP,
    Label::of("result", &["succeeded", "failed", "skipped"]),
]);
pub(super) const PODS_FAILED: Family = Family::counter(
    "memq_pods_failed_total",
    "pods",
    "Pods of runs that ended without success.",
)
.by(&[SPEC, STEP]);

pub(super) const RUNS: Family = Family::gauge(
    "memq_runs",
    "runs",
    "Runs that have not ended, by where they are.",
)
.by(&[
    SPEC,
    Label::of("phase", &["pending", "running", "stopping"]),
]);
pub(super) const AGE: Family = Family::gauge(
    "memq_run_age_seconds",
    "seconds",
    "How long the oldest run of a spec that has not ended has been running.",
)
.by(&[SPEC]);
pub(super) const CONDITIONS: Family = Family::gauge(
    "memq_run_conditions",
    "runs",
    "Runs that have not ended for which a condition holds: something keeps their pods from starting, no node takes \
     them, or no number of workers that is allowed meets the deadline.",
)
.by(&[
    SPEC,
    Label::of(
        "condition",
        &["Blocked", "CapacityBlocked", "DeadlineInfeasible"],
    ),
]);

pub(super) const ITEMS: Family = Family::gauge(
    "memq_step_items",
    "items",
    "Items of a step that runs, by state.",
)
.by(&[SPEC, STEP, Label::of("state", &["left", "done", "dead"])]);
pub(super) const ETA: Family = Family::gauge(
    "memq_step_eta_seconds",
    "seconds",
    "When all items of a step may be done, from now: if all goes well, and if it does not go worse than it went.",
)
.by(&[SPEC, STEP, Label::of("bound", &["low", "high"])])
.when("while a speed is known");
pub(super) const WORKERS: Family = Family::gauge(
    "memq_step_workers",
    "workers",
    "Workers of a step: wanted, and as pods that run, that are pending, and that hold a lease.",
)
.by(&[
    SPEC,
    STEP,
    Label::of("state", &["wanted", "running", "pending", "busy"]),
]);
pub(super) const BINDING: Family = Family::gauge(
    "memq_step_binding_cap",
    "steps",
    "What decided the number of workers that are wanted: 1 for that, and no series for the rest.",
)
.by(&[SPEC, STEP, Label::of("cap", CAPS)]);
pub(super) const SIZING_WORKERS: Family = Family::gauge(
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
pub(super) const SIZING_SECONDS: Family = Family::gauge(
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
