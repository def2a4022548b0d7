//! The queue and its naive twin, taken through the same steps and compared after each.

use queue_core::{
    Fence, Item, Lendable, Outcome, Purge, Queue, Seq, Settings, Settlement, State, Time,
};

use crate::naive::{self, End, Naive, Place};
use crate::step::Step;
use crate::support::{Offer, Shell, Token, ms};

pub(crate) struct Pair {
    pub(crate) shell: Shell,
    naive: Naive,
    tokens: Vec<Token>,
}

impl Pair {
    pub(crate) fn new(settings: Settings) -> Self {
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

    /// The item that came so many items before the last one.
    fn item(&self, back: usize) -> usize {
        self.naive.items.len().saturating_sub(back + 1)
    }

    pub(crate) fn step(&mut self, step: Step) {
        let now = self.shell.now.0;
        match step {
            Step::Pass(wait) => self.shell.pass(ms(wait)),
            Step::Snapshot => self.shell.begin_snapshot(),
            Step::Slice(max) => {
                self.shell.snapshot_slice(max);
            }
            Step::PassToDeadline(early) => {
                let next = next_change(&self.shell.queue, self.shell.now);
                let next = next.map_or(now, |next| next.0.saturating_sub(early));
                self.shell.now = Time(next.max(now));
            }
            command => {
                self.naive.due(now);
                self.command(now, command);
            }
        }
    }

    fn command(&mut self, now: u64, command: Step) {
        let Self { shell, naive, .. } = self;
        match command {
            Step::Enqueue {
                offers,
                under,
                idempotent,
            } => {
                let under = under.map(|(lease, forged)| self.token(lease, forged));
                self.enqueue(now, &offers, under, idempotent);
            }
            Step::Lease {
                max,
                max_bytes,
                length,
            } => self.lease(now, max, max_bytes, length),
            Step::Settle {
                lease,
                how,
                delay,
                note,
                log,
                forged,
            } => {
                let mut store = |len: Option<u32>| len.map(|len| shell.blobs.store(len));
                let (note, log) = (store(note), store(log));
                let settlement = Settlement {
                    how,
                    delay: delay.map(ms),
                    note,
                    log,
                    exit_code: note.map(|note| note.len as i32),
                };
                self.settle(now, self.token(lease, forged), settlement);
            }
            Step::Extend {
                lease,
                length,
                forged,
            } => {
                let token = self.token(lease, forged);
                let at = token.seq.0 as usize;
                let expected = self.naive.extend(now, at, token.fence, length);
                assert_eq!(self.shell.extend(token, ms(length)), expected.map(Time));
            }
            Step::Take => {
                assert_eq!(shell.take().map(|seq| seq.0 as usize), naive.take(now));
            }
            Step::Cancel(back) => self.cancel(now, self.item(back)),
            Step::Redrive(backs) => {
                let items: Vec<_> = backs.iter().map(|back| self.item(*back)).collect();
                self.redrive(now, &items);
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
                naive.configure(settings);
            }
            Step::Snapshot | Step::Slice(_) | Step::Pass(_) | Step::PassToDeadline(_) => {
                panic!("no command")
            }
        }
    }

    fn enqueue(
        &mut self,
        now: u64,
        offers: &[Offer],
        under: Option<Token>,
        idempotent: Option<(u8, u64)>,
    ) {
        let name = idempotent.map(|(key, digest)| (format!("i{key}"), digest));
        let idempotent = name.as_ref().map(|(key, digest)| (key.as_str(), *digest));
        let lease = under.map(|token| (token.seq.0 as usize, token.fence));
        let expected = self.naive.enqueue(now, offers, lease, idempotent);
        let answer = self.shell.offer_all(offers, under, idempotent);
        assert_eq!(answer, expected);
    }

    fn lease(&mut self, now: u64, max: usize, max_bytes: u64, length: u64) {
        let expected = self.naive.would_lend(now, max, max_bytes);
        let given = self.shell.ask(max, max_bytes, ms(length));
        let seqs: Vec<_> = given.iter().map(|token| token.seq.0 as usize).collect();
        assert_eq!(seqs, expected);
        for token in given {
            self.naive
                .lend(now, token.seq.0 as usize, token.fence, length);
            assert!(self.tokens.iter().all(|old| old.fence != token.fence));
            self.tokens.push(token);
        }
    }

    fn settle(&mut self, now: u64, token: Token, settlement: Settlement) {
        let answer = self.shell.settle_with(token, settlement);
        let drawn = match self.shell.queue.item(token.seq).map(Item::state) {
            Some(State::Delayed(due)) => Some(due.0),
            _ => None,
        };
        let at = (token.seq.0 as usize, token.fence);
        assert_eq!(answer, self.naive.settle(now, at, settlement, drawn));
    }

    fn cancel(&mut self, now: u64, seq: usize) {
        let answer = self.shell.cancel(Seq(seq as u64));
        let expected = self.naive.cancel(now, seq);
        assert_eq!(answer.is_ok(), expected.is_some(), "{answer:?} of {seq}");
    }

    fn redrive(&mut self, now: u64, items: &[usize]) {
        let seqs: Vec<_> = items.iter().map(|seq| Seq(*seq as u64)).collect();
        let redriven = self.shell.redrive(&seqs) as u64;
        assert_eq!(redriven, self.naive.redrive(now, items));
    }

    pub(crate) fn compare(&self) {
        let (queue, naive) = (&self.shell.queue, &self.naive);
        let now = self.shell.now;
        assert_eq!(queue.counts(), naive.counts());
        assert_eq!(queue.totals(), naive.totals());
        assert_eq!(
            (queue.is_sealed(), queue.is_paused()),
            (naive.sealed, naive.paused)
        );
        assert_eq!(queue.is_drained(), naive.is_drained());
        assert_eq!(queue.quiet_at().map(|at| at.0), naive.quiet_at());
        let empty = naive.quiet_at().is_some_and(|at| at <= now.0);
        assert_eq!(queue.is_empty(now), empty);
        assert_eq!(queue.next_seq().0 as usize, naive.items.len());
        assert_eq!(queue.lendable(now), naive.lendable(now.0));
        let next = queue.next_deadline(now).map(|at| at.0);
        assert_eq!(next, naive.next_deadline(now.0));
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
            (State::Dead, None) => Place::Dead,
            (over, None) => Place::Over(end(over)),
            other => panic!("{seq:?} is {other:?}"),
        };
        assert_eq!(place, entry.place, "{seq:?}");
        let told = (item.attempts(), item.body().len, item.enqueued().0);
        assert_eq!(told, (entry.attempts, entry.body, entry.came), "{seq:?}");
        let told = (item.leases(), item.ended().map(|at| at.0));
        assert_eq!(told, (entry.lent, entry.ended), "{seq:?}");
        let terms = queue.terms_of(seq).unwrap_or_default();
        let told = (terms.priority, terms.group.map(|group| &**group), terms.key);
        let expected = (entry.priority, entry.group.as_deref(), entry.key.as_deref());
        assert_eq!(told, expected, "{seq:?}");
        assert_eq!(terms.expires.map(|at| at.0), entry.expires, "{seq:?}");
        assert_eq!(
            terms.trace.map(|it| &**it),
            entry.trace.as_deref(),
            "{seq:?}"
        );
        let past: Vec<_> = queue
            .story(seq)
            .into_iter()
            .map(|attempt| naive::Past {
                fence: attempt.fence,
                nth: attempt.nth.into(),
                started: attempt.started.0,
                ended: attempt.ended.0,
                how: attempt.how,
                note: attempt.note.map(|note| note.len),
                log: attempt.log.map(|log| log.len),
                exit_code: attempt.exit_code,
            })
            .collect();
        assert_eq!(past, entry.kept_past(), "{seq:?}");
    }

    fn compare_outcomes(&self) {
        let (queue, naive) = (&self.shell.queue, &self.naive);
        let ended = |outcome: &Outcome| naive::Ended {
            seq: outcome.seq.0 as usize,
            end: match outcome.state {
                State::Dead => None,
                over => Some(end(over)),
            },
            at: outcome.ended.0,
        };
        let told = queue
            .outcomes(0)
            .map(|(number, outcome)| (number as usize, ended(outcome)));
        let kept = naive.outcomes.iter().copied().zip(1..);
        let kept = kept.skip(naive.forgotten);
        assert_eq!(
            told.collect::<Vec<_>>(),
            kept.map(|(ended, number)| (number, ended))
                .collect::<Vec<_>>()
        );
        assert_eq!(queue.outcomes_from() as usize, naive.forgotten);
        assert_eq!(queue.last_outcome() as usize, naive.outcomes.len());
    }

    /// Once caught up, nothing changes before the next deadline, and something does then.
    pub(crate) fn deadline_holds(&self) {
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
        let next = next_change(&queue, now);
        assert!(
            next.is_none_or(|at| at > now),
            "{next:?} is not ahead of {now:?}"
        );
        let before = next.map_or(Time(u64::MAX / 2), |at| Time(at.0 - 1));
        queue.due(before, &mut events);
        assert_eq!(events, [], "something changes before {next:?}");
        assert_eq!(queue.is_empty(before), queue.is_empty(now));
        assert_eq!(queue.lendable(before), queue.lendable(now));
        if let Some(at) = next {
            queue.due(at, &mut events);
            let lends = queue.lendable(at) != queue.lendable(now);
            assert!(
                !events.is_empty() || queue.is_empty(at) || lends,
                "nothing changes at {at:?}"
            );
        }
    }
}

/// When time alone changes something for somebody who waits for a lease.
fn next_change(queue: &Queue, now: Time) -> Option<Time> {
    let token = match queue.lendable(now) {
        Lendable::Until(token) => Some(token),
        _ => None,
    };
    let next = [queue.next_deadline(now), token];
    next.into_iter().flatten().min()
}

fn end(state: State) -> End {
    match state {
        State::Done => End::Done,
        State::Expired => End::Expired,
        State::Cancelled => End::Cancelled,
        other => panic!("{other:?} is no end"),
    }
}
