//! What is kept of runs, as time passes and room ends.

use std::time::Duration;

use jiff::Timestamp;
use queue_api::RunPhase::{self, Cancelled, Failed, Pending, Running, Stopping, Succeeded};

use super::*;

const AT: Time = Time(1_700_000_000_000);

fn name(name: &str) -> RunName {
    name.parse().expect("a name")
}

fn report(run: &str, phase: RunPhase) -> RunReport {
    RunReport {
        run: name(run),
        spec: "spec".into(),
        namespace: None,
        phase,
        started: Timestamp::UNIX_EPOCH,
        ended: None,
        message: None,
        updated: None,
        stale: false,
        steps: Vec::new(),
    }
}

fn store(runs: usize, bytes: usize) -> Store {
    Store::new(Limits { runs, bytes })
}

fn names(store: &mut Store, now: Time) -> Vec<String> {
    let reports = store.list(now);
    reports.iter().map(|it| it.run.to_string()).collect()
}

fn these(names: &[&str]) -> Changed<RunName> {
    Changed::These(names.iter().map(|it| name(it)).collect())
}

const JUST: Duration = RUN_STALE_AFTER;
const BARELY: Duration = Duration::from_millis(1);

#[test]
fn a_run_goes_stale_unless_it_ended_or_was_told_of() {
    for (phase, then, stale) in [
        (Pending, JUST, true),
        (Running, JUST - BARELY, false),
        (Running, JUST, true),
        (Stopping, JUST, true),
        (Succeeded, JUST * 100, false),
        (Failed, JUST * 100, false),
        (Cancelled, JUST * 100, false),
    ] {
        let mut store = store(10, 1_000);
        assert!(store.put(report("r", phase), 10, AT), "it was not known");
        let shown = store.get(&name("r"), AT + then).expect("it is kept");
        assert_eq!(shown.stale, stale, "{phase:?} after {then:?}");
        assert_eq!(shown.updated, Some(timestamp(AT)), "when it was told last");
        assert!(!store.put(report("r", phase), 10, AT + then));
        let shown = store.get(&name("r"), AT + then).expect("it is kept");
        assert!(!shown.stale, "{phase:?} is told of again");
        assert_eq!(shown.updated, Some(timestamp(AT + then)));
    }
}

#[test]
fn what_a_report_says_of_when_and_whether_it_came_is_passed_over() {
    let mut store = store(10, 1_000);
    let mut lies = report("r", Running);
    lies.updated = Some(Timestamp::MAX);
    lies.stale = true;
    store.put(lies, 10, AT);
    let shown = store.get(&name("r"), AT).expect("it is kept");
    assert_eq!((shown.updated, shown.stale), (Some(timestamp(AT)), false));
}

#[test]
fn to_go_stale_is_a_change_and_comes_once() {
    let mut store = store(10, 1_000);
    store.put(report("ended", Succeeded), 10, AT);
    store.put(report("goes-on", Running), 10, AT);
    // Within one millisecond: the later of the two deadlines is not taken away with the earlier.
    store.put(report("goes-on", Running), 10, AT);
    assert_eq!(store.next(), Some(AT + JUST));
    let seen = store.last(AT);
    assert_eq!(store.since(seen, AT + (JUST - BARELY)), these(&[]));
    assert_eq!(store.since(seen, AT + JUST), these(&["goes-on"]));
    assert_eq!(store.next(), None);
    let seen = store.last(AT + JUST);
    assert_eq!(store.since(seen, AT + JUST * 2), these(&[]));
    store.put(report("goes-on", Running), 10, AT + JUST * 2);
    assert_eq!(store.since(seen, AT + JUST * 2), these(&["goes-on"]));
    assert_eq!(store.next(), Some(AT + JUST * 3));
}

#[test]
fn one_that_ended_or_was_forgotten_wakes_nobody() {
    let mut store = store(10, 1_000);
    store.put(report("ends", Running), 10, AT);
    store.put(report("ends", Failed), 10, AT + BARELY);
    assert_eq!(store.next(), None);
    store.put(report("goes", Running), 10, AT);
    let seen = store.last(AT);
    assert!(store.delete(&name("goes"), AT));
    assert!(!store.delete(&name("goes"), AT));
    assert_eq!(store.next(), None);
    assert_eq!(store.since(seen, AT), these(&["goes"]));
    assert_eq!(store.get(&name("goes"), AT), None);
}

#[test]
fn the_one_that_began_last_is_listed_first() {
    let mut store = store(10, 1_000);
    for (run, second) in [("b", 2), ("c", 3), ("a", 2)] {
        let mut report = report(run, Running);
        report.started = Timestamp::from_second(second).expect("an instant");
        store.put(report, 10, AT);
    }
    assert_eq!(names(&mut store, AT), ["c", "a", "b"]);
}

#[test]
fn where_there_is_no_room_the_first_that_ended_goes_and_none_that_goes_on_before_it() {
    let mut store = store(4, 1_000);
    for (run, phase) in [
        ("quiet", Running),
        ("goes-on", Running),
        ("late", Running),
        ("early", Succeeded),
        ("late", Failed),
        ("quiet", Running),
    ] {
        store.put(report(run, phase), 10, AT);
    }
    let mut seen = store.last(AT);
    for (new, phase, gone) in [
        ("new-1", Running, "early"),
        ("new-2", Running, "late"),
        ("new-3", Running, "goes-on"),
        ("new-4", Running, "quiet"),
        ("new-5", Succeeded, "new-1"),
        ("new-6", Running, "new-5"),
    ] {
        assert!(store.put(report(new, phase), 10, AT), "{new}");
        assert_eq!(store.since(seen, AT), these(&[new, gone]));
        seen = store.last(AT);
    }
    assert_eq!(names(&mut store, AT).len(), 4);
    assert_eq!(store.due.len(), 4, "who is gone has no deadline");
}

#[test]
fn bytes_are_bounded_too_and_come_back() {
    let mut store = store(100, 100);
    store.put(report("a", Succeeded), 60, AT);
    store.put(report("b", Running), 40, AT);
    assert_eq!(names(&mut store, AT), ["a", "b"]);
    store.put(report("b", Running), 41, AT);
    assert_eq!(names(&mut store, AT), ["b"]);
    store.put(report("c", Running), 59, AT);
    assert_eq!(names(&mut store, AT), ["b", "c"]);
    store.delete(&name("b"), AT);
    store.put(report("d", Running), 41, AT);
    assert_eq!(
        (names(&mut store, AT), store.bytes),
        (vec!["c".into(), "d".into()], 100)
    );
    // Longer than all that is allowed: there is room for nothing else, and it is kept.
    store.put(report("e", Running), 101, AT);
    assert_eq!(names(&mut store, AT), ["e"]);
}
