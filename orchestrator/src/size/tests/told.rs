//! What is told: the range of the end, the next look, and what a status keeps.

use super::*;

#[test]
fn the_end_is_a_range_that_narrows() {
    let wide = Seen {
        completions: 20,
        ..at_work(55)
    };
    let wide = target(&ANY, &wide).1.eta.unwrap();
    let narrow = target(&ANY, &at_work(55)).1.eta.unwrap();
    assert!(
        wide.low < narrow.low && narrow.high < wide.high,
        "{wide:?} {narrow:?}"
    );
    // 9,000 s of work in 55 pods.
    assert!(narrow.low < s(164) && s(164) < narrow.high, "{narrow:?}");
}

#[test]
fn no_end_is_told_where_none_is_known() {
    let unknown = Seen {
        mean_item: None,
        ..known()
    };
    assert_eq!(target(&ANY, &unknown).1.eta, None);
    let nobody = Rules { max: 0, ..ANY };
    assert_eq!(target(&nobody, &known()).1.eta, None);
    let done = Seen {
        ready: 0,
        ..known()
    };
    let eta = target(&ANY, &done).1.eta.unwrap();
    assert_eq!((eta.low, eta.high), (s(0), s(0)));
}

#[test]
fn a_rate_limit_is_part_of_the_end() {
    let limited = Seen {
        rate_per_s: Some(1.0),
        ..at_work(55)
    };
    let eta = target(&ANY, &limited).1.eta.unwrap();
    assert!(
        s(600) < eta.low && eta.low < s(1_000) && s(1_000) < eta.high,
        "{eta:?}"
    );
}

#[test]
fn it_is_looked_again_when_something_may_change() {
    let mut sizer = Sizer::default();
    assert_eq!(sizer.decide(&ANY, &known(), s(0)).next_look, s(15));
    assert_eq!(
        sizer.decide(&ANY, &known(), s(9)).next_look,
        s(6),
        "the next step"
    );
    let cold = Sizer::default().decide(
        &ANY,
        &Seen {
            ready: 9,
            ..Seen::default()
        },
        s(0),
    );
    assert_eq!(cold.next_look, s(5));
}

#[test]
fn a_restart_changes_nothing() {
    let mut sizer = Sizer::default();
    for now in [100, 115, 130] {
        sizer.decide(&ANY, &known(), s(now));
    }
    let kept = serde_json::to_string(&sizer).unwrap();
    let mut restarted: Sizer = serde_json::from_str(&kept).unwrap();
    assert_eq!(restarted, sizer);
    let (one, other) = (
        restarted.decide(&ANY, &known(), s(140)),
        sizer.decide(&ANY, &known(), s(140)),
    );
    assert_eq!(one, other);
    let empty: Sizer = serde_json::from_str("{}").unwrap();
    assert_eq!(empty, Sizer::default(), "a status of before there was one");
}

#[test]
fn an_answer_reads_as_it_was_written() {
    let rules = Rules {
        deadline: Some(s(110)),
        ..ANY
    };
    let sizing = target(&rules, &at_work(5)).1;
    let json = serde_json::to_value(&sizing).unwrap();
    assert_eq!(json["binding"], "StepUp");
    assert_eq!(json["terms"]["itemS"], 9.0);
    assert_eq!(json["condition"]["type"], "DeadlineInfeasible");
    assert!(json["eta"]["lowMs"].is_u64());
    let read: Sizing = serde_json::from_value(json).unwrap();
    assert_eq!(read.wanted, sizing.wanted);
}
