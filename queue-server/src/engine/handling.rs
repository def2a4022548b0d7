//! How long attempts at a queue's items take, from the lease to the verdict of its worker: a count, a
//! mean and a 95th percentile, in constant room and time.
//!
//! It does not know which attempts it is told of, and what is leased now it does not see.

use std::time::Duration;

use queue_api::Handling;
use queue_core::Time;

/// Steps of a doubling: a length is known to one part in so many.
const STEPS: u64 = 8;
/// A longer attempt counts as one of this length, about twelve days.
const LONGEST_MS: u64 = (1 << 30) - 1;
/// A step for each length up to [`LONGEST_MS`].
const BUCKETS: usize = 224;
/// What an attempt weighs when it is added; one that was halved to nothing is forgotten.
const WEIGHT: u32 = 16;
/// Earlier attempts weigh half when so many later ones have come in: a mean always rests on enough.
const GENERATION: u32 = 100;
/// … and not before so much time has passed: the fastest queue has a memory of minutes, too.
const GENERATION_MS: u64 = 60_000;

/// Attempts that ended, and how long they took.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    completions: u64,
    /// Made for the first attempt: many queues never see one.
    recent: Option<Box<Recent>>,
}

/// A histogram in which the past fades by halves.
#[derive(Debug)]
struct Recent {
    /// Weights by length.
    weights: [u32; BUCKETS],
    /// The weight of all.
    weight: u64,
    /// Milliseconds of all, each times its weight.
    weighted_ms: u64,
    /// When the past was halved last, and how many have come in since.
    halved: Time,
    since: u32,
}

impl Measured {
    /// Adds an attempt that ended now.
    pub(crate) fn add(&mut self, now: Time, took: Duration) {
        self.completions += 1;
        self.recent
            .get_or_insert_with(|| Box::new(Recent::since(now)))
            .add(now, took);
    }

    /// What is known, but for what is leased now.
    pub(crate) fn shown(&self) -> Handling {
        let recent = self.recent.as_deref();
        Handling {
            completions: self.completions,
            mean_ms: recent.map(Recent::mean_ms),
            p95_ms: recent.map(Recent::p95_ms),
            running_mean_age_ms: None,
        }
    }
}

impl Recent {
    fn since(now: Time) -> Self {
        Self {
            weights: [0; BUCKETS],
            weight: 0,
            weighted_ms: 0,
            halved: now,
            since: 0,
        }
    }

    fn add(&mut self, now: Time, took: Duration) {
        if self.since >= GENERATION && now.0 >= self.halved.0.saturating_add(GENERATION_MS) {
            self.halve(now);
        }
        self.since = self.since.saturating_add(1);
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let ms = ms.min(LONGEST_MS);
        // Stays full if a minute ever brings more than 200 million of one length.
        let bucket = &mut self.weights[bucket(ms)];
        *bucket = bucket.saturating_add(WEIGHT);
        self.weight += u64::from(WEIGHT);
        self.weighted_ms += ms * u64::from(WEIGHT);
    }

    fn halve(&mut self, now: Time) {
        self.weights.iter_mut().for_each(|weight| *weight /= 2);
        self.weight /= 2;
        self.weighted_ms /= 2;
        self.halved = now;
        self.since = 0;
    }

    fn mean_ms(&self) -> f64 {
        let mean = self.weighted_ms as f64 / self.weight as f64;
        (mean * 100.0).round() / 100.0
    }

    /// The longest that the bucket of the 95th percentile stands for.
    fn p95_ms(&self) -> u64 {
        // What was halved to nothing in a bucket may still be in the weight of all.
        let all: u64 = self.weights.iter().map(|weight| u64::from(*weight)).sum();
        let mut rest = all;
        let reached = self.weights.iter().position(|weight| {
            rest -= u64::from(*weight);
            rest * 20 <= all
        });
        longest_of(reached.unwrap_or(BUCKETS - 1))
    }
}

/// Where a length is counted: one by one up to 16 ms, then in [`STEPS`] steps to the double.
fn bucket(ms: u64) -> usize {
    let shift = (ms | STEPS).ilog2() - STEPS.ilog2();
    ((u64::from(shift) * STEPS) + (ms >> shift)) as usize
}

/// The longest that is counted there, in milliseconds.
fn longest_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket / STEPS).saturating_sub(1);
    ((bucket - shift * STEPS + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Time = Time(1_700_000_000_000);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Attempts that all end now.
    fn at_once(lengths: impl IntoIterator<Item = u64>) -> Measured {
        let mut measured = Measured::default();
        for length in lengths {
            measured.add(START, ms(length));
        }
        measured
    }

    /// The mean and the percentile.
    fn told(measured: &Measured) -> (f64, u64) {
        let Handling {
            mean_ms, p95_ms, ..
        } = measured.shown();
        (mean_ms.expect("a mean"), p95_ms.expect("a percentile"))
    }

    proptest! {
        #[test]
        fn a_length_is_known_to_an_eighth_and_never_told_too_short(length in 0..=LONGEST_MS) {
            let bucket = bucket(length);
            prop_assert!(bucket < BUCKETS);
            let told = longest_of(bucket);
            prop_assert!(told >= length && told - length <= length / STEPS, "{told} for {length}");
        }

        #[test]
        fn nineteen_of_twenty_are_no_longer_than_the_percentile(
            lengths in proptest::collection::vec(0_u64..100_000, 1..400),
        ) {
            let (mean, p95) = told(&at_once(lengths.iter().copied()));
            let mut sorted = lengths;
            sorted.sort_unstable();
            let exact = sorted[(sorted.len() * 19).div_ceil(20) - 1];
            prop_assert!(p95 >= exact && p95 - exact <= exact / STEPS, "{p95} for {exact}");
            let sum: u64 = sorted.iter().sum();
            prop_assert!((mean - sum as f64 / sorted.len() as f64).abs() <= 0.005 + 1e-9);
        }
    }

    #[test]
    fn nothing_is_told_before_something_was_measured() {
        assert_eq!(Measured::default().shown(), Handling::default());
    }

    #[test]
    fn the_longest_are_counted_as_twelve_days() {
        let (mean, p95) = told(&at_once([LONGEST_MS, LONGEST_MS + 1, u64::MAX]));
        assert_eq!((mean, p95), (LONGEST_MS as f64, LONGEST_MS));
    }

    #[test]
    fn what_was_slow_is_forgotten_when_it_became_fast() {
        let mut measured = at_once([10_000; 1_000]);
        let mut now = START;
        for _minute in 0..16 {
            now = now + ms(GENERATION_MS);
            (0..GENERATION).for_each(|_| measured.add(now, ms(10)));
        }
        let (mean, p95) = told(&measured);
        assert!(mean < 15.0 && p95 == 10, "{mean} {p95}");
        assert_eq!(
            measured.shown().completions,
            2_600,
            "the count forgets nothing"
        );
    }

    #[test]
    fn a_queue_of_few_and_long_items_does_not_forget_them_for_the_time_they_take() {
        let hour = 3_600_000;
        let mut measured = Measured::default();
        for number in 1..=99 {
            measured.add(START + ms(number * hour), ms(number * 1_000));
        }
        let (mean, _) = told(&measured);
        assert_eq!(mean, 50_000.0, "all ninety-nine, alike");
    }

    #[test]
    fn a_queue_of_many_and_short_items_remembers_the_last_minute() {
        let mut measured = at_once([100; 5_000]);
        (0..5_000).for_each(|_| measured.add(START + ms(GENERATION_MS - 1), ms(200)));
        assert_eq!(told(&measured).0, 150.0, "all, alike");
    }

    #[test]
    fn it_takes_a_kibibyte() {
        assert!(size_of::<Recent>() <= 1_024, "{}", size_of::<Recent>());
    }
}
