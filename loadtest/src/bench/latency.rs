//! P5: the latency of single calls at half the peak load, in an open loop.

use std::time::Duration;

use anyhow::Result;

use super::goal::Line;
use super::rates::per_second;
use super::sides::Lab;
use crate::args::{BenchArgs, Goal};
use crate::closed_loop::Limits;
use crate::open_loop::Schedule;
use crate::report::{Spread, span};
use crate::setup::{load, make_queue, measure, measure_paced, new_book};
use crate::sync_time;
use crate::talk::{Api, Op, Work};

/// Connections: enough that one is always free at half the peak.
const CONNECTIONS: u64 = 64;
/// How long an open loop lasts, and how many there are: their median counts, as for the rates.
const SECONDS: f64 = 2.0;
const LOOPS: u64 = 5;
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
        let what = format!(
            "{what}, p99 at {} of {}",
            per_second(rate),
            per_second(peak)
        );
        let (mut p50s, mut p99s, mut late) = (Vec::new(), Vec::new(), None);
        for _ in 0..LOOPS {
            if op == Op::Take {
                load(&server.target, &half, schedule.requests + CONNECTIONS).await?;
            }
            let paced = measure_paced(&server.target, &half, CONNECTIONS, schedule).await?;
            match paced.trusted() {
                Err(lag) => late = Some(lag.to_string()),
                Ok(latency) => {
                    let [p50, p99] = [0.5, 0.99].map(|part| latency.value_at_quantile(part));
                    p50s.push(Duration::from_nanos(p50).as_secs_f64());
                    p99s.push(Duration::from_nanos(p99).as_secs_f64());
                }
            }
        }
        let enough = p99s.len() as u64 > LOOPS / 2;
        lines.push(match late {
            Some(late) if !enough => Line::without(Goal::P5, what, late),
            _ => {
                let show = |time| span(Duration::from_secs_f64(time));
                let (p50, p99) = (Spread::of(p50s), Spread::of(p99s));
                let measured = format!("{}, p50 {}", p99.show(show), show(p50.median));
                let reached = p99.median <= allowed.as_secs_f64();
                let asked = format!("≤ {}", span(allowed));
                Line::figure(Goal::P5, what, measured, asked, reached).beside(sync.clone())
            }
        });
    }
    drop(server);
    lab.scratch.clear("latency");
    Ok(lines)
}
