//! How much a queue takes: at the limit, and one past it.

use queue_core::{How, Refusal, Settings};

use crate::support::{LEASE, Shell};

#[test]
fn a_queue_takes_items_up_to_its_limit_and_not_one_more() {
    let mut shell = Shell::new(Settings {
        max_items: Some(3),
        ..Settings::default()
    });
    shell.enqueue(2);
    assert_eq!(
        shell.offer(&[1, 1]),
        Err(Refusal::TooManyItems(3)),
        "all or none"
    );
    assert_eq!(shell.queue.counts().ready, 2);
    assert!(shell.offer(&[1]).is_ok());
    assert_eq!(shell.offer(&[1]), Err(Refusal::TooManyItems(3)));
    assert_eq!(shell.offer(&[]), Ok(Vec::new()));
}

#[test]
fn a_queue_takes_bytes_up_to_its_limit_and_not_one_more() {
    let mut shell = Shell::new(Settings {
        max_bytes: Some(100),
        ..Settings::default()
    });
    assert!(shell.offer(&[60]).is_ok());
    assert_eq!(shell.offer(&[20, 21]), Err(Refusal::TooManyBytes(100)));
    assert!(shell.offer(&[20, 20]).is_ok());
    assert_eq!(shell.offer(&[1]), Err(Refusal::TooManyBytes(100)));
    assert!(
        shell.offer(&[0]).is_ok(),
        "an item without a body takes no bytes"
    );
}

#[test]
fn ready_delayed_leased_and_dead_items_all_take_room_and_done_ones_do_not() {
    let mut shell = Shell::new(Settings {
        max_items: Some(5),
        max_bytes: Some(50),
        ..Settings::default()
    });
    shell.enqueue(5);
    let held = shell.lease_up_to(4, LEASE, "ada");
    shell.settle_now(held[0], How::Nacked);
    shell.settle_now(held[1], How::Buried);
    assert_eq!(shell.offer(&[0]), Err(Refusal::TooManyItems(5)));
    shell.configure(|settings| settings.max_items = None);
    assert_eq!(shell.offer(&[1]), Err(Refusal::TooManyBytes(50)));

    shell.settle_now(held[2], How::Acked);
    assert!(shell.offer(&[10]).is_ok());
    shell.take();
    assert!(shell.offer(&[10]).is_ok());
    assert_eq!(shell.offer(&[1]), Err(Refusal::TooManyBytes(50)));
}

#[test]
fn a_limit_set_below_what_is_held_takes_nothing_away() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(3);
    shell.configure(|settings| settings.max_items = Some(1));
    assert_eq!(shell.queue.counts().ready, 3);
    assert_eq!(shell.offer(&[1]), Err(Refusal::TooManyItems(1)));
    let token = shell.lease();
    shell.settle_now(token, How::Nacked);
    assert_eq!(shell.queue.counts().delayed, 1, "a retry is no new item");
}

#[test]
fn a_refusal_names_the_limit() {
    assert_eq!(Refusal::Sealed.to_string(), "the queue is sealed");
    assert_eq!(
        Refusal::TooManyItems(7).to_string(),
        "the queue is at its limit of 7 items"
    );
    assert_eq!(
        Refusal::TooManyBytes(8).to_string(),
        "the queue is at its limit of 8 bytes"
    );
}
