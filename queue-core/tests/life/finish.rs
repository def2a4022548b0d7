//! Sealed, drained, empty: when there is nothing more to wait for.

use queue_core::{How, Refusal, Settings, Settlement, State};

use crate::support::{LEASE, Shell, ms, plain};

const QUIET: u64 = 5_000;

fn quiet_shell() -> Shell {
    Shell::new(Settings {
        quiet: ms(QUIET),
        ..Settings::default()
    })
}

#[test]
fn a_seal_refuses_new_items_and_nothing_else() {
    let mut shell = quiet_shell();
    shell.enqueue(5);
    let held = shell.lease_up_to(3, LEASE, "ada");
    shell.seal();
    assert!(shell.queue.is_sealed());
    assert_eq!(shell.offer(&[1]), Err(Refusal::Sealed));
    assert_eq!(shell.offer(&[]), Err(Refusal::Sealed));

    shell.settle_now(held[0], How::Acked);
    shell.settle_now(held[1], How::Released);
    assert!(shell.extend(held[2], LEASE).is_ok());
    shell
        .settle_with(
            held[2],
            Settlement {
                delay: Some(ms(9)),
                ..plain(How::Nacked)
            },
        )
        .unwrap();
    assert_eq!(shell.lease().seq, held[1].seq);
    assert!(shell.take().is_some());
    shell.pass(ms(9));
    assert_eq!(shell.lease().seq, held[2].seq);

    shell.reopen();
    assert!(!shell.queue.is_sealed());
    assert_eq!(shell.enqueue(1).len(), 1);
}

#[test]
fn sealing_twice_says_nothing_twice() {
    let shell = quiet_shell();
    let mut events = Vec::new();
    shell.queue.reopen(&mut events);
    shell.queue.resume(&mut events);
    shell.queue.configure(*shell.queue.settings(), &mut events);
    assert_eq!(events, []);
    shell.queue.seal(&mut events);
    shell.queue.pause(&mut events);
    assert_eq!(events.len(), 2);
}

#[test]
fn a_sealed_queue_is_drained_when_nothing_is_ready_leased_or_delayed() {
    let mut shell = quiet_shell();
    shell.enqueue(1);
    shell.seal();
    assert!(!shell.queue.is_drained(), "an item is ready");
    let first = shell.lease();
    assert!(!shell.queue.is_drained(), "an item is leased");
    shell.settle_now(first, How::Nacked);
    assert!(!shell.queue.is_drained(), "a retry waits");
    shell.pass(LEASE);
    let second = shell.lease();
    shell.pass(LEASE);
    shell.catch_up();
    assert!(!shell.queue.is_drained(), "an expired item is ready again");
    assert_ne!(shell.lease().fence, second.fence);
    shell.pass(LEASE - ms(1));
    shell.catch_up();
    assert!(!shell.queue.is_drained());
    let last = shell.queue.lease_of(first.seq).unwrap().fence;
    shell.settle_now(
        crate::support::Token {
            seq: first.seq,
            fence: last,
        },
        How::Acked,
    );
    assert!(shell.queue.is_drained());
}

#[test]
fn a_queue_sealed_before_its_first_item_is_drained() {
    let mut shell = quiet_shell();
    assert!(!shell.queue.is_drained());
    shell.seal();
    assert!(shell.queue.is_drained());
    assert!(
        !shell.queue.is_empty(shell.now + ms(QUIET)),
        "drained says it better"
    );
}

#[test]
fn neither_dead_items_nor_a_pause_keep_a_queue_from_being_drained() {
    let mut shell = quiet_shell();
    shell.enqueue(1);
    shell.seal();
    let token = shell.lease();
    shell.pause();
    assert!(!shell.queue.is_drained());
    shell.settle_now(token, How::Buried);
    assert_eq!(shell.queue.counts().dead, 1);
    assert!(shell.queue.is_drained());
}

#[test]
fn a_reopened_queue_is_not_drained_until_it_is_sealed_again() {
    let mut shell = quiet_shell();
    shell.seal();
    shell.reopen();
    assert!(!shell.queue.is_drained());
    shell.enqueue(1);
    shell.seal();
    assert!(!shell.queue.is_drained());
    shell.take();
    assert!(shell.queue.is_drained());
}

#[test]
fn a_queue_that_never_had_an_item_is_never_empty() {
    let shell = quiet_shell();
    assert!(!shell.queue.is_empty(shell.now + ms(QUIET * 100)));
    assert_eq!(shell.queue.quiet_at(), None);
}

#[test]
fn an_unsealed_queue_without_work_is_empty_when_it_was_quiet_long_enough() {
    let mut shell = quiet_shell();
    let came = shell.now;
    shell.enqueue(1);
    shell.pass(ms(100));
    assert_eq!(shell.queue.quiet_at(), None, "an item is ready");
    shell.take();
    assert_eq!(shell.queue.quiet_at(), Some(came + ms(QUIET)));
    assert!(!shell.queue.is_empty(came + ms(QUIET - 1)));
    assert!(shell.queue.is_empty(came + ms(QUIET)));
}

#[test]
fn the_quiet_time_runs_from_the_last_item_that_came_and_not_from_the_last_settle() {
    let mut shell = quiet_shell();
    shell.enqueue(1);
    shell.pass(ms(QUIET));
    assert!(!shell.queue.is_empty(shell.now), "an item is ready");
    let token = shell.lease();
    assert!(!shell.queue.is_empty(shell.now), "an item is leased");
    shell
        .settle_with(
            token,
            Settlement {
                delay: Some(ms(9)),
                ..plain(How::Nacked)
            },
        )
        .unwrap();
    assert!(!shell.queue.is_empty(shell.now), "a retry waits");
    shell.pass(ms(9));
    let token = shell.lease();
    shell.settle_now(token, How::Acked);
    assert!(shell.queue.is_empty(shell.now));

    shell.enqueue(1);
    shell.take();
    assert!(!shell.queue.is_empty(shell.now), "one has just come");
    shell.pass(ms(QUIET));
    assert!(shell.queue.is_empty(shell.now));
}

#[test]
fn an_item_refused_does_not_disturb_the_quiet() {
    let mut shell = Shell::new(Settings {
        quiet: ms(QUIET),
        max_bytes: Some(10),
        ..Settings::default()
    });
    shell.enqueue(1);
    shell.take();
    shell.pass(ms(QUIET));
    assert!(shell.offer(&[11]).is_err());
    assert!(shell.queue.is_empty(shell.now));
}

#[test]
fn neither_dead_items_nor_a_pause_keep_a_queue_from_being_empty() {
    let mut shell = quiet_shell();
    shell.enqueue(1);
    let token = shell.lease();
    shell.settle_now(token, How::Buried);
    shell.pause();
    shell.pass(ms(QUIET));
    assert!(shell.queue.is_empty(shell.now));
    assert!(!shell.queue.is_drained());
}

#[test]
fn an_item_that_dies_of_its_last_expiry_drains_the_queue() {
    let mut shell = Shell::new(Settings {
        max_attempts: 1,
        ..Settings::default()
    });
    let item = shell.enqueue(1)[0];
    shell.seal();
    shell.lease();
    shell.pass(LEASE);
    assert!(!shell.queue.is_drained(), "nobody has told it the time yet");
    shell.catch_up();
    assert_eq!(shell.state(item), State::Dead);
    assert!(shell.queue.is_drained());
}
