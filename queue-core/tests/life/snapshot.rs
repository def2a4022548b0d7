//! A queue that is written down while it goes on, and what a recovery makes of it.

use queue_core::{Event, How, Part, Purge, Queue, Settings, Settlement, State, Time};

use crate::support::{LEASE, Offer, Shell, Token, ms, plain};

/// A queue of three items whose snapshot has begun and tells of none of them yet.
fn begun() -> (Shell, [Token; 3]) {
    let mut shell = Shell::with_three_attempts();
    shell.enqueue(3);
    let tokens = shell.lease_up_to(3, LEASE, "ada");
    shell.begin_snapshot();
    (shell, tokens.try_into().unwrap())
}

fn finish(shell: &mut Shell) {
    while !shell.snapshot_slice(1) {}
}

#[test]
fn what_befalls_an_item_before_its_part_is_in_the_part() {
    let (mut shell, [acked, nacked, released]) = begun();
    let note = Some(shell.blobs.store(8));
    let noted = Settlement {
        note,
        ..plain(How::Acked)
    };
    shell.settle_with(acked, noted).unwrap();
    shell.settle_now(nacked, How::Nacked);
    shell.settle_now(released, How::Released);
    finish(&mut shell);
    assert_eq!(shell.state(acked.seq), State::Done);
}

#[test]
fn what_befalls_an_item_after_its_part_is_told_by_events() {
    let (mut shell, [acked, nacked, extended]) = begun();
    for _ in 0..3 {
        shell.snapshot_slice(1);
    }
    shell.settle_now(acked, How::Acked);
    shell.settle_now(nacked, How::Buried);
    shell.extend(extended, ms(1)).unwrap();
    shell.pass(ms(1));
    shell.enqueue(1);
    finish(&mut shell);
}

#[test]
fn an_item_that_is_gone_before_its_part_never_comes_back() {
    let (mut shell, [acked, nacked, buried]) = begun();
    shell.settle_now(acked, How::Acked);
    shell.settle_now(nacked, How::Nacked);
    shell.settle_now(buried, How::Buried);
    let before = shell.queue.next_seq();
    shell.purge(Purge {
        ready: true,
        delayed: true,
        dead: true,
        before,
    });
    shell.configure(|settings| settings.done_retention_items = 0);
    shell.catch_up();
    finish(&mut shell);
    assert_eq!(shell.queue.snapshot_len(), 0);
}

#[test]
fn an_outcome_that_is_forgotten_before_its_part_takes_nothing_along() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(4);
    for _ in 0..2 {
        shell.take();
    }
    shell.begin_snapshot();
    shell.configure(|settings| settings.done_retention_items = 1);
    shell.take();
    shell.take();
    shell.catch_up();
    finish(&mut shell);
    assert_eq!(shell.queue.outcomes_from(), 3);
}

#[test]
fn a_snapshot_that_was_not_finished_is_begun_anew() {
    let (mut shell, [acked, ..]) = begun();
    shell.snapshot_slice(2);
    shell.settle_now(acked, How::Acked);
    shell.begin_snapshot();
    finish(&mut shell);
}

#[test]
fn a_slice_ends_before_an_item_whose_bytes_must_be_fetched_first() {
    let (shell, tokens) = begun();
    let (_, mut cursor) = shell.queue.snapshot();
    let absent = shell.queue.item(tokens[2].seq).unwrap().body();
    let upcoming = shell.queue.upcoming_blobs(&cursor, 10);
    let at_hand = upcoming.take_while(|(_, blob)| *blob != absent).count();
    let mut parts = Vec::new();
    assert!(!shell.queue.parts(&mut cursor, at_hand, &mut parts));
    assert_eq!(parts.len(), 2);
    assert!(shell.queue.parts(&mut cursor, 10, &mut parts));
    assert!(matches!(parts[3], Part::Closed { .. }));
    assert!(shell.queue.parts(&mut cursor, 10, &mut parts));
    assert_eq!(parts.len(), 4, "a closed snapshot has no more parts");
    assert_eq!(shell.queue.upcoming_blobs(&cursor, 10).count(), 0);
}

/// Everything a recovery decides, however many slices it takes.
fn recovered(queue: &mut Queue, now: Time) -> usize {
    let (mut from, mut events) = (Some(queue_core::Seq(0)), Vec::new());
    while let Some(seq) = from {
        from = queue.recovered(now, seq, &mut events);
    }
    for event in &events {
        queue.evolve(event, &mut Vec::new());
    }
    events.len()
}

#[test]
fn after_a_recovery_each_lease_has_its_own_length_again() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(3);
    let [short, long, extended] = [ms(50), ms(10_000), ms(20)]
        .map(|length| shell.lease_up_to(1, length, "ada").pop().unwrap().seq);
    shell.pass(ms(10));
    let token = Token {
        seq: extended,
        fence: shell.queue.lease_of(extended).unwrap().fence,
    };
    shell.extend(token, ms(700)).unwrap();
    let mut queue = shell.queue.clone();
    let now = shell.now + ms(100);
    assert_eq!(recovered(&mut queue, now), 3);
    let deadline = |seq| queue.lease_of(seq).unwrap().deadline;
    assert_eq!(deadline(short), now + ms(50));
    assert_eq!(deadline(long), now + ms(10_000));
    assert_eq!(deadline(extended), now + ms(700));
    let mut events = Vec::new();
    queue.due(now, &mut events);
    assert_eq!(events, [], "no lease ran out while the queue was away");
    assert_eq!(
        recovered(&mut queue, now),
        0,
        "a second recovery adds nothing"
    );
}

#[test]
fn a_recovery_never_shortens_a_lease() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(1);
    shell.lease();
    // A clock that stands where it stood: what remains is the whole length.
    let mut queue = shell.queue.clone();
    assert_eq!(recovered(&mut queue, shell.now), 0);
    assert!(queue == shell.queue);
}

#[test]
fn a_recovery_of_many_leases_goes_in_slices() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(2_500);
    shell.lease_up_to(2_500, LEASE, "ada");
    let now = shell.now + ms(1);
    let (mut from, mut slices) = (queue_core::Seq(0), Vec::new());
    loop {
        let mut events: Vec<Event> = Vec::new();
        let next = shell.queue.recovered(now, from, &mut events);
        slices.push(events.len());
        let Some(next) = next else { break };
        from = next;
    }
    assert_eq!(slices, [1_000, 1_000, 500]);
}

#[test]
fn an_answer_that_names_many_duplicates_takes_the_room_of_several_parts() {
    let mut shell = Shell::new(Settings::default());
    let keyed = Offer {
        key: Some("k".to_owned()),
        ..Offer::default()
    };
    shell
        .offer_all(std::slice::from_ref(&keyed), None, None)
        .unwrap();
    // As much as three parts, and a small one.
    let offers = vec![keyed; 150];
    for request in ["a", "b", "c"] {
        shell.offer_all(&offers, None, Some((request, 1))).unwrap();
    }
    shell.offer_all(&offers[..1], None, Some(("d", 1))).unwrap();
    shell.begin_snapshot();
    while !shell.snapshot_slice(1) {}

    let (_, mut cursor) = shell.queue.snapshot();
    let mut slices = Vec::new();
    loop {
        let mut parts = Vec::new();
        let closed = shell.queue.parts(&mut cursor, 4, &mut parts);
        let is_answer = |part: &&Part| matches!(part, Part::Answer { .. });
        slices.push(parts.iter().filter(is_answer).count());
        if closed {
            break;
        }
    }
    // The first slice has an item as well, and an answer is not divided.
    assert_eq!(slices, [1, 2, 1]);
}
