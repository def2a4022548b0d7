//! Leases: their fence, their end, and making them longer.

use queue_core::{Fence, How, LeaseLost, Seq, Settings, Settled, State, Time};
use std::time::Duration;

use crate::support::{LEASE, Shell, Token, ms};

fn with_max_lease(longest: Duration) -> Shell {
    Shell::new(Settings {
        max_lease: Some(longest),
        ..Settings::default()
    })
}

#[test]
fn a_lease_says_who_holds_it_since_when_and_until_when() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(1);
    let token = shell.lease_up_to(1, ms(500), "grace").remove(0);
    let lease = shell.queue.lease_of(token.seq).unwrap();
    assert_eq!(lease.worker.as_deref(), Some("grace"));
    assert_eq!(
        (lease.started, lease.deadline),
        (shell.now, shell.now + ms(500))
    );
    assert_eq!(lease.fence, token.fence);
    assert_eq!(
        (shell.state(token.seq), shell.attempts(token.seq)),
        (State::Leased, 1)
    );
}

#[test]
fn a_settle_needs_the_fence_of_the_lease() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(2);
    let [first, second] = shell.lease_up_to(2, LEASE, "ada")[..] else {
        panic!("two items")
    };
    let wrong = [
        Token {
            seq: first.seq,
            fence: second.fence,
        },
        Token {
            seq: first.seq,
            fence: Fence(first.fence.0 ^ 1),
        },
        Token {
            seq: Seq(99),
            fence: first.fence,
        },
    ];
    let before = shell.queue.clone();
    for token in wrong {
        for how in [How::Acked, How::Nacked, How::Released, How::Buried] {
            assert_eq!(shell.settle(token, how), Err(LeaseLost));
        }
        assert_eq!(shell.extend(token, LEASE), Err(LeaseLost));
    }
    assert!(shell.queue == before, "a refused settle changes nothing");
}

#[test]
fn a_settle_a_millisecond_before_the_deadline_is_in_time() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(1);
    let token = shell.lease();
    shell.pass(LEASE - ms(1));
    shell.settle_now(token, How::Acked);
}

#[test]
fn an_expired_lease_cannot_settle() {
    for how in [How::Acked, How::Nacked, How::Released, How::Buried] {
        let mut shell = Shell::new(Settings::default());
        shell.enqueue(1);
        let token = shell.lease();
        shell.pass(LEASE);
        assert_eq!(
            shell.settle(token, how),
            Err(LeaseLost),
            "{how:?} at the deadline itself"
        );
        assert_eq!(shell.extend(token, LEASE), Err(LeaseLost));
        assert_eq!(
            shell.state(token.seq),
            State::Ready,
            "though nobody took it"
        );
        assert_eq!(shell.last_attempt(token.seq).how, How::Expired);
    }
}

#[test]
fn an_expired_lease_cannot_settle_even_where_time_has_not_been_told_yet() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(1);
    let Token { seq, fence } = shell.lease();
    let deadline = shell.now + LEASE;

    let mut events = Vec::new();
    let ack = crate::support::plain(How::Acked);
    let queue = &shell.queue;
    assert_eq!(
        queue.settle(deadline, seq, fence, ack, 0, &mut events),
        Err(LeaseLost)
    );
    assert_eq!(
        queue.extend(deadline, seq, fence, LEASE, &mut events),
        Err(LeaseLost)
    );
    assert_eq!(queue.live_lease(deadline, seq, fence), None);
    assert_eq!(events, []);
    assert!(queue.live_lease(Time(deadline.0 - 1), seq, fence).is_some());
}

#[test]
fn an_expired_item_is_ready_at_once_with_its_attempt_spent_and_dead_after_the_last() {
    let mut shell = Shell::new(Settings {
        max_attempts: 3,
        ..Settings::default()
    });
    let item = shell.enqueue(1)[0];
    for attempt in 1..=3 {
        let token = shell.lease();
        assert_eq!(shell.attempts(token.seq), attempt);
        shell.pass(LEASE);
        shell.catch_up();
        let state = if attempt < 3 {
            State::Ready
        } else {
            State::Dead
        };
        assert_eq!((shell.state(item), shell.attempts(item)), (state, attempt));
    }
    let (totals, counts) = (shell.queue.totals(), shell.queue.counts());
    assert_eq!(
        (totals.lease_expired, totals.dead, totals.leased),
        (3, 1, 3)
    );
    assert_eq!((counts.dead, counts.ready, counts.leased), (1, 0, 0));
}

#[test]
fn an_attempt_that_ran_out_ended_at_its_deadline_however_late_anyone_looked() {
    let mut shell = Shell::new(Settings::default());
    let item = shell.enqueue(1)[0];
    let began = shell.now;
    shell.lease();
    shell.pass(LEASE * 100);
    shell.catch_up();
    let last = shell.last_attempt(item);
    assert_eq!((last.started, last.ended), (began, began + LEASE));
    assert_eq!((last.note, last.exit_code), (None, None));
}

#[test]
fn the_holder_of_an_old_lease_cannot_touch_the_new_one() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(1);
    let stale = shell.lease();
    shell.pass(LEASE);
    let fresh = shell.lease();
    assert_eq!(fresh.seq, stale.seq);
    assert_ne!(fresh.fence, stale.fence);

    let before = shell.queue.clone();
    assert_eq!(shell.settle(stale, How::Acked), Err(LeaseLost));
    assert_eq!(shell.extend(stale, LEASE), Err(LeaseLost));
    assert!(shell.queue == before);
    assert_eq!(shell.settle(fresh, How::Acked), Ok(Settled::Now));
}

#[test]
fn an_extended_lease_ends_at_its_new_deadline_and_not_at_the_old_one() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(1);
    let token = shell.lease();
    shell.pass(LEASE - ms(1));
    assert_eq!(shell.extend(token, LEASE), Ok(shell.now + LEASE));
    shell.pass(LEASE - ms(1));
    shell.catch_up();
    assert_eq!(shell.state(token.seq), State::Leased);
    shell.pass(ms(1));
    assert_eq!(shell.settle(token, How::Acked), Err(LeaseLost));
}

#[test]
fn a_lease_may_be_made_shorter() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(1);
    let token = shell.lease();
    assert_eq!(shell.extend(token, ms(10)), Ok(shell.now + ms(10)));
    shell.pass(ms(10));
    shell.catch_up();
    assert_eq!(shell.state(token.seq), State::Ready);
}

#[test]
fn no_extension_goes_past_the_hard_end_of_an_attempt() {
    let mut shell = with_max_lease(ms(1_000));
    shell.enqueue(1);
    let began = shell.now;
    let token = shell.lease_up_to(1, ms(400), "ada").remove(0);
    shell.pass(ms(300));
    assert_eq!(shell.extend(token, ms(400)), Ok(began + ms(700)));
    shell.pass(ms(300));
    assert_eq!(shell.extend(token, ms(401)), Ok(began + ms(1_000)));
    shell.pass(ms(399));
    assert_eq!(shell.extend(token, LEASE), Ok(began + ms(1_000)));
    shell.pass(ms(1));
    assert_eq!(shell.extend(token, LEASE), Err(LeaseLost));

    let next = shell.lease_up_to(1, ms(400), "ada").remove(0);
    let fresh = shell.now + ms(1_000);
    assert_eq!(
        shell.extend(next, LEASE),
        Ok(fresh),
        "the next attempt has its own hard end"
    );
}

#[test]
fn no_lease_begins_longer_than_an_attempt_may_last() {
    let mut shell = with_max_lease(ms(1_000));
    shell.enqueue(1);
    let token = shell.lease();
    assert_eq!(
        shell.queue.lease_of(token.seq).unwrap().deadline,
        shell.now + ms(1_000)
    );
}

#[test]
fn a_running_lease_keeps_its_time_when_the_hard_end_moves_before_it() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(1);
    let token = shell.lease();
    let deadline = shell.now + LEASE;
    shell.pass(ms(2_000));
    shell.configure(|settings| settings.max_lease = Some(ms(1_000)));
    assert_eq!(
        shell.extend(token, LEASE),
        Ok(deadline),
        "no longer than it had, and no shorter"
    );
    assert_eq!(shell.extend(token, ms(50)), Ok(shell.now + ms(50)));
}

#[test]
fn the_mean_age_of_leases_counts_from_their_start_and_only_while_they_are_held() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(3);
    assert_eq!(shell.queue.mean_lease_age(shell.now), None);
    let first = shell.lease();
    shell.pass(ms(100));
    let second = shell.lease();
    shell.pass(ms(20));
    assert_eq!(shell.queue.mean_lease_age(shell.now), Some(ms(70)));
    shell.extend(first, LEASE).unwrap();
    assert_eq!(shell.queue.mean_lease_age(shell.now), Some(ms(70)));
    shell.settle_now(first, How::Released);
    assert_eq!(shell.queue.mean_lease_age(shell.now), Some(ms(20)));
    shell.pass(LEASE);
    shell.catch_up();
    assert_eq!(shell.queue.lease_of(second.seq), None, "it ran out");
    assert_eq!(shell.queue.mean_lease_age(shell.now), None);
}
