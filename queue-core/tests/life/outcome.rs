//! Outcomes: their numbers, and how long they are kept.

use queue_core::{How, SLICE, Seq, Settings, Settlement, State};

use crate::support::{LEASE, Shell, ms, plain};

fn numbers(shell: &Shell) -> Vec<u64> {
    shell.queue.outcomes(0).map(|(number, _)| number).collect()
}

fn finish(shell: &mut Shell, how: How) -> Seq {
    shell.enqueue(1);
    let token = shell.lease();
    shell.settle_now(token, how);
    token.seq
}

#[test]
fn outcomes_are_numbered_from_one_in_the_order_items_ended() {
    let mut shell = Shell::new(Settings {
        max_attempts: 1,
        ..Settings::default()
    });
    let came = shell.enqueue(5);
    assert_eq!(
        (shell.queue.last_outcome(), shell.queue.outcomes_from()),
        (0, 0)
    );
    let held = shell.lease_up_to(4, LEASE, "ada");
    shell.settle_now(held[2], How::Acked);
    shell.settle_now(held[0], How::Nacked);
    shell.take();
    shell.settle_now(held[3], How::Buried);
    shell.pass(LEASE);
    shell.catch_up();

    let told: Vec<_> = shell
        .queue
        .outcomes(0)
        .map(|(number, it)| (number, it.seq, it.state))
        .collect();
    assert_eq!(
        told,
        [
            (1, came[2], State::Done),
            (2, came[0], State::Dead),
            (3, came[4], State::Done),
            (4, came[3], State::Dead),
            (5, came[1], State::Dead),
        ]
    );
    assert_eq!(shell.queue.last_outcome(), 5);
    let after: Vec<_> = shell.queue.outcomes(3).map(|(number, _)| number).collect();
    assert_eq!(after, [4, 5]);
    assert_eq!(shell.queue.outcomes(5).count(), 0);
    assert_eq!(shell.queue.outcomes(u64::MAX).count(), 0);
}

#[test]
fn a_retry_and_a_purge_are_no_outcomes() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(2);
    let held = shell.lease_up_to(2, LEASE, "ada");
    shell.settle_now(held[0], How::Nacked);
    shell.settle_now(held[1], How::Released);
    let before = shell.queue.next_seq();
    shell.purge(queue_core::Purge {
        ready: true,
        delayed: true,
        dead: true,
        before,
    });
    assert_eq!(shell.queue.last_outcome(), 0);
}

#[test]
fn only_so_many_outcomes_are_kept() {
    let mut shell = Shell::new(Settings {
        done_retention_items: 3,
        ..Settings::default()
    });
    let items: Vec<_> = (0..5).map(|_| finish(&mut shell, How::Acked)).collect();
    shell.catch_up();
    assert_eq!(numbers(&shell), [3, 4, 5]);
    assert_eq!(
        (shell.queue.outcomes_from(), shell.queue.last_outcome()),
        (2, 5)
    );
    assert!(shell.queue.item(items[1]).is_none());
    assert!(shell.queue.item(items[2]).is_some());
    assert_eq!(
        shell.queue.counts().done,
        5,
        "done counts what was ever done"
    );
    assert_eq!(shell.blobs.freed(), 2);
}

#[test]
fn an_outcome_is_kept_for_its_time_and_not_a_millisecond_longer() {
    let mut shell = Shell::new(Settings {
        done_retention: ms(1_000),
        ..Settings::default()
    });
    finish(&mut shell, How::Acked);
    shell.pass(ms(400));
    finish(&mut shell, How::Acked);
    shell.pass(ms(599));
    shell.catch_up();
    assert_eq!(numbers(&shell), [1, 2]);
    shell.pass(ms(1));
    shell.catch_up();
    assert_eq!(numbers(&shell), [2]);
    shell.pass(ms(400));
    shell.catch_up();
    assert!(numbers(&shell).is_empty());
    assert_eq!(
        (shell.queue.outcomes_from(), shell.queue.last_outcome()),
        (2, 2)
    );
}

#[test]
fn done_items_hold_no_more_bytes_than_they_may_notes_included() {
    let mut shell = Shell::new(Settings {
        done_retention_bytes: 100,
        ..Settings::default()
    });
    for _ in 0..2 {
        shell.offer(&[30]).unwrap();
        let token = shell.lease();
        let note = shell.blobs.store(20);
        shell
            .settle_with(
                token,
                Settlement {
                    note: Some(note),
                    ..plain(How::Acked)
                },
            )
            .unwrap();
    }
    shell.catch_up();
    assert_eq!(numbers(&shell), [1, 2], "exactly at the limit");
    shell.offer(&[1]).unwrap();
    shell.take();
    shell.catch_up();
    assert_eq!(numbers(&shell), [2, 3], "one past it, the oldest goes");
    assert_eq!(shell.blobs.freed(), 2, "its body and its note");
}

#[test]
fn a_dead_item_outlives_its_outcome() {
    let mut shell = Shell::new(Settings {
        done_retention: ms(1_000),
        ..Settings::default()
    });
    let item = finish(&mut shell, How::Buried);
    shell.pass(ms(1_000));
    shell.catch_up();
    assert!(numbers(&shell).is_empty());
    assert_eq!(shell.state(item), State::Dead);
    assert_eq!(shell.queue.counts().dead, 1);
    assert_eq!(shell.last_attempt(item).how, How::Buried);
    assert_eq!(shell.blobs.freed(), 0);

    let before = shell.queue.next_seq();
    assert_eq!(
        shell.purge(queue_core::Purge {
            ready: false,
            delayed: false,
            dead: true,
            before
        }),
        1
    );
    assert_eq!(shell.blobs.freed(), 1);
}

#[test]
fn the_outcome_of_a_purged_dead_item_stays_until_it_is_past_retention() {
    let mut shell = Shell::new(Settings {
        done_retention: ms(1_000),
        ..Settings::default()
    });
    let item = finish(&mut shell, How::Buried);
    let before = shell.queue.next_seq();
    shell.purge(queue_core::Purge {
        ready: false,
        delayed: false,
        dead: true,
        before,
    });
    assert!(shell.queue.item(item).is_none());
    assert_eq!(numbers(&shell), [1]);
    shell.pass(ms(1_000));
    shell.catch_up();
    assert!(numbers(&shell).is_empty());
    assert_eq!(shell.blobs.freed(), 1);
}

#[test]
fn dead_items_hold_no_bytes_of_those_kept_for_done_ones() {
    let mut shell = Shell::new(Settings {
        done_retention_bytes: 15,
        ..Settings::default()
    });
    finish(&mut shell, How::Buried);
    finish(&mut shell, How::Acked);
    shell.catch_up();
    assert_eq!(numbers(&shell), [1, 2]);
}

#[test]
fn retention_goes_in_slices() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(2 * SLICE + 10);
    for token in shell.lease_up_to(2 * SLICE + 10, LEASE, "ada") {
        let mut events = Vec::new();
        shell.queue.due(shell.now, &mut events);
        assert_eq!(events, []);
        shell.settle_now(token, How::Acked);
    }
    // The command itself finds nothing due; what it makes due is for later ones.
    shell.configure(|settings| settings.done_retention_items = 5);
    let mut kept = Vec::new();
    while shell.due_once() > 0 {
        kept.push(shell.queue.outcomes(0).count());
    }
    assert_eq!(kept, [SLICE + 10, 10, 5]);
}

#[test]
fn keeping_no_outcomes_keeps_none() {
    let mut shell = Shell::new(Settings {
        done_retention_items: 0,
        ..Settings::default()
    });
    let done = finish(&mut shell, How::Acked);
    let dead = finish(&mut shell, How::Buried);
    shell.catch_up();
    assert!(numbers(&shell).is_empty());
    assert!(shell.queue.item(done).is_none());
    assert_eq!(shell.state(dead), State::Dead);
    assert_eq!(shell.queue.last_outcome(), 2);
}

#[test]
fn one_look_at_the_clock_both_ends_leases_and_forgets_outcomes() {
    let mut shell = Shell::new(Settings {
        done_retention: LEASE,
        ..Settings::default()
    });
    let item = shell.enqueue(2)[0];
    shell.lease();
    shell.take();
    shell.pass(LEASE);
    assert_eq!(shell.due_once(), 2);
    assert_eq!(shell.state(item), State::Ready);
    assert!(numbers(&shell).is_empty());
}
