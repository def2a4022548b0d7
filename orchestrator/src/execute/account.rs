//! What a run on this machine says of itself: kept as its steps go, and reported to the server they use.
//!
//! Steps say what they know when they know it; nobody waits. As long as no server is known nothing is
//! sent, and a run that needs none and was given none tells nobody.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use queue_api::{QueueName, RunPhase, RunReport, RunStep, RunWorkers, StepPhase};
use queue_client::Client;

use crate::flow::Phase;
use crate::kube::clock;
use crate::reporter::Reporter;
use crate::spec::{RunSpec, Step, Work};
use crate::tally::Tally;
use crate::view::{Drained, Elements, Fault, StepReport, Work as Did};

/// How far a run is.
#[derive(Debug)]
pub(super) struct Account(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    report: RunReport,
    /// Items that a worker of each step works on at once.
    slots: Vec<u32>,
    reporter: Option<Reporter>,
}

impl Account {
    /// Of a run that begins now.
    pub(super) fn new(spec: &RunSpec) -> Self {
        let name = spec.name.as_str().parse();
        Self(Mutex::new(Kept {
            report: RunReport {
                run: name.expect("a run's name is one of a queue, and of that form"),
                spec: spec.base_name.clone(),
                namespace: None,
                phase: RunPhase::Running,
                started: clock::now(),
                ended: None,
                message: None,
                updated: None,
                stale: false,
                steps: spec.steps.iter().map(pending).collect(),
            },
            slots: spec.steps.iter().map(slots).collect(),
            reporter: None,
        }))
    }

    /// Reports to this server from now on, unless there is one already; whether it is the first.
    pub(super) fn report_to(&self, server: &Client) -> bool {
        let mut kept = self.lock();
        let first = kept.reporter.is_none();
        if first {
            kept.reporter = Some(Reporter::new(server.clone()));
            kept.tell();
        }
        first
    }

    /// A step begins.
    pub(super) fn begins(&self, place: usize) {
        self.change(place, |step, _| {
            step.phase = StepPhase::Running;
            step.started = Some(clock::now());
        });
    }

    /// A step works on this queue.
    pub(super) fn works_on(&self, place: usize, queue: &QueueName) {
        self.change(place, |step, _| step.queues = vec![queue.clone()]);
    }

    /// How many items of a step are through.
    pub(super) fn items(&self, place: usize, tally: &Tally) {
        self.change(place, |step, _| count(step, tally));
    }

    /// How many items of a step are through, so long after its beginning, by so many workers that run of
    /// those that are wanted.
    pub(super) fn pool(
        &self,
        place: usize,
        tally: &Tally,
        now: Duration,
        (running, wanted): (usize, u32),
    ) {
        self.change(place, |step, slots| {
            count(step, tally);
            let eta = tally.eta(now).filter(|_| tally.left() > 0);
            step.eta_ms = eta.map(millis);
            step.rate_per_s = Some(tally.rate(now));
            let running = u32::try_from(running).unwrap_or(u32::MAX);
            // Whoever holds an item is not asked: no more can than there are items for.
            let useful = tally.left().div_ceil(u64::from(slots.max(1)));
            let busy = running.min(u32::try_from(useful).unwrap_or(u32::MAX));
            step.workers = Some(RunWorkers {
                busy,
                idle: running - busy,
                wanted,
            });
        });
    }

    /// How many elements of a step are through.
    pub(super) fn elements(&self, place: usize, elements: &Elements) {
        self.change(place, |step, _| count_elements(step, elements));
    }

    /// A step has ended, or never begins.
    pub(super) fn ended(&self, place: usize, report: &StepReport) {
        self.change(place, |step, _| {
            match &report.work {
                Did::Items(drained) => count(step, &drained.tally),
                Did::Each(elements) => count_elements(step, elements),
                // What was done before a step with items knew of its own.
                Did::Before => step.done = step.total - step.failed,
                Did::Once(_) | Did::Nothing => match report.phase {
                    Phase::Succeeded => step.done = step.total,
                    Phase::Failed => step.failed = step.total - step.done,
                    Phase::Pending | Phase::Running | Phase::Skipped => {}
                },
            }
            let fault = report.fault.as_ref().map(|fault| fault.text.as_str());
            end(step, report.phase, fault.or(report.skipped.as_deref()));
        });
    }

    /// The only step, which went through items, has ended.
    pub(super) fn drained(&self, drained: &Drained) {
        let fault = Fault::of(drained);
        let phase = match fault {
            None => Phase::Succeeded,
            Some(_) => Phase::Failed,
        };
        self.change(0, |step, _| {
            count(step, &drained.tally);
            end(step, phase, fault.as_ref().map(|fault| fault.text.as_str()));
        });
    }

    /// The run is told to stop.
    pub(super) fn stops(&self) {
        let mut kept = self.lock();
        kept.report.phase = RunPhase::Stopping;
        kept.tell();
    }

    /// The run has ended; waits for a moment until the server knows.
    pub(super) async fn end(&self, phase: RunPhase, message: String) {
        let reporter = {
            let mut kept = self.lock();
            kept.report.phase = phase;
            kept.report.ended = Some(clock::now());
            kept.report.message = Some(message);
            for step in &mut kept.report.steps {
                if step.phase == StepPhase::Running {
                    end(step, Phase::Failed, None);
                }
            }
            kept.tell();
            kept.reporter.take()
        };
        if let Some(reporter) = reporter {
            reporter.end().await;
        }
    }

    fn change(&self, place: usize, change: impl FnOnce(&mut RunStep, u32)) {
        let mut kept = self.lock();
        let Kept { report, slots, .. } = &mut *kept;
        if let (Some(step), Some(slots)) = (report.steps.get_mut(place), slots.get(place)) {
            change(step, *slots);
        }
        kept.tell();
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // A report that is half changed is as good as any other.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn tell(&self) {
        if let Some(reporter) = &self.reporter {
            reporter.tell(self.report.clone());
        }
    }
}

fn pending(step: &Step) -> RunStep {
    RunStep {
        name: step.name.clone(),
        phase: StepPhase::Pending,
        queues: Vec::new(),
        done: 0,
        failed: 0,
        total: match &step.work {
            Work::Items(_) => 0,
            Work::Each(each) => each.elements.len() as u64,
            Work::Once => 1,
        },
        eta_ms: None,
        rate_per_s: None,
        workers: None,
        binding: None,
        started: None,
        ended: None,
        message: None,
    }
}

fn slots(step: &Step) -> u32 {
    match &step.work {
        Work::Items(pool) => pool.workers.concurrency,
        Work::Each(_) | Work::Once => 1,
    }
}

fn count(step: &mut RunStep, tally: &Tally) {
    step.total = tally.total;
    step.done = tally.already + tally.done;
    step.failed = tally.dead;
}

fn count_elements(step: &mut RunStep, elements: &Elements) {
    step.total = elements.total as u64;
    step.done = (elements.already + elements.done) as u64;
    step.failed = elements.failed as u64;
}

fn end(step: &mut RunStep, phase: Phase, why: Option<&str>) {
    step.phase = phase.into();
    step.ended = step.started.map(|_| clock::now());
    step.message = why.map(str::to_owned);
    (step.eta_ms, step.rate_per_s, step.workers) = (None, None, None);
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
