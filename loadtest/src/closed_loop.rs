//! A closed loop: each connection sends its next request when it has the answer to the last, so
//! that as many are under way as there are connections.
//!
//! It counts and times; what is said, a [`Side`] knows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::machine;
use crate::side::{Heard, Side, Turned};
use crate::target::Target;
use crate::wire::Connection;

/// Longest latency told apart from longer ones, and the shortest, in nanoseconds.
pub(crate) const LATENCIES: std::ops::RangeInclusive<u64> = 1_000..=60_000_000_000;
/// What the answers under way may take when the time is up.
const GRACE: Duration = Duration::from_secs(30);

/// When a round ends, whichever comes first; a queue that runs dry ends it too.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Requests in all.
    pub requests: u64,
    /// Time from the first request.
    pub duration: Duration,
}

/// What one round measured.
#[derive(Debug, Clone)]
pub struct Round {
    /// Requests answered.
    pub requests: u64,
    /// Items put in or taken for good.
    pub items: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Nanoseconds from request to answer.
    pub latency: Histogram<u64>,
    /// Bytes of all requests, heads and bodies.
    pub sent: u64,
    /// Bytes of all answers' bodies.
    pub heard: u64,
    /// Processor time of this program.
    pub client_cpu: Option<Duration>,
}

impl Round {
    /// Items a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.items as f64 / self.elapsed.as_secs_f64()
    }
}

/// What all connections of a round share; they run on one thread, so nobody waits for it.
struct Tally {
    left: u64,
    items: u64,
    sent: u64,
    heard: u64,
    latency: Histogram<u64>,
}

impl Tally {
    fn lock(shared: &Mutex<Self>) -> MutexGuard<'_, Self> {
        shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claim(shared: &Mutex<Self>) -> bool {
        let mut tally = Self::lock(shared);
        let some = tally.left > 0;
        tally.left -= u64::from(some);
        some
    }
}

/// Runs one round with a connection for each side.
///
/// # Errors
///
/// The first connection that fails ends the round: figures of a server that errs mean nothing.
pub async fn round<S: Side>(target: &Target, sides: Vec<S>, limits: Limits) -> Result<Round> {
    let connections = connect(target, sides).await?;
    round_on(connections, limits).await
}

/// Opens a connection for each side.
///
/// # Errors
///
/// Nobody listens there.
pub async fn connect<S: Side>(target: &Target, sides: Vec<S>) -> Result<Vec<(Connection, S)>> {
    let mut connections = Vec::with_capacity(sides.len());
    for side in sides {
        connections.push((Connection::open(target).await?, side));
    }
    Ok(connections)
}

/// Runs one round on connections that are open.
///
/// # Errors
///
/// As for [`round`].
pub async fn round_on<S: Side>(connections: Vec<(Connection, S)>, limits: Limits) -> Result<Round> {
    let latency = Histogram::new_with_bounds(*LATENCIES.start(), *LATENCIES.end(), 3)
        .context("cannot make a histogram")?;
    let tally = Tally {
        left: limits.requests,
        items: 0,
        sent: 0,
        heard: 0,
        latency,
    };
    let tally = Arc::new(Mutex::new(tally));
    let cpu = machine::cpu_of_self();
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for (connection, side) in connections {
        tasks.spawn(converse(
            connection,
            side,
            start + limits.duration,
            Arc::clone(&tally),
        ));
    }
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            ended.context("a connection's task ended early")??;
        }
        anyhow::Ok(())
    };
    let bound = limits.duration + GRACE;
    tokio::time::timeout(bound, all)
        .await
        .with_context(|| format!("an answer is missing {} s past the end", GRACE.as_secs()))??;
    let elapsed = start.elapsed();
    let client_cpu = machine::cpu_of_self()
        .zip(cpu)
        .map(|(after, before)| after - before);
    let Tally {
        items,
        sent,
        heard,
        latency,
        ..
    } = &*Tally::lock(&tally);
    Ok(Round {
        requests: latency.len(),
        items: *items,
        elapsed,
        latency: latency.clone(),
        sent: *sent,
        heard: *heard,
        client_cpu,
    })
}

async fn converse<S: Side>(
    mut connection: Connection,
    mut side: S,
    end: Instant,
    tally: Arc<Mutex<Tally>>,
) -> Result<()> {
    while Instant::now() < end && Tally::claim(&tally) {
        let begun = Instant::now();
        let Turned { heard, sent, got } = side.turn(&mut connection).await?;
        let took = begun.elapsed();
        let mut tally = Tally::lock(&tally);
        tally.latency.saturating_record(nanos(took));
        tally.sent += sent;
        tally.heard += got;
        match heard {
            Heard::Items(items) => tally.items += items,
            Heard::Dry(items) => {
                tally.items += items;
                return Ok(());
            }
        }
    }
    let items = side.finish(&mut connection).await?;
    Tally::lock(&tally).items += items;
    Ok(())
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
