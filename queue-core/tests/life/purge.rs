//! Throwing items away.

use queue_core::{How, Purge, SLICE, Seq, Settings, State};

use crate::support::{LEASE, Shell, Token, ms};

/// One ready, one delayed, one leased, one dead and one done item.
fn one_of_each() -> (Shell, [Seq; 5], Token) {
    let mut shell = Shell::new(Settings::default());
    let came = shell.enqueue(5);
    let held = shell.lease_up_to(5, LEASE, "ada");
    shell.settle_now(held[0], How::Released);
    shell.settle_now(held[1], How::Nacked);
    shell.settle_now(held[3], How::Buried);
    shell.settle_now(held[4], How::Acked);
    (shell, came.try_into().unwrap(), held[2])
}

fn left(shell: &Shell, came: [Seq; 5]) -> [bool; 5] {
    came.map(|seq| shell.queue.item(seq).is_some())
}

#[test]
fn a_purge_takes_what_it_names_and_leaves_the_rest() {
    let cases = [
        ((true, false, false), [false, true, true, true, true]),
        ((false, true, false), [true, false, true, true, true]),
        ((false, false, true), [true, true, true, false, true]),
        ((true, true, true), [false, false, true, false, true]),
    ];
    for ((ready, delayed, dead), expected) in cases {
        let (mut shell, came, _) = one_of_each();
        let before = shell.queue.next_seq();
        let thrown = shell.purge(Purge {
            ready,
            delayed,
            dead,
            before,
        });
        assert_eq!(left(&shell, came), expected);
        assert_eq!(thrown, expected.iter().filter(|left| !**left).count());
        assert_eq!(shell.queue.totals().purged, thrown as u64);
    }
}

#[test]
fn the_holder_of_a_leased_item_does_not_notice_a_purge() {
    let (mut shell, _, held) = one_of_each();
    let before = shell.queue.next_seq();
    shell.purge(Purge {
        ready: true,
        delayed: true,
        dead: true,
        before,
    });
    assert_eq!(shell.state(held.seq), State::Leased);
    shell.settle_now(held, How::Acked);
}

#[test]
fn a_purged_retry_does_not_come_back_when_its_time_has_come() {
    let (mut shell, came, _) = one_of_each();
    let before = shell.queue.next_seq();
    shell.purge(Purge {
        ready: false,
        delayed: true,
        dead: false,
        before,
    });
    shell.pass(ms(1_000));
    assert_eq!(shell.lease().seq, came[0]);
    assert!(shell.lease_up_to(1, LEASE, "ada").is_empty());
}

#[test]
fn a_purge_goes_in_slices_and_leaves_what_came_in_meanwhile() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(2 * SLICE + 1);
    let before = shell.queue.next_seq();
    let purge = Purge {
        ready: true,
        delayed: true,
        dead: true,
        before,
    };
    assert_eq!(shell.purge(purge), SLICE);
    let newer = shell.enqueue(3);
    assert_eq!(shell.purge(purge), SLICE);
    assert_eq!(shell.purge(purge), 1);
    assert_eq!(shell.purge(purge), 0);
    assert_eq!(shell.queue.counts().ready, 3);
    assert_eq!(shell.lease().seq, newer[0]);
}

#[test]
fn purging_the_last_items_of_a_sealed_queue_drains_it() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(2);
    shell.seal();
    let before = shell.queue.next_seq();
    shell.purge(Purge {
        ready: true,
        delayed: true,
        dead: false,
        before,
    });
    assert!(shell.queue.is_drained());
    assert_eq!(shell.queue.counts(), queue_core::Counts::default());
}

#[test]
fn purged_items_make_room() {
    let mut shell = Shell::new(Settings {
        max_items: Some(2),
        max_bytes: Some(20),
        ..Settings::default()
    });
    shell.enqueue(2);
    assert!(shell.offer(&[1]).is_err());
    let before = shell.queue.next_seq();
    shell.purge(Purge {
        ready: true,
        delayed: false,
        dead: false,
        before,
    });
    assert_eq!(shell.offer(&[10, 10]).map(|items| items.len()), Ok(2));
}
