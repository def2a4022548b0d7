//! P8: whether a deep queue is as fast as a shallow one, and whether anything stops it for long.

use std::time::Duration;

use anyhow::Result;

use super::goal::Line;
use super::mixed::Mixed;
use super::rates::per_second;
use super::sides::Lab;
use crate::args::{BenchArgs, Goal};
use crate::closed_loop::{Limits, round};
use crate::open_loop::{Schedule, paced};
use crate::process::Process;
use crate::report::{self, Spread, span};
use crate::setup::{load, make_queue, new_book};
use crate::talk::{Api, Op, Work};

/// Items of the shallow queue.
const SHALLOW: u64 = 1_000;
const CONNECTIONS: u64 = 16;
/// Items a request where they go in batches: the shallow queue must hold a few.
const BATCH: usize = 20;
/// Longest that one call may be held up, and how it is looked for: at a rate that fills nothing.
const LONGEST: Duration = Duration::from_millis(10);
const LOOK_RATE: f64 = 1_000.0;
const LOOKS: u64 = 3_000;
const ROUND_TIME: Duration = Duration::from_secs(120);

pub(super) async fn lines(lab: &Lab, args: &BenchArgs) -> Result<Vec<Line>> {
    let server = lab.plan("depth", CONNECTIONS)?.start().await?;
    let mut queues = Vec::new();
    for (name, items) in [("shallow", SHALLOW), ("deep", args.depth)] {
        let work = Work {
            api: Api::V1,
            op: Op::Put,
            queue: name.parse()?,
            book: new_book(args.body_bytes)?,
            batch: 1,
        };
        make_queue(&server.target, &work).await?;
        load(&server.target, &work, items).await?;
        queues.push(work);
    }
    let mut lines = Vec::new();
    for (batch, what, least) in [(1, "single", 0.95), (BATCH, "20 a request", 0.75)] {
        let mut rates = [const { Vec::new() }; 2];
        for number in 0..=args.rounds {
            for (work, rates) in queues.iter().zip(&mut rates) {
                let limits = Limits {
                    requests: args.requests.div_ceil(batch as u64),
                    duration: ROUND_TIME,
                };
                let round = round(&server.target, sides(&server, work, batch)?, limits).await?;
                // The first warms up.
                if number > 0 {
                    rates.push(round.rate());
                }
            }
            report::progress(&format!("depth, {what}: round {number} of {}", args.rounds));
        }
        let [shallow, deep] = rates;
        let ratios = deep
            .iter()
            .zip(&shallow)
            .map(|(deep, shallow)| deep / shallow);
        let ratio = Spread::of(ratios).median;
        let rate = |rates: &[f64]| per_second(Spread::of(rates.iter().copied()).median);
        let what = format!("{} deep: put, take and settle, {what}", args.depth);
        let beside = format!("{SHALLOW} deep {}", rate(&shallow));
        lines.push(Line::ratio(
            Goal::P8,
            what,
            rate(&deep),
            beside,
            ratio,
            least,
        ));
    }
    lines.push(longest(&server, &queues[1], args.depth).await?);
    drop(server);
    lab.scratch.clear("depth");
    Ok(lines)
}

fn sides(server: &Process, work: &Work, batch: usize) -> Result<Vec<Mixed>> {
    let side = |_| Mixed::new(&server.target, work, batch);
    (0..CONNECTIONS).map(side).collect()
}

/// The longest that any call took while little was asked.
async fn longest(server: &Process, work: &Work, depth: u64) -> Result<Line> {
    let schedule = Schedule {
        rate: LOOK_RATE,
        requests: LOOKS,
    };
    let paced = paced(&server.target, sides(server, work, 1)?, schedule).await?;
    let what = format!("{depth} deep: longest put, take and settle at 1 k/s");
    Ok(match paced.trusted() {
        Err(lag) => Line::without(Goal::P8, what, lag.to_string()),
        Ok(latency) => {
            let longest = Duration::from_nanos(latency.max());
            let asked = format!("≤ {}", span(LONGEST));
            Line::figure(Goal::P8, what, span(longest), asked, longest <= LONGEST)
        }
    })
}
