//! Each way to break one's word is found, and a server that kept it is not accused.

use super::*;

fn ledger() -> Ledger {
    Ledger::new(Bodies::new(1, 24).expect("long enough"))
}

/// An item that was acknowledged, and its body.
fn accepted(ledger: &mut Ledger) -> (u64, String) {
    let number = ledger.send();
    ledger.accepted(number);
    (number, ledger.bodies().body(number))
}

fn deliver(ledger: &mut Ledger, body: &str) {
    let asked = ledger.tick();
    assert!(ledger.delivered(body, asked).is_some());
}

#[track_caller]
fn found(ledger: &Ledger, expected: &[(Finding, u64)]) {
    let audit = ledger.audit();
    for finding in [
        Finding::Lost,
        Finding::Undone,
        Finding::DeliveredAfterSettle,
        Finding::DoneTwice,
        Finding::ThereTwice,
        Finding::Invented,
    ] {
        let count = expected.iter().find(|(kind, _)| *kind == finding);
        let count = count.map_or(0, |(_, count)| *count);
        assert_eq!(audit.count(finding), count, "{finding:?}: {audit}");
    }
    assert_eq!(audit.is_clean(), expected.is_empty(), "{audit}");
}

#[test]
fn a_server_that_kept_its_word_is_not_accused() {
    let mut ledger = ledger();
    // Done in one go.
    let (number, body) = accepted(&mut ledger);
    deliver(&mut ledger, &body);
    ledger.settled(number, false);
    ledger.found_done(&body);
    // Still there.
    let (_, body) = accepted(&mut ledger);
    ledger.found_left(&body);
    // Delivered twice before it was settled, as at-least-once allows.
    let (number, body) = accepted(&mut ledger);
    deliver(&mut ledger, &body);
    deliver(&mut ledger, &body);
    ledger.settled(number, false);
    ledger.found_done(&body);
    // Given back once, so that the second delivery was asked for.
    let (number, body) = accepted(&mut ledger);
    deliver(&mut ledger, &body);
    ledger.given_back(number);
    deliver(&mut ledger, &body);
    ledger.found_left(&body);
    // Settled, but the answer got lost, so that it is done and nobody was told.
    let (_, body) = accepted(&mut ledger);
    deliver(&mut ledger, &body);
    ledger.found_done(&body);
    // Settled again by the same lease, since the first answer got lost.
    let (number, body) = accepted(&mut ledger);
    deliver(&mut ledger, &body);
    ledger.settled(number, true);
    ledger.settled(number, true);
    ledger.found_done(&body);
    // Refused.
    let number = ledger.send();
    ledger.refused(number);

    found(&ledger, &[]);
    let audit = ledger.audit();
    assert_eq!((audit.sent, audit.accepted, audit.settled), (7, 6, 3));
    assert_eq!(audit.redelivered, 1);
}

#[test]
fn an_enqueue_without_an_answer_may_be_there_or_not() {
    let mut ledger = ledger();
    ledger.send();
    let there = ledger.send();
    let body = ledger.bodies().body(there);
    ledger.found_left(&body);
    found(&ledger, &[]);
    assert_eq!(ledger.audit().unanswered, 2);
}

#[test]
fn an_acknowledged_item_that_is_gone_is_lost() {
    let mut ledger = ledger();
    let (_, kept) = accepted(&mut ledger);
    let (lost, _) = accepted(&mut ledger);
    let (_, delivered) = accepted(&mut ledger);
    deliver(&mut ledger, &delivered);
    ledger.found_left(&kept);
    found(&ledger, &[(Finding::Lost, 2)]);
    let words = ledger.audit().to_string();
    let expected = format!("2 acknowledged and lost (item {lost}, ");
    assert!(words.contains(&expected), "{words}");
}

#[test]
fn an_acknowledged_settlement_that_is_gone_is_found() {
    let mut ledger = ledger();
    for left in [true, false] {
        let (number, body) = accepted(&mut ledger);
        deliver(&mut ledger, &body);
        ledger.settled(number, false);
        if left {
            ledger.found_left(&body);
        }
    }
    found(&ledger, &[(Finding::Undone, 2)]);
}

#[test]
fn a_delivery_asked_for_after_the_settlement_is_found_and_one_asked_for_before_is_not() {
    let mut ledger = ledger();
    let (number, body) = accepted(&mut ledger);
    deliver(&mut ledger, &body);
    let under_way = ledger.tick();
    ledger.settled(number, false);
    ledger.found_done(&body);
    ledger.delivered(&body, under_way);
    found(&ledger, &[]);
    deliver(&mut ledger, &body);
    found(&ledger, &[(Finding::DeliveredAfterSettle, 1)]);
}

#[test]
fn an_item_done_twice_is_found_by_its_settlements_and_by_its_outcomes() {
    let mut ledger = ledger();
    let (number, body) = accepted(&mut ledger);
    ledger.settled(number, false);
    ledger.settled(number, false);
    ledger.found_done(&body);
    let (_, body) = accepted(&mut ledger);
    ledger.found_done(&body);
    ledger.found_done(&body);
    found(&ledger, &[(Finding::DoneTwice, 2)]);
}

#[test]
fn an_item_there_twice_is_found() {
    let mut ledger = ledger();
    let (_, doubled) = accepted(&mut ledger);
    ledger.found_left(&doubled);
    ledger.found_left(&doubled);
    let (_, both) = accepted(&mut ledger);
    ledger.found_done(&both);
    ledger.found_left(&both);
    found(&ledger, &[(Finding::ThereTwice, 2)]);
}

#[test]
fn an_item_that_was_refused_or_never_sent_must_not_be_seen() {
    let mut ledger = ledger();
    let number = ledger.send();
    ledger.refused(number);
    let body = ledger.bodies().body(number);
    deliver(&mut ledger, &body);
    found(&ledger, &[(Finding::Invented, 1)]);

    let unsent = ledger.bodies().body(99);
    let asked = ledger.tick();
    assert_eq!(ledger.delivered(&unsent, asked), None);
    ledger.found_left("somebody else's");
    assert_eq!(ledger.audit().strange, 2);
    assert_eq!(ledger.audit().beyond(), 3);
}

#[test]
fn without_outcomes_the_answers_stand_for_them() {
    let mut ledger = ledger();
    let (settled, body) = accepted(&mut ledger);
    deliver(&mut ledger, &body);
    ledger.settled(settled, false);
    let (twice, _) = accepted(&mut ledger);
    ledger.settled(twice, false);
    ledger.settled(twice, false);
    accepted(&mut ledger);
    ledger.take_settled_for_done();
    found(&ledger, &[(Finding::Lost, 1), (Finding::DoneTwice, 1)]);
}

#[test]
fn what_was_acknowledged_after_a_moment_may_be_missing_then_and_before_it_not() {
    let mut ledger = ledger();
    let (early, early_body) = accepted(&mut ledger);
    deliver(&mut ledger, &early_body);
    let before_settle = ledger.tick();
    ledger.settled(early, false);
    let after_settle = ledger.tick();
    accepted(&mut ledger);

    // Nothing is there: what was accepted by then is lost, the second item is not missed.
    found(&ledger.as_of(before_settle), &[(Finding::Lost, 1)]);
    found(&ledger.as_of(after_settle), &[(Finding::Undone, 1)]);
    // The item is there and was not settled yet.
    let mut then = ledger.as_of(before_settle);
    deliver(&mut then, &early_body);
    then.settled(early, false);
    then.found_done(&early_body);
    found(&then, &[]);
    // It had been settled, and is given out all the same.
    let mut then = ledger.as_of(after_settle);
    deliver(&mut then, &early_body);
    then.found_done(&early_body);
    found(&then, &[(Finding::DeliveredAfterSettle, 1)]);
}

#[test]
fn audits_add_up() {
    let mut lossy = ledger();
    accepted(&mut lossy);
    let mut sum = lossy.audit();
    sum.add(&lossy.audit());
    assert_eq!((sum.accepted, sum.lost(), sum.beyond()), (2, 2, 0));
}
