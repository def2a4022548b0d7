//! An open loop: requests are due at a steady rate, whether or not the server keeps up.
//!
//! The latency of a request counts from the moment it was *due*, so that a server that stalls for a
//! second is charged with all the requests that would have come in that second, and not with one
//! (the mistake known as coordinated omission). One thread keeps the schedule for all connections.
//!
//! A client can be late by itself too. How late it sent what it could have sent is measured as its
//! *lag*; if that is a good part of the latency, there is no latency to report.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::closed_loop::{LATENCIES, connect, nanos};
use crate::side::{Heard, Side, Turned};
use crate::target::Target;

/// Longest that the answers under way may take when the time is up.
const GRACE: Duration = Duration::from_secs(60);
/// A lag of this much is never held against the client.
const SMALL_LAG: Duration = Duration::from_micros(200);
/// The lag may be this part of the latency.
const LAG_PART: f64 = 0.25;

/// What is asked of an open loop.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// Requests a second.
    pub rate: f64,
    /// Requests in all.
    pub requests: u64,
}

/// What an open loop measured.
#[derive(Debug, Clone)]
pub struct Paced {
    /// Requests a second that were asked for.
    pub rate: f64,
    /// Requests answered.
    pub requests: u64,
    /// Items put in or taken for good.
    pub items: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Nanoseconds from when a request was due to its answer.
    pub latency: Histogram<u64>,
    /// Nanoseconds by which the client sent later than it could have.
    pub lag: Histogram<u64>,
}

impl Paced {
    /// Requests a second that were answered.
    #[must_use]
    pub fn achieved(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    /// Whether the latencies are the server's and not the client's own. The error says by how much
    /// they are not.
    ///
    /// # Errors
    ///
    /// The client sent too late by itself.
    pub fn trusted(&self) -> Result<&Histogram<u64>> {
        let [lag, latency] = [&self.lag, &self.latency].map(|times| times.value_at_quantile(0.99));
        let fine = lag <= nanos(SMALL_LAG) || lag as f64 <= latency as f64 * LAG_PART;
        anyhow::ensure!(
            fine,
            "the client could not keep up with {:.0} requests a second (p99 {:.2} ms, of which it was \
             late itself {:.2} ms)",
            self.rate,
            latency as f64 / 1e6,
            lag as f64 / 1e6
        );
        Ok(&self.latency)
    }
}

/// What the schedule and the connections share; they run on one thread, so nobody waits for it.
struct Desk {
    /// Requests that were due while all connections were at work.
    overdue: VecDeque<Instant>,
    /// Connections with nothing to do.
    idle: Vec<usize>,
    /// What each connection was given.
    given: Vec<Option<Instant>>,
    /// Nothing more will be due.
    over: bool,
    items: u64,
    latency: Histogram<u64>,
    lag: Histogram<u64>,
    last: Instant,
}

type Shared = Arc<Mutex<Desk>>;

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the schedule with a connection for each side.
///
/// # Errors
///
/// The first connection that fails ends it.
pub async fn paced<S: Side>(target: &Target, sides: Vec<S>, schedule: Schedule) -> Result<Paced> {
    let connections = connect(target, sides).await?;
    let times = || {
        Histogram::new_with_bounds(*LATENCIES.start(), *LATENCIES.end(), 3)
            .context("cannot make a histogram")
    };
    let desk = Desk {
        overdue: VecDeque::new(),
        idle: Vec::with_capacity(connections.len()),
        given: vec![None; connections.len()],
        over: false,
        items: 0,
        latency: times()?,
        lag: times()?,
        last: Instant::now(),
    };
    let desk: Shared = Arc::new(Mutex::new(desk));
    let bells: Vec<_> = connections
        .iter()
        .map(|_| Arc::new(Notify::new()))
        .collect();
    let mut tasks = JoinSet::new();
    for (at, (mut connection, mut side)) in connections.into_iter().enumerate() {
        let (desk, bell) = (Arc::clone(&desk), Arc::clone(&bells[at]));
        tasks.spawn(async move {
            while let Some(due) = next(&desk, at, &bell).await {
                let Turned { heard, .. } = side.turn(&mut connection).await?;
                let now = Instant::now();
                let mut desk = lock(&desk);
                desk.latency.saturating_record(nanos(now - due));
                desk.last = now;
                let (Heard::Items(items) | Heard::Dry(items)) = heard;
                desk.items += items;
            }
            lock(&desk).items += side.finish(&mut connection).await?;
            anyhow::Ok(())
        });
    }
    let start = Instant::now();
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            ended.context("a connection's task ended early")??;
        }
        anyhow::Ok(())
    };
    let length = Duration::from_secs_f64(schedule.requests as f64 / schedule.rate);
    let (_, done) = tokio::join!(
        keep(&desk, &bells, start, schedule),
        tokio::time::timeout(length + GRACE, all)
    );
    done.with_context(|| format!("an answer is missing {} s past the end", GRACE.as_secs()))??;
    let desk = lock(&desk);
    Ok(Paced {
        rate: schedule.rate,
        requests: desk.latency.len(),
        items: desk.items,
        elapsed: desk.last.duration_since(start),
        latency: desk.latency.clone(),
        lag: desk.lag.clone(),
    })
}

/// Keeps the schedule: gives each request that is due to an idle connection, or notes it as overdue.
async fn keep(desk: &Shared, bells: &[Arc<Notify>], start: Instant, schedule: Schedule) {
    let mut number = 0;
    while number < schedule.requests {
        number = hand_out(&mut lock(desk), bells, start, schedule, number);
        // The runtime's timer is too coarse by a hundred times; this core has nothing else to do.
        tokio::task::yield_now().await;
    }
    lock(desk).over = true;
    bells.iter().for_each(|bell| bell.notify_one());
}

/// Hands out what is due, from this number on; answers the number of the first that is not.
fn hand_out(
    desk: &mut Desk,
    bells: &[Arc<Notify>],
    start: Instant,
    schedule: Schedule,
    mut number: u64,
) -> u64 {
    let now = Instant::now();
    while number < schedule.requests {
        let due = start + Duration::from_secs_f64(number as f64 / schedule.rate);
        if due > now {
            break;
        }
        number += 1;
        match desk.idle.pop() {
            Some(at) => {
                desk.lag.saturating_record(nanos(now - due));
                desk.given[at] = Some(due);
                bells[at].notify_one();
            }
            None => desk.overdue.push_back(due),
        }
    }
    number
}

/// When the next request of this connection was due, as soon as one is; `None` when all are done.
async fn next(desk: &Shared, at: usize, bell: &Notify) -> Option<Instant> {
    {
        let mut desk = lock(desk);
        if let Some(due) = desk.overdue.pop_front() {
            // It had to wait for a connection, and goes out the moment there is one.
            desk.lag.saturating_record(1);
            return Some(due);
        }
        if desk.over {
            return None;
        }
        desk.idle.push(at);
    }
    loop {
        bell.notified().await;
        let mut desk = lock(desk);
        if let Some(due) = desk.given[at].take() {
            return Some(due);
        }
        if desk.over {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paced(latency_ms: u64, lag_us: u64) -> Paced {
        let times = |nanos: u64| {
            let mut times = Histogram::new_with_bounds(1_000, 60_000_000_000, 3).expect("bounds");
            times.record_n(nanos, 1_000).expect("within bounds");
            times
        };
        Paced {
            rate: 1_000.0,
            requests: 1_000,
            items: 1_000,
            elapsed: Duration::from_secs(1),
            latency: times(latency_ms * 1_000_000),
            lag: times(lag_us * 1_000),
        }
    }

    #[test]
    fn a_client_that_lags_reports_no_latency() {
        assert!(paced(1, 150).trusted().is_ok());
        assert!(paced(10, 2_000).trusted().is_ok());
        let refused = paced(2, 1_500).trusted().expect_err("mostly its own");
        let words = refused.to_string();
        assert!(
            words.contains("late itself 1.50 ms") && words.contains("p99 2.00 ms"),
            "{words}"
        );
    }
}
