//! One of everything that is written.

use super::*;

fn terms() -> Terms {
    Terms {
        priority: -300,
        group: Some(Group {
            id: GroupId(u32::MAX),
            name: "a group".into(),
        }),
        key: Some("a key".into()),
        expires: Some(Time(NOW.0 + 5_000)),
        trace: Some("a trace".into()),
    }
}

fn remembered() -> Recalled {
    Recalled {
        digest: u64::MAX - 3,
        first: Seq(1 << 40),
        count: 3,
        duplicates: Arc::new([(0, Seq(7)), (u32::MAX, Seq(1 << 50))]),
    }
}

/// One of each kind, with everything it may have and with nothing.
pub(super) fn every_event() -> Vec<Event> {
    let worker: Arc<str> = "ada".into();
    let group = Some(Group {
        id: GroupId(1),
        name: "a group".into(),
    });
    let enqueued = |seq, due, terms: Option<Terms>| Event::Enqueued {
        at: NOW,
        seq: Seq(seq),
        body: blob(5),
        due,
        terms: terms.map(Box::new),
    };
    let settled = |how, next, note: Option<u32>, log: Option<u32>| Event::Settled {
        at: Time(NOW.0 - 30),
        seq: Seq(300),
        how,
        next,
        spent: how != How::Released,
        note: note.map(blob),
        exit_code: note.map(|code| -(code as i32)),
        log: log.map(blob),
    };
    let leased = |worker| Event::Leased {
        at: NOW,
        seq: Seq(1),
        fence: Fence(u64::MAX),
        deadline: Time(NOW.0 + 30_000),
        worker,
    };
    vec![
        Event::Configured(Box::new(for_core(&Settings::default()))),
        enqueued(0, None, None),
        enqueued(1, Some(Time(NOW.0 + 9)), None),
        enqueued(2, None, Some(terms())),
        enqueued(3, Some(NOW), Some(terms())),
        enqueued(
            4,
            None,
            Some(Terms {
                group,
                ..Terms::default()
            }),
        ),
        Event::Duplicated { count: 1 << 33 },
        leased(Some(Arc::clone(&worker))),
        leased(None),
        leased(Some(worker)),
        Event::Extended {
            at: NOW,
            seq: Seq(1),
            deadline: Time(NOW.0 + 1),
        },
        settled(How::Acked, Next::Done, Some(3), Some(9)),
        settled(How::Acked, Next::Done, None, Some(0)),
        settled(How::Nacked, Next::Delayed(Time(NOW.0 + 77)), Some(30), None),
        settled(How::Released, Next::Ready, None, None),
        settled(How::Buried, Next::Dead, None, None),
        settled(How::Expired, Next::Dead, None, None),
        settled(How::Revoked, Next::Ready, None, None),
        Event::FellDue { seq: Seq(1) },
        Event::Taken {
            at: NOW,
            seq: Seq(2),
        },
        Event::Purged { seq: Seq(3) },
        Event::Expired {
            at: Time(NOW.0 - 1_000),
            seq: Seq(4),
        },
        Event::Cancelled {
            at: NOW,
            seq: Seq(5),
        },
        Event::Redriven { seq: Seq(6) },
        Event::KeyFreed { seq: Seq(7) },
        Event::Remembered {
            at: NOW,
            key: "a request".into(),
            answer: remembered(),
        },
        Event::Recalled {
            at: NOW,
            key: "a request".into(),
        },
        Event::Forgotten { through: 300 },
        Event::Sealed,
        Event::Reopened,
        Event::Paused,
        Event::Resumed,
    ]
}

pub(super) fn every_part() -> Vec<Part> {
    let attempt = |how, note: Option<u32>, log: Option<u32>| Attempt {
        fence: Fence(77),
        nth: if how == How::Revoked { 0 } else { 1_000 },
        worker: note.map(|_| "ada".into()),
        started: NOW,
        ended: Time(NOW.0 + 9),
        how,
        note: note.map(blob),
        exit_code: note.map(|code| code as i32),
        log: log.map(blob),
    };
    let item = |seq, state, terms: Option<Terms>, story: Vec<Attempt>| {
        Part::Item(Kept {
            seq: Seq(seq),
            state,
            attempts: 3,
            uncounted: [None, Some(seq as u32)][seq as usize % 2],
            releases: 1,
            enqueued: NOW,
            key_until: (state == State::Expired).then_some(Time(NOW.0 + 9)),
            terms: terms.map(Box::new),
            body: blob(11),
            lease: (state == State::Leased).then_some(Lease {
                fence: Fence(1),
                worker: None,
                started: NOW,
                renewed: Time(NOW.0 + 1),
                deadline: Time(NOW.0 + 2),
            }),
            story,
        })
    };
    let outcome = |number, state| Part::Outcome {
        number,
        outcome: Outcome {
            seq: Seq(number),
            state,
            ended: NOW,
        },
    };
    vec![
        outcome(1, State::Done),
        outcome(2, State::Dead),
        outcome(3, State::Expired),
        outcome(4, State::Cancelled),
        item(0, State::Ready, None, Vec::new()),
        item(1, State::Ready, Some(terms()), Vec::new()),
        item(
            2,
            State::Delayed(Time(NOW.0 + 9)),
            None,
            vec![
                attempt(How::Nacked, None, None),
                attempt(How::Revoked, Some(3), None),
                attempt(How::Acked, Some(3), Some(4)),
                attempt(How::Released, None, Some(4)),
            ],
        ),
        item(3, State::Leased, Some(terms()), Vec::new()),
        item(4, State::Done, None, Vec::new()),
        item(5, State::Dead, None, Vec::new()),
        item(6, State::Expired, Some(terms()), Vec::new()),
        item(7, State::Cancelled, None, Vec::new()),
        Part::Key {
            seq: Seq(8),
            text: "a key".into(),
            until: Time(NOW.0 + 70),
        },
        Part::Answer {
            number: 5,
            at: NOW,
            key: "a request".into(),
            answer: remembered(),
        },
        Part::Order {
            pace: u64::MAX,
            last: GroupId(9),
            first_answer: 4,
        },
        Part::Closed {
            totals: different_totals(),
        },
    ]
}

/// Totals that are all different.
fn different_totals() -> Totals {
    let mut next = 0;
    super::super::tags::read_totals(|| {
        next += 1;
        next
    })
}
