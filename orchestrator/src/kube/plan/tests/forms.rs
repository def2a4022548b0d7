//! Specs, queues, Jobs and pods as the stories need them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use queue_api::{Queue, Settings};

use super::super::{JobSeen, PodEnd, PodPhase, PodSeen};
use crate::kube::status::JobVerdict;
use crate::spec::{
    Element, ForEach, Handler, ItemRules, Items, PodRules, Pool, RunSpec, Step, Tolerate, When,
    Work, Workers,
};

/// So many seconds after the beginning of all stories.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).expect("a time")
}

pub(super) fn run(steps: Vec<Step>) -> RunSpec {
    RunSpec {
        name: "r".parse().expect("a name"),
        generated: false,
        base_name: "r".into(),
        steps,
        file: PathBuf::new(),
        dir: PathBuf::new(),
        ttl: None,
    }
}

pub(super) fn step(name: &str, work: Work) -> Step {
    Step {
        name: name.to_owned(),
        after: Vec::new(),
        when: When::Succeeded,
        work,
        handler: Handler::Image,
        env: BTreeMap::new(),
        timeout: None,
        retries: 0,
        pod: PodRules::default(),
    }
}

/// A step with items and so many workers.
pub(super) fn pool(name: &str, workers: u32) -> Step {
    step(
        name,
        Work::Items(Box::new(Pool {
            items: Items::List(vec!["a".to_owned()]),
            marks: crate::spec::Marks::default(),
            workers: Workers {
                min: workers,
                max: workers,
                ..Workers::default()
            },
            item: ItemRules::default(),
            tolerate: Tolerate::Items(0),
        })),
    )
}

pub(super) fn once(name: &str) -> Step {
    step(name, Work::Once)
}

pub(super) fn each(name: &str, elements: u32) -> Step {
    let element = |number: u32| Element {
        key: format!("e{number}"),
        value: String::new(),
        handler: Handler::Image,
        env: BTreeMap::new(),
    };
    step(
        name,
        Work::Each(ForEach {
            elements: (0..elements).map(element).collect(),
            max_parallel: None,
            fail_fast: false,
        }),
    )
}

pub(super) fn after(mut step: Step, names: &[&str], when: When) -> Step {
    step.after = names.iter().map(|name| (*name).to_owned()).collect();
    step.when = when;
    step
}

/// A queue with so many items ready of so many.
pub(super) fn queue(ready: u64, total: u64) -> Queue {
    let counts = queue_api::Counts {
        ready,
        done: total - ready,
        ..queue_api::Counts::default()
    };
    Queue {
        name: "q".parse().expect("a name"),
        sealed: true,
        paused: false,
        drained: ready == 0,
        empty: false,
        outcome: None,
        counts,
        backlog: ready,
        unfinished: ready,
        rate_per_s: 0.0,
        eta_ms: None,
        handling: queue_api::Handling::default(),
        totals: queue_api::Totals {
            enqueued: total,
            ..queue_api::Totals::default()
        },
        oldest_ready_ms: None,
        settings: Settings::default(),
    }
}

pub(super) fn job(name: &str, step: &str, parallelism: u32, created: Timestamp) -> JobSeen {
    JobSeen {
        name: name.to_owned(),
        step: step.to_owned(),
        parallelism,
        active: 0,
        succeeded: 0,
        failed: 0,
        created,
        ended: None,
        deleting: false,
        suspended: false,
        expires: false,
        pods_refused: None,
    }
}

pub(super) fn pod(name: &str, job: &JobSeen, phase: PodPhase) -> PodSeen {
    PodSeen {
        name: name.to_owned(),
        job: job.name.clone(),
        step: job.step.clone(),
        phase,
        ready: phase == PodPhase::Running,
        created: job.created,
        started: (phase == PodPhase::Running).then_some(job.created),
        unschedulable: None,
        waiting: None,
        end: None,
        disrupted: None,
        deleting: false,
    }
}

/// A pod that exited by itself.
pub(super) fn exited(
    name: &str,
    job: &JobSeen,
    code: i32,
    message: &str,
    at: Timestamp,
) -> PodSeen {
    let (phase, reason) = if code == 0 {
        (PodPhase::Succeeded, "Completed")
    } else {
        (PodPhase::Failed, "Error")
    };
    PodSeen {
        end: Some(PodEnd {
            exit_code: Some(code),
            reason: reason.to_owned(),
            message: message.to_owned(),
            at,
        }),
        ..pod(name, job, phase)
    }
}

pub(super) fn completed(mut job: JobSeen) -> JobSeen {
    job.succeeded = 1;
    job.ended = Some((JobVerdict::Complete, String::new(), String::new()));
    job
}

pub(super) fn failed(mut job: JobSeen, reason: &str) -> JobSeen {
    job.failed = 1;
    job.ended = Some((JobVerdict::Failed, reason.to_owned(), String::new()));
    job
}

/// Fails and shows the lines that differ.
pub(super) fn same<T: std::fmt::Debug + PartialEq>(one: &T, other: &T, what: &str) {
    if one == other {
        return;
    }
    let (one, other) = (format!("{one:#?}"), format!("{other:#?}"));
    let mut lines = one.lines().zip(other.lines());
    let first = lines.position(|(one, other)| one != other).unwrap_or(0);
    let near = |text: &str| {
        let lines: Vec<_> = text
            .lines()
            .skip(first.saturating_sub(4))
            .take(12)
            .collect();
        lines.join("\n")
    };
    panic!("{what}:\n{}\n-- and --\n{}", near(&one), near(&other));
}
