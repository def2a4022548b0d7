//! A world around one queue: producers, workers with all their misfortunes, a taker and an operator,
//! each doing its next errand when its time has come.

use std::collections::BTreeMap;
use std::time::Duration;

use queue_core::{Backoff, How, Purge, Refusal, Settings, Settlement, Time};

use crate::oracle::{Oracle, Seen};
use crate::support::{Chance, Shell, Token, ms, plain};

/// More errands than any schedule needs: past it, something never ends.
const TOO_LONG: u64 = 100_000;

/// Every so many errands the queue is recounted and compared with its replayed twin.
const COMPARE_EVERY: u64 = 16;

/// What someone will do at some time.
#[derive(Debug)]
enum Errand {
    /// A producer offers that many items, and again later if the queue is full.
    Produce(usize),
    /// A worker asks for items, again and again until the queue is drained.
    Ask,
    /// A worker settles, and says it again so many times.
    Settle {
        token: Token,
        settlement: Settlement,
        again: u64,
    },
    /// A worker makes its lease longer so many times, then settles.
    Extend {
        token: Token,
        times: u64,
        settlement: Settlement,
    },
    Take,
    /// The operator pauses and resumes, purges, or changes his mind about attempts.
    Operate(u64),
    Resume,
    Seal,
    /// The server's timer comes round.
    Tick,
    /// The server begins to write the queue down, and goes on with it.
    Snapshot,
    Slice,
}

pub(crate) struct World {
    shell: Shell,
    oracle: Oracle,
    chance: Chance,
    agenda: BTreeMap<(Time, u64), Errand>,
    /// Breaks ties: who planned first goes first.
    planned: u64,
    errands: u64,
    lease: Duration,
    /// How many of a hundred leases go wrong in some way.
    trouble: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let lease = ms(chance.one_of(&[20, 100, 1_000]));
        let settings = settings(&mut chance, lease);
        let mut world = Self {
            shell: Shell::seeded(settings, seed),
            oracle: Oracle::new(settings.max_attempts, settings.max_lease),
            trouble: chance.one_of(&[0, 20, 50, 90]),
            chance,
            agenda: BTreeMap::new(),
            planned: 0,
            errands: 0,
            lease,
        };
        world.populate();
        world
    }

    fn populate(&mut self) {
        let span = self.lease.as_millis() as u64 * self.chance.one_of(&[2, 10, 30]);
        for _ in 0..1 + self.chance.below(25) {
            let (at, items) = (self.chance.below(span), 1 + self.chance.below(6));
            self.after(at, Errand::Produce(items as usize));
        }
        for _ in 0..1 + self.chance.below(8) {
            let at = self.chance.below(span);
            self.after(at, Errand::Ask);
        }
        if self.chance.percent(30) {
            self.after(0, Errand::Take);
        }
        if self.chance.percent(50) {
            let times = self.chance.below(8);
            self.after(span / 8, Errand::Operate(times));
        }
        if self.chance.percent(70) {
            self.after(0, Errand::Tick);
        }
        let at = self.chance.below(span * 2);
        self.after(at, Errand::Seal);
        for _ in 0..self.chance.below(4) {
            let at = self.chance.below(span * 2);
            self.after(at, Errand::Snapshot);
        }
    }

    /// Does every errand in its order, and says what was seen.
    pub(crate) fn run(mut self) -> Seen {
        while let Some(((at, _), errand)) = self.agenda.pop_first() {
            self.errands += 1;
            assert!(
                self.errands < TOO_LONG,
                "the queue never drains: {:?}",
                self.shell.queue.counts()
            );
            self.shell.now = at;
            self.oracle.tick(at);
            self.shell.catch_up();
            self.run_errand(errand);
            self.oracle.judge(at, &self.shell.queue);
            self.shell.compare_counts();
            if self.errands.is_multiple_of(COMPARE_EVERY) {
                self.shell.compare_all();
            }
        }
        assert!(self.shell.queue.is_drained());
        self.oracle.conclude();
        self.oracle.seen
    }

    fn run_errand(&mut self, errand: Errand) {
        match errand {
            Errand::Produce(items) => self.produce(items),
            Errand::Ask => self.ask(),
            Errand::Settle {
                token,
                settlement,
                again,
            } => self.settle(token, settlement, again),
            Errand::Extend {
                token,
                times,
                settlement,
            } => self.extend(token, times, settlement),
            Errand::Take => self.take(),
            Errand::Operate(times) => self.operate(times),
            Errand::Resume => self.shell.resume(),
            Errand::Seal => self.seal(),
            Errand::Tick => self.tick(),
            Errand::Snapshot => {
                self.shell.begin_snapshot();
                self.soon(Errand::Slice);
            }
            Errand::Slice => self.slice(),
        }
    }

    fn produce(&mut self, items: usize) {
        let lengths: Vec<u32> = (0..items).map(|_| self.chance.below(40) as u32).collect();
        match self.shell.offer(&lengths) {
            Ok(came) => self.oracle.came(self.shell.now, &came),
            Err(Refusal::Sealed) => assert!(self.oracle.sealed, "refused as sealed and is not"),
            Err(_) => self.soon(Errand::Produce(items)),
        }
    }

    fn ask(&mut self) {
        if self.shell.queue.is_drained() {
            return;
        }
        let max = 1 + self.chance.below(3) as usize;
        let tokens = self.shell.lease_up_to(max, self.lease, "ada");
        self.oracle
            .lent(self.shell.now, self.lease, &tokens, &self.shell.queue);
        // A crash, or an answer that never arrived: nobody knows of these leases any more.
        let crashed = self.chance.percent(self.trouble / 4);
        if !crashed {
            tokens.into_iter().for_each(|token| self.work_on(token));
        }
        self.soon(Errand::Ask);
    }

    fn work_on(&mut self, token: Token) {
        let lease = self.lease.as_millis() as u64;
        let settlement = self.settlement();
        let again = if self.chance.percent(self.trouble / 2) {
            1 + self.chance.below(3)
        } else {
            0
        };
        let settle = Errand::Settle {
            token,
            settlement,
            again,
        };
        if !self.chance.percent(self.trouble) {
            let at = self.chance.below(lease);
            return self.after(at, settle);
        }
        match self.chance.below(4) {
            0 => self.after(lease, settle),
            1 => {
                let late = lease + self.chance.below(2 * lease);
                self.after(late, settle);
            }
            2 => {
                let early = 1 + self.chance.below(2);
                self.after(lease - early, settle);
            }
            _ => {
                let times = 1 + self.chance.below(6);
                self.after(
                    lease / 2,
                    Errand::Extend {
                        token,
                        times,
                        settlement,
                    },
                );
            }
        }
    }

    fn settlement(&mut self) -> Settlement {
        let how = match self.chance.below(100) {
            0..60 => How::Acked,
            60..80 => How::Nacked,
            80..97 => How::Released,
            _ => How::Buried,
        };
        let delay = self.chance.percent(20).then(|| ms(self.chance.below(50)));
        let exit_code = self.chance.percent(30).then_some(1);
        Settlement {
            delay,
            exit_code,
            ..plain(how)
        }
    }

    fn settle(&mut self, token: Token, settlement: Settlement, again: u64) {
        // Each try brings its own copy of the note, as a request does.
        let len = self.chance.below(30) as u32;
        let note = self.chance.percent(50).then(|| self.shell.blobs.store(len));
        let answer = self
            .shell
            .settle_with(token, Settlement { note, ..settlement });
        self.oracle
            .settled(self.shell.now, token, settlement, answer, &self.shell.queue);
        if again > 0 {
            let mut settlement = settlement;
            // Now and then someone else says something else with the same token.
            if self.chance.percent(15) {
                settlement = self.settlement();
            }
            let at = self.chance.below(2 * self.lease.as_millis() as u64);
            self.after(
                at,
                Errand::Settle {
                    token,
                    settlement,
                    again: again - 1,
                },
            );
        }
    }

    fn extend(&mut self, token: Token, times: u64, settlement: Settlement) {
        let answer = self.shell.extend(token, self.lease);
        self.oracle
            .extended(self.shell.now, token, self.lease, answer);
        let at = self.chance.below(self.lease.as_millis() as u64 + 2);
        if times > 1 {
            self.after(
                at,
                Errand::Extend {
                    token,
                    times: times - 1,
                    settlement,
                },
            );
        } else {
            self.after(
                at,
                Errand::Settle {
                    token,
                    settlement,
                    again: 0,
                },
            );
        }
    }

    fn take(&mut self) {
        if let Some(seq) = self.shell.take() {
            self.oracle.taken(seq);
        }
        if !self.shell.queue.is_drained() {
            self.after(self.lease.as_millis() as u64, Errand::Take);
        }
    }

    fn operate(&mut self, times: u64) {
        match self.chance.below(10) {
            0 => {
                let before = self.shell.queue.next_seq();
                let purge = Purge {
                    ready: true,
                    delayed: true,
                    dead: false,
                    before,
                };
                let items = self.shell.purge(purge);
                self.oracle.purged(items, &self.shell.queue);
            }
            1..4 => {
                let attempts = 1 + self.chance.below(5) as u32;
                self.shell
                    .configure(|settings| settings.max_attempts = attempts);
                self.oracle.max_attempts = attempts;
            }
            _ => {
                self.shell.pause();
                let at = self.chance.below(3 * self.lease.as_millis() as u64);
                self.after(at, Errand::Resume);
            }
        }
        if times > 0 {
            self.soon(Errand::Operate(times - 1));
        }
    }

    fn seal(&mut self) {
        // Some who load a queue seal it too early and open it once more.
        if !self.oracle.sealed && self.chance.percent(20) {
            self.shell.seal();
            self.shell.reopen();
            return self.soon(Errand::Seal);
        }
        self.shell.seal();
        self.oracle.sealed = true;
    }

    fn tick(&mut self) {
        if !self.shell.queue.is_drained() {
            let next = self.shell.queue.next_deadline(self.shell.now);
            let wait = next
                .map_or(self.lease, |at| at.since(self.shell.now))
                .min(self.lease);
            self.after(wait.as_millis().max(1) as u64, Errand::Tick);
        }
    }

    fn slice(&mut self) {
        let max = 1 + self.chance.below(8) as usize;
        if self.shell.snapshot_slice(max) {
            self.oracle.seen.snapshots += 1;
        } else {
            let at = self.chance.below(self.lease.as_millis() as u64 / 4);
            self.after(at, Errand::Slice);
        }
    }

    fn soon(&mut self, errand: Errand) {
        let at = 1 + self.chance.below(self.lease.as_millis() as u64);
        self.after(at, errand);
    }

    fn after(&mut self, millis: u64, errand: Errand) {
        self.planned += 1;
        self.agenda
            .insert((self.shell.now + ms(millis), self.planned), errand);
    }
}

fn settings(chance: &mut Chance, lease: Duration) -> Settings {
    Settings {
        max_lease: chance.percent(30).then_some(lease * 2),
        max_attempts: chance.one_of(&[1, 2, 3, 8]),
        backoff: Backoff {
            min: ms(chance.one_of(&[0, 1, 20])),
            max: ms(100),
            factor: chance.one_of(&[1.0, 2.0, 10.0]),
        },
        // Long enough for a follower that reads after each errand.
        done_retention_items: chance.one_of(&[64, 1_000]),
        done_retention: ms(chance.one_of(&[3_000, 1_000_000])),
        done_retention_bytes: chance.one_of(&[500, 1_000_000]),
        quiet: ms(chance.one_of(&[0, 5, 500])),
        max_items: chance.percent(20).then(|| 6 + chance.below(20)),
        max_bytes: chance.percent(20).then(|| 240 + chance.below(400)),
    }
}
