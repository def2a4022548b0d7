//! When time alone will change something next.

use queue_core::{How, SLICE, Settings, Settlement};

use crate::support::{LEASE, Shell, ms, plain};

fn next(shell: &Shell) -> Option<u64> {
    shell.queue.next_deadline(shell.now).map(|at| at.0)
}

#[test]
fn nothing_is_awaited_where_nothing_can_change() {
    let mut shell = Shell::new(Settings::default());
    assert_eq!(next(&shell), None);
    shell.enqueue(3);
    assert_eq!(
        next(&shell),
        None,
        "a ready item waits for a worker and not for time"
    );
    shell.seal();
    shell.pause();
    assert_eq!(next(&shell), None);
}

#[test]
fn the_first_lease_to_end_is_next() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(2);
    let start = shell.now.0;
    let long = shell.lease_up_to(1, ms(900), "ada").remove(0);
    shell.lease_up_to(1, ms(500), "ada");
    assert_eq!(next(&shell), Some(start + 500));
    shell.pass(ms(500));
    shell.catch_up();
    assert_eq!(next(&shell), Some(start + 900));
    shell.extend(long, ms(800)).unwrap();
    assert_eq!(next(&shell), Some(start + 1_300));
}

#[test]
fn a_settled_lease_is_awaited_no_more() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(2);
    let token = shell.lease();
    assert_eq!(next(&shell), Some((shell.now + LEASE).0));
    shell.settle_now(token, How::Released);
    assert_eq!(next(&shell), None);
}

#[test]
fn a_retry_that_falls_due_is_next() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(2);
    let held = shell.lease_up_to(2, LEASE, "ada");
    let later = Settlement {
        delay: Some(ms(77)),
        ..plain(How::Nacked)
    };
    shell.settle_with(held[0], later).unwrap();
    assert_eq!(next(&shell), Some(shell.now.0 + 77));
    shell.pass(ms(77));
    shell.catch_up();
    assert_eq!(next(&shell), Some(shell.now.0 - 77 + 30_000));
}

#[test]
fn the_moment_a_queue_counts_as_empty_is_next_until_it_has_come() {
    let mut shell = Shell::new(Settings {
        quiet: ms(5_000),
        ..Settings::default()
    });
    let came = shell.now.0;
    shell.enqueue(1);
    shell.take();
    assert_eq!(next(&shell), Some(came + 5_000));
    shell.pass(ms(5_000));
    let retention = came + 7 * 24 * 3_600_000;
    assert_eq!(next(&shell), Some(retention), "then the outcome's end");
}

#[test]
fn an_outcome_past_retention_is_next() {
    let mut shell = Shell::new(Settings {
        done_retention: ms(60),
        ..Settings::default()
    });
    shell.enqueue(2);
    shell.take();
    let ended = shell.now.0;
    shell.pass(ms(10));
    assert_eq!(next(&shell), Some(ended + 60));
    shell.pass(ms(50));
    shell.catch_up();
    assert_eq!(next(&shell), None);
}

#[test]
fn work_that_one_slice_left_over_is_awaited_at_once() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(2 * SLICE + 1);
    shell.lease_up_to(2 * SLICE + 1, LEASE, "ada");
    shell.pass(LEASE);
    for left in [SLICE + 1, 1] {
        assert_eq!(shell.due_once(), SLICE);
        assert_eq!(shell.queue.counts().leased, left as u64);
        assert!(
            shell
                .queue
                .next_deadline(shell.now)
                .is_some_and(|at| at <= shell.now)
        );
    }
    assert_eq!(shell.due_once(), 1);
    assert_eq!(next(&shell), None);
}

#[test]
fn a_mass_of_outcomes_past_their_number_is_awaited_at_once() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(3 * SLICE);
    while shell.take().is_some() {}
    shell.configure(|settings| settings.done_retention_items = 5);
    let overdue = |shell: &Shell| next(shell).is_some_and(|at| at <= shell.now.0);
    assert!(
        overdue(&shell),
        "nobody need come by for the rest to be forgotten"
    );
    while overdue(&shell) {
        assert_eq!(shell.due_once(), 1);
    }
    assert!(
        shell.queue.outcomes(0).count() <= 5 + SLICE,
        "the next command finds the last slice"
    );
}

#[test]
fn a_queue_asked_late_says_so() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(1);
    shell.lease();
    let deadline = (shell.now + LEASE).0;
    shell.pass(LEASE * 9);
    assert_eq!(next(&shell), Some(deadline));
}
