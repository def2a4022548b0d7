//! Failed attempts: how long a retry waits, what spends an attempt, and when an item is given up.

use queue_core::{Backoff, FREE_RELEASES, How, STORY_ATTEMPTS, Seq, Settings, Settlement, State};
use std::time::Duration;

use crate::support::{LEASE, Shell, ms, plain};

fn waits(shell: &Shell, seq: Seq) -> Duration {
    match shell.state(seq) {
        State::Delayed(due) => due.since(shell.now),
        other => panic!("{other:?} does not wait"),
    }
}

#[test]
fn a_failed_item_waits_longer_each_time_by_chance_up_to_half_less() {
    let backoff = Backoff {
        min: ms(100),
        max: ms(1_500),
        factor: 3.0,
    };
    let mut shell = Shell::new(Settings {
        max_attempts: 9,
        backoff,
        ..Settings::default()
    });
    shell.enqueue(200);
    let mut seen = std::collections::BTreeSet::new();
    for longest in [100, 300, 900, 1_500, 1_500] {
        for token in shell.lease_up_to(200, LEASE, "ada") {
            shell.settle_now(token, How::Nacked);
            let wait = waits(&shell, token.seq);
            assert!(
                (ms(longest / 2)..=ms(longest)).contains(&wait),
                "{wait:?} of {longest}"
            );
            seen.insert((longest, wait));
        }
        shell.pass(ms(1_500));
    }
    assert!(
        seen.len() > 300,
        "items that failed together come back apart: {}",
        seen.len()
    );
}

#[test]
fn a_waiting_item_is_ready_at_its_time_and_not_a_millisecond_before() {
    let mut shell = Shell::new(Settings::default());
    let item = shell.enqueue(1)[0];
    let token = shell.lease();
    shell.settle_now(token, How::Nacked);
    let wait = waits(&shell, item);
    shell.pass(wait - ms(1));
    assert!(shell.lease_up_to(1, LEASE, "ada").is_empty());
    shell.pass(ms(1));
    assert_eq!(shell.lease().seq, item);
}

#[test]
fn a_delay_given_with_the_failure_replaces_the_back_off() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(2);
    for (delay, expected) in [(ms(77), Some(ms(77))), (ms(0), None)] {
        let token = shell.lease();
        let settlement = Settlement {
            delay: Some(delay),
            ..plain(How::Nacked)
        };
        shell.settle_with(token, settlement).unwrap();
        match expected {
            Some(wait) => assert_eq!(waits(&shell, token.seq), wait),
            None => assert_eq!(shell.state(token.seq), State::Ready),
        }
        assert_eq!(shell.attempts(token.seq), 1);
    }
}

#[test]
fn a_delay_buys_no_attempt_after_the_last() {
    let mut shell = Shell::new(Settings {
        max_attempts: 1,
        ..Settings::default()
    });
    shell.enqueue(1);
    let token = shell.lease();
    shell
        .settle_with(
            token,
            Settlement {
                delay: Some(ms(5)),
                ..plain(How::Nacked)
            },
        )
        .unwrap();
    assert_eq!(shell.state(token.seq), State::Dead);
}

#[test]
fn an_item_that_fails_its_last_attempt_is_dead() {
    let mut shell = Shell::with_three_attempts();
    let item = shell.enqueue(1)[0];
    for attempt in 1..=3 {
        assert_eq!(shell.state(item), State::Ready);
        let token = shell.lease();
        shell.settle_now(token, How::Nacked);
        assert_eq!(shell.attempts(item), attempt);
    }
    assert_eq!(shell.state(item), State::Dead);
    assert!(shell.lease_up_to(1, LEASE, "ada").is_empty());
    let totals = shell.queue.totals();
    assert_eq!((totals.nacked, totals.dead, totals.leased), (3, 1, 3));
}

#[test]
fn a_released_item_is_ready_at_once_with_its_attempt_unspent() {
    let mut shell = Shell::new(Settings {
        max_attempts: 1,
        ..Settings::default()
    });
    shell.enqueue(1);
    let token = shell.lease();
    shell.settle_now(token, How::Released);
    assert_eq!(
        (shell.state(token.seq), shell.attempts(token.seq)),
        (State::Ready, 0)
    );
    let token = shell.lease();
    assert_eq!(shell.attempts(token.seq), 1);
    shell
        .settle_with(
            token,
            Settlement {
                delay: Some(ms(40)),
                ..plain(How::Released)
            },
        )
        .unwrap();
    assert_eq!(
        (waits(&shell, token.seq), shell.attempts(token.seq)),
        (ms(40), 0)
    );
    assert_eq!(shell.queue.totals().released, 2);
}

#[test]
fn after_ten_releases_each_further_one_spends_an_attempt() {
    let mut shell = Shell::new(Settings {
        max_attempts: 3,
        ..Settings::default()
    });
    let item = shell.enqueue(1)[0];
    for _ in 0..FREE_RELEASES {
        let token = shell.lease();
        shell.settle_now(token, How::Released);
        assert_eq!((shell.state(item), shell.attempts(item)), (State::Ready, 0));
    }
    for (attempts, state) in [(1, State::Ready), (2, State::Ready), (3, State::Dead)] {
        let token = shell.lease();
        shell.settle_now(token, How::Released);
        assert_eq!((shell.state(item), shell.attempts(item)), (state, attempts));
    }
    assert_eq!(shell.queue.totals().released, u64::from(FREE_RELEASES) + 3);
}

#[test]
fn a_poison_item_is_dead_at_once() {
    let mut shell = Shell::new(Settings::default());
    shell.enqueue(1);
    let token = shell.lease();
    shell.settle_now(token, How::Buried);
    assert_eq!(
        (shell.state(token.seq), shell.attempts(token.seq)),
        (State::Dead, 1)
    );
    let totals = shell.queue.totals();
    assert_eq!((totals.dead, totals.nacked, totals.acked), (1, 0, 0));
}

#[test]
fn an_item_remembers_what_each_attempt_came_to() {
    let mut shell = Shell::with_three_attempts();
    let item = shell.enqueue(1)[0];
    let first = shell.lease();
    let error = shell.blobs.store(9);
    let failed = Settlement {
        note: Some(error),
        exit_code: Some(2),
        ..plain(How::Nacked)
    };
    shell.settle_with(first, failed).unwrap();
    shell.lease();
    shell.pass(LEASE);
    let third = shell.lease();
    let result = shell.blobs.store(4);
    shell
        .settle_with(
            third,
            Settlement {
                note: Some(result),
                ..plain(How::Acked)
            },
        )
        .unwrap();

    let story = shell.queue.story(item);
    let told: Vec<_> = story
        .iter()
        .map(|attempt| (attempt.how, attempt.note, attempt.exit_code))
        .collect();
    assert_eq!(
        told,
        [
            (How::Nacked, Some(error), Some(2)),
            (How::Expired, None, None),
            (How::Acked, Some(result), None),
        ]
    );
    assert!(
        story
            .iter()
            .all(|attempt| attempt.worker.as_deref() == Some("ada"))
    );
}

#[test]
fn only_the_latest_attempts_are_remembered_and_the_oldest_give_their_bytes_back() {
    let mut shell = Shell::with_three_attempts();
    shell.configure(|settings| settings.max_attempts = 100);
    let item = shell.enqueue(1)[0];
    let mut notes = Vec::new();
    for _ in 0..STORY_ATTEMPTS + 5 {
        let token = shell.lease();
        let note = shell.blobs.store(3);
        notes.push(note);
        shell
            .settle_with(
                token,
                Settlement {
                    note: Some(note),
                    ..plain(How::Nacked)
                },
            )
            .unwrap();
        let story = shell.queue.story(item);
        assert_eq!(story.len(), notes.len().min(STORY_ATTEMPTS));
    }
    let (forgotten, kept) = notes.split_at(5);
    assert!(forgotten.iter().all(|note| shell.blobs.is_freed(*note)));
    let story = shell.queue.story(item);
    let told: Vec<_> = story.iter().filter_map(|a| a.note).collect();
    assert_eq!(told, kept);
}

#[test]
fn fewer_attempts_from_now_on_end_an_item_at_its_next_failure() {
    let mut shell = Shell::with_three_attempts();
    let item = shell.enqueue(1)[0];
    for _ in 0..2 {
        let token = shell.lease();
        shell.settle_now(token, How::Nacked);
    }
    shell.configure(|settings| settings.max_attempts = 1);
    assert_eq!(shell.state(item), State::Ready);
    let token = shell.lease();
    shell.pass(LEASE);
    shell.catch_up();
    assert_eq!(
        (shell.state(token.seq), shell.attempts(item)),
        (State::Dead, 3)
    );
}
