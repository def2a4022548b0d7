//! What stays of an item's attempts and of its end: their numbers, its time, and how many bytes they leave.

use queue_core::{
    How, Item, Part, Queue, Refusal, STORY_ATTEMPTS, STORY_BYTES, Seq, Settings, Settlement, Time,
};

use crate::support::{LEASE, Offer, Shell, ms, plain};

const ITEM: Seq = Seq(0);

fn one() -> Shell {
    let mut shell = Shell::with_three_attempts();
    shell.enqueue(1);
    shell
}

/// Leases the item and ends that so, leaving so many bytes of an error and of a log.
fn attempt(shell: &mut Shell, how: How, note: u32, log: u32) {
    let token = shell.lease();
    let mut store = |len: u32| (len > 0).then(|| shell.blobs.store(len));
    let settlement = Settlement {
        note: store(note),
        log: store(log),
        delay: Some(ms(0)),
        ..plain(how)
    };
    shell.settle_with(token, settlement).unwrap();
}

fn item(queue: &Queue) -> &Item {
    queue.item(ITEM).unwrap()
}

/// Which of those that counted each attempt of the story was.
fn counted(queue: &Queue) -> Vec<u16> {
    let story = queue.story(ITEM).into_iter();
    story.map(|attempt| attempt.nth).collect()
}

#[test]
fn however_an_item_ends_it_says_when() {
    let ends: [fn(&mut Shell); 6] = [
        |shell| attempt(shell, How::Acked, 0, 0),
        |shell| attempt(shell, How::Buried, 0, 0),
        |shell| assert!(shell.take().is_some()),
        |shell| assert!(shell.cancel(ITEM).is_ok()),
        |shell| {
            shell.lease();
            shell.cancel(ITEM).unwrap();
        },
        |shell| shell.pass(ms(70)),
    ];
    for end in ends {
        let mut shell = Shell::with_three_attempts();
        let offer = Offer {
            ttl: Some(70),
            ..Offer::default()
        };
        shell.offer_all(&[offer], None, None).unwrap();
        attempt(&mut shell, How::Nacked, 0, 0);
        shell.pass(ms(5));
        assert_eq!(item(&shell.queue).ended(), None);
        end(&mut shell);
        shell.catch_up();
        let (_, outcome) = shell.queue.outcomes(0).next().unwrap();
        assert_eq!(item(&shell.queue).ended(), Some(outcome.ended));
        assert!(outcome.ended > item(&shell.queue).enqueued());
        // Written down and put together again it is the same, which `finish` compares.
        shell.begin_snapshot();
        while !shell.snapshot_slice(1) {}
    }
}

#[test]
fn an_item_that_is_redriven_has_not_ended_any_more() {
    let mut shell = one();
    attempt(&mut shell, How::Buried, 0, 0);
    assert_eq!(shell.redrive(&[ITEM]), 1);
    assert_eq!(item(&shell.queue).ended(), None);
}

#[test]
fn attempts_are_numbered_through_whatever_counts() {
    let mut shell = one();
    let hows = [How::Released, How::Nacked, How::Buried];
    hows.into_iter()
        .for_each(|how| attempt(&mut shell, how, 0, 0));
    assert_eq!(item(&shell.queue).leases(), 3);
    assert_eq!(item(&shell.queue).attempts(), 2);
    shell.redrive(&[ITEM]);
    assert_eq!(item(&shell.queue).leases(), 3);
    assert_eq!(item(&shell.queue).attempts(), 0, "all its attempts again");
    hows.into_iter()
        .for_each(|how| attempt(&mut shell, how, 0, 0));
    assert_eq!(item(&shell.queue).leases(), 6);
    assert_eq!(counted(&shell.queue), [1, 1, 2, 1, 1, 2]);
}

#[test]
fn attempts_keep_their_numbers_when_older_ones_are_forgotten() {
    let mut shell = one();
    shell.configure(|settings| settings.max_attempts = 1_000);
    let all = STORY_ATTEMPTS as u32 + 5;
    for _ in 0..all {
        attempt(&mut shell, How::Nacked, 0, 0);
    }
    assert_eq!(item(&shell.queue).leases(), all);
    let kept: Vec<_> = (6..=all as u16).collect();
    assert_eq!(counted(&shell.queue), kept);
}

/// The queue as its snapshot would tell of it in a release that knew neither which attempts count no more
/// nor which of those that counted each was.
fn recovered_from_an_old_snapshot(queue: &Queue) -> Queue {
    let (head, mut cursor) = queue.snapshot();
    let mut recovered = Queue::restoring(&head);
    let mut parts = Vec::new();
    while !queue.parts(&mut cursor, 10, &mut parts) {}
    for mut part in parts {
        if let Part::Item(kept) = &mut part {
            kept.uncounted = None;
            kept.story.iter_mut().for_each(|attempt| attempt.nth = 0);
        }
        recovered.restore(part, &mut Vec::new());
    }
    recovered.check();
    recovered
}

#[test]
fn an_old_snapshot_tells_all_of_an_item_that_was_never_redriven() {
    let mut shell = one();
    shell.configure(|settings| settings.max_attempts = 100);
    for how in [How::Released, How::Nacked].into_iter().cycle().take(30) {
        attempt(&mut shell, how, 0, 0);
    }
    shell.lease();
    let recovered = recovered_from_an_old_snapshot(&shell.queue);
    assert_eq!(counted(&recovered), counted(&shell.queue));
    assert!(recovered == shell.queue);
}

#[test]
fn an_old_snapshot_gives_no_attempt_of_a_redriven_item_the_number_of_another() {
    let mut shell = one();
    for how in [How::Nacked, How::Released, How::Buried] {
        attempt(&mut shell, how, 0, 0);
    }
    shell.redrive(&[ITEM]);
    attempt(&mut shell, How::Nacked, 0, 0);
    let recovered = recovered_from_an_old_snapshot(&shell.queue);
    assert_eq!(item(&recovered).leases(), 4);
    assert_eq!(item(&recovered).attempts(), 1);
}

#[test]
fn what_attempts_leave_takes_room_as_bodies_do_until_the_item_ends() {
    let mut shell = Shell::with_three_attempts();
    shell.configure(|settings| settings.max_bytes = Some(100));
    shell.offer(&[10, 10]).unwrap();
    attempt(&mut shell, How::Nacked, 30, 25);
    assert_eq!(shell.queue.held(), (2, 75));
    assert_eq!(shell.offer(&[26]), Err(Refusal::TooManyBytes(100)));
    shell.offer(&[25]).unwrap();
    attempt(&mut shell, How::Buried, 1, 0);
    assert_eq!(
        shell.offer(&[1]),
        Err(Refusal::TooManyBytes(100)),
        "it is held"
    );
    shell.redrive(&[ITEM]);
    attempt(&mut shell, How::Acked, 7, 0);
    assert_eq!(shell.queue.held(), (2, 35));
}

#[test]
fn a_story_has_so_many_bytes_and_loses_the_oldest_first() {
    let mut shell = one();
    shell.configure(|settings| settings.max_attempts = 100);
    let part = (STORY_BYTES / 4) as u32;
    for _ in 0..4 {
        attempt(&mut shell, How::Nacked, part / 2, part / 2);
    }
    assert_eq!(shell.blobs.freed(), 0, "at the limit");
    attempt(&mut shell, How::Nacked, 1, 0);
    assert_eq!(shell.blobs.freed(), 2, "one past it");
    let story = shell.queue.story(ITEM);
    assert_eq!(story.len(), 5, "the attempt itself stays");
    assert_eq!((story[0].note, story[0].log), (None, None));
    assert!(story[1].note.is_some() && story[1].log.is_some());
    // The last one stays whatever it has.
    attempt(&mut shell, How::Acked, 5 * part, 0);
    let told = |attempt: &queue_core::Attempt| attempt.note.is_some() || attempt.log.is_some();
    let story = shell.queue.story(ITEM);
    assert_eq!(story.iter().filter(|attempt| told(attempt)).count(), 1);
    shell.queue.check();
}

#[test]
fn an_item_that_expires_under_its_worker_says_when_it_was_found() {
    let mut shell = Shell::new(Settings::default());
    let offer = Offer {
        ttl: Some(10),
        ..Offer::default()
    };
    shell.offer_all(&[offer], None, None).unwrap();
    shell.lease_up_to(1, LEASE, "ada");
    shell.pass(LEASE);
    shell.pass(ms(3));
    shell.catch_up();
    let now: Time = shell.now;
    assert_eq!(item(&shell.queue).ended(), Some(now));
}
