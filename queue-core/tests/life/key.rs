//! Unique keys, and answers given twice.

use queue_core::{How, Purge, Refusal, Seq, Settings, State};

use crate::support::{Answer, LEASE, Offer, Shell, ms};

fn keyed(key: &str) -> Offer {
    Offer {
        key: Some(key.to_owned()),
        ..Offer::default()
    }
}

fn windowed(window: u64) -> Shell {
    Shell::new(Settings {
        key_window: ms(window),
        max_attempts: 1,
        ..Settings::default()
    })
}

/// Offers an item with this key; the item that has it already, if one does.
fn offer(shell: &mut Shell, key: &str) -> Option<usize> {
    let answer = shell.offer_all(&[keyed(key)], None, None).unwrap();
    assert_eq!(answer.count + answer.duplicates.len(), 1);
    answer.duplicates.first().map(|(_, seq)| *seq)
}

#[test]
fn while_an_item_is_live_another_with_its_key_is_a_duplicate() {
    let mut shell = windowed(0);
    assert_eq!(offer(&mut shell, "k"), None);
    assert_eq!(offer(&mut shell, "k"), Some(0));
    let token = shell.lease();
    assert_eq!(offer(&mut shell, "k"), Some(0));
    assert_eq!(offer(&mut shell, "other"), None);
    shell.settle_now(token, How::Acked);
    assert_eq!(offer(&mut shell, "k"), None);
    assert_eq!(shell.queue.totals().duplicates, 2);
}

#[test]
fn a_second_item_with_the_same_key_in_one_request_is_a_duplicate_of_the_first() {
    let mut shell = windowed(0);
    shell.enqueue(1);
    let offers = [keyed("k"), Offer::default(), keyed("k"), keyed("l")];
    let answer = shell.offer_all(&offers, None, None).unwrap();
    let expected = Answer {
        first: 1,
        count: 3,
        duplicates: vec![(2, 1)],
    };
    assert_eq!(answer, expected);
}

#[test]
fn a_key_stays_taken_for_its_window_whatever_became_of_the_item() {
    for how in [How::Acked, How::Buried] {
        let mut shell = windowed(100);
        offer(&mut shell, "k");
        let token = shell.lease();
        shell.settle_now(token, how);
        shell.pass(ms(99));
        assert_eq!(offer(&mut shell, "k"), Some(0));
        shell.pass(ms(1));
        assert_eq!(offer(&mut shell, "k"), None);
    }
}

#[test]
fn a_hold_outlives_its_item_and_a_snapshot() {
    let mut shell = windowed(100);
    offer(&mut shell, "k");
    offer(&mut shell, "l");
    shell.take();
    shell.configure(|settings| settings.done_retention_items = 0);
    shell.begin_snapshot();
    shell.take();
    shell.catch_up();
    assert!(shell.queue.item(Seq(0)).is_none());
    while !shell.snapshot_slice(1) {}
    assert_eq!(offer(&mut shell, "k"), Some(0));
    assert_eq!(offer(&mut shell, "l"), Some(1));
    shell.pass(ms(100));
    assert_eq!(offer(&mut shell, "k"), None);
}

#[test]
fn a_key_that_comes_free_while_its_queue_is_written_down_stays_free() {
    let mut shell = windowed(100);
    for key in ["a", "b", "c"] {
        offer(&mut shell, key);
    }
    shell.take();
    shell.take();
    shell.begin_snapshot();
    shell.snapshot_slice(9);
    shell.snapshot_slice(1);
    shell.pass(ms(100));
    shell.catch_up();
    assert_eq!(offer(&mut shell, "a"), None);
    while !shell.snapshot_slice(1) {}
    assert_eq!(offer(&mut shell, "a"), Some(3));
    assert_eq!(offer(&mut shell, "c"), Some(2));
}

#[test]
fn cancelling_and_purging_free_a_key_at_once() {
    let mut shell = windowed(1_000);
    offer(&mut shell, "k");
    shell.cancel(Seq(0)).unwrap();
    assert_eq!(offer(&mut shell, "k"), None);
    let before = shell.queue.next_seq();
    shell.purge(Purge {
        ready: true,
        delayed: false,
        dead: false,
        before,
    });
    assert_eq!(offer(&mut shell, "k"), None);
}

#[test]
fn a_redriven_item_takes_its_key_back_and_is_left_if_another_has_it() {
    let mut shell = windowed(50);
    for key in ["k", "l"] {
        offer(&mut shell, key);
    }
    for token in shell.lease_up_to(2, LEASE, "ada") {
        shell.settle_now(token, How::Nacked);
    }
    shell.pass(ms(50));
    assert_eq!(offer(&mut shell, "k"), None);
    assert_eq!(shell.redrive(&[Seq(0), Seq(1)]), 1);
    assert_eq!(shell.state(Seq(0)), State::Dead);
    assert_eq!(offer(&mut shell, "l"), Some(1));
}

#[test]
fn of_two_dead_items_with_one_key_one_is_redriven() {
    let mut shell = windowed(0);
    for _ in 0..2 {
        offer(&mut shell, "k");
        let token = shell.lease();
        shell.settle_now(token, How::Nacked);
    }
    assert_eq!(shell.redrive(&[Seq(0), Seq(1)]), 1);
    assert_eq!(shell.state(Seq(0)), State::Ready);
    assert_eq!(shell.redrive(&[Seq(0), Seq(1)]), 0);
}

#[test]
fn a_repeated_request_gets_the_same_answer_even_of_a_sealed_queue() {
    let mut shell = windowed(0);
    offer(&mut shell, "k");
    let offers = [keyed("k"), Offer::default(), Offer::default()];
    let answer = shell.offer_all(&offers, None, Some(("once", 7))).unwrap();
    shell.seal();
    shell.begin_snapshot();
    while !shell.snapshot_slice(1) {}
    assert_eq!(
        shell.offer_all(&offers, None, Some(("once", 7))),
        Ok(answer)
    );
    assert_eq!(shell.queue.totals().enqueued, 3);
    let another = shell.offer_all(&offers, None, Some(("once", 8)));
    assert_eq!(another, Err(Refusal::IdempotencyMismatch));
}

#[test]
fn an_answer_is_forgotten_a_day_after_its_last_use() {
    let day = queue_core::IDEMPOTENCY_KEPT;
    let mut shell = windowed(0);
    let offers = [Offer::default()];
    let ask = |shell: &mut Shell| {
        shell
            .offer_all(&offers, None, Some(("once", 7)))
            .unwrap()
            .first
    };
    assert_eq!(ask(&mut shell), 0);
    shell.pass(day - ms(1));
    assert_eq!(ask(&mut shell), 0);
    shell.pass(day - ms(1));
    assert_eq!(ask(&mut shell), 0);
    shell.pass(day);
    assert_eq!(ask(&mut shell), 1);
}

#[test]
fn an_answer_that_is_used_while_the_queue_is_written_down_is_there_afterwards() {
    let mut shell = windowed(0);
    for key in ["a", "b", "c"] {
        shell
            .offer_all(&[Offer::default()], None, Some((key, 1)))
            .unwrap();
    }
    shell.begin_snapshot();
    shell.snapshot_slice(4);
    for key in ["a", "c", "d"] {
        shell
            .offer_all(&[Offer::default()], None, Some((key, 1)))
            .unwrap();
    }
    while !shell.snapshot_slice(1) {}
    assert_eq!(
        shell.queue.recalled(shell.now, "c").map(|it| it.first),
        Some(Seq(2))
    );
}
