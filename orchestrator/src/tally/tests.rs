//! What a tally says.

use queue_api::{Body, ItemId};

use super::*;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn outcome(state: Finish, error: Option<&str>, took_ms: i64) -> Outcome {
    let ended: jiff::Timestamp = "2026-01-02T03:04:05Z".parse().expect("a time");
    Outcome {
        outcome: 1,
        id: ItemId::derive(1, 2),
        body: Body::from("line one\nline two"),
        key: None,
        group: None,
        state,
        attempts: 3,
        worker: None,
        enqueued: ended,
        started: Some(ended - jiff::SignedDuration::from_millis(took_ms)),
        ended,
        result: None,
        error: error.map(Into::into),
        exit_code: error.map(|_| 1),
    }
}

#[test]
fn the_rate_and_what_remains_follow_the_last_half_minute() {
    let mut tally = Tally::new(110, 10);
    assert_eq!((tally.left(), tally.eta(s(0))), (100, None));
    for second in 1..=20 {
        tally.record(&outcome(Finish::Done, None, 10), s(second));
    }
    assert_eq!((tally.finished(), tally.left()), (20, 80));
    assert!(
        (tally.rate(s(20)) - 1.0).abs() < 0.01,
        "{}",
        tally.rate(s(20))
    );
    assert_eq!(tally.eta(s(20)).map(|eta| eta.as_secs()), Some(80));
    assert_eq!(tally.eta(s(60)), None, "nothing finished of late");
}

#[test]
fn the_times_of_items_are_told_by_share() {
    let mut tally = Tally::new(100, 0);
    assert_eq!(tally.item_time(0.5), None);
    for took in 1..=100 {
        tally.record(&outcome(Finish::Done, None, took * 10), s(1));
    }
    let near = |quantile: f64, wanted: f64| {
        let got = tally.item_time(quantile).expect("a time").as_millis() as f64;
        assert!(
            (got - wanted).abs() <= wanted * 0.02,
            "{got} is not near {wanted}"
        );
    };
    near(0.5, 500.0);
    near(0.95, 950.0);
}

#[test]
fn the_first_failures_are_kept_with_the_last_line_of_their_error() {
    let mut tally = Tally::new(100, 0);
    let said = "Traceback:\n  deep inside\nValueError: \u{1b}[31mno\n\n";
    for _ in 0..9 {
        tally.record(&outcome(Finish::Dead, Some(said), 1), s(1));
    }
    assert_eq!((tally.dead, tally.failures.len()), (9, SHOWN_FAILURES));
    let wanted = Failure {
        item: "line one line two".into(),
        attempts: 3,
        error: "exit code 1: ValueError:  [31mno".into(),
    };
    assert_eq!(tally.failures[0], wanted);
}
