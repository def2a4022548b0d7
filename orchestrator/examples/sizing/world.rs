//! What a simulated run meets: its items, its pods' start-ups, its nodes. Nothing in here decides.

use rand::{SeedableRng as _, rngs::SmallRng};
use rand_distr::{Distribution as _, Exp, LogNormal, Pareto, Uniform};

/// A time in milliseconds since the run began.
pub(crate) type Ms = u64;

/// How long something takes, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Time {
    /// Always as long.
    Fixed(f64),
    /// Anything between the two.
    Between(f64, f64),
    /// Lognormal of this median and this sigma.
    Lognormal(f64, f64),
    /// Pareto of this least value and this alpha, cut at an hour.
    Pareto(f64, f64),
    /// This share of the first, else the second.
    Mixed(f64, f64, f64),
}

/// When items come.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Arrivals {
    /// All are there, and the queue is sealed.
    AtStart,
    /// So many a second, one by one, and the queue is sealed after the last.
    PerSecond(f64),
}

/// One run to simulate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    /// What it is called in the tables.
    pub(crate) name: &'static str,
    /// Items.
    pub(crate) items: usize,
    /// How long one takes.
    pub(crate) item: Time,
    /// When they come.
    pub(crate) arrivals: Arrivals,
    /// From a pod's place on a node, with the image there, to its first lease.
    pub(crate) startup: Time,
    /// Seconds a node pulls the image for its first pod.
    pub(crate) pull: f64,
    /// Nodes.
    pub(crate) nodes: usize,
    /// Pods of the run that a node has room for.
    pub(crate) room: usize,
    /// Mean seconds after which a pod's node takes it away.
    pub(crate) loss: Option<f64>,
    /// Busy pods beyond which all get slower: what they share is at its limit.
    pub(crate) shared: Option<usize>,
    /// Seconds in which it should be done.
    pub(crate) deadline: Option<f64>,
}

/// A run with nothing special about it.
const PLAIN: Scenario = Scenario {
    name: "",
    items: 2_000,
    item: Time::Fixed(20.0),
    arrivals: Arrivals::AtStart,
    startup: Time::Between(10.0, 20.0),
    pull: 0.0,
    nodes: 20,
    room: 10,
    loss: None,
    shared: None,
    deadline: None,
};

/// All runs that are simulated.
pub(crate) const SCENARIOS: [Scenario; 12] = [
    Scenario {
        name: "short: 10,000 items of 1 s",
        items: 10_000,
        item: Time::Fixed(1.0),
        ..PLAIN
    },
    Scenario {
        name: "small: 50 items of 2 s",
        items: 50,
        item: Time::Fixed(2.0),
        ..PLAIN
    },
    Scenario {
        name: "long: 30 items of 10 min",
        items: 30,
        item: Time::Fixed(600.0),
        ..PLAIN
    },
    Scenario {
        name: "lognormal: 2,000 items, median 20 s, sigma 1",
        item: Time::Lognormal(20.0, 1.0),
        ..PLAIN
    },
    Scenario {
        name: "heavy tail: 1,000 items, Pareto from 10 s, alpha 1.5",
        items: 1_000,
        item: Time::Pareto(10.0, 1.5),
        ..PLAIN
    },
    Scenario {
        name: "mixed: 5,000 items, 95 % of 1 s, 5 % of 120 s",
        items: 5_000,
        item: Time::Mixed(0.95, 1.0, 120.0),
        ..PLAIN
    },
    Scenario {
        name: "image: 2,000 items of 5 s, each node pulls for 90 s",
        item: Time::Fixed(5.0),
        pull: 90.0,
        ..PLAIN
    },
    Scenario {
        name: "trickle: 1 item of 10 s a second for 30 min",
        items: 1_800,
        item: Time::Fixed(10.0),
        arrivals: Arrivals::PerSecond(1.0),
        ..PLAIN
    },
    Scenario {
        name: "losses: 2,000 items of 20 s, a pod lives 10 min on average",
        loss: Some(600.0),
        ..PLAIN
    },
    Scenario {
        name: "full cluster: 1,000 items of 20 s, room for 12 pods",
        items: 1_000,
        nodes: 3,
        room: 4,
        ..PLAIN
    },
    Scenario {
        name: "shared: 20,000 items of 2 s, a database that 10 pods saturate",
        items: 20_000,
        item: Time::Fixed(2.0),
        shared: Some(10),
        ..PLAIN
    },
    Scenario {
        name: "deadline: 5,000 items of about 10 s in 20 min",
        items: 5_000,
        item: Time::Lognormal(8.0, 0.67),
        deadline: Some(1_200.0),
        ..PLAIN
    },
];

/// The chance of one run: the same seed gives every policy the same items.
pub(crate) struct Chance {
    items: SmallRng,
    pods: SmallRng,
}

impl Chance {
    pub(crate) fn of(seed: u64) -> Self {
        Self {
            items: SmallRng::seed_from_u64(seed),
            pods: SmallRng::seed_from_u64(!seed),
        }
    }

    pub(crate) fn item(&mut self, time: Time) -> Ms {
        sample(time, &mut self.items)
    }

    pub(crate) fn startup(&mut self, time: Time) -> Ms {
        sample(time, &mut self.pods)
    }

    pub(crate) fn life(&mut self, mean: f64) -> Ms {
        Exp::new(1.0 / mean).map_or(Ms::MAX, |life| ms(life.sample(&mut self.pods)))
    }
}

fn sample(time: Time, chance: &mut SmallRng) -> Ms {
    let seconds = match time {
        Time::Fixed(seconds) => seconds,
        Time::Between(low, high) => Uniform::new(low, high).map_or(low, |d| d.sample(chance)),
        Time::Lognormal(median, sigma) => {
            LogNormal::new(median.ln(), sigma).map_or(median, |d| d.sample(chance))
        }
        Time::Pareto(least, alpha) => Pareto::new(least, alpha)
            .map_or(least, |d| d.sample(chance))
            .min(3_600.0),
        Time::Mixed(share, first, second) => {
            let drawn = Uniform::new(0.0, 1.0).map_or(0.0, |d| d.sample(chance));
            if drawn < share { first } else { second }
        }
    };
    ms(seconds)
}

/// Milliseconds of these seconds, at least one.
pub(crate) fn ms(seconds: f64) -> Ms {
    ((seconds * 1_000.0) as Ms).max(1)
}
