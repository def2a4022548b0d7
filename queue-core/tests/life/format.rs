//! What a log means: rules that no event tells and that applying events follows all the same. A queue
//! recovered from an old log would be another one if they changed.

use std::sync::Arc;

use queue_core::{
    Blob, Event, Lendable, Queue, Recalled, STORY_ATTEMPTS, STORY_BYTES, Seq, Settings, Terms, Time,
};

use crate::support::ms;

fn folded(settings: Settings, events: &[Event]) -> Queue {
    let mut queue = Queue::new(settings);
    for event in events {
        queue.evolve(event, &mut Vec::new());
    }
    queue
}

fn enqueued(at: u64, seq: u64, key: Option<&str>) -> Event {
    let terms = key.map(|key| Terms {
        key: Some(key.into()),
        ..Terms::default()
    });
    Event::Enqueued {
        at: Time(at),
        seq: Seq(seq),
        body: Blob { place: seq, len: 1 },
        due: None,
        terms: terms.map(Box::new),
    }
}

fn taken(at: u64, seq: u64) -> Event {
    Event::Taken {
        at: Time(at),
        seq: Seq(seq),
    }
}

#[test]
fn a_key_is_held_until_its_window_after_the_enqueue_is_over() {
    let settings = Settings {
        key_window: ms(100),
        ..Settings::default()
    };
    let queue = folded(settings, &[enqueued(1_000, 0, Some("k")), taken(1_040, 0)]);
    let frees = |now| {
        let mut events = Vec::new();
        queue.due(Time(now), &mut events);
        events == [Event::KeyFreed { seq: Seq(0) }]
    };
    assert!(!frees(1_099) && frees(1_100));
}

#[test]
fn whoever_comes_in_with_a_key_has_it_although_one_that_ended_held_it() {
    let settings = Settings {
        key_window: ms(100),
        ..Settings::default()
    };
    let events = [
        enqueued(1_000, 0, Some("k")),
        taken(1_001, 0),
        enqueued(1_002, 1, Some("k")),
        Event::KeyFreed { seq: Seq(0) },
    ];
    folded(settings, &events).check();
}

#[test]
fn each_lease_moves_the_next_one_on_by_their_distance_within_the_burst_and_a_millisecond() {
    for (rate, burst, lent, next) in [
        (10.0, Some(1), 1, 1_099),
        (10.0, None, 1, 1_099),
        (10.0, Some(3), 3, 1_099),
        (100.0, None, 10, 1_009),
        (3.0, Some(2), 2, 1_333),
        (1_000.0, Some(5), 5, 1_001),
        (3_000.0, Some(1), 3, 1_001),
    ] {
        let settings = Settings {
            rate_per_s: Some(rate),
            burst,
            ..Settings::default()
        };
        let mut events: Vec<_> = (0..20).map(|seq| enqueued(1_000, seq, None)).collect();
        events.extend((0..lent - 1).map(|seq| taken(1_000, seq)));
        let lendable = folded(settings, &events).lendable(Time(1_000));
        assert_eq!(lendable, Lendable::Some, "{rate} {burst:?}");
        events.push(taken(1_000, lent - 1));
        let lendable = folded(settings, &events).lendable(Time(1_000));
        assert_eq!(lendable, Lendable::Until(Time(next)), "{rate} {burst:?}");
    }
}

#[test]
fn an_answer_is_remembered_for_a_day_and_as_one_of_so_many() {
    let key: Arc<str> = "once".into();
    let answer = Recalled {
        digest: 7,
        first: Seq(0),
        count: 0,
        duplicates: Arc::new([]),
    };
    let at = Time(1_000);
    let remembered = Event::Remembered {
        at,
        key: key.clone(),
        answer,
    };
    let queue = folded(Settings::default(), &[remembered]);
    let day = 24 * 60 * 60 * 1_000;
    assert!(queue.recalled(Time(at.0 + day - 1), &key).is_some());
    assert!(queue.recalled(Time(at.0 + day), &key).is_none());
    assert_eq!(queue_core::MAX_IDEMPOTENCY_KEYS, 100_000);
    assert_eq!(queue_core::MAX_IDEMPOTENCY_DUPLICATES, 1_000_000);
    assert_eq!(STORY_ATTEMPTS, 20);
    assert_eq!(STORY_BYTES, 1024 * 1024);
}
