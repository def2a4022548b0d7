//! What a joblog remembers, and what it survives.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::PathBuf;

use queue_api::{Body, Finish, ItemId, Outcome};

use super::*;

struct Fixture {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("joblog.ndjson");
    Fixture { _dir: dir, path }
}

impl Fixture {
    fn open(&self) -> (Joblog, Past) {
        Joblog::open(&self.path).expect("a joblog")
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).expect("text")
    }
}

fn outcome(body: impl Into<Body>, state: Finish) -> Outcome {
    let time = "2026-01-02T03:04:05Z".parse().expect("a time");
    Outcome {
        outcome: 1,
        id: ItemId::derive(1, 2),
        body: body.into(),
        key: None,
        group: None,
        state,
        attempts: 1,
        worker: Some("w-1".into()),
        enqueued: time,
        started: Some(time),
        ended: time,
        result: (state == Finish::Done).then(|| "SHA256:x".into()),
        error: (state == Finish::Dead).then(|| "boom".into()),
        exit_code: Some(0),
    }
}

#[test]
fn a_line_has_the_fields_that_others_read() {
    let fixture = fixture();
    let (mut joblog, _) = fixture.open();
    joblog
        .append("only", &outcome("a", Finish::Done))
        .expect("a write");
    joblog
        .append("only", &outcome(vec![0xff], Finish::Dead))
        .expect("a write");
    assert_eq!(
        fixture.text(),
        concat!(
            r#"{"step":"only","id":"00000000000000010000000000000002","body":"a","state":"done","attempts":1,"#,
            r#""worker":"w-1","started":"2026-01-02T03:04:05Z","ended":"2026-01-02T03:04:05Z","#,
            r#""result":"SHA256:x","exit_code":0}"#,
            "\n",
            r#"{"step":"only","id":"00000000000000010000000000000002","body_base64":"/w==","state":"dead","#,
            r#""attempts":1,"worker":"w-1","started":"2026-01-02T03:04:05Z","#,
            r#""ended":"2026-01-02T03:04:05Z","error":"boom","exit_code":0}"#,
            "\n"
        )
    );
}

#[test]
fn the_next_run_knows_what_is_done_and_how_often() {
    let fixture = fixture();
    let (mut joblog, past) = fixture.open();
    assert_eq!(past, Past::default());
    for (body, state) in [
        ("twice", Finish::Done),
        ("once", Finish::Done),
        ("twice", Finish::Done),
        ("died", Finish::Dead),
    ] {
        joblog
            .append("only", &outcome(body, state))
            .expect("a write");
    }
    joblog
        .append("only", &outcome(vec![0xff, 0], Finish::Done))
        .expect("a write");
    joblog.sync().expect("a sync");
    drop(joblog);
    let (_joblog, past) = fixture.open();
    assert_eq!(past.done_items(), 4);
    let items = &past.steps["only"].items;
    assert_eq!(items.get(b"twice".as_slice()), Some(&2));
    assert_eq!(items.get(b"once".as_slice()), Some(&1));
    assert_eq!(items.get([0xff, 0].as_slice()), Some(&1));
    assert_eq!(
        items.get(b"died".as_slice()),
        None,
        "what died is tried again"
    );
}

#[test]
fn a_line_torn_anywhere_costs_that_line_only() {
    let fixture = fixture();
    let (mut joblog, _) = fixture.open();
    joblog
        .append("only", &outcome("first", Finish::Done))
        .expect("a write");
    let whole = fixture.text();
    joblog
        .append("only", &outcome("second", Finish::Done))
        .expect("a write");
    drop(joblog);
    let both = fixture.text();
    for cut in whole.len() + 1..both.len() {
        fs::write(&fixture.path, &both[..cut]).expect("a write");
        let (mut joblog, past) = fixture.open();
        let kept = u64::from(cut == both.len() - 1);
        assert_eq!(past.done_items(), 1 + kept, "cut at {cut}");
        joblog
            .append("only", &outcome("third", Finish::Done))
            .expect("a write");
        drop(joblog);
        let (_joblog, past) = fixture.open();
        assert_eq!(
            (past.done_items(), past.tail),
            (2 + kept, Tail::Whole),
            "cut at {cut}"
        );
    }
}

#[test]
fn a_file_that_is_something_else_is_refused_and_left_alone() {
    for (text, line) in [
        ("hello", 1),
        ("hello\n", 1),
        ("{\"id\":1}\n", 1),
        (
            "{\"body\":\"a\",\"state\":\"done\"}\n{\"torn\n{\"body\":\"b\",\"state\":\"done\"}\n",
            2,
        ),
    ] {
        let fixture = fixture();
        fs::write(&fixture.path, text).expect("a write");
        match Joblog::open(&fixture.path) {
            Err(JoblogError::Foreign { line: at, .. }) => assert_eq!(at, line, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
        assert_eq!(fixture.text(), text);
    }
}

#[test]
fn two_runs_cannot_share_a_joblog() {
    let fixture = fixture();
    let (_first, _) = fixture.open();
    assert!(matches!(
        Joblog::open(&fixture.path),
        Err(JoblogError::Busy(_))
    ));
}

#[test]
fn a_joblog_written_by_hand_or_by_another_version_is_read() {
    let fixture = fixture();
    let text = "{\"state\":\"done\",\"body\":\"a\",\"new_field\":[1]}\n\n{\"state\":\"expired\",\"body\":\"b\"}\n";
    fs::write(&fixture.path, text).expect("a write");
    let (_joblog, past) = fixture.open();
    assert_eq!(past.done_items(), 1);
}

fn ended<'a>(step: &'a str, element: Option<&'a str>, done: bool) -> Ended<'a> {
    let time = "2026-01-02T03:04:05Z".parse().expect("a time");
    Ended {
        step,
        element,
        done,
        tries: 2,
        started: time,
        ended: time,
        result: done.then_some("17 rows"),
        error: (!done).then_some("exit code 3: boom"),
        exit_code: Some(if done { 0 } else { 3 }),
    }
}

#[test]
fn steps_and_elements_have_lines_too() {
    let fixture = fixture();
    let (mut joblog, _) = fixture.open();
    for line in [
        ended("prepare", None, true),
        ended("regions", Some("eu"), false),
    ] {
        joblog.append_ended(&line).expect("a write");
    }
    assert_eq!(
        fixture.text(),
        concat!(
            r#"{"step":"prepare","state":"done","attempts":2,"started":"2026-01-02T03:04:05Z","#,
            r#""ended":"2026-01-02T03:04:05Z","result":"17 rows","exit_code":0}"#,
            "\n",
            r#"{"step":"regions","element":"eu","state":"failed","attempts":2,"#,
            r#""started":"2026-01-02T03:04:05Z","ended":"2026-01-02T03:04:05Z","#,
            r#""error":"exit code 3: boom","exit_code":3}"#,
            "\n"
        )
    );
}

#[test]
fn what_is_done_is_known_by_step_until_the_step_is_done_anew() {
    let fixture = fixture();
    let (mut joblog, _) = fixture.open();
    joblog
        .append("pages", &outcome("a", Finish::Done))
        .expect("a write");
    joblog
        .append("thumbs", &outcome("a", Finish::Done))
        .expect("a write");
    for line in [
        ended("prepare", None, true),
        ended("report", None, false),
        ended("regions", Some("eu"), true),
        ended("regions", Some("us"), false),
    ] {
        joblog.append_ended(&line).expect("a write");
    }
    joblog.append_anew("pages").expect("a write");
    joblog
        .append("pages", &outcome("b", Finish::Done))
        .expect("a write");
    drop(joblog);
    let (_joblog, mut past) = fixture.open();
    let pages = past.take("pages", false);
    assert_eq!(pages.items, HashMap::from([(b"b".to_vec(), 1)]));
    let thumbs = past.take("thumbs", false);
    assert_eq!(thumbs.items, HashMap::from([(b"a".to_vec(), 1)]));
    assert!(past.take("prepare", false).whole);
    assert!(!past.take("report", false).whole);
    let regions = past.take("regions", false);
    assert_eq!(regions.elements, HashSet::from(["eu".to_owned()]));
    assert!(!regions.whole);
}

#[test]
fn lines_without_a_step_are_the_only_pools() {
    let fixture = fixture();
    let text = "{\"body\":\"a\",\"state\":\"done\"}\n{\"step\":\"keys\",\"body\":\"a\",\"state\":\"done\"}\n";
    fs::write(&fixture.path, text).expect("a write");
    let (_joblog, past) = fixture.open();
    let of = |only| past.clone().take("keys", only).items[b"a".as_slice()];
    assert_eq!((of(true), of(false)), (2, 1));
}
