//! Who comes first.

use queue_core::{How, Seq, Settings, State};

use crate::support::{LEASE, Shell, Token, ms};

fn seqs(tokens: &[Token]) -> Vec<Seq> {
    tokens.iter().map(|token| token.seq).collect()
}

#[test]
fn items_are_lent_in_the_order_they_came() {
    let mut shell = Shell::new(Settings::default());
    let came = shell.enqueue(200);
    let mut lent = Vec::new();
    for max in [1, 2, 60, 100, 100] {
        lent.extend(shell.lease_up_to(max, LEASE, "ada"));
    }
    assert_eq!(seqs(&lent), came);
    assert!(shell.lease_up_to(1, LEASE, "ada").is_empty());
}

#[test]
fn each_lease_of_one_answer_has_a_fence_of_its_own() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(100);
    let mut fences: Vec<_> = shell
        .lease_up_to(100, LEASE, "ada")
        .iter()
        .map(|token| token.fence)
        .collect();
    fences.sort();
    fences.dedup();
    assert_eq!(fences.len(), 100);
}

#[test]
fn a_retried_item_goes_back_to_its_own_place_ahead_of_newer_ones() {
    let mut shell = Shell::new(Settings::default());
    let old = shell.enqueue(3);
    let lent = shell.lease_up_to(3, LEASE, "ada");
    let newer = shell.enqueue(1);

    shell.settle_now(lent[2], How::Released);
    shell.settle_now(lent[0], How::Nacked);
    shell.settle_now(lent[1], How::Released);
    shell.pass(ms(1_000));

    let again = shell.lease_up_to(9, LEASE, "ada");
    assert_eq!(seqs(&again), [old[0], old[1], old[2], newer[0]]);
}

#[test]
fn a_waiting_retry_holds_nobody_up() {
    let mut shell = Shell::new(Settings::default());
    let came = shell.enqueue(2);
    let first = shell.lease();
    shell.settle_now(first, How::Nacked);
    assert!(matches!(shell.state(came[0]), State::Delayed(_)));
    assert_eq!(shell.lease().seq, came[1]);
    assert!(shell.lease_up_to(1, LEASE, "ada").is_empty());
}

#[test]
fn the_oldest_ready_item_is_the_one_lent_next() {
    let mut shell = Shell::new(Settings::default());
    assert!(shell.queue.oldest_ready().is_none());
    shell.enqueue(1);
    let came = shell.now;
    shell.pass(ms(700));
    shell.enqueue(1);
    assert_eq!(
        shell.queue.oldest_ready().map(|item| item.enqueued()),
        Some(came)
    );
    shell.lease();
    assert_eq!(
        shell.queue.oldest_ready().map(|item| item.enqueued()),
        Some(shell.now)
    );
}

#[test]
fn a_paused_queue_lends_nothing_and_takes_everything() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(2);
    let held = shell.lease();
    shell.pause();
    assert!(shell.queue.is_paused());
    assert!(shell.lease_up_to(1, LEASE, "ada").is_empty());
    assert_eq!(shell.take(), None);

    shell.enqueue(1);
    assert!(shell.extend(held, LEASE).is_ok());
    shell.settle_now(held, How::Acked);
    assert_eq!(shell.queue.counts().ready, 2);

    shell.resume();
    assert_eq!(shell.lease_up_to(9, LEASE, "ada").len(), 2);
}

#[test]
fn taking_delivers_the_oldest_and_is_done_with_it() {
    let mut shell = Shell::new(Settings::default());
    let came = shell.enqueue(3);
    let held = shell.lease();
    assert_eq!(shell.take(), Some(came[1]));
    assert_eq!(shell.take(), Some(came[2]));
    assert_eq!(
        shell.take(),
        None,
        "a leased item is not taken from its holder"
    );

    assert_eq!(shell.state(came[1]), State::Done);
    assert_eq!(shell.attempts(came[1]), 0);
    let (totals, counts) = (shell.queue.totals(), shell.queue.counts());
    assert_eq!((totals.taken, totals.leased, totals.acked), (2, 1, 0));
    assert_eq!((counts.done, counts.leased), (2, 1));
    shell.settle_now(held, How::Acked);
}
