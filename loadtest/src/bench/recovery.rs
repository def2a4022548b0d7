//! P7: how soon a server that was killed with many items is ready again.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::goal::Line;
use super::sides::Lab;
use crate::args::{BenchArgs, Goal};
use crate::process::Process;
use crate::scratch::forget_cached;
use crate::setup::{client, load, make_queue, new_book};
use crate::talk::{Api, Op, Work};

/// The items that the goal speaks of, and what their recovery may take.
const GOAL_ITEMS: f64 = 10e6;
const WARM: f64 = 5.0;
const COLD: f64 = 10.0;

pub(super) async fn lines(lab: &Lab, args: &BenchArgs) -> Result<Vec<Line>> {
    let what = |how: &str| format!("ready again with {} items, {how}", args.items);
    if !lab.on_disk() {
        let why = "what is in memory does not survive";
        return Ok(vec![Line::without(Goal::P7, what("after kill -9"), why)]);
    }
    let plan = lab.plan("recovery", 64)?;
    let mut server = plan.start().await?;
    let work = Work {
        api: Api::V1,
        op: Op::Put,
        queue: "recovery".parse()?,
        book: new_book(args.body_bytes)?,
        batch: 1,
    };
    make_queue(&server.target, &work).await?;
    load(&server.target, &work, args.items).await?;
    let accepted = work.book.lock().audit().accepted;

    let mut lines = Vec::new();
    for (how, cold, allowed) in [("cache warm", false, WARM), ("cache cold", true, COLD)] {
        server.kill()?;
        if cold && !forget_cached(&plan.data_dir)? {
            let why = "this system does not let go of its page cache";
            lines.push(Line::without(Goal::P7, what(how), why));
            continue;
        }
        let begun = Instant::now();
        server = plan.start().await?;
        let took = begun.elapsed();
        check(&server, &work, accepted).await?;
        lines.push(line(what(how), took, args.items, allowed));
    }
    drop(server);
    lab.scratch.clear("recovery");
    Ok(lines)
}

fn line(what: String, took: Duration, items: u64, allowed: f64) -> Line {
    // The goal speaks of ten million; fewer are held against their part of it.
    let allowed = allowed * (items as f64 / GOAL_ITEMS);
    let seconds = took.as_secs_f64();
    let measured = format!("{seconds:.2} s");
    let asked = format!("≤ {allowed:.2} s");
    Line::figure(Goal::P7, what, measured, asked, seconds <= allowed)
}

/// A server that came back fast without its items did not come back.
async fn check(server: &Process, work: &Work, accepted: u64) -> Result<()> {
    let queue = client(&server.target)?.queue(work.queue.clone());
    let queue = queue.show().await.context("after the recovery")?;
    ensure!(
        queue.counts.ready == accepted,
        "{accepted} items were acknowledged, and {} are there after the recovery",
        queue.counts.ready
    );
    Ok(())
}
