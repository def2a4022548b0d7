//! How far a run is: counts, speed, what remains, the first failures. Pure; time is passed in.

mod speed;

use std::time::Duration;

use hdrhistogram::Histogram;
use queue_api::{Finish, Outcome};

use speed::Speed;

/// Failures kept to be shown at the end; the joblog has them all.
const SHOWN_FAILURES: usize = 5;
/// Longest time of an item that is told apart from longer ones.
const LONGEST_ITEM: Duration = Duration::from_secs(30 * 24 * 3600);

/// How far a run is.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Items of the run.
    pub total: u64,
    /// Items that an earlier run with the same joblog had done.
    pub already: u64,
    /// Items done.
    pub done: u64,
    /// Items dead, expired or cancelled.
    pub dead: u64,
    /// The first few that died.
    pub failures: Vec<Failure>,
    /// How long items took, in milliseconds.
    times: Histogram<u64>,
    speed: Speed,
}

/// An item that died.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Failure {
    /// The item, cut to a line.
    pub item: String,
    /// Attempts it was given.
    pub attempts: u32,
    /// The last line of what its last attempt said.
    pub error: String,
}

impl Tally {
    /// Nothing finished yet.
    #[must_use]
    pub fn new(total: u64, already: u64) -> Self {
        let longest = u64::try_from(LONGEST_ITEM.as_millis()).unwrap_or(u64::MAX);
        Self {
            total,
            already,
            done: 0,
            dead: 0,
            failures: Vec::new(),
            times: Histogram::new_with_bounds(1, longest, 2)
                .expect("the bounds of the histogram are constants that go together"),
            speed: Speed::default(),
        }
    }

    /// Counts a finished item; `now` is since the start of the run.
    pub fn record(&mut self, outcome: &Outcome, now: Duration) {
        match outcome.state {
            Finish::Done => self.done += 1,
            Finish::Dead | Finish::Expired | Finish::Cancelled => {
                self.dead += 1;
                if self.failures.len() < SHOWN_FAILURES {
                    self.failures.push(Failure::of(outcome));
                }
            }
        }
        if let Some(started) = outcome.started {
            let took = outcome.ended.duration_since(started).as_millis();
            self.times
                .saturating_record(u64::try_from(took).unwrap_or(0).max(1));
        }
        self.speed.count(now);
    }

    /// Items finished by this run.
    #[must_use]
    pub fn finished(&self) -> u64 {
        self.done + self.dead
    }

    /// Items that were left to do when the run began.
    #[must_use]
    pub fn to_do(&self) -> u64 {
        self.total - self.already
    }

    /// Items left to do now.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.to_do().saturating_sub(self.finished())
    }

    /// Items finished a second of late.
    #[must_use]
    pub fn rate(&self, now: Duration) -> f64 {
        self.speed.rate(now)
    }

    /// When all will be finished at that rate; none while it cannot be said.
    #[must_use]
    pub fn eta(&self, now: Duration) -> Option<Duration> {
        let rate = self.rate(now);
        (rate > 0.0)
            .then(|| Duration::try_from_secs_f64(self.left() as f64 / rate).ok())
            .flatten()
    }

    /// The time that this share of the items took at most, by their last attempt.
    #[must_use]
    pub fn item_time(&self, quantile: f64) -> Option<Duration> {
        (!self.times.is_empty())
            .then(|| Duration::from_millis(self.times.value_at_quantile(quantile)))
    }
}

impl Failure {
    fn of(outcome: &Outcome) -> Self {
        let body = String::from_utf8_lossy(&outcome.body.0);
        let error = outcome.error.as_deref().unwrap_or("no error was given");
        let last = error.lines().rev().find(|line| !line.trim().is_empty());
        let last = last.unwrap_or(error).trim();
        let error = match outcome.exit_code {
            Some(code) if !last.contains("exit") => format!("exit code {code}: {last}"),
            _ => last.to_owned(),
        };
        Self {
            item: one_line(&body, 60),
            attempts: outcome.attempts,
            error: one_line(&error, 160),
        }
    }
}

/// A text on one line of at most so many characters, safe to print on a terminal.
#[must_use]
pub fn one_line(text: &str, most: usize) -> String {
    let mut line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(most)
        .collect();
    if text.chars().nth(most).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests;
