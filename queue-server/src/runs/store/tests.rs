//! What is kept of runs, as time passes and room ends.

use std::time::Duration;

use jiff::Timestamp;
use queue_api::RunPhase::{self, Cancelled, Failed, Pending, Running, Stopping, Succeeded};
use queue_api::RunReport;

use super::*;
use crate::engine::timestamp;

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

fn told(report: RunReport, now: Time) -> Told {
    Told::of(report, now).expect("JSON")
}

/// A report that is kept in so many bytes, or as few as can be.
fn long(run: &str, phase: RunPhase, bytes: usize) -> Told {
    let mut report = report(run, phase);
    report.message = Some(String::new());
    let least = told(report.clone(), AT).text().len();
    report.message = Some("m".repeat(bytes - least));
    told(report, AT)
}

fn read(text: &Bytes) -> RunReport {
    serde_json::from_slice(text).expect("a report")
}

fn names(store: &mut Store, now: Time) -> Vec<String> {
    let names = store.names(now);
    names.iter().map(ToString::to_string).collect()
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
        let mut store = store(10, 10_000);
        assert!(
            store.put(told(report("r", phase), AT), AT),
            "it was not known"
        );
        let shown = read(&store.get(&name("r"), AT + then).expect("it is kept"));
        assert_eq!(shown.stale, stale, "{phase:?} after {then:?}");
        assert_eq!(shown.updated, Some(timestamp(AT)), "when it was told last");
        assert!(!store.put(told(report("r", phase), AT + then), AT + then));
        let shown = read(&store.get(&name("r"), AT + then).expect("it is kept"));
        assert!(!shown.stale, "{phase:?} is told of again");
        assert_eq!(shown.updated, Some(timestamp(AT + then)));
    }
}

#[test]
fn what_a_report_says_of_when_and_whether_it_came_is_passed_over() {
    let mut store = store(10, 10_000);
    let mut lies = report("r", Running);
    lies.updated = Some(Timestamp::MAX);
    lies.stale = true;
    store.put(told(lies, AT), AT);
    let shown = read(&store.get(&name("r"), AT).expect("it is kept"));
    assert_eq!((shown.updated, shown.stale), (Some(timestamp(AT)), false));
}

#[test]
fn to_go_stale_is_a_change_and_comes_once() {
    let mut store = store(10, 10_000);
    store.put(told(report("ended", Succeeded), AT), AT);
    store.put(told(report("goes-on", Running), AT), AT);
    // Within one millisecond: the later of the two deadlines is not taken away with the earlier.
    store.put(told(report("goes-on", Running), AT), AT);
    assert_eq!(store.next(), Some(AT + JUST));
    let seen = store.last(AT);
    assert_eq!(store.since(seen, AT + (JUST - BARELY)), these(&[]));
    assert_eq!(store.since(seen, AT + JUST), these(&["goes-on"]));
    assert_eq!(store.next(), None);
    let seen = store.last(AT + JUST);
    assert_eq!(store.since(seen, AT + JUST * 2), these(&[]));
    store.put(
        told(report("goes-on", Running), AT + JUST * 2),
        AT + JUST * 2,
    );
    assert_eq!(store.since(seen, AT + JUST * 2), these(&["goes-on"]));
    assert_eq!(store.next(), Some(AT + JUST * 3));
}

#[test]
fn one_that_ended_or_was_forgotten_wakes_nobody() {
    let mut store = store(10, 10_000);
    store.put(told(report("ends", Running), AT), AT);
    store.put(told(report("ends", Failed), AT + BARELY), AT + BARELY);
    assert_eq!(store.next(), None);
    store.put(told(report("goes", Running), AT), AT);
    let seen = store.last(AT);
    assert!(store.delete(&name("goes"), AT));
    assert!(!store.delete(&name("goes"), AT));
    assert_eq!(store.next(), None);
    assert_eq!(store.since(seen, AT), these(&["goes"]));
    assert_eq!(store.get(&name("goes"), AT), None);
}

#[test]
fn the_one_that_began_last_is_listed_first() {
    let mut store = store(10, 10_000);
    for (run, second) in [("b", 2), ("c", 3), ("a", 2)] {
        let mut report = report(run, Running);
        report.started = Timestamp::from_second(second).expect("an instant");
        store.put(told(report, AT), AT);
    }
    assert_eq!(names(&mut store, AT), ["c", "a", "b"]);
}

#[test]
fn where_there_is_no_room_the_first_that_ended_goes_and_none_that_goes_on_before_it() {
    let mut store = store(4, 10_000);
    for (run, phase) in [
        ("quiet", Running),
        ("goes-on", Running),
        ("late", Running),
        ("early", Succeeded),
        ("late", Failed),
        ("quiet", Running),
    ] {
        store.put(told(report(run, phase), AT), AT);
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
        assert!(store.put(told(report(new, phase), AT), AT), "{new}");
        assert_eq!(store.since(seen, AT), these(&[new, gone]));
        seen = store.last(AT);
    }
    assert_eq!(names(&mut store, AT).len(), 4);
    assert_eq!(store.due.len(), 4, "who is gone has no deadline");
}

#[test]
fn bytes_are_bounded_too_and_come_back() {
    let mut store = store(100, 1_000);
    store.put(long("a", Succeeded, 600), AT);
    store.put(long("b", Running, 400), AT);
    assert_eq!(names(&mut store, AT), ["a", "b"]);
    store.put(long("b", Running, 401), AT);
    assert_eq!(names(&mut store, AT), ["b"]);
    store.put(long("c", Running, 599), AT);
    assert_eq!(names(&mut store, AT), ["b", "c"]);
    store.delete(&name("b"), AT);
    store.put(long("d", Running, 401), AT);
    assert_eq!(
        (names(&mut store, AT), store.bytes),
        (vec!["c".into(), "d".into()], 1_000)
    );
    // Longer than all that is allowed: there is room for nothing else, and it is kept.
    store.put(long("e", Running, 1_001), AT);
    assert_eq!(names(&mut store, AT), ["e"]);
}

#[test]
fn what_is_counted_is_what_is_kept_of_stale_ones_too() {
    let mut store = store(10, 10_000);
    store.put(long("a", Running, 600), AT);
    store.put(long("b", Succeeded, 600), AT);
    let kept = |store: &Store| {
        let texts = store.kept.values().map(|kept| kept.told.text().len());
        texts.sum::<usize>()
    };
    assert_eq!((store.bytes, kept(&store)), (1_200, 1_200));
    assert!(read(&store.get(&name("a"), AT + JUST).expect("it is kept")).stale);
    assert_eq!(store.bytes, kept(&store));
    assert!(store.bytes > 1_200, "it says that it is stale");
    store.delete(&name("a"), AT + JUST);
    assert_eq!(store.bytes, 600);
}

#[test]
fn a_list_goes_on_where_it_stopped_though_the_run_is_gone() {
    let mut store = store(10, 10_000);
    for run in ["a", "b", "c", "d", "e"] {
        store.put(told(report(run, Running), AT), AT);
    }
    let runs = |page: &Page| {
        let runs = page.reports.iter().map(|text| read(text).run.to_string());
        runs.collect::<Vec<_>>()
    };
    let page = store.page(None, 2, AT);
    assert_eq!(runs(&page), ["a", "b"]);
    store.delete(&name("b"), AT);
    let page = store.page(page.next.as_ref(), 2, AT);
    assert_eq!(runs(&page), ["c", "d"]);
    let page = store.page(page.next.as_ref(), 2, AT);
    assert_eq!((runs(&page), page.next), (vec!["e".into()], None));
    let all = store.page(None, 4, AT);
    assert_eq!((all.reports.len(), all.next), (4, None));
}

#[test]
fn a_page_of_long_reports_ends_early() {
    let each = MAX_PAGE_BYTES / 2;
    let mut store = store(10, 10 * each);
    for run in ["a", "b", "c", "d", "e"] {
        store.put(long(run, Running, each), AT);
    }
    let page = store.page(None, 10, AT);
    assert_eq!(page.reports.len(), 2);
    assert!(page.next.is_some());
}
