//! How many leases there may be, and how many a second.

use queue_core::{How, Lendable, Settings, Time};

use crate::support::{LEASE, Shell, ms};

fn paced(rate_per_s: f64, burst: Option<u64>) -> Shell {
    let mut shell = Shell::new(Settings {
        rate_per_s: Some(rate_per_s),
        burst,
        ..Settings::default()
    });
    shell.enqueue(3_000);
    shell
}

/// How many leases a worker gets in so many seconds that asks as soon as it may.
fn leased_in(shell: &mut Shell, seconds: u64) -> usize {
    let end = shell.now + ms(seconds * 1_000);
    let mut leased = 0;
    while shell.now < end {
        match shell.queue.lendable(shell.now) {
            Lendable::Some => leased += shell.lease_up_to(100, LEASE * 100, "ada").len(),
            Lendable::Until(token) => {
                assert!(shell.lease_up_to(1, LEASE, "ada").is_empty());
                shell.now = token.min(end);
            }
            other => panic!("{other:?}"),
        }
    }
    leased
}

#[test]
fn a_rate_holds_within_two_percent() {
    for (rate, burst) in [
        (100.0, None),
        (100.0, Some(1)),
        (33.3, None),
        (700.0, Some(1)),
    ] {
        let mut shell = paced(rate, burst);
        leased_in(&mut shell, 1);
        let seconds = 3;
        let leased = leased_in(&mut shell, seconds) as f64;
        let wanted = rate * seconds as f64;
        assert!(
            (leased - wanted).abs() <= wanted * 0.02,
            "{rate} a second gave {leased} in {seconds} s"
        );
    }
}

#[test]
fn after_a_while_without_leases_a_burst_is_given_and_no_more() {
    let mut shell = paced(10.0, Some(5));
    assert_eq!(shell.lease_up_to(100, LEASE, "ada").len(), 5);
    shell.pass(ms(60_000));
    shell.catch_up();
    assert_eq!(shell.lease_up_to(100, LEASE, "ada").len(), 5);
    let Lendable::Until(token) = shell.queue.lendable(shell.now) else {
        panic!("no token is left");
    };
    assert!(token > shell.now && token <= shell.now + ms(100));
}

#[test]
fn without_a_burst_a_tenth_of_a_second_is_given_at_once() {
    assert_eq!(paced(100.0, None).lease_up_to(100, LEASE, "ada").len(), 10);
    assert_eq!(paced(0.5, None).lease_up_to(100, LEASE, "ada").len(), 1);
}

#[test]
fn taking_spends_the_rate_as_well() {
    let mut shell = paced(1.0, Some(2));
    assert!(shell.take().is_some() && shell.take().is_some());
    assert_eq!(shell.take(), None);
    assert!(shell.queue.next_ready(shell.now).is_none());
    shell.pass(ms(1_000));
    assert!(shell.take().is_some());
}

#[test]
fn another_rate_forgets_what_the_old_one_had_given_ahead() {
    let mut shell = paced(0.001, None);
    assert_eq!(shell.lease_up_to(9, LEASE, "ada").len(), 1);
    assert!(shell.lease_up_to(9, LEASE, "ada").is_empty());
    shell.configure(|settings| settings.rate_per_s = Some(1.0));
    assert_eq!(shell.lease_up_to(9, LEASE, "ada").len(), 1);
    shell.configure(|settings| settings.rate_per_s = None);
    assert_eq!(shell.lease_up_to(9, LEASE, "ada").len(), 9);
}

#[test]
fn the_pace_outlives_a_snapshot() {
    let mut shell = paced(1.0, Some(3));
    shell.lease_up_to(1, LEASE, "ada");
    shell.begin_snapshot();
    shell.snapshot_slice(1_000);
    shell.lease_up_to(1, LEASE, "ada");
    while !shell.snapshot_slice(1_000) {}
    assert_eq!(shell.lease_up_to(9, LEASE, "ada").len(), 1);
}

#[test]
fn no_more_is_lent_than_may_be_in_workers_hands() {
    let mut shell = Shell::new(Settings {
        max_leased: Some(2),
        ..Settings::default()
    });
    shell.enqueue(4);
    let lent = shell.lease_up_to(9, LEASE, "ada");
    assert_eq!(lent.len(), 2);
    assert_eq!(shell.queue.lendable(shell.now), Lendable::Limited);
    assert_eq!(shell.take(), None);
    shell.settle_now(lent[0], How::Acked);
    assert_eq!(shell.queue.lendable(shell.now), Lendable::Some);
    assert_eq!(shell.lease_up_to(9, LEASE, "ada").len(), 1);
    shell.pass(LEASE);
    shell.catch_up();
    assert_eq!(shell.lease_up_to(9, LEASE, "ada").len(), 2);
}

#[test]
fn nothing_is_lendable_where_nothing_is_ready_or_all_is_paused() {
    let mut shell = Shell::new(Settings::default());
    assert_eq!(shell.queue.lendable(Time(0)), Lendable::Nothing);
    shell.enqueue(1);
    shell.pause();
    assert_eq!(shell.queue.lendable(shell.now), Lendable::Nothing);
}
