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
    fn of(most: usize) -> Self {
        Self {
            most,
            queues: HashMap::new(),
            rest: [0; EVENTS_KNOWN],
            looked: None,
        }
    }

    /// Chooses among queues that come by name.
    pub(super) fn choose<'a>(&mut self, queues: &'a [QueueFigures], now: Instant) -> Chosen<'a> {
        if queues.len() <= self.most {
            // Nothing to choose, and nothing to remember; the rest goes on from where it was.
            self.queues.clear();
            self.looked = None;
            return Chosen {
                told: queues.iter().collect(),
                rest: None,
            };
        }
        let since = self.looked.replace(now).map(|then| now - then);
        let mut scored: Vec<(f64, &QueueFigures)> = queues
            .iter()
            .map(|queue| (self.score(queue, since), queue))
            .collect();
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
