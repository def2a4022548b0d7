//! The queue against a naive model: any sequence of commands and jumps in time gives the same answers
//! and leaves the same state, and its log folds to the same queue.

#[path = "../support/mod.rs"]
mod support;

mod naive;

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use queue_core::{Backoff, Fence, How, Purge, Seq, Settings, Settlement, State, Time};

use naive::{Naive, Place};
use support::{Shell, Token, ms};

/// One step of a story nobody wrote. Leases are named by how many were given since.
#[derive(Debug, Clone)]
enum Step {
    Enqueue(Vec<u32>),
    Lease {
        max: usize,
        length: u64,
    },
    Settle {
        lease: usize,
        how: How,
        delay: Option<u64>,
        note: Option<u32>,
        forged: bool,
    },
    Extend {
        lease: usize,
        length: u64,
        forged: bool,
    },
    Take,
    Purge {
        ready: bool,
        delayed: bool,
        dead: bool,
        newer: u64,
    },
    Seal,
    Reopen,
    Pause,
    Resume,
    Configure(Settings),
    Snapshot,
    Slice(usize),
    Pass(u64),
    /// To the next deadline, less so many milliseconds.
    PassToDeadline(u64),
}

fn settings() -> impl Strategy<Value = Settings> {
    let attempts = (
        prop_oneof![Just(None), (5_u64..60).prop_map(Some)],
        1_u32..5,
    );
    let backoff = (0_u64..20, 0_u64..60, 1_u8..4);
    let retention = (
        prop_oneof![0_u64..6, Just(1_000)],
        prop_oneof![1_u64..200, Just(100_000)],
        prop_oneof![0_u64..60, Just(10_000)],
    );
    let limits = (
        prop_oneof![4 => Just(None), 1 => (0_u64..8).prop_map(Some)],
        prop_oneof![4 => Just(None), 1 => (0_u64..60).prop_map(Some)],
    );
    (attempts, backoff, retention, limits, 0_u64..100).prop_map(
        |((max_lease, max_attempts), (min, more, factor), retention, limits, quiet)| Settings {
            max_lease: max_lease.map(ms),
            max_attempts,
            backoff: Backoff {
                min: ms(min),
                max: ms(min + more),
                factor: f64::from(factor),
            },
            done_retention_items: retention.0,
            done_retention: ms(retention.1),
            done_retention_bytes: retention.2,
            quiet: ms(quiet),
            max_items: limits.0,
            max_bytes: limits.1,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let how = prop_oneof![
        3 => Just(How::Acked), 3 => Just(How::Nacked),
        3 => Just(How::Released), 1 => Just(How::Buried),
    ];
    let delay = prop_oneof![2 => Just(None), 1 => (0_u64..40).prop_map(Some)];
    let lease = prop_oneof![6 => 0_usize..3, 2 => 0_usize..12];
    let settle = (
        lease.clone(),
        how,
        delay,
        proptest::option::of(0_u32..20),
        0..20,
    )
        .prop_map(|(lease, how, delay, note, forged)| Step::Settle {
            lease,
            how,
            delay,
            note,
            forged: forged == 0,
        });
    let extend = (lease, 1_u64..60, 0..20).prop_map(|(lease, length, forged)| Step::Extend {
        lease,
        length,
        forged: forged == 0,
    });
    let purge = (any::<bool>(), any::<bool>(), any::<bool>(), 0_u64..4).prop_map(
        |(ready, delayed, dead, newer)| Step::Purge {
            ready,
            delayed,
            dead,
            newer,
        },
    );
    prop_oneof![
        20 => proptest::collection::vec(0_u32..20, 0..4).prop_map(Step::Enqueue),
        30 => (0_usize..4, 1_u64..60).prop_map(|(max, length)| Step::Lease { max, length }),
        50 => settle,
        10 => extend,
        4 => Just(Step::Take),
        3 => purge,
        1 => Just(Step::Seal),
        3 => Just(Step::Reopen),
        1 => Just(Step::Pause),
        3 => Just(Step::Resume),
        2 => settings().prop_map(Step::Configure),
        5 => Just(Step::Snapshot),
        40 => (1_usize..4).prop_map(Step::Slice),
        10 => (0_u64..50).prop_map(Step::Pass),
        14 => (0_u64..3).prop_map(Step::PassToDeadline),
    ]
}

struct Pair {
    shell: Shell,
    naive: Naive,
    tokens: Vec<Token>,
}

impl Pair {
    fn new(settings: Settings) -> Self {
        Self {
            shell: Shell::new(settings),
            naive: Naive::new(settings),
            tokens: Vec::new(),
        }
    }

    fn token(&self, back: usize, forged: bool) -> Token {
        let nobody = Token {
            seq: Seq(back as u64),
            fence: Fence(back as u64),
        };
        let given = self
            .tokens
            .iter()
            .rev()
            .nth(back)
            .copied()
            .unwrap_or(nobody);
        Token {
            fence: Fence(given.fence.0 ^ u64::from(forged)),
            ..given
        }
    }

    fn step(&mut self, step: Step) {
        let now = self.shell.now.0;
        match step {
            Step::Pass(wait) => self.shell.pass(ms(wait)),
            Step::Snapshot => self.shell.begin_snapshot(),
            Step::Slice(max) => {
                self.shell.snapshot_slice(max);
            }
            Step::PassToDeadline(early) => {
                let next = self.shell.queue.next_deadline(self.shell.now);
                let next = next.map_or(now, |next| next.0.saturating_sub(early));
                self.shell.now = Time(next.max(now));
            }
            command => self.command(now, command),
        }
    }

    fn command(&mut self, now: u64, command: Step) {
        let Self { shell, naive, .. } = self;
        naive.due(now);
        match command {
            Step::Enqueue(bodies) => {
                assert_eq!(
                    shell.offer(&bodies).map(|_| ()),
                    naive.enqueue(now, &bodies)
                );
            }
            Step::Lease { max, length } => {
                let expected = naive.lendable(max);
                let given = shell.lease_up_to(max, ms(length), "ada");
                let seqs: Vec<_> = given.iter().map(|token| token.seq.0 as usize).collect();
                assert_eq!(seqs, expected);
                for token in given {
                    naive.lend(now, token.seq.0 as usize, token.fence, length);
                    assert!(self.tokens.iter().all(|old| old.fence != token.fence));
                    self.tokens.push(token);
                }
            }
            Step::Settle {
                lease,
                how,
                delay,
                note,
                forged,
            } => {
                let Token { seq, fence } = self.token(lease, forged);
                self.settle(now, Token { seq, fence }, how, delay.map(ms), note);
            }
            Step::Extend {
                lease,
                length,
                forged,
            } => {
                let token = self.token(lease, forged);
                let expected = self
                    .naive
                    .extend(now, token.seq.0 as usize, token.fence, length);
                assert_eq!(self.shell.extend(token, ms(length)), expected.map(Time));
            }
            Step::Take => {
                assert_eq!(shell.take().map(|seq| seq.0 as usize), naive.take(now));
            }
            Step::Purge {
                ready,
                delayed,
                dead,
                newer,
            } => {
                let before = Seq(shell.queue.next_seq().0.saturating_sub(newer));
                let purge = Purge {
                    ready,
                    delayed,
                    dead,
                    before,
                };
                shell.purge(purge);
                naive.purge(purge);
            }
            Step::Seal => {
                shell.seal();
                naive.sealed = true;
            }
            Step::Reopen => {
                shell.reopen();
                naive.sealed = false;
            }
            Step::Pause => {
                shell.pause();
                naive.paused = true;
            }
            Step::Resume => {
                shell.resume();
                naive.paused = false;
            }
            Step::Configure(settings) => {
                shell.configure(|old| *old = settings);
                naive.settings = settings;
            }
            Step::Snapshot | Step::Slice(_) | Step::Pass(_) | Step::PassToDeadline(_) => {
                panic!("no command")
            }
        }
    }

    fn settle(
        &mut self,
        now: u64,
        token: Token,
        how: How,
        delay: Option<Duration>,
        note: Option<u32>,
    ) {
        let note = note.map(|len| self.shell.blobs.store(len));
        let settlement = Settlement {
            how,
            delay,
            note,
            exit_code: note.map(|note| note.len as i32),
        };
        let answer = self.shell.settle_with(token, settlement);
        let drawn = match self.shell.queue.item(token.seq).map(|item| item.state()) {
            Some(State::Delayed(due)) => Some(due.0),
            _ => None,
        };
        let at = (token.seq.0 as usize, token.fence);
        assert_eq!(answer, self.naive.settle(now, at, settlement, drawn));
    }

    fn compare(&self) {
        let (queue, naive) = (&self.shell.queue, &self.naive);
        assert_eq!(queue.counts(), naive.counts());
        assert_eq!(queue.totals(), naive.totals());
        assert_eq!(
            (queue.is_sealed(), queue.is_paused()),
            (naive.sealed, naive.paused)
        );
        assert_eq!(queue.is_drained(), naive.is_drained());
        assert_eq!(queue.quiet_at().map(|at| at.0), naive.quiet_at());
        let empty = naive.quiet_at().is_some_and(|at| at <= self.shell.now.0);
        assert_eq!(queue.is_empty(self.shell.now), empty);
        assert_eq!(queue.next_seq().0 as usize, naive.items.len());
        let next = queue.next_deadline(self.shell.now).map(|at| at.0);
        assert_eq!(next, naive.next_deadline(self.shell.now.0));
        let oldest = queue
            .oldest_ready()
            .map(|item| (item.enqueued().0, item.body().len));
        assert_eq!(
            oldest,
            naive.oldest_ready().map(|entry| (entry.came, entry.body))
        );
        for seq in 0..naive.items.len() {
            self.compare_item(seq);
        }
        self.compare_outcomes();
    }

    fn compare_item(&self, seq: usize) {
        let (queue, entry) = (&self.shell.queue, &self.naive.items[seq]);
        let seq = Seq(seq as u64);
        let Some(item) = queue.item(seq) else {
            assert_eq!(entry.place, Place::Gone, "{seq:?}");
            assert!(queue.story(seq).is_empty() && queue.lease_of(seq).is_none());
            return;
        };
        let lease = queue.lease_of(seq);
        let place = match (item.state(), lease) {
            (State::Ready, None) => Place::Ready,
            (State::Delayed(due), None) => Place::Delayed { due: due.0 },
            (State::Leased, Some(lease)) => Place::Leased {
                fence: lease.fence,
                started: lease.started.0,
                deadline: lease.deadline.0,
            },
            (State::Done, None) => Place::Done,
            (State::Dead, None) => Place::Dead,
            other => panic!("{seq:?} is {other:?}"),
        };
        assert_eq!(place, entry.place, "{seq:?}");
        let told = (item.attempts(), item.body().len, item.enqueued().0);
        assert_eq!(told, (entry.attempts, entry.body, entry.came), "{seq:?}");
        let past: Vec<_> = queue
            .story(seq)
            .into_iter()
            .map(|attempt| naive::Past {
                fence: attempt.fence,
                started: attempt.started.0,
                ended: attempt.ended.0,
                how: attempt.how,
                note: attempt.note.map(|note| note.len),
                exit_code: attempt.exit_code,
            })
            .collect();
        assert_eq!(past, entry.kept_past(), "{seq:?}");
    }

    fn compare_outcomes(&self) {
        let (queue, naive) = (&self.shell.queue, &self.naive);
        let told: Vec<_> = queue
            .outcomes(0)
            .map(|(number, outcome)| {
                let dead = outcome.state == State::Dead;
                assert!(dead || outcome.state == State::Done);
                let seq = outcome.seq.0 as usize;
                (
                    number as usize,
                    naive::Ended {
                        seq,
                        dead,
                        at: outcome.ended.0,
                    },
                )
            })
            .collect();
        let kept = naive
            .outcomes
            .iter()
            .copied()
            .enumerate()
            .skip(naive.forgotten);
        assert_eq!(
            told,
            kept.map(|(index, ended)| (index + 1, ended))
                .collect::<Vec<_>>()
        );
        assert_eq!(queue.outcomes_from() as usize, naive.forgotten);
        assert_eq!(queue.last_outcome() as usize, naive.outcomes.len());
    }

    /// Once caught up, nothing changes before the next deadline, and something does then.
    fn deadline_holds(&self) {
        let now = self.shell.now;
        let mut queue = self.shell.queue.clone();
        let mut events = Vec::new();
        loop {
            queue.due(now, &mut events);
            if events.is_empty() {
                break;
            }
            events
                .drain(..)
                .for_each(|event| queue.evolve(&event, &mut Vec::new()));
        }
        let next = queue.next_deadline(now);
        assert!(
            next.is_none_or(|at| at > now),
            "{next:?} is not ahead of {now:?}"
        );
        let before = next.map_or(Time(u64::MAX / 2), |at| Time(at.0 - 1));
        queue.due(before, &mut events);
        assert_eq!(events, [], "something changes before {next:?}");
        assert_eq!(queue.is_empty(before), queue.is_empty(now));
        if let Some(at) = next {
            queue.due(at, &mut events);
            assert!(
                !events.is_empty() || queue.is_empty(at),
                "nothing changes at {at:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_queue_does_what_a_naive_one_does(
        settings in settings(),
        steps in proptest::collection::vec(step(), 1..150),
    ) {
        let mut pair = Pair::new(settings);
        for step in steps {
            pair.step(step);
            pair.compare();
            pair.shell.compare_all();
            pair.deadline_holds();
        }
    }
}
