//! Items that are not wanted any more, tried once more, or made by other items; and what attempts printed.

use queue_core::{
    Cancelled, How, Kind, LeaseLost, NotCancellable, Refusal, Seq, Settings, Settlement, State,
};

use crate::support::{LEASE, Offer, Shell, ms, plain};

const ITEM: Seq = Seq(0);

fn one() -> Shell {
    let mut shell = Shell::with_three_attempts();
    shell.enqueue(1);
    shell
}

#[test]
fn a_ready_or_a_delayed_item_ends_as_cancelled_and_stays_so() {
    for delay in [0, 50] {
        let mut shell = Shell::new(Settings::default());
        let offer = Offer {
            delay,
            ..Offer::default()
        };
        shell.offer_all(&[offer], None, None).unwrap();
        assert_eq!(shell.cancel(ITEM), Ok(Cancelled::Now));
        assert_eq!(shell.cancel(ITEM), Ok(Cancelled::Before));
        shell.pass(ms(50));
        assert!(shell.lease_up_to(1, LEASE, "ada").is_empty());
        let (_, outcome) = shell.queue.outcomes(0).next().unwrap();
        assert_eq!(outcome.state, State::Cancelled);
        assert_eq!(shell.queue.totals().cancelled, 1);
    }
}

#[test]
fn cancelling_a_leased_item_revokes_its_lease() {
    let mut shell = one();
    let token = shell.lease();
    assert_eq!(shell.cancel(ITEM), Ok(Cancelled::Now));
    assert_eq!(shell.state(ITEM), State::Cancelled);
    assert_eq!(shell.last_attempt(ITEM).how, How::Revoked);
    for how in [How::Acked, How::Nacked, How::Released] {
        assert_eq!(shell.settle(token, how), Err(LeaseLost));
    }
    assert_eq!(shell.extend(token, LEASE), Err(LeaseLost));
}

#[test]
fn cancelling_a_dead_item_throws_it_away() {
    let mut shell = one();
    let token = shell.lease();
    shell.settle_now(token, How::Buried);
    assert_eq!(shell.cancel(ITEM), Ok(Cancelled::ThrownAway));
    assert_eq!(shell.cancel(ITEM), Err(NotCancellable::Unknown));
    let totals = shell.queue.totals();
    assert_eq!((totals.purged, totals.cancelled), (1, 0));
}

#[test]
fn what_is_done_or_expired_cannot_be_cancelled() {
    let mut shell = one();
    shell.take();
    assert_eq!(shell.cancel(ITEM), Err(NotCancellable::Finished));
    let offer = Offer {
        ttl: Some(1),
        ..Offer::default()
    };
    shell.offer_all(&[offer], None, None).unwrap();
    shell.pass(ms(1));
    assert_eq!(shell.cancel(Seq(1)), Err(NotCancellable::Finished));
    assert_eq!(shell.cancel(Seq(2)), Err(NotCancellable::Unknown));
}

#[test]
fn a_cancelled_item_is_in_a_snapshot_that_was_begun_before() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(4);
    shell.lease();
    shell.begin_snapshot();
    shell.snapshot_slice(2);
    for seq in [0, 1, 2] {
        shell.cancel(Seq(seq)).unwrap();
    }
    while !shell.snapshot_slice(1) {}
    shell.cancel(Seq(3)).unwrap();
}

#[test]
fn a_redriven_item_has_all_its_attempts_before_it_and_its_past_behind_it() {
    let mut shell = one();
    for _ in 0..3 {
        let token = shell.lease();
        shell.settle_now(token, How::Nacked);
    }
    assert_eq!(shell.state(ITEM), State::Dead);
    shell.seal();
    assert!(shell.queue.is_drained());
    shell.begin_snapshot();
    assert_eq!(shell.redrive(&[ITEM, ITEM, Seq(7)]), 1);
    while !shell.snapshot_slice(1) {}
    assert!(!shell.queue.is_drained());
    assert_eq!(shell.attempts(ITEM), 0);
    assert_eq!(shell.queue.story(ITEM).len(), 3);
    for _ in 0..3 {
        let token = shell.lease();
        shell.settle_now(token, How::Nacked);
    }
    assert_eq!(shell.state(ITEM), State::Dead);
    let totals = shell.queue.totals();
    assert_eq!((totals.redriven, totals.dead, totals.enqueued), (1, 2, 1));
}

#[test]
fn the_outcome_of_its_death_takes_no_redriven_item_along() {
    let mut shell = one();
    let token = shell.lease();
    shell.settle_now(token, How::Buried);
    shell.redrive(&[ITEM]);
    shell.configure(|settings| settings.done_retention_items = 0);
    shell.catch_up();
    let token = shell.lease();
    shell.settle_now(token, How::Acked);
    shell.catch_up();
    assert!(shell.queue.item(ITEM).is_none());
}

#[test]
fn a_lease_lets_items_into_a_sealed_queue_and_a_lost_one_into_none() {
    let mut shell = one();
    let token = shell.lease();
    shell.seal();
    let offers = [Offer::default()];
    assert!(shell.offer_all(&offers, Some(token), None).is_ok());
    assert_eq!(shell.offer_all(&offers, None, None), Err(Refusal::Sealed));
    shell.settle_now(token, How::Acked);
    let refused = shell.offer_all(&offers, Some(token), None);
    assert_eq!(refused, Err(Refusal::LeaseLost));
    shell.reopen();
    let refused = shell.offer_all(&offers, Some(token), None);
    assert_eq!(refused, Err(Refusal::LeaseLost));
}

#[test]
fn what_an_attempt_printed_is_kept_with_it_and_goes_with_the_item() {
    let mut shell = one();
    let mut logs = Vec::new();
    for how in [How::Nacked, How::Acked] {
        let token = shell.lease();
        let (note, log) = (shell.blobs.store(5), shell.blobs.store(30));
        logs.push(Some(log));
        let settlement = Settlement {
            note: Some(note),
            log: Some(log),
            ..plain(how)
        };
        shell.settle_with(token, settlement).unwrap();
    }
    shell.begin_snapshot();
    while !shell.snapshot_slice(1) {}
    let kept: Vec<_> = shell.queue.story(ITEM).iter().map(|it| it.log).collect();
    assert_eq!(kept, logs);
    shell.configure(|settings| settings.done_retention_bytes = 79);
    shell.catch_up();
    assert!(shell.queue.item(ITEM).is_none(), "logs count for retention");
    assert_eq!(shell.blobs.freed(), 5);
}

#[test]
fn a_log_goes_with_the_attempt_that_is_forgotten_first() {
    let mut shell = one();
    shell.configure(|settings| settings.max_attempts = 100);
    for _ in 0..=queue_core::STORY_ATTEMPTS {
        let token = shell.lease();
        let log = Some(shell.blobs.store(1));
        let settlement = Settlement {
            log,
            ..plain(How::Nacked)
        };
        shell.settle_with(token, settlement).unwrap();
    }
    assert_eq!(shell.blobs.freed(), 1);
}

#[test]
fn items_are_looked_at_by_state_and_from_a_place_on() {
    let mut shell = Shell::with_three_attempts();
    let offers = [0, 0, 50, 0, 0].map(|delay| Offer {
        delay,
        ..Offer::default()
    });
    shell.offer_all(&offers, None, None).unwrap();
    shell.take();
    let buried = shell.lease();
    shell.settle_now(buried, How::Buried);
    shell.lease();
    let looked = |kind, after: Option<u64>| -> Vec<u64> {
        let items = shell.queue.look(kind, after.map(Seq));
        items.map(|(seq, _)| seq.0).collect()
    };
    assert_eq!(looked(None, None), [0, 1, 2, 3, 4]);
    assert_eq!(looked(None, Some(2)), [3, 4]);
    assert_eq!(looked(Some(Kind::Done), None), [0]);
    assert_eq!(looked(Some(Kind::Dead), None), [1]);
    assert_eq!(looked(Some(Kind::Delayed), None), [2]);
    assert_eq!(looked(Some(Kind::Leased), Some(1)), [3]);
    assert_eq!(looked(Some(Kind::Ready), None), [4]);
    assert_eq!(looked(Some(Kind::Ready), Some(4)), []);
    assert_eq!(looked(Some(Kind::Expired), None), []);
}

#[test]
fn a_look_goes_over_no_more_items_than_it_may_and_says_how_far_it_got() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(7);
    shell.pass(ms(1));
    for seq in [2, 3] {
        shell.cancel(Seq(seq)).unwrap();
    }
    let looked = |after: Option<u64>| {
        let cancelled = Some(Kind::Cancelled);
        let mut look = shell.queue.look(cancelled, after.map(Seq)).within(3);
        let items: Vec<_> = look.by_ref().map(|(seq, _)| seq.0).collect();
        (items, look.reached())
    };
    assert_eq!(looked(None), (vec![2], Some(Seq(2))));
    assert_eq!(looked(Some(2)), (vec![3], Some(Seq(5))));
    assert_eq!(looked(Some(5)), (vec![], None));
    assert_eq!(looked(Some(u64::MAX)), (vec![], None));
    let mut ready = shell.queue.look(Some(Kind::Ready), None).within(3);
    assert_eq!(
        ready.by_ref().count(),
        3,
        "those that are passed over cost nothing"
    );
    assert_eq!(ready.reached(), Some(Seq(4)));
}
