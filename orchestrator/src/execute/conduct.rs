//! The loop of a run of several steps: what ended is noted, the flow asked, what it says begun.

use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;

use super::halt::until;
use super::stage::Stage;
use super::{drain, tasks};
use crate::flow::{Next, Phase, next};
use crate::plan::Why;
use crate::spec::Work;
use crate::view::{self, Fault, Kind, StepReport, human};

/// Carries all steps out. Gives what came of each, and what cut the run short, if something did.
pub(super) async fn conduct(stage: &Arc<Stage>) -> (Vec<StepReport>, Option<Why>) {
    let mut run = Conductor::new(stage);
    let mut signals = stage.signals.clone();
    loop {
        if run.go_on() {
            return run.end();
        }
        let deadline = stage.deadline.filter(|_| run.stop.is_none());
        tokio::select! {
            Some(ended) = run.running.join_next() => match ended {
                Ok((place, report)) => run.ended(place, report),
                // A step that panics is a mistake of ours: better loud than a run that says it is well.
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            },
            Ok(()) = signals.changed(), if run.stop.is_none() => {
                let received = *signals.borrow_and_update();
                run.stop = received.first.map(Why::Signal);
                run.say_stopping();
            }
            () = until(deadline) => {
                run.stop = Some(Why::TimedOut);
                run.say_stopping();
            }
        }
    }
}

struct Conductor<'a> {
    stage: &'a Arc<Stage>,
    phases: Vec<Phase>,
    reports: Vec<Option<StepReport>>,
    running: JoinSet<(usize, StepReport)>,
    /// Why nothing begins any more.
    stop: Option<Why>,
    /// Whether that kept something from beginning, or from its end.
    cut: bool,
}

impl<'a> Conductor<'a> {
    fn new(stage: &'a Arc<Stage>) -> Self {
        let steps = stage.nodes.len();
        Self {
            stage,
            phases: vec![Phase::Pending; steps],
            reports: (0..steps).map(|_| None).collect(),
            running: JoinSet::new(),
            stop: None,
            cut: false,
        }
    }

    /// Does all that can be done now; tells whether the run is over.
    fn go_on(&mut self) -> bool {
        for next in next(&self.stage.nodes, &self.phases, self.stop.is_some()) {
            match next {
                Next::Begin(place) => {
                    self.phases[place] = Phase::Running;
                    self.stage.account.begins(place);
                    let stage = self.stage.clone();
                    self.running
                        .spawn(async move { (place, carry_out(stage, place).await) });
                }
                Next::Skip(place) => {
                    self.phases[place] = Phase::Skipped;
                    self.cut |= self.stop.is_some();
                    let report = self.skipped(place);
                    self.stage.board.ended(place, &report.line());
                    self.stage.account.ended(place, &report);
                    self.reports[place] = Some(report);
                }
                Next::Finish(_) => return true,
            }
        }
        false
    }

    fn ended(&mut self, place: usize, report: StepReport) {
        self.phases[place] = report.phase;
        let kind = report.fault.as_ref().map(|fault| fault.kind);
        let out_of_time = || match self.stage.deadline {
            Some(deadline) => Instant::now() >= deadline,
            None => false,
        };
        match kind {
            Some(Kind::Stopped) => self.cut = true,
            Some(Kind::TimedOut) if out_of_time() => {
                self.stop.get_or_insert(Why::TimedOut);
                self.cut = true;
            }
            _ => {}
        }
        self.stage.board.ended(place, &report.line());
        self.stage.account.ended(place, &report);
        self.reports[place] = Some(report);
    }

    fn skipped(&self, place: usize) -> StepReport {
        let text = match (&self.stop, self.stage.step(place).after.join(", ")) {
            (Some(Why::Signal(signal)), _) => view::stopped_by(*signal).to_owned(),
            (Some(_), _) => "the run's time is up".to_owned(),
            (None, after) => format!("for what became of {after}"),
        };
        StepReport {
            name: self.stage.step(place).name.clone(),
            phase: Phase::Skipped,
            took: None,
            work: view::Work::Nothing,
            fault: None,
            skipped: Some(text),
            last_lines: Vec::new(),
        }
    }

    fn say_stopping(&self) {
        self.stage.account.stops();
        let grace = human(self.stage.job.grace);
        let text = match &self.stop {
            Some(Why::Signal(crate::plan::Signal::Interrupt)) => {
                format!("stopping: what runs has {grace} to end; Ctrl-C again kills it")
            }
            Some(Why::Signal(_)) => format!("stopping: what runs has {grace} to end"),
            _ => format!("the time is up: what runs has {grace} to end"),
        };
        self.stage.board.say(&text);
    }

    fn end(self) -> (Vec<StepReport>, Option<Why>) {
        let reports = self.reports.into_iter().flatten().collect();
        (reports, self.stop.filter(|_| self.cut))
    }
}

/// Carries a step out. What keeps it from beginning is its failure, not the run's.
async fn carry_out(stage: Arc<Stage>, place: usize) -> StepReport {
    let (step, begun) = (stage.step(place).clone(), Instant::now());
    let report = match &step.work {
        Work::Items(pool) => Box::pin(drain::drain(stage, place, pool))
            .await
            .map(|drain| drain.report(&step.name)),
        Work::Each(each) => Box::pin(tasks::each(stage, place, each)).await,
        Work::Once => Box::pin(tasks::once(stage, place)).await,
    };
    report.unwrap_or_else(|error| StepReport {
        name: step.name,
        phase: Phase::Failed,
        took: Some(begun.elapsed()),
        work: view::Work::Nothing,
        fault: Some(Fault {
            kind: Kind::Infrastructure,
            text: format!("{error:#}"),
        }),
        skipped: None,
        last_lines: Vec::new(),
    })
}
