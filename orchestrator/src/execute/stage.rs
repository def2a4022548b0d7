//! What the steps of a run share: its spec, its folder, its server, its joblog, its end.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Job;
use super::account::Account;
use super::environ::Outside;
use super::rundir::RunDir;
use super::server::{Reached, ServerOf};
use super::signals::Received;
use crate::flow::Node;
use crate::joblog::{Done, Joblog, JoblogError, Past};
use crate::spec::{Step, Work};
use crate::view::Board;

/// All that a step must know of its run.
pub(super) struct Stage {
    /// What was asked for.
    pub(super) job: Job,
    /// The order of the steps.
    pub(super) nodes: Vec<Node>,
    /// The run's folder.
    pub(super) rundir: RunDir,
    /// The run's server.
    pub(super) server: ServerOf,
    /// Values that a cluster would have.
    pub(super) outside: Outside,
    /// The signals that have arrived.
    pub(super) signals: watch::Receiver<Received>,
    /// Where progress is shown.
    pub(super) board: Board,
    /// What the server is told of the run.
    pub(super) account: Account,
    /// When the run as a whole must have ended.
    pub(super) deadline: Option<Instant>,
    joblog: Mutex<Joblog>,
    past: Mutex<Past>,
}

impl Stage {
    #[expect(
        clippy::too_many_arguments,
        reason = "it is made in one place, of parts that have names"
    )]
    pub(super) fn new(
        job: Job,
        nodes: Vec<Node>,
        rundir: RunDir,
        outside: Outside,
        signals: watch::Receiver<Received>,
        board: Board,
        joblog: Joblog,
        past: Past,
    ) -> Self {
        Self {
            server: ServerOf::new(job.server.clone(), job.token.clone(), job.server_timeout),
            deadline: job.timeout.map(|timeout| Instant::now() + timeout),
            account: Account::new(&job.spec),
            job,
            nodes,
            rundir,
            outside,
            signals,
            board,
            joblog: Mutex::new(joblog),
            past: Mutex::new(past),
        }
    }

    /// Reaches the run's server; whoever is the first has the run reported to it.
    pub(super) async fn reach(&self) -> anyhow::Result<Reached> {
        let server = self.server.reach().await?;
        if self.account.report_to(&server.client) && server.is_own() && self.job.announce {
            let name = &self.job.spec.name;
            self.board
                .say(&format!("watch it at {}/#/runs/{name}", server.url));
        }
        Ok(server)
    }

    /// The step at this place.
    pub(super) fn step(&self, place: usize) -> &Step {
        &self.job.spec.steps[place]
    }

    /// Whether the run is nothing but one pool of workers.
    pub(super) fn is_one_pool(&self) -> bool {
        matches!(self.job.spec.steps.as_slice(), [step] if matches!(step.work, Work::Items(_)))
    }

    /// Whether any step has items.
    pub(super) fn has_items(&self) -> bool {
        let steps = &self.job.spec.steps;
        steps.iter().any(|step| matches!(step.work, Work::Items(_)))
    }

    /// Whether this step is the only one that has items.
    pub(super) fn is_only_pool(&self, place: usize) -> bool {
        let has_items = |step: &Step| matches!(step.work, Work::Items(_));
        let steps = &self.job.spec.steps;
        has_items(&steps[place]) && steps.iter().filter(|step| has_items(step)).count() == 1
    }

    /// When a step that begins now must have ended. The time given for a run of one step is that
    /// step's, whatever the spec says.
    pub(super) fn deadline_of(&self, place: usize) -> Option<Instant> {
        let own = self
            .step(place)
            .timeout
            .map(|timeout| Instant::now() + timeout);
        match (own, self.deadline) {
            (Some(_), Some(runs)) if self.nodes.len() == 1 => Some(runs),
            (Some(own), Some(runs)) => Some(own.min(runs)),
            (own, runs) => own.or(runs),
        }
    }

    /// How long a step that begins now may take.
    pub(super) fn time_of(&self, place: usize) -> Option<Duration> {
        let deadline = self.deadline_of(place);
        deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// What earlier runs have done of a step; to be asked once.
    pub(super) fn done_of(&self, place: usize) -> Done {
        let only = self.is_only_pool(place);
        self.past().take(&self.step(place).name, only)
    }

    /// Which bodies of a step are to be tried, by how often; all that are not done if nobody said.
    pub(super) fn only_of(&self, place: usize) -> Option<HashMap<Vec<u8>, u64>> {
        let again = self.job.again_on.as_ref()?;
        let items = again.items.as_ref()?;
        let step = &self.step(place).name;
        let mut only = HashMap::new();
        let named = items.iter().filter(|item| item.is_of(step));
        for body in named.map(|item| item.body.clone()) {
            *only.entry(body).or_default() += 1;
        }
        Some(only)
    }

    /// Notes that a step has something to do: what earlier runs did of the steps that come after it
    /// was done with something else, and is done anew.
    pub(super) fn works(&self, place: usize) -> Result<(), JoblogError> {
        for after in self.all_after(place) {
            let name = &self.step(after).name;
            if self.past().steps.remove(name).is_some() {
                self.joblog().append_anew(name)?;
            }
        }
        Ok(())
    }

    /// The joblog. The lock is held for the time of a line.
    pub(super) fn joblog(&self) -> MutexGuard<'_, Joblog> {
        self.joblog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The steps that come after this one, at any distance.
    fn all_after(&self, place: usize) -> Vec<usize> {
        let mut found = vec![false; self.nodes.len()];
        let mut fresh = vec![place];
        while let Some(before) = fresh.pop() {
            for (index, node) in self.nodes.iter().enumerate() {
                if node.after.contains(&before) && !std::mem::replace(&mut found[index], true) {
                    fresh.push(index);
                }
            }
        }
        (0..found.len()).filter(|index| found[*index]).collect()
    }
}
