//! A world around one queue: producers, workers with all their misfortunes, a taker and an operator,
//! each doing its next errand when its time has come.

mod load;
mod operate;
mod work;

use std::collections::BTreeMap;
use std::time::Duration;

use queue_core::{Backoff, Settings, Settlement, Time};

use crate::oracle::{Oracle, Seen};
use crate::support::{Chance, Shell, Token, ms};
use load::Request;

/// More errands than any schedule needs: past it, something never ends.
const TOO_LONG: u64 = 100_000;

/// Every so many errands the queue is recounted and compared with its replayed twin.
const COMPARE_EVERY: u64 = 16;

/// What someone will do at some time.
#[derive(Debug)]
enum Errand {
    /// A producer offers items, and again later if the queue is full or the answer got lost.
    Produce(Request),
    /// A worker asks for items, again and again until the queue is drained.
    Ask,
    /// A worker makes items of the one it holds, or held.
    Make(Token),
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
    /// The operator pauses and resumes, purges, cancels, redrives, or changes his mind about settings.
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
    /// How many of a hundred items are given more than a body.
    rich: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let lease = ms(chance.one_of(&[20, 100, 1_000]));
        let settings = settings(&mut chance, lease);
        let mut world = Self {
            shell: Shell::seeded(settings, seed),
            oracle: Oracle::new(settings),
            trouble: chance.one_of(&[0, 20, 50, 90]),
            rich: chance.one_of(&[0, 10, 70, 100]),
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
        for number in 0..1 + self.chance.below(25) {
            let at = self.chance.below(span);
            let request = self.request(number);
            self.after(at, Errand::Produce(request));
        }
        for _ in 0..1 + self.chance.below(8) {
            let at = self.chance.below(span);
            self.after(at, Errand::Ask);
        }
        if self.chance.percent(30) {
            self.after(0, Errand::Take);
        }
        if self.chance.percent(50) {
            let times = self.chance.below(12);
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
            Errand::Produce(request) => self.produce(request),
            Errand::Ask => self.ask(),
            Errand::Make(token) => self.make(token),
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
            Errand::Resume => self.resume(),
            Errand::Seal => self.seal(),
            Errand::Tick => self.tick(),
            Errand::Snapshot => {
                self.shell.begin_snapshot();
                self.soon(Errand::Slice);
            }
            Errand::Slice => self.slice(),
        }
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
    let pace = chance.percent(20);
    Settings {
        max_lease: chance.percent(30).then_some(lease * 2),
        max_attempts: chance.one_of(&[1, 2, 3, 8]),
        backoff: Backoff {
            min: ms(chance.one_of(&[0, 1, 20])),
            max: ms(100),
            factor: chance.one_of(&[1.0, 2.0, 10.0]),
        },
        // Long enough for a follower that reads after each errand, whose time may end many items.
        done_retention_items: chance.one_of(&[150, 1_000]),
        done_retention: ms(chance.one_of(&[3_000, 1_000_000])),
        done_retention_bytes: chance.one_of(&[4_000, 1_000_000]),
        quiet: ms(chance.one_of(&[0, 5, 500])),
        max_items: chance.percent(20).then(|| 6 + chance.below(20)),
        max_bytes: chance.percent(20).then(|| 240 + chance.below(400)),
        max_leased: chance.percent(20).then(|| 1 + chance.below(6)),
        max_leased_per_group: chance.percent(30).then(|| 1 + chance.below(3)),
        rate_per_s: pace.then(|| chance.one_of(&[20.0, 100.0, 500.0])),
        burst: (pace && chance.percent(50)).then(|| 1 + chance.below(5)),
        key_window: ms(chance.one_of(&[0, 50, 3_000])),
    }
}
