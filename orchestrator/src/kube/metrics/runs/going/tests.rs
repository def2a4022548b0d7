//! What is told of runs that go on.

use std::time::Duration;

use ::metrics::check::Scrape;

use super::*;
use crate::kube::cluster::RunKey;
use crate::kube::metrics::{CATALOG, Metrics, UNREADABLE};
use crate::kube::status::Condition;
use crate::size::Eta;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).expect("a time")
}

fn key(name: &str) -> RunKey {
    RunKey {
        namespace: "team".into(),
        name: name.into(),
    }
}

/// A run of one step with items: 7 came in, 2 are done, 1 is dead.
fn running(started: Timestamp, terms: Terms, eta_s: u64) -> RunStatus {
    let sizing = Sizing {
        wanted: 5,
        binding: Cap::Quota,
        eta: Some(Eta {
            low: Duration::from_secs(eta_s),
            high: Duration::from_secs(2 * eta_s),
        }),
        condition: None,
        next_look: Duration::from_secs(15),
        terms,
    };
    let pool = PoolStatus {
        total: 7,
        done: 2,
        dead: 1,
        sized_at: Some(at(0)),
        sizing: Some(sizing),
        ..PoolStatus::default()
    };
    RunStatus {
        phase: RunPhase::Running,
        started_at: Some(started),
        steps: vec![
            StepStatus {
                name: "resize".into(),
                phase: Phase::Running,
                pool: Some(pool),
                ..StepStatus::default()
            },
            StepStatus {
                name: "later".into(),
                ..StepStatus::default()
            },
        ],
        ..RunStatus::default()
    }
}

fn terms() -> Terms {
    Terms {
        running: 3,
        pending: 1,
        busy: 2,
        quota_pods: Some(5),
        max: u32::MAX,
        min: 1,
        target: 9,
        item_s: Some(1.5),
        ..Terms::default()
    }
}

fn told(statuses: &[(&str, RunStatus)], now: Timestamp) -> Scrape {
    let going = statuses
        .iter()
        .map(|(spec, status)| Going::of((*spec).into(), status));
    let going: Vec<_> = going.collect();
    let text = ::metrics::text(collect(going.iter(), now)).expect("legal families");
    let scrape = Scrape::read(&text).expect("what Prometheus reads");
    assert_eq!(scrape.undeclared(&CATALOG), Vec::<String>::new());
    scrape
}

#[test]
fn a_step_tells_its_items_its_workers_and_every_term_that_is_known() {
    let scrape = told(&[("photos", running(at(-60), terms(), 100))], at(10));
    let of_step = |name: &str, label: (&str, &str)| {
        scrape.value(name, &[("spec", "photos"), ("step", "resize"), label])
    };
    for (state, count) in [("left", 4.0), ("done", 2.0), ("dead", 1.0)] {
        assert_eq!(
            of_step("memq_step_items", ("state", state)),
            Some(count),
            "{state}"
        );
    }
    for (state, count) in [
        ("wanted", 5.0),
        ("running", 3.0),
        ("pending", 1.0),
        ("busy", 2.0),
    ] {
        assert_eq!(
            of_step("memq_step_workers", ("state", state)),
            Some(count),
            "{state}"
        );
    }
    for (term, count) in [
        ("quota", Some(5.0)),
        ("min", Some(1.0)),
        ("target", Some(9.0)),
        ("max", None),
        ("knee", None),
    ] {
        assert_eq!(
            of_step("memq_step_sizing_workers", ("term", term)),
            count,
            "{term}"
        );
    }
    assert_eq!(
        of_step("memq_step_sizing_seconds", ("term", "item")),
        Some(1.5)
    );
    assert_eq!(
        of_step("memq_step_sizing_seconds", ("term", "startup")),
        None
    );
    assert_eq!(
        of_step("memq_step_binding_cap", ("cap", "quota")),
        Some(1.0)
    );
    assert_eq!(scrape.having("memq_step_binding_cap", &[]).count(), 1);
    // It was said ten seconds ago.
    assert_eq!(
        of_step("memq_step_eta_seconds", ("bound", "low")),
        Some(90.0)
    );
    assert_eq!(
        of_step("memq_step_eta_seconds", ("bound", "high")),
        Some(190.0)
    );
    assert_eq!(
        scrape.value("memq_run_age_seconds", &[("spec", "photos")]),
        Some(70.0)
    );
    assert_eq!(
        scrape
            .having("memq_step_items", &[("step", "later")])
            .count(),
        0
    );
}

#[test]
fn runs_of_one_spec_are_added_up_and_of_their_times_the_longest_is_told() {
    let mut slow = running(at(-500), terms(), 1_000);
    slow.phase = RunPhase::Stopping;
    slow.conditions.push(Condition {
        r#type: "CapacityBlocked".into(),
        status: "True".into(),
        reason: "Unschedulable".into(),
        message: String::new(),
        last_transition_time: at(0),
    });
    let statuses = [
        ("photos", running(at(-60), terms(), 100)),
        ("photos", slow),
        ("other", running(at(0), terms(), 1)),
    ];
    let scrape = told(&statuses, at(0));
    let photos = |name: &str, label: (&str, &str)| scrape.value(name, &[("spec", "photos"), label]);
    assert_eq!(photos("memq_step_items", ("state", "left")), Some(8.0));
    assert_eq!(photos("memq_step_workers", ("state", "running")), Some(6.0));
    assert_eq!(
        photos("memq_step_eta_seconds", ("bound", "low")),
        Some(1_000.0)
    );
    assert_eq!(photos("memq_runs", ("phase", "running")), Some(1.0));
    assert_eq!(photos("memq_runs", ("phase", "stopping")), Some(1.0));
    assert_eq!(
        photos("memq_run_conditions", ("condition", "CapacityBlocked")),
        Some(1.0)
    );
    assert_eq!(
        photos("memq_run_conditions", ("condition", "Blocked")),
        Some(0.0)
    );
    assert_eq!(
        scrape.value("memq_run_age_seconds", &[("spec", "photos")]),
        Some(500.0)
    );
}

#[test]
fn every_cap_has_a_word_of_its_own_in_the_catalog() {
    use crate::kube::metrics::runs::CAPS;
    let caps = [
        Cap::Deadline,
        Cap::Economy,
        Cap::UsefulWork,
        Cap::Backlog,
        Cap::Quota,
        Cap::Nodes,
        Cap::RateLimit,
        Cap::Max,
        Cap::Min,
        Cap::Knee,
        Cap::ColdStart,
        Cap::StepUp,
        Cap::Steady,
        Cap::Started,
        Cap::Tail,
        Cap::Hold,
        Cap::CapacityBlocked,
    ];
    assert_eq!(caps.map(word), CAPS);
}

#[test]
fn what_is_told_of_a_run_goes_with_it() {
    let metrics = Metrics::new().expect("legal metrics");
    let has_run = |metrics: &Metrics| {
        let text = metrics.text().expect("legal families");
        text.contains("memq_runs{")
    };
    let shown = metrics.shown(&key("photos-1"));
    let status = running(at(0), terms(), 1);
    shown.is("photos", &status);
    assert!(has_run(&metrics));
    let ended = RunStatus {
        phase: RunPhase::Succeeded,
        ..status.clone()
    };
    shown.is("photos", &ended);
    assert!(!has_run(&metrics), "it has ended");
    shown.is("photos", &status);
    drop(shown);
    assert!(!has_run(&metrics), "nobody looks after it");
}

#[test]
fn ends_are_counted_once_by_the_specs_name() {
    let metrics = Metrics::new().expect("legal metrics");
    let status = running(at(0), terms(), 1);
    let mut ended = status.clone();
    ended.phase = RunPhase::Failed;
    ended.finished_at = Some(at(90));
    ended.steps[0].phase = Phase::Failed;
    ended.steps[0].failed_pods = 3;
    ended.steps[1].phase = Phase::Skipped;
    metrics.wrote("photos", &status, &ended);
    metrics.wrote("photos", &ended, &ended);
    let text = metrics.text().expect("legal families");
    let scrape = Scrape::read(&text).expect("what Prometheus reads");
    let photos = |name: &str, label: (&str, &str)| scrape.value(name, &[("spec", "photos"), label]);
    assert_eq!(photos("memq_runs_total", ("result", "failed")), Some(1.0));
    assert_eq!(
        photos("memq_run_duration_seconds_sum", ("result", "failed")),
        Some(90.0)
    );
    assert_eq!(photos("memq_steps_total", ("result", "failed")), Some(1.0));
    assert_eq!(photos("memq_steps_total", ("result", "skipped")), Some(1.0));
    assert_eq!(
        photos("memq_pods_failed_total", ("step", "resize")),
        Some(3.0)
    );
}

#[test]
fn the_first_failure_of_a_spec_is_a_change_that_can_be_seen() {
    let metrics = Metrics::new().expect("legal metrics");
    let read = || {
        let text = metrics.text().expect("legal families");
        Scrape::read(&text).expect("what Prometheus reads")
    };
    let runs = |spec: &str| {
        let scrape = read();
        ["succeeded", "failed", "cancelled"]
            .map(|result| scrape.value("memq_runs_total", &[("spec", spec), ("result", result)]))
    };
    let steps = || {
        let scrape = read();
        ["succeeded", "failed", "skipped"].map(|result| {
            let resize = [("spec", "photos"), ("step", "resize"), ("result", result)];
            scrape.value("memq_steps_total", &resize)
        })
    };
    assert_eq!(runs("photos"), [None; 3], "nobody has heard of it");
    assert_eq!(runs("_unreadable"), [Some(0.0); 3], "these end at once");
    let status = running(at(0), terms(), 1);
    let shown = metrics.shown(&key("photos-1"));
    shown.is("photos", &status);
    assert_eq!(runs("photos"), [Some(0.0); 3]);
    assert_eq!(steps(), [Some(0.0); 3]);
    let resize = [("spec", "photos"), ("step", "resize")];
    assert_eq!(read().value("memq_pods_failed_total", &resize), Some(0.0));
    let mut ended = status.clone();
    ended.phase = RunPhase::Failed;
    ended.steps[0].phase = Phase::Failed;
    metrics.wrote("photos", &status, &ended);
    shown.is("photos", &ended);
    assert_eq!(runs("photos"), [Some(0.0), Some(1.0), Some(0.0)]);
    assert_eq!(steps(), [Some(0.0), Some(1.0), Some(0.0)]);

    // The next controller sees the run as it ended, and counts it no more: it is there for the next of that spec.
    let next = Metrics::new().expect("legal metrics");
    next.shown(&key("photos-1")).is("photos", &ended);
    let text = next.text().expect("legal families");
    let scrape = Scrape::read(&text).expect("what Prometheus reads");
    let failed = [("spec", "photos"), ("result", "failed")];
    assert_eq!(scrape.value("memq_runs_total", &failed), Some(0.0));
}

#[test]
fn a_thousand_specs_have_names_and_the_rest_has_one() {
    let metrics = Metrics::new().expect("legal metrics");
    let (before, ended) = (
        RunStatus::default(),
        RunStatus {
            phase: RunPhase::Succeeded,
            ..RunStatus::default()
        },
    );
    for number in 0..1_003 {
        metrics.wrote(&format!("spec-{number}"), &before, &ended);
    }
    let text = metrics.text().expect("legal families");
    let scrape = Scrape::read(&text).expect("what Prometheus reads");
    let succeeded = scrape.having("memq_runs_total", &[("result", "succeeded")]);
    let specs = succeeded.filter(|sample| sample.labels["spec"] != UNREADABLE);
    assert_eq!(specs.count(), 1_001);
    assert_eq!(
        scrape.value("memq_runs_total", &[("spec", "_other")]),
        Some(3.0)
    );
}
