//! P9: what many parked calls cost.

use std::time::Duration;

use anyhow::Result;

use super::goal::Line;
use super::sides::Lab;
use crate::args::{BenchArgs, Goal};
use crate::report::{Spread, span};
use crate::waiters;

const WATCH: Duration = Duration::from_secs(10);
const WAKES: u64 = 20;
/// What the waiters may cost: a part of a core, bytes of memory.
const CPU: f64 = 0.01;
const MEMORY: u64 = 200 * 1_000_000;
/// How soon an item must reach one.
const REACH: Duration = Duration::from_millis(5);

pub(super) async fn lines(lab: &Lab, args: &BenchArgs) -> Result<Vec<Line>> {
    let server = lab.plan("waiting", args.waiters)?.start().await?;
    let wakes = WAKES.min(args.waiters.saturating_sub(1));
    let figures =
        waiters::measure(&server.target, server.pid(), args.waiters, WATCH, wakes).await?;
    let who = format!("{} parked waiters", args.waiters);
    let cpu = figures.idle_cpu.map_or_else(
        || Line::without(Goal::P9, &who, "no processor time on this system"),
        |cpu| {
            let measured = format!("{:.2} % of a core", cpu * 100.0);
            Line::figure(Goal::P9, &who, measured, "≤ 1 %", cpu <= CPU)
        },
    );
    let memory = figures.resident.map_or_else(
        || Line::without(Goal::P9, &who, "no resident memory on this system"),
        |(before, with)| {
            let measured = format!("{} MB resident", with / 1_000_000);
            let line = Line::figure(Goal::P9, &who, measured, "≤ 200 MB", with <= MEMORY);
            line.beside(format!("{} MB without them", before / 1_000_000))
        },
    );
    let times = figures.reached.iter().map(Duration::as_secs_f64);
    let reached = Spread::of(times);
    let within = reached.most <= REACH.as_secs_f64();
    let measured = reached.show(|time| span(Duration::from_secs_f64(time)));
    let what = format!("{who}: the next item reaches one");
    let reach = Line::figure(
        Goal::P9,
        what,
        measured,
        format!("≤ {}", span(REACH)),
        within,
    );
    drop(server);
    lab.scratch.clear("waiting");
    Ok(vec![cpu, memory, reach])
}
