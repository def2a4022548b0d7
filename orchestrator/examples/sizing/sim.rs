//! One run in virtual time: items, pods and nodes as events, under one policy.

mod pods;
mod report;
mod times;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use crate::{
    policy::{Mind, Order, Pods, Policy},
    world::{Arrivals, Chance, Ms, Scenario, ms},
};
use pods::{Cluster, Work};
pub(crate) use report::Report;
use times::Times;

/// When a run is given up: no policy may take a day for an hour's work.
const GIVE_UP: Ms = 24 * 3_600_000;

/// How long a lost pod's item stays leased.
const LEASE: Ms = 60_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrive,
    Started(usize),
    /// The pod is done with the item that it took at this time.
    Done(usize, Ms),
    Lost(usize),
    Expired(usize),
    Look,
}

struct Run {
    scenario: Scenario,
    chance: Chance,
    mind: Mind,
    now: Ms,
    events: BinaryHeap<Reverse<(Ms, u64, Event)>>,
    sequence: u64,
    cluster: Cluster,
    items: Vec<Ms>,
    arrived: usize,
    sealed: Ms,
    ready: VecDeque<usize>,
    expiring: usize,
    done: usize,
    taken: Times,
    startups: Times,
    unschedulable: Option<Ms>,
}

/// Simulates one run.
pub(crate) fn run(scenario: &Scenario, policy: Policy, seed: u64) -> Report {
    let mut chance = Chance::of(seed);
    let items = (0..scenario.items)
        .map(|_| chance.item(scenario.item))
        .collect();
    let mut run = Run {
        scenario: *scenario,
        chance,
        mind: Mind::of(policy),
        now: 0,
        events: BinaryHeap::new(),
        sequence: 0,
        cluster: Cluster::of(scenario),
        items,
        arrived: 0,
        sealed: 0,
        ready: VecDeque::new(),
        expiring: 0,
        done: 0,
        taken: Times::default(),
        startups: Times::default(),
        unschedulable: None,
    };
    run.at(0, Event::Arrive);
    run.at(0, Event::Look);
    while let Some(Reverse((at, _, event))) = run.events.pop() {
        run.now = at;
        run.happens(event);
        if run.done == scenario.items || at > GIVE_UP {
            break;
        }
    }
    let now = run.now;
    Report::of(&run.cluster, &run.mind.said, run.sealed, now)
}

impl Run {
    fn at(&mut self, at: Ms, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((at, self.sequence, event)));
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Arrive => self.arrive(),
            Event::Started(pod) => {
                if self.cluster.start(pod, self.now) {
                    self.offer(pod);
                }
            }
            Event::Done(pod, since) => self.done(pod, since),
            Event::Lost(pod) => {
                let lost = self.cluster.end(pod, self.now);
                if let Some(work) = lost {
                    self.expiring += 1;
                    self.at(self.now + LEASE, Event::Expired(work.item));
                }
                self.place();
            }
            Event::Expired(item) => {
                self.expiring -= 1;
                self.ready.push_front(item);
            }
            Event::Look => self.look(),
        }
        self.hand_out();
    }

    fn arrive(&mut self) {
        let many = match self.scenario.arrivals {
            Arrivals::AtStart => self.items.len(),
            Arrivals::PerSecond(rate) => {
                if self.arrived + 1 < self.items.len() {
                    self.at(self.now + ms(1.0 / rate), Event::Arrive);
                }
                1
            }
        };
        self.ready.extend(self.arrived..self.arrived + many);
        self.arrived += many;
        self.sealed = self.now;
    }

    fn done(&mut self, pod: usize, since: Ms) {
        if !self.cluster.finish(pod, since, self.now) {
            return;
        }
        self.done += 1;
        self.taken.add(self.now - since);
        if self.mind.pods() == Some(Pods::OneItem) {
            self.cluster.end(pod, self.now);
            self.place();
        } else {
            self.offer(pod);
        }
    }

    /// A pod without an item takes one; one of KEDA's ends if there is none.
    fn offer(&mut self, pod: usize) {
        if self.ready.is_empty() && self.mind.pods().is_some() {
            self.cluster.end(pod, self.now);
            self.place();
        }
    }

    fn hand_out(&mut self) {
        while !self.ready.is_empty() {
            let Some(pod) = self.cluster.parked() else {
                return;
            };
            let Some(item) = self.ready.pop_front() else {
                return;
            };
            if let Some(startup) = self.cluster.take(
                pod,
                Work {
                    item,
                    since: self.now,
                },
            ) {
                self.startups.add(startup);
            }
            let busy = self.cluster.busy();
            let slower = self
                .scenario
                .shared
                .map_or(1.0, |most| (busy as f64 / most as f64).max(1.0));
            let end = self.now + (self.items[item] as f64 * slower) as Ms;
            self.at(end, Event::Done(pod, self.now));
        }
    }

    fn look(&mut self) {
        let seen = report::seen(self);
        let (order, next) = self.mind.look(&seen, self.now);
        self.at(next, Event::Look);
        let there = self.cluster.there();
        match order {
            Order::Add(more) => self.create(more as usize),
            Order::Keep(pods) if pods as usize > there => self.create(pods as usize - there),
            Order::Keep(pods) => {
                for work in self.cluster.shrink(there - pods as usize, self.now) {
                    self.ready.push_front(work.item);
                }
                self.place();
            }
        }
    }

    fn create(&mut self, pods: usize) {
        for _ in 0..pods {
            self.cluster.create(self.now);
        }
        self.place();
    }

    /// Gives pods that wait for a node a node.
    fn place(&mut self) {
        while let Some((pod, image)) = self.cluster.place(self.now, ms(self.scenario.pull)) {
            let startup = self.chance.startup(self.scenario.startup);
            self.at(image.max(self.now) + startup, Event::Started(pod));
            if let Some(mean) = self.scenario.loss {
                let life = self.chance.life(mean);
                self.at(self.now + life, Event::Lost(pod));
            }
        }
        self.unschedulable = match (self.cluster.waiting(), self.unschedulable) {
            (false, _) => None,
            (true, since) => since.or(Some(self.now)),
        };
    }
}
