//! From when and until when an item is wanted.

use queue_core::{How, LeaseLost, Lendable, Seq, Settings, State, Time};

use crate::support::{LEASE, Offer, Shell, ms};

fn with_ttl(ttl: u64) -> Offer {
    Offer {
        ttl: Some(ttl),
        ..Offer::default()
    }
}

fn wanted(offer: Offer) -> Shell {
    let mut shell = Shell::with_three_attempts();
    shell.offer_all(&[offer], None, None).unwrap();
    shell
}

const ITEM: Seq = Seq(0);

#[test]
fn a_delayed_item_is_ready_at_its_time_and_not_before() {
    let mut shell = wanted(Offer {
        delay: 50,
        ..Offer::default()
    });
    assert_eq!(shell.state(ITEM), State::Delayed(shell.now + ms(50)));
    shell.pass(ms(49));
    assert!(shell.lease_up_to(1, LEASE, "ada").is_empty());
    shell.pass(ms(1));
    assert_eq!(shell.lease().seq, ITEM);
}

#[test]
fn a_ready_item_expires_at_its_time_and_not_before() {
    let mut shell = wanted(with_ttl(50));
    let expires = shell.now + ms(50);
    assert_eq!(shell.queue.next_deadline(shell.now), Some(expires));
    shell.pass(ms(49));
    shell.catch_up();
    assert_eq!(shell.state(ITEM), State::Ready);
    shell.pass(ms(1));
    shell.catch_up();
    assert_eq!(shell.state(ITEM), State::Expired);
    let (_, outcome) = shell.queue.outcomes(0).next().unwrap();
    assert_eq!((outcome.state, outcome.ended), (State::Expired, expires));
    let totals = shell.queue.totals();
    assert_eq!((totals.item_expired, totals.dead), (1, 0));
    assert!(shell.queue.is_finished());
}

#[test]
fn an_item_that_waits_longer_than_it_is_wanted_expires_while_it_waits() {
    for delay in [20, 10] {
        let mut shell = wanted(Offer {
            delay,
            ..with_ttl(10)
        });
        shell.pass(ms(30));
        shell.catch_up();
        assert_eq!(shell.state(ITEM), State::Expired);
    }
}

#[test]
fn a_lease_outlasts_the_expiry_and_may_still_be_acked() {
    let mut shell = wanted(with_ttl(10));
    let token = shell.lease();
    shell.pass(ms(20));
    shell.catch_up();
    assert_eq!(shell.state(ITEM), State::Leased);
    shell.settle_now(token, How::Acked);
    assert_eq!(shell.state(ITEM), State::Done);
    assert_eq!(shell.queue.totals().item_expired, 0);
}

#[test]
fn a_lease_that_fails_after_the_expiry_ends_the_item_as_expired() {
    for how in [How::Nacked, How::Released] {
        let mut shell = wanted(with_ttl(10));
        let token = shell.lease();
        shell.pass(ms(20));
        shell.settle_now(token, how);
        assert_eq!(shell.state(ITEM), State::Expired);
        assert_eq!(shell.last_attempt(ITEM).how, how);
        assert_eq!(shell.settle(token, How::Acked), Err(LeaseLost));
    }
    let mut shell = wanted(with_ttl(10));
    let token = shell.lease();
    shell.pass(ms(20));
    shell.settle_now(token, How::Buried);
    assert_eq!(shell.state(ITEM), State::Dead);
}

#[test]
fn a_lease_that_runs_out_after_the_expiry_ends_the_item_as_expired() {
    let mut shell = wanted(with_ttl(10));
    shell.lease_up_to(1, ms(30), "ada");
    let deadline = shell.now + ms(30);
    shell.pass(ms(100));
    shell.catch_up();
    let (_, outcome) = shell.queue.outcomes(0).next().unwrap();
    assert_eq!((outcome.state, outcome.ended), (State::Expired, shell.now));
    assert_eq!(shell.last_attempt(ITEM).ended, deadline);
    assert_eq!(shell.last_attempt(ITEM).how, How::Expired);
}

#[test]
fn a_lease_that_fails_before_the_expiry_leaves_the_item_to_it() {
    let mut shell = wanted(with_ttl(10));
    let token = shell.lease();
    shell.settle_now(token, How::Nacked);
    assert_eq!(shell.state(ITEM), State::Ready);
    shell.pass(ms(10));
    shell.catch_up();
    assert_eq!(shell.state(ITEM), State::Expired);
}

#[test]
fn while_more_expires_than_one_step_ends_nothing_is_lent() {
    let mut shell = Shell::new(Settings::default());
    shell
        .offer_all(&vec![with_ttl(10); 2_500], None, None)
        .unwrap();
    shell.enqueue(1);
    shell.pass(ms(10));
    assert_eq!(shell.due_once(), 1_000);
    assert_eq!(shell.queue.lendable(shell.now), Lendable::Nothing);
    let mut events = Vec::new();
    assert_eq!(shell.queue.take(shell.now, &mut events), None);
    assert_eq!(shell.due_once(), 1_000);
    assert_eq!(shell.due_once(), 500);
    assert_eq!(shell.lease().seq, Seq(2_500));
}

#[test]
fn an_expired_item_goes_with_its_outcome() {
    let mut shell = wanted(with_ttl(10));
    shell.pass(ms(10));
    shell.catch_up();
    shell.configure(|settings| settings.done_retention_items = 0);
    shell.catch_up();
    assert!(shell.queue.item(ITEM).is_none());
    assert_eq!(shell.blobs.freed(), 1);
}

#[test]
fn what_expired_while_nobody_looked_is_remembered_from_when_somebody_does() {
    let mut shell = wanted(with_ttl(10));
    let retention = ms(1_000);
    shell.configure(|settings| settings.done_retention = retention);
    shell.enqueue(1);
    shell.pass(ms(1));
    shell.cancel(Seq(1)).unwrap();
    // The server is down.
    shell.pass(ms(500));
    shell.catch_up();
    let told = shell.queue.outcomes(0);
    let told: Vec<_> = told.map(|(_, outcome)| outcome.ended).collect();
    assert_eq!(told.last(), Some(&shell.now));
    assert!(told.is_sorted(), "{told:?}");
    shell.pass(retention - ms(1));
    shell.catch_up();
    assert_eq!(shell.state(ITEM), State::Expired);
}

#[test]
fn a_redriven_item_that_expired_meanwhile_ends_at_once_and_is_remembered_as_long_as_any() {
    let mut shell = wanted(with_ttl(10));
    let retention = ms(1_000);
    shell.configure(|settings| settings.done_retention = retention);
    let token = shell.lease();
    shell.settle_now(token, How::Buried);
    shell.pass(ms(5_000));
    assert_eq!(shell.redrive(&[ITEM]), 1);
    assert_eq!(shell.state(ITEM), State::Expired);
    shell.pass(retention - ms(1));
    shell.catch_up();
    let (_, outcome) = shell.queue.outcomes(0).next().unwrap();
    assert_eq!(outcome.state, State::Expired);
    assert_eq!(shell.state(ITEM), State::Expired);
    shell.pass(ms(1));
    shell.catch_up();
    assert!(shell.queue.item(ITEM).is_none());
}

#[test]
fn expiries_outlive_a_snapshot() {
    let mut shell = Shell::with_three_attempts();
    shell.offer_all(&vec![with_ttl(10); 4], None, None).unwrap();
    let held = shell.lease();
    shell.begin_snapshot();
    shell.snapshot_slice(2);
    shell.pass(ms(10));
    shell.catch_up();
    while !shell.snapshot_slice(1) {}
    shell.settle_now(held, How::Nacked);
    assert_eq!(shell.state(held.seq), State::Expired);
    assert_eq!(
        shell.queue.next_deadline(Time(0)),
        shell.queue.next_deadline(shell.now)
    );
}
