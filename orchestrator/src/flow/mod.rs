//! The order of a run's steps: which begins, which is passed over, and when the run is over.
//!
//! Pure, and the same for processes on one machine and Jobs in a cluster: it knows names and phases,
//! neither clocks nor what a step does. Whoever carries it out keeps the phases and asks again after
//! each change.
//!
//! 1. A step begins once at most, out of [`Phase::Pending`], and only when all it comes after have ended.
//! 2. A step whose `when` does not hold then is skipped. What comes after a skipped one sees neither a
//!    success nor a failure.
//! 3. Once the run is stopping nothing begins any more.
//! 4. The run is over exactly when every step has ended; while one has not, something runs or there is
//!    something to do.
//! 5. The answer depends on the phases alone, not on the order in which steps came to them or stand in
//!    the file.

mod each;

use serde::{Deserialize, Serialize};

pub use each::{Rules, next_elements};

use crate::spec::{Step, When};

/// Where a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Phase {
    /// It has not begun.
    #[default]
    Pending,
    /// It has begun and has not ended.
    Running,
    /// It did what it should.
    Succeeded,
    /// It did not.
    Failed,
    /// It never began, and will not.
    Skipped,
}

impl Phase {
    /// Whether it stays as it is.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Skipped)
    }
}

/// A step, as far as its order goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The places of the steps it comes after.
    pub after: Vec<usize>,
    /// How those must have ended; with none of them it holds at once.
    pub when: When,
}

impl Node {
    /// The order of the steps of a spec, place by place. A name of `after` that no step has, which no
    /// spec that was read holds, is waited for in vain.
    #[must_use]
    pub fn of(steps: &[Step]) -> Vec<Self> {
        let place = |name: &String| {
            let found = steps.iter().position(|step| step.name == *name);
            found.unwrap_or(usize::MAX)
        };
        let node = |step: &Step| Self {
            after: step.after.iter().map(place).collect(),
            when: step.when,
        };
        steps.iter().map(node).collect()
    }

    fn may_decide(&self, phases: &[Phase]) -> bool {
        self.befores(phases).all(Phase::has_ended)
    }

    fn holds(&self, phases: &[Phase]) -> bool {
        if self.after.is_empty() {
            return true;
        }
        match self.when {
            When::Succeeded => self.befores(phases).all(|phase| phase == Phase::Succeeded),
            When::Failed => self.befores(phases).any(|phase| phase == Phase::Failed),
            When::Always => true,
        }
    }

    fn befores<'a>(&'a self, phases: &'a [Phase]) -> impl Iterator<Item = Phase> + 'a {
        let phase = |place: &usize| phases.get(*place).copied().unwrap_or_default();
        self.after.iter().map(phase)
    }
}

/// How a run ended, as its steps have it. That it was told to stop is for whoever told it to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No step failed.
    Succeeded,
    /// At least one step failed.
    Failed,
}

/// One thing to do with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Begin the step at this place.
    Begin(usize),
    /// Note that the step at this place is skipped.
    Skip(usize),
    /// Nothing runs and nothing will: the run is over.
    Finish(Verdict),
}

/// All that can be done now, skips before beginnings; `phases` holds one phase a step. A skip's own
/// consequences are in the same answer, so once it is carried out there is no more until a step ends.
#[must_use]
pub fn next(steps: &[Node], phases: &[Phase], stopping: bool) -> Vec<Next> {
    let mut phases = phases.to_vec();
    phases.resize(steps.len(), Phase::Pending);
    let mut next = Vec::new();
    // A skip may decide what stands before it in the file, so this goes on until it changes nothing.
    while let Some(place) = skipped(steps, &phases, stopping) {
        phases[place] = Phase::Skipped;
        next.push(Next::Skip(place));
    }
    next.extend(ready(steps, &phases).map(Next::Begin));
    if phases.iter().all(|phase| phase.has_ended()) {
        next.push(Next::Finish(verdict(&phases)));
    }
    next
}

/// The steps that have all they wait for.
fn ready<'a>(steps: &'a [Node], phases: &'a [Phase]) -> impl Iterator<Item = usize> + 'a {
    pending(phases).filter(|place| steps[*place].may_decide(phases))
}

/// A pending step that will not begin.
fn skipped(steps: &[Node], phases: &[Phase], stopping: bool) -> Option<usize> {
    if stopping {
        return pending(phases).next();
    }
    let unwanted = ready(steps, phases).find(|place| !steps[*place].holds(phases));
    // Steps that wait for each other, which no spec that was read holds, must not keep a run for ever.
    let stuck = || {
        let idle = !phases.contains(&Phase::Running) && ready(steps, phases).next().is_none();
        idle.then(|| pending(phases).next()).flatten()
    };
    unwanted.or_else(stuck)
}

fn pending(phases: &[Phase]) -> impl Iterator<Item = usize> + '_ {
    let pending = |(place, phase): (usize, &Phase)| (*phase == Phase::Pending).then_some(place);
    phases.iter().enumerate().filter_map(pending)
}

fn verdict(phases: &[Phase]) -> Verdict {
    if phases.contains(&Phase::Failed) {
        Verdict::Failed
    } else {
        Verdict::Succeeded
    }
}

#[cfg(test)]
mod tests;
