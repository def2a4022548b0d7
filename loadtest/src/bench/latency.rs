//! P5: the latency of single calls at half the peak load, in an open loop.

use std::time::Duration;

use anyhow::Result;

use super::goal::Line;
use super::rates::per_second;
use super::sides::Lab;
use crate::args::{BenchArgs, Goal};
use crate::closed_loop::Limits;
use crate::open_loop::Schedule;
use crate::report::{quantile, span};
use crate::setup::{load, make_queue, measure, measure_paced, new_book};
use crate::sync_time;
use crate::talk::{Api, Op, Work};

/// Connections: enough that one is always free at half the peak.
const CONNECTIONS: u64 = 64;
/// How long the open loop lasts.
const SECONDS: f64 = 5.0;
/// What a p99 may be beside the sync.
const ALLOWED: Duration = Duration::from_millis(2);
/// Longest the search for the peak may take.
const PEAK_TIME: Duration = Duration::from_secs(60);

pub(super) async fn lines(lab: &Lab, args: &BenchArgs) -> Result<Vec<Line>> {
    let server = lab.plan("latency", CONNECTIONS)?.start().await?;
    let (sync, allowed) = if lab.on_disk() {
        let sync = sync_time::measure(&lab.scratch.dir("sync-time")?)?;
        let words = format!("one sync {}, its p99 {}", span(sync.median), span(sync.p99));
        (words, ALLOWED + sync.median)
    } else {
        ("-".into(), ALLOWED)
    };
    let mut lines = Vec::new();
    for (op, what) in [(Op::Put, "put"), (Op::Take, "take and settle")] {
        let work = |name: &str| {
            anyhow::Ok(Work {
                api: Api::V1,
                op,
                queue: format!("latency-{name}-{op:?}").to_lowercase().parse()?,
                book: new_book(args.body_bytes)?,
                batch: 1,
            })
        };
        let full = work("peak")?;
        let limits = Limits {
            requests: args.requests,
            duration: PEAK_TIME,
        };
        make_queue(&server.target, &full).await?;
        if op == Op::Take {
            load(&server.target, &full, args.requests + CONNECTIONS).await?;
        }
        let peak = measure(&server.target, &full, CONNECTIONS, limits)
            .await?
            .rate();

        let half = work("half")?;
        let rate = peak / 2.0;
        let schedule = Schedule {
            rate,
            requests: (rate * SECONDS).ceil() as u64,
        };
        make_queue(&server.target, &half).await?;
        if op == Op::Take {
            load(&server.target, &half, schedule.requests + CONNECTIONS).await?;
        }
        let paced = measure_paced(&server.target, &half, CONNECTIONS, schedule).await?;
        let what = format!(
            "{what}, p99 at {} of {}",
            per_second(rate),
            per_second(peak)
        );
        lines.push(match paced.trusted() {
            Err(lag) => Line::without(Goal::P5, what, lag.to_string()),
            Ok(latency) => {
                let p99 = Duration::from_nanos(latency.value_at_quantile(0.99));
                let measured = format!(
                    "{} (p50 {}, p99.9 {}; {} answered)",
                    span(p99),
                    quantile(latency, 0.5),
                    quantile(latency, 0.999),
                    per_second(paced.achieved())
                );
                let asked = format!("≤ {}", span(allowed));
                Line::figure(Goal::P5, what, measured, asked, p99 <= allowed).beside(sync.clone())
            }
        });
    }
    drop(server);
    lab.scratch.clear("latency");
    Ok(lines)
}
