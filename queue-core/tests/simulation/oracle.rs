//! What must be true of a queue, known from outside it: who holds what until when, and how each item
//! ended. It hears the answers that workers hear and looks at a clock.
//!
//! It does not know when a retry falls due or in which order items go out: other tests judge that.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use queue_core::{Fence, How, LeaseLost, Queue, Seq, Settled, Settlement, State, Time};

use crate::support::Token;

/// How an item ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Taken,
    Dead,
    Purged,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    /// Ready or delayed.
    Waits,
    Held {
        fence: Fence,
        started: Time,
        deadline: Time,
    },
    Ended(End),
}

#[derive(Debug)]
struct Fate {
    status: Status,
    attempts: u32,
    releases: u32,
    /// The settle that was the last step of this item, if one was.
    last: Option<(Fence, How)>,
}

pub(crate) struct Oracle {
    pub(crate) max_attempts: u32,
    pub(crate) sealed: bool,
    max_lease: Option<Duration>,
    fates: BTreeMap<Seq, Fate>,
    fences: HashSet<Fence>,
    last_enqueued: Time,
    /// The latest outcome its joblog has.
    followed: u64,
    joblog: BTreeMap<Seq, State>,
    pub(crate) seen: Seen,
}

/// What the schedules brought about, so that a simulation in which nothing goes wrong is noticed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) settled: u64,
    pub(crate) repeated: u64,
    pub(crate) stale: u64,
    pub(crate) stale_while_held: u64,
    pub(crate) expired: u64,
    pub(crate) extended: u64,
    pub(crate) done: u64,
    pub(crate) taken: u64,
    pub(crate) dead: u64,
    pub(crate) purged: u64,
    pub(crate) snapshots: u64,
}

impl Seen {
    pub(crate) fn add(&mut self, other: Self) {
        self.settled += other.settled;
        self.repeated += other.repeated;
        self.stale += other.stale;
        self.stale_while_held += other.stale_while_held;
        self.expired += other.expired;
        self.extended += other.extended;
        self.done += other.done;
        self.taken += other.taken;
        self.dead += other.dead;
        self.purged += other.purged;
        self.snapshots += other.snapshots;
    }
}

impl Oracle {
    pub(crate) fn new(max_attempts: u32, max_lease: Option<Duration>) -> Self {
        Self {
            max_attempts,
            sealed: false,
            max_lease,
            fates: BTreeMap::new(),
            fences: HashSet::new(),
            last_enqueued: Time(0),
            followed: 0,
            joblog: BTreeMap::new(),
            seen: Seen::default(),
        }
    }

    /// Takes the leases that have run out from their holders. To be called before each command.
    pub(crate) fn tick(&mut self, now: Time) {
        for fate in self.fates.values_mut() {
            if matches!(fate.status, Status::Held { deadline, .. } if deadline <= now) {
                self.seen.expired += 1;
                fate.last = None;
                fate.status = Status::Waits;
                if fate.attempts >= self.max_attempts {
                    fate.end(End::Dead);
                }
            }
        }
    }

    pub(crate) fn came(&mut self, now: Time, items: &[Seq]) {
        self.last_enqueued = now;
        for seq in items {
            let fate = Fate {
                status: Status::Waits,
                attempts: 0,
                releases: 0,
                last: None,
            };
            assert!(
                self.fates.insert(*seq, fate).is_none(),
                "{seq:?} came in twice"
            );
        }
    }

    pub(crate) fn lent(&mut self, now: Time, length: Duration, tokens: &[Token], queue: &Queue) {
        for &Token { seq, fence } in tokens {
            assert!(self.fences.insert(fence), "a fence was given twice");
            let fate = self.fate(seq);
            assert_eq!(
                fate.status,
                Status::Waits,
                "{seq:?} was lent while it could not be"
            );
            fate.attempts += 1;
            fate.last = None;
            let attempts = fate.attempts;
            let deadline = now + self.max_lease.map_or(length, |longest| longest.min(length));
            self.fate(seq).status = Status::Held {
                fence,
                started: now,
                deadline,
            };
            assert_eq!(
                queue.item(seq).map(|item| item.attempts()),
                Some(attempts),
                "{seq:?}"
            );
        }
    }

    pub(crate) fn extended(
        &mut self,
        now: Time,
        Token { seq, fence }: Token,
        length: Duration,
        answer: Result<Time, LeaseLost>,
    ) {
        let longest = self.max_lease;
        let expected = match &mut self.fate(seq).status {
            Status::Held {
                fence: held,
                started,
                deadline,
            } if *held == fence => {
                let end = now + length;
                *deadline = longest.map_or(end, |longest| end.min(*started + longest));
                Ok(*deadline)
            }
            _ => Err(LeaseLost),
        };
        assert_eq!(answer, expected, "an extension of {seq:?} at {now:?}");
        self.seen.extended += u64::from(answer.is_ok());
    }

    pub(crate) fn settled(
        &mut self,
        now: Time,
        Token { seq, fence }: Token,
        settlement: Settlement,
        answer: Result<Settled, LeaseLost>,
        queue: &Queue,
    ) {
        let (how, max_attempts) = (settlement.how, self.max_attempts);
        let fate = self.fate(seq);
        let expected = match fate.status {
            Status::Held { fence: held, .. } if held == fence => Ok(Settled::Now),
            Status::Held { .. } | Status::Ended(End::Purged) => Err(LeaseLost),
            // What retention forgot cannot be recognised.
            _ if fate.last == Some((fence, how)) && queue.item(seq).is_some() => {
                Ok(Settled::Before)
            }
            _ => Err(LeaseLost),
        };
        assert_eq!(
            answer, expected,
            "{how:?} of {seq:?} at {now:?}, which is {fate:?}"
        );
        let held = matches!(fate.status, Status::Held { .. });
        if answer == Ok(Settled::Now) {
            fate.step(fence, how, max_attempts);
        }
        match answer {
            Ok(Settled::Now) => self.seen.settled += 1,
            Ok(Settled::Before) => self.seen.repeated += 1,
            Err(LeaseLost) if held => self.seen.stale_while_held += 1,
            Err(LeaseLost) => self.seen.stale += 1,
        }
    }

    pub(crate) fn taken(&mut self, seq: Seq) {
        self.fate(seq).end(End::Taken);
    }

    /// Finds out which items a purge took. None of them may be in a worker's hands.
    pub(crate) fn purged(&mut self, items: usize, queue: &Queue) {
        let mut gone = 0;
        for (seq, fate) in &mut self.fates {
            if matches!(fate.status, Status::Waits) && queue.item(*seq).is_none() {
                fate.end(End::Purged);
                gone += 1;
            }
        }
        assert_eq!(gone, items);
    }

    /// Compares everything it knows with what the queue says of itself.
    pub(crate) fn judge(&mut self, now: Time, queue: &Queue) {
        let count = |is: fn(Status) -> bool| {
            self.fates.values().filter(|fate| is(fate.status)).count() as u64
        };
        let counts = queue.counts();
        assert_eq!(
            counts.ready + counts.delayed,
            count(|it| it == Status::Waits)
        );
        assert_eq!(counts.leased, count(|it| matches!(it, Status::Held { .. })));
        assert_eq!(counts.dead, count(|it| it == Status::Ended(End::Dead)));
        let done = |it| matches!(it, Status::Ended(End::Done | End::Taken));
        assert_eq!(counts.done, count(done));
        let finished = self.is_finished();
        assert_eq!(
            queue.is_drained(),
            self.sealed && finished,
            "drained, at {now:?}"
        );
        let quiet = now >= self.last_enqueued + queue.settings().quiet;
        let empty = !self.sealed && finished && quiet && !self.fates.is_empty();
        assert_eq!(queue.is_empty(now), empty, "empty, at {now:?}");
        self.follow(queue);
    }

    /// Keeps a joblog, as a client that follows the outcomes does.
    fn follow(&mut self, queue: &Queue) {
        assert!(
            queue.outcomes_from() <= self.followed,
            "an outcome was gone before it was read"
        );
        for (number, outcome) in queue.outcomes(self.followed) {
            assert_eq!(number, self.followed + 1, "an outcome is missing");
            self.followed = number;
            let twice = self.joblog.insert(outcome.seq, outcome.state);
            assert_eq!(twice, None, "{:?} ended twice", outcome.seq);
        }
        assert_eq!(self.followed, queue.last_outcome());
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.fates
            .values()
            .all(|fate| matches!(fate.status, Status::Ended(_)))
    }

    /// The end of all: each item ended, once, as the joblog says.
    pub(crate) fn conclude(&mut self) {
        for (seq, fate) in &self.fates {
            let Status::Ended(end) = fate.status else {
                panic!("{seq:?} never ended: {fate:?}")
            };
            let (count, told) = match end {
                End::Done => (&mut self.seen.done, Some(State::Done)),
                End::Taken => (&mut self.seen.taken, Some(State::Done)),
                End::Dead => (&mut self.seen.dead, Some(State::Dead)),
                End::Purged => (&mut self.seen.purged, None),
            };
            *count += 1;
            assert_eq!(self.joblog.get(seq).copied(), told, "{seq:?} in the joblog");
        }
    }

    fn fate(&mut self, seq: Seq) -> &mut Fate {
        self.fates
            .get_mut(&seq)
            .unwrap_or_else(|| panic!("{seq:?} never came in"))
    }
}

impl Fate {
    /// An item ends once.
    fn end(&mut self, end: End) {
        assert!(
            !matches!(self.status, Status::Ended(_)),
            "{self:?} ends again: {end:?}"
        );
        self.status = Status::Ended(end);
    }

    fn step(&mut self, fence: Fence, how: How, max_attempts: u32) {
        self.last = Some((fence, how));
        let exhausted = self.attempts >= max_attempts;
        match how {
            How::Acked => self.end(End::Done),
            How::Buried => self.end(End::Dead),
            How::Nacked if exhausted => self.end(End::Dead),
            How::Nacked => self.status = Status::Waits,
            How::Released if self.releases < 10 => {
                self.releases += 1;
                self.attempts -= 1;
                self.status = Status::Waits;
            }
            How::Released if exhausted => self.end(End::Dead),
            How::Released => self.status = Status::Waits,
            How::Expired => panic!("no worker says this"),
        }
    }
}
