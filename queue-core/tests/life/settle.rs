//! Saying a settlement again, because its answer was lost.

use queue_core::{How, LeaseLost, Purge, Queue, Settings, Settled, Settlement, State};

use crate::support::{LEASE, Offer, Shell, Token, ms, plain};

const ALL: [How; 4] = [How::Acked, How::Nacked, How::Released, How::Buried];

/// A queue whose only item was settled so.
fn settled(how: How) -> (Shell, Token) {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(1);
    let token = shell.lease();
    shell.settle_now(token, how);
    (shell, token)
}

fn lost_and_nothing_changed(shell: &mut Shell, token: Token, how: How) {
    shell.catch_up();
    let before: Queue = shell.queue.clone();
    assert_eq!(shell.settle(token, how), Err(LeaseLost), "{how:?}");
    assert!(shell.queue == before, "a stale {how:?} changes nothing");
}

#[test]
fn a_repeated_settle_is_known_in_whatever_state_it_left_the_item() {
    let ends = [
        (How::Acked, State::Done),
        (How::Released, State::Ready),
        (How::Buried, State::Dead),
    ];
    for (how, state) in ends {
        let (mut shell, token) = settled(how);
        assert_eq!(shell.state(token.seq), state);
        let before = shell.queue.clone();
        shell.pass(ms(999));
        for _ in 0..3 {
            assert_eq!(shell.settle(token, how), Ok(Settled::Before));
        }
        assert!(shell.queue == before, "a repeat changes nothing");
    }
}

#[test]
fn a_repeated_failure_is_known_while_it_waits_and_after_it_fell_due() {
    let (mut shell, token) = settled(How::Nacked);
    let State::Delayed(due) = shell.state(token.seq) else {
        panic!("it waits")
    };
    assert_eq!(shell.settle(token, How::Nacked), Ok(Settled::Before));
    assert!(matches!(shell.state(token.seq), State::Delayed(still) if still == due));
    shell.now = due;
    assert_eq!(shell.settle(token, How::Nacked), Ok(Settled::Before));
    assert_eq!(shell.state(token.seq), State::Ready);
}

#[test]
fn a_repeated_last_failure_is_known_though_the_item_died_of_it() {
    let mut shell = Shell::new(Settings {
        max_attempts: 1,
        ..Settings::default()
    });
    shell.enqueue(1);
    let token = shell.lease();
    shell.settle_now(token, How::Nacked);
    assert_eq!(shell.state(token.seq), State::Dead);
    assert_eq!(shell.settle(token, How::Nacked), Ok(Settled::Before));
}

#[test]
fn a_repeat_keeps_the_first_note_and_asks_for_no_other() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(1);
    let token = shell.lease();
    let first = shell.blobs.store(5);
    let again = shell.blobs.store(5);
    let ack = |note| Settlement {
        note: Some(note),
        ..plain(How::Acked)
    };
    assert_eq!(shell.settle_with(token, ack(first)), Ok(Settled::Now));
    assert_eq!(shell.settle_with(token, ack(again)), Ok(Settled::Before));
    assert_eq!(shell.last_attempt(token.seq).note, Some(first));
}

#[test]
fn a_second_settle_that_says_otherwise_is_lost() {
    for first in ALL {
        for other in ALL.into_iter().filter(|other| *other != first) {
            let (mut shell, token) = settled(first);
            lost_and_nothing_changed(&mut shell, token, other);
            assert_eq!(shell.extend(token, LEASE), Err(LeaseLost));
        }
    }
}

#[test]
fn a_repeat_is_lost_once_the_item_was_leased_again() {
    for how in [How::Nacked, How::Released] {
        let (mut shell, token) = settled(how);
        shell.pass(LEASE);
        let next = shell.lease();
        lost_and_nothing_changed(&mut shell, token, how);
        shell.settle_now(next, how);
        lost_and_nothing_changed(&mut shell, token, how);
        assert_eq!(shell.settle(next, how), Ok(Settled::Before));
    }
}

#[test]
fn a_repeat_is_lost_once_the_item_was_leased_again_and_that_lease_ran_out() {
    for how in [How::Nacked, How::Released] {
        let (mut shell, token) = settled(how);
        shell.pass(LEASE);
        shell.lease();
        shell.pass(LEASE);
        lost_and_nothing_changed(&mut shell, token, how);
    }
}

#[test]
fn a_repeat_is_lost_once_the_item_was_purged() {
    for how in [How::Nacked, How::Released, How::Buried] {
        let (mut shell, token) = settled(how);
        let before = shell.queue.next_seq();
        assert_eq!(
            shell.purge(Purge {
                ready: true,
                delayed: true,
                dead: true,
                before
            }),
            1
        );
        lost_and_nothing_changed(&mut shell, token, how);
    }
}

#[test]
fn a_repeat_is_lost_once_the_outcome_was_forgotten() {
    let mut shell = Shell::new(Settings {
        done_retention: ms(60_000),
        ..Settings::default()
    });
    shell.enqueue(1);
    let token = shell.lease();
    shell.settle_now(token, How::Acked);
    shell.pass(ms(59_999));
    assert_eq!(shell.settle(token, How::Acked), Ok(Settled::Before));
    shell.pass(ms(1));
    lost_and_nothing_changed(&mut shell, token, How::Acked);
}

#[test]
fn a_released_item_that_was_taken_is_not_acked_by_its_old_holder() {
    let (mut shell, token) = settled(How::Released);
    assert_eq!(shell.take(), Some(token.seq));
    for how in [How::Acked, How::Nacked, How::Buried] {
        lost_and_nothing_changed(&mut shell, token, how);
    }
    assert_eq!(shell.state(token.seq), State::Done);
}

#[test]
fn a_repeat_is_lost_once_the_item_was_redriven() {
    for how in [How::Buried, How::Nacked, How::Released] {
        let mut shell = Shell::new(Settings {
            max_attempts: 1,
            ..Settings::default()
        });
        shell.enqueue(1);
        let mut token = shell.lease();
        // So often that it counts in the end.
        while shell.settle(token, how) == Ok(Settled::Now) && shell.queue.counts().dead == 0 {
            token = shell.lease();
        }
        assert_eq!(shell.settle(token, how), Ok(Settled::Before));
        assert_eq!(shell.redrive(&[token.seq]), 1);
        lost_and_nothing_changed(&mut shell, token, how);
        assert_eq!(shell.state(token.seq), State::Ready);
    }
}

#[test]
fn a_repeat_is_lost_once_the_item_was_cancelled_or_expired_while_it_waited() {
    for how in [How::Nacked, How::Released] {
        let (mut shell, token) = settled(how);
        shell.cancel(token.seq).unwrap();
        lost_and_nothing_changed(&mut shell, token, how);

        let mut shell = Shell::new(Settings::default());
        let offer = Offer {
            ttl: Some(10),
            ..Offer::default()
        };
        shell.offer_all(&[offer], None, None).unwrap();
        let token = shell.lease();
        shell.settle_now(token, how);
        assert_eq!(shell.settle(token, how), Ok(Settled::Before));
        shell.pass(ms(10));
        lost_and_nothing_changed(&mut shell, token, how);
        assert_eq!(shell.state(token.seq), State::Expired);
    }
}

#[test]
fn a_repeat_of_the_settle_that_ended_an_expired_item_is_known() {
    for how in [How::Nacked, How::Released] {
        let mut shell = Shell::new(Settings::default());
        let offer = Offer {
            ttl: Some(10),
            ..Offer::default()
        };
        shell.offer_all(&[offer], None, None).unwrap();
        let token = shell.lease();
        shell.pass(ms(10));
        shell.settle_now(token, how);
        assert_eq!(shell.state(token.seq), State::Expired);
        assert_eq!(shell.settle(token, how), Ok(Settled::Before));
    }
}
