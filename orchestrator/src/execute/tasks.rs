//! Steps without items: one process, or one for each element.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::drain::folder_of;
use super::halt::Halt;
use super::launch::{volumes, words};
use super::process::{Outcome, Program};
use super::rundir::RunDir;
use super::stage::Stage;
use crate::flow::{Next, Phase, Rules, next_elements};
use crate::joblog::{Ended, JoblogError};
use crate::plan::Exit;
use crate::spec::{Element, EnvValue, ForEach, Handler};
use crate::tally::{Failure, one_line};
use crate::view::{Elements, Fault, Kind, Progress, StepReport, Work, count};

/// How often progress is shown while nothing else happens.
const TICK: Duration = Duration::from_millis(250);
/// Failures kept to be shown at the end; the joblog has them all.
const SHOWN_FAILURES: usize = 5;
/// Characters of an element's key in the names of its logs.
const KEY_IN_NAME: usize = 60;
/// Fewest elements that may run at once where nothing else is said: some wait rather than compute.
const LEAST_AT_ONCE: usize = 4;

/// Runs the one process of a step.
pub(super) async fn once(stage: Arc<Stage>, place: usize) -> anyhow::Result<StepReport> {
    let step = stage.step(place);
    let mut report = blank(&step.name);
    if stage.done_of(place).whole {
        report.work = Work::Before;
        return Ok(report);
    }
    stage.works(place)?;
    let started = Instant::now();
    let folder = folder_of(&stage, place)?;
    let program = program(&stage, place, (&step.handler, &step.env), &folder, None)?;
    let progress = stage.board.process(place);
    progress.say("begins");
    let mut halt = halt(&stage, place);
    let outcome = {
        let run = program.run(&stage, halt.asked(), (&progress, ""));
        tokio::pin!(run);
        let mut tick = ticks();
        loop {
            tokio::select! {
                outcome = &mut run => break outcome,
                () = halt.changed() => {}
                _ = tick.tick() => progress.tell(started.elapsed(), 0, "running"),
            }
        }
    };
    report.took = Some(started.elapsed());
    if let Some(written) = note(&stage, &step.name, None, &outcome) {
        written?;
    }
    report.fault = fault(&outcome, &halt);
    report.phase = phase(&report.fault);
    report.last_lines = outcome.last_lines;
    report.work = Work::Once(outcome.tried);
    Ok(report)
}

/// Runs a process for each element of a step that an earlier run has not done.
pub(super) async fn each(
    stage: Arc<Stage>,
    place: usize,
    each: &ForEach,
) -> anyhow::Result<StepReport> {
    let step = stage.step(place);
    let mut report = blank(&step.name);
    let done = stage.done_of(place).elements;
    let left: Vec<(usize, &Element)> = (each.elements.iter().enumerate())
        .filter(|(_, element)| !done.contains(&element.key))
        .collect();
    let mut elements = Elements {
        total: each.elements.len(),
        already: each.elements.len() - left.len(),
        ..Elements::default()
    };
    if left.is_empty() {
        report.work = Work::Before;
        return Ok(report);
    }
    stage.works(place)?;
    let started = Instant::now();
    let folder = folder_of(&stage, place)?;
    let programs = left.iter().map(|(number, element)| {
        let what = (&element.handler, &element.env);
        program(&stage, place, what, &folder, Some((*number, element)))
    });
    let programs = programs.collect::<anyhow::Result<Vec<_>>>()?;
    let rules = Rules {
        max_parallel: Some(each.max_parallel.unwrap_or_else(at_once)),
        fail_fast: each.fail_fast,
    };
    let progress = stage.board.elements(place, elements.total as u64);
    progress.say(&beginning(&elements, rules));
    let mut halt = halt(&stage, place);
    let mut phases = vec![Phase::Pending; left.len()];
    let mut running = FuturesUnordered::new();
    let mut tick = ticks();
    let mut unwritten = None;
    'over: loop {
        for next in next_elements(rules, &phases, halt.why().is_some() || unwritten.is_some()) {
            match next {
                Next::Begin(index) => {
                    phases[index] = Phase::Running;
                    let (asked, title) = (halt.asked(), format!("{}: ", left[index].1.key));
                    let (program, stage, progress) = (&programs[index], &stage, &progress);
                    running.push(async move {
                        let outcome = program.run(stage, asked, (progress, &title)).await;
                        (index, outcome)
                    });
                }
                Next::Skip(index) => phases[index] = Phase::Skipped,
                Next::Finish(_) => break 'over,
            }
        }
        tokio::select! {
            Some((index, outcome)) = running.next() => {
                let key = &left[index].1.key;
                if let Some(Err(error)) = note(&stage, &step.name, Some(key), &outcome) {
                    unwritten = Some(error);
                }
                phases[index] = ended(&mut elements, &mut report, key, outcome);
            }
            () = halt.changed() => {}
            _ = tick.tick() => {
                stage.account.elements(place, &elements);
                show(&progress, &elements, running.len(), started);
            }
        }
    }
    drop(running);
    if let Some(error) = unwritten {
        return Err(error.into());
    }
    report.took = Some(started.elapsed());
    report.fault = match halt.why() {
        Some(why) if elements.already + elements.done < elements.total => Some(Fault::stopped(why)),
        _ if elements.failed > 0 => Some(Fault {
            kind: Kind::Work,
            text: format!(
                "{} of {} failed",
                elements.failed,
                count(left.len() as u64, "element")
            ),
        }),
        _ => None,
    };
    report.phase = phase(&report.fault);
    report.work = Work::Each(elements);
    Ok(report)
}

/// Counts an element that has ended.
fn ended(elements: &mut Elements, report: &mut StepReport, key: &str, outcome: Outcome) -> Phase {
    let Some(error) = outcome.failure else {
        if outcome.stopped {
            return Phase::Skipped;
        }
        elements.done += 1;
        return Phase::Succeeded;
    };
    elements.failed += 1;
    if elements.failures.is_empty() {
        report.last_lines = outcome.last_lines;
    }
    if elements.failures.len() < SHOWN_FAILURES {
        elements.failures.push(Failure {
            item: one_line(key, KEY_IN_NAME),
            attempts: outcome.tried.tries,
            error,
        });
    }
    Phase::Failed
}

fn blank(name: &str) -> StepReport {
    StepReport {
        name: name.to_owned(),
        phase: Phase::Succeeded,
        took: None,
        work: Work::Nothing,
        fault: None,
        skipped: None,
        last_lines: Vec::new(),
    }
}

fn phase(fault: &Option<Fault>) -> Phase {
    match fault {
        None => Phase::Succeeded,
        Some(_) => Phase::Failed,
    }
}

fn halt(stage: &Stage, place: usize) -> Halt {
    let deadline = stage.deadline_of(place);
    Halt::new(stage.signals.clone(), deadline, stage.job.grace)
}

fn ticks() -> tokio::time::Interval {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tick
}

fn fault(outcome: &Outcome, halt: &Halt) -> Option<Fault> {
    match (&outcome.failure, halt.why()) {
        (_, Some(why)) if outcome.stopped => Some(Fault::stopped(why)),
        (Some(text), _) => Some(Fault {
            kind: Kind::Work,
            text: text.clone(),
        }),
        (None, _) => None,
    }
}

/// Writes down what is finished. What was stopped is not.
fn note(
    stage: &Stage,
    step: &str,
    element: Option<&str>,
    outcome: &Outcome,
) -> Option<Result<(), JoblogError>> {
    let line = Ended {
        step,
        element,
        done: outcome.failure.is_none(),
        tries: outcome.tried.tries,
        started: outcome.started,
        ended: outcome.ended,
        result: outcome.tried.result.as_deref(),
        error: outcome.failure.as_deref(),
        exit_code: match outcome.tried.exit {
            Some(Exit::Code(code)) => Some(code),
            _ => None,
        },
    };
    (!outcome.stopped).then(|| stage.joblog().append_ended(&line))
}

fn program(
    stage: &Stage,
    place: usize,
    (handler, env): (&Handler, &BTreeMap<String, EnvValue>),
    folder: &RunDir,
    element: Option<(usize, &Element)>,
) -> anyhow::Result<Program> {
    let step = stage.step(place);
    let files = element.map_or(String::new(), |(number, element)| {
        file_name(number, &element.key)
    });
    let words = words(handler, folder, &format!("{files}script"))
        .with_context(|| format!("step `{}`", step.name))?;
    let mut env = stage.outside.resolve(env);
    env.extend(volumes(stage, step)?);
    env.push(("MEMQ_RUN".into(), stage.job.spec.name.to_string()));
    env.push(("MEMQ_STEP".into(), step.name.clone()));
    if let Some((_, element)) = element {
        env.push(("MEMQ_ELEMENT".into(), element.key.clone()));
    }
    Ok(Program {
        words,
        env,
        folder: folder.clone(),
        files,
        retries: step.retries,
    })
}

/// What the names of an element's files begin with: its number, from 1, and what its key allows.
fn file_name(number: usize, key: &str) -> String {
    let plain = |c: char| match c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') {
        true => c,
        false => '_',
    };
    let key: String = key.chars().take(KEY_IN_NAME).map(plain).collect();
    format!("{}-{key}.", number + 1)
}

/// How many elements run at once where the spec does not say: as many as there are processors.
fn at_once() -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(processors.max(LEAST_AT_ONCE)).unwrap_or(u32::MAX)
}

fn beginning(elements: &Elements, rules: Rules) -> String {
    let to_do = elements.total - elements.already;
    let what = match elements.already {
        0 => count(to_do as u64, "element"),
        already => format!("{already} already done, {to_do} to do"),
    };
    match rules.max_parallel {
        Some(most) if (most as usize) < to_do => format!("{what}, {most} at once"),
        _ => what,
    }
}

fn show(progress: &Progress, elements: &Elements, running: usize, started: Instant) {
    let ended = elements.already + elements.done + elements.failed;
    let failed = match elements.failed {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    let text = format!("{ended} of {}{failed}, {running} running", elements.total);
    progress.tell(started.elapsed(), ended as u64, &text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_its_key_is_an_elements_files_have_a_name_of_their_own() {
        assert_eq!(file_name(0, "eu-west.1"), "1-eu-west.1.");
        assert_eq!(file_name(9, "../etc/pass wd"), "10-.._etc_pass_wd.");
        assert_ne!(file_name(0, "a/b"), file_name(1, "a_b"));
        assert!(file_name(999, &"ü".repeat(1_000)).len() < 70);
    }
}
