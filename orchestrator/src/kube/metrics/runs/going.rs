//! Runs that go on, and what is told of those of one spec together: numbers are added up, and of times the
//! longest is told.

use std::collections::BTreeMap;

use jiff::Timestamp;
use metrics::Rows;
use prometheus::proto::MetricFamily;

use super::{
    AGE, BINDING, CONDITIONS, ETA, HOLDING, ITEMS, PHASES, RUNS, SIZING_SECONDS, SIZING_WORKERS,
    WORKERS,
};
use crate::flow::Phase;
use crate::kube::status::{PoolStatus, RunPhase, RunStatus, StepStatus};
use crate::size::{Cap, Sizing, Terms};

/// What is remembered of a run that goes on.
#[derive(Debug)]
pub(super) struct Going {
    spec: String,
    phase: &'static str,
    started: Option<Timestamp>,
    conditions: Vec<&'static str>,
    steps: Vec<Step>,
}

/// A step with items that runs.
#[derive(Debug)]
struct Step {
    name: String,
    left: u64,
    done: u64,
    dead: u64,
    sizing: Option<(Timestamp, Sizing)>,
}

impl Going {
    pub(super) fn of(spec: String, status: &RunStatus) -> Self {
        let holds = |condition: &&str| {
            let mut conditions = status.conditions.iter();
            conditions.any(|held| held.r#type == **condition && held.status == "True")
        };
        Self {
            spec,
            phase: match status.phase {
                RunPhase::Running => PHASES[1],
                RunPhase::Stopping => PHASES[2],
                _ => PHASES[0],
            },
            started: status.started_at,
            conditions: HOLDING.into_iter().filter(|word| holds(word)).collect(),
            steps: status.steps.iter().filter_map(Step::of).collect(),
        }
    }
}

impl Step {
    fn of(status: &StepStatus) -> Option<Self> {
        let pool = status.pool.as_ref()?;
        if status.phase != Phase::Running {
            return None;
        }
        let PoolStatus {
            total, done, dead, ..
        } = *pool;
        Some(Self {
            name: status.name.clone(),
            left: total.saturating_sub(done + dead),
            done,
            dead,
            sizing: pool.sized_at.zip(pool.sizing.clone()),
        })
    }
}

/// Values by the labels of a family.
type Values<'a> = BTreeMap<Vec<&'a str>, f64>;

/// What is told of runs together.
#[derive(Default)]
struct Told<'a> {
    runs: Values<'a>,
    ages: Values<'a>,
    conditions: Values<'a>,
    items: Values<'a>,
    etas: Values<'a>,
    workers: Values<'a>,
    binding: Values<'a>,
    sizing_workers: Values<'a>,
    sizing_seconds: Values<'a>,
}

fn add<'a>(values: &mut Values<'a>, labels: &[&'a str], value: f64) {
    *values.entry(labels.to_vec()).or_default() += value;
}

fn longest<'a>(values: &mut Values<'a>, labels: &[&'a str], value: f64) {
    let known = values.entry(labels.to_vec()).or_default();
    *known = known.max(value);
}

impl<'a> Told<'a> {
    fn run(&mut self, run: &'a Going, now: Timestamp) {
        let spec = run.spec.as_str();
        // Each spec that has a run has all of its series, or those that are rarely there could not be alerted on.
        for phase in PHASES {
            add(
                &mut self.runs,
                &[spec, phase],
                f64::from(phase == run.phase),
            );
        }
        for condition in HOLDING {
            let holds = run.conditions.contains(&condition);
            add(&mut self.conditions, &[spec, condition], f64::from(holds));
        }
        let age = run.started.map_or(0.0, |started| seconds(started, now));
        longest(&mut self.ages, &[spec], age);
        for step in &run.steps {
            self.step(spec, step, now);
        }
    }

    fn step(&mut self, spec: &'a str, step: &'a Step, now: Timestamp) {
        let name = step.name.as_str();
        for (state, count) in [
            ("left", step.left),
            ("done", step.done),
            ("dead", step.dead),
        ] {
            add(&mut self.items, &[spec, name, state], count as f64);
        }
        let Some((sized, sizing)) = &step.sizing else {
            return;
        };
        if let Some(eta) = sizing.eta {
            let passed = seconds(*sized, now);
            for (bound, eta) in [("low", eta.low), ("high", eta.high)] {
                let left = (eta.as_secs_f64() - passed).max(0.0);
                longest(&mut self.etas, &[spec, name, bound], left);
            }
        }
        add(&mut self.binding, &[spec, name, word(sizing.binding)], 1.0);
        let terms = &sizing.terms;
        for (state, workers) in [
            ("wanted", sizing.wanted),
            ("running", terms.running),
            ("pending", terms.pending),
            ("busy", terms.busy),
        ] {
            add(&mut self.workers, &[spec, name, state], workers.into());
        }
        for (term, workers) in workers_of(terms) {
            if let Some(workers) = workers {
                add(
                    &mut self.sizing_workers,
                    &[spec, name, term],
                    workers.into(),
                );
            }
        }
        for (term, time) in seconds_of(terms) {
            if let Some(time) = time {
                longest(&mut self.sizing_seconds, &[spec, name, term], time);
            }
        }
    }
}

/// The families of these runs.
pub(super) fn collect<'a>(
    runs: impl Iterator<Item = &'a Going>,
    now: Timestamp,
) -> Vec<MetricFamily> {
    let mut told = Told::default();
    runs.for_each(|run| told.run(run, now));
    let Told {
        runs,
        ages,
        conditions,
        items,
        etas,
        workers,
        binding,
        sizing_workers,
        sizing_seconds,
    } = told;
    let families = [
        (&RUNS, runs),
        (&AGE, ages),
        (&CONDITIONS, conditions),
        (&ITEMS, items),
        (&ETA, etas),
        (&WORKERS, workers),
        (&BINDING, binding),
        (&SIZING_WORKERS, sizing_workers),
        (&SIZING_SECONDS, sizing_seconds),
    ];
    let family = |(declared, values): (&'static metrics::Family, Values<'_>)| {
        let mut rows = Rows::new(declared);
        for (labels, value) in values {
            rows.add(&labels, value);
        }
        rows.into_family()
    };
    families.into_iter().map(family).collect()
}

fn workers_of(terms: &Terms) -> [(&'static str, Option<u32>); 11] {
    [
        ("deadline", terms.deadline_pods),
        ("economy", terms.economy_pods),
        ("useful_work", terms.useful_pods),
        ("backlog", Some(terms.backlog_pods)),
        ("quota", terms.quota_pods),
        ("nodes", terms.node_pods),
        ("rate_limit", terms.rate_pods),
        ("knee", terms.knee_pods),
        // What is not bounded has no bound to show.
        ("max", Some(terms.max).filter(|max| *max < u32::MAX)),
        ("min", Some(terms.min)),
        ("target", Some(terms.target)),
    ]
}

fn seconds_of(terms: &Terms) -> [(&'static str, Option<f64>); 5] {
    [
        ("item", terms.item_s),
        ("item_p95", terms.item_p95_s),
        ("startup", terms.startup_s),
        ("work", terms.work_s),
        ("deadline", terms.deadline_s),
    ]
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

fn word(cap: Cap) -> &'static str {
    match cap {
        Cap::Deadline => "deadline",
        Cap::Economy => "economy",
        Cap::UsefulWork => "useful_work",
        Cap::Backlog => "backlog",
        Cap::Quota => "quota",
        Cap::Nodes => "nodes",
        Cap::RateLimit => "rate_limit",
        Cap::Max => "max",
        Cap::Min => "min",
        Cap::Knee => "knee",
        Cap::ColdStart => "cold_start",
        Cap::StepUp => "step_up",
        Cap::Steady => "steady",
        Cap::Started => "started",
        Cap::Tail => "tail",
        Cap::Hold => "hold",
        Cap::CapacityBlocked => "capacity_blocked",
    }
}

#[cfg(test)]
mod tests;
