//! Which queues have series of their own on a server with more queues than a scrape may tell of.
//!
//! A queue is as busy as items pass through it and wait in it. Those that are told of stay until others are
//! clearly busier, so that a series does not come and go. What the rest ever did together only grows, though
//! queues join it, leave it and are deleted: a counter that went back would be taken for a restart.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::queues::{EVENTS_KNOWN, totals};
use crate::engine::QueueFigures;

/// Most queues that have series of their own: with them a scrape has 30,000 series.
pub(super) const MOST: usize = 1_000;
/// The past counts half after so long.
const HALF_LIFE: Duration = Duration::from_secs(300);
/// How many seconds of passing through weigh as much as waiting does.
const WINDOW_S: f64 = 60.0;
/// How much busier another queue must be to take a place.
const STAYS: f64 = 1.5;

/// What is remembered between scrapes.
#[derive(Debug)]
pub(super) struct Busiest {
    most: usize,
    queues: HashMap<u64, Seen>,
    /// What the rest ever did.
    rest: [u64; EVENTS_KNOWN],
    looked: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    totals: [u64; EVENTS_KNOWN],
    /// Things that happened a second, of late.
    pace: f64,
    told: bool,
}

/// The queues of a scrape.
#[derive(Debug)]
pub(super) struct Chosen<'a> {
    /// Those that have series of their own, by name.
    pub(super) told: Vec<&'a QueueFigures>,
    /// The others, and what they ever did.
    pub(super) rest: Option<(Vec<&'a QueueFigures>, [u64; EVENTS_KNOWN])>,
}

impl Default for Busiest {
    fn default() -> Self {
        Self::of(MOST)
    }
}

impl Busiest {
    pub(super) fn of(most: usize) -> Self {
        Self {
            most,
            queues: HashMap::new(),
            rest: [0; EVENTS_KNOWN],
            looked: None,
        }
    }

    /// Chooses among queues that come by name.
    pub(super) fn choose<'a>(&mut self, queues: &'a [QueueFigures], now: Instant) -> Chosen<'a> {
        let since = self.looked.replace(now).map(|then| now - then);
        let mut scored: Vec<(f64, &QueueFigures)> = queues
            .iter()
            .map(|queue| (self.score(queue, since), queue))
            .collect();
        if queues.len() <= self.most {
            let told: Vec<_> = queues.iter().collect();
            self.remember(&told, &[]);
            return Chosen { told, rest: None };
        }
        let by_score = |(a, one): &(f64, &QueueFigures), (b, other): &(f64, &QueueFigures)| {
            b.total_cmp(a).then_with(|| one.name.cmp(&other.name))
        };
        scored.select_nth_unstable_by(self.most, by_score);
        let by_name = |(_, one): &(f64, &QueueFigures),
                       (_, other): &(f64, &QueueFigures)|
         -> Ordering { one.name.cmp(&other.name) };
        let (told, rest) = scored.split_at_mut(self.most);
        told.sort_unstable_by(by_name);
        let told: Vec<_> = told.iter().map(|(_, queue)| *queue).collect();
        let rest: Vec<_> = rest.iter().map(|(_, queue)| *queue).collect();
        self.remember(&told, &rest);
        Chosen {
            told,
            rest: Some((rest, self.rest)),
        }
    }

    fn score(&mut self, queue: &QueueFigures, since: Option<Duration>) -> f64 {
        let totals = totals(&queue.totals);
        let seen = self.queues.entry(queue.incarnation).or_insert(Seen {
            totals: [0; EVENTS_KNOWN],
            pace: 0.0,
            told: false,
        });
        if let Some(since) = since.filter(|since| !since.is_zero()) {
            let happened: u64 = totals
                .iter()
                .zip(&seen.totals)
                .map(|(now, then)| now.saturating_sub(*then))
                .sum();
            let weight = 0.5_f64.powf(since.as_secs_f64() / HALF_LIFE.as_secs_f64());
            let pace = happened as f64 / since.as_secs_f64();
            seen.pace = seen.pace * weight + pace * (1.0 - weight);
        }
        let counts = queue.counts;
        let waiting = counts.ready + counts.leased + counts.delayed;
        let score = seen.pace * WINDOW_S + waiting as f64;
        if seen.told { score * STAYS } else { score }
    }

    fn remember(&mut self, told: &[&QueueFigures], rest: &[&QueueFigures]) {
        let mut kept = HashMap::with_capacity(told.len() + rest.len());
        for (queues, is_told) in [(told, true), (rest, false)] {
            for queue in queues {
                let Some(seen) = self.queues.get(&queue.incarnation) else {
                    continue;
                };
                let totals = totals(&queue.totals);
                if !is_told {
                    let grown = totals
                        .iter()
                        .zip(&seen.totals)
                        .map(|(now, then)| now.saturating_sub(*then));
                    self.rest
                        .iter_mut()
                        .zip(grown)
                        .for_each(|(sum, more)| *sum += more);
                }
                let seen = Seen {
                    totals,
                    told: is_told,
                    ..*seen
                };
                kept.insert(queue.incarnation, seen);
            }
        }
        // Those that were deleted meanwhile are forgotten; what they did as a part of the rest is not.
        self.queues = kept;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use queue_core::{Counts, Totals};

    use super::*;

    /// A queue in which so many items came in, and so many wait.
    pub(in crate::metrics) fn queue(
        name: &str,
        incarnation: u64,
        enqueued: u64,
        ready: u64,
    ) -> QueueFigures {
        QueueFigures {
            name: name.parse().expect("a name"),
            incarnation,
            counts: Counts {
                ready,
                ..Counts::default()
            },
            totals: Totals {
                enqueued,
                ..Totals::default()
            },
            backlog: ready,
            bytes: 0,
            sealed: false,
            paused: false,
            drained: false,
            empty: false,
            oldest_ready: Duration::ZERO,
            oldest_item: Duration::ZERO,
            parked: 0,
            max_items: None,
            max_bytes: None,
            max_leased: None,
            rate_per_s: None,
        }
    }

    /// The names that are told, and the enqueued of the rest.
    fn told(chosen: &Chosen<'_>) -> (Vec<String>, u64) {
        let names = chosen.told.iter().map(|queue| queue.name.to_string());
        let rest = chosen.rest.as_ref().map_or(0, |(_, events)| events[0]);
        (names.collect(), rest)
    }

    #[test]
    fn who_is_told_stays_until_another_is_clearly_busier() {
        let mut busiest = Busiest::of(1);
        let begin = Instant::now();
        let mut look = |seconds: u64, a: u64, b: u64| {
            let queues = [queue("a", 1, 10, a), queue("b", 2, 20, b)];
            let chosen = busiest.choose(&queues, begin + Duration::from_secs(seconds));
            told(&chosen).0
        };
        assert_eq!(look(0, 10, 9), ["a"]);
        assert_eq!(look(15, 10, 14), ["a"], "not clearly");
        assert_eq!(look(30, 10, 16), ["b"]);
        assert_eq!(look(45, 17, 16), ["b"], "and so for the other");
    }

    #[test]
    fn a_queue_through_which_much_passes_is_busy_though_nothing_waits_in_it() {
        let mut busiest = Busiest::of(1);
        let begin = Instant::now();
        let mut look = |seconds: u64, passed: u64| {
            let queues = [queue("deep", 1, 50, 50), queue("fast", 2, passed, 0)];
            told(&busiest.choose(&queues, begin + Duration::from_secs(seconds))).0
        };
        assert_eq!(look(0, 0), ["deep"]);
        assert_eq!(look(300, 3_000), ["fast"], "ten a second, and none waits");
        assert_eq!(look(3_000, 3_000), ["deep"], "none for long");
    }

    #[test]
    fn what_the_rest_did_only_grows() {
        let mut busiest = Busiest::of(1);
        let begin = Instant::now();
        let mut look = |seconds: u64, queues: &[QueueFigures]| {
            told(&busiest.choose(queues, begin + Duration::from_secs(seconds)))
        };
        let [a, b, c] = [
            queue("a", 1, 100, 90),
            queue("b", 2, 7, 3),
            queue("c", 3, 5, 1),
        ];
        let (names, rest) = look(0, &[a.clone(), b.clone(), c.clone()]);
        assert_eq!((names, rest), (vec!["a".to_owned()], 12));
        // One of the rest is deleted, one goes on.
        let more = queue("b", 2, 9, 3);
        assert_eq!(look(15, &[a, more.clone()]).1, 14);
        // One that was told joins the rest: only what it does from then on counts.
        let fallen = queue("a", 1, 101, 0);
        let risen = queue("b", 2, 500, 400);
        let (names, rest) = look(30, &[fallen, risen]);
        assert_eq!((names, rest), (vec!["b".to_owned()], 15));
        // Room for all of them, and none again: it goes on from where it was.
        assert_eq!(
            look(45, std::slice::from_ref(&more)).1,
            0,
            "there is no rest"
        );
        let busy = queue("d", 4, 900, 900);
        assert_eq!(look(60, &[more, busy]).1, 15);
    }
}
