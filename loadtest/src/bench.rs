//! The bench: every operation of the server beside the floor and its peers, and each goal of
//! docs/performance.md beside what was reached.
//!
//! It knows what is measured and in which order; how, its parts know.

mod bounds;
mod depth;
mod goal;
mod latency;
mod memory;
mod mixed;
mod queues;
mod rates;
mod recovery;
mod rounds;
mod row;
mod sides;
mod waiting;

use std::time::Instant;

use anyhow::Result;

use crate::args::{BenchArgs, Goal};
use crate::machine::{self, Core};
use crate::report;
use goal::Line;
use rounds::Plan;
use row::Row;
use sides::{Lab, Sides};

/// Goals that the rounds tell of.
const OF_ROUNDS: [Goal; 4] = [Goal::P1, Goal::P2, Goal::P3, Goal::P4];

/// Starts what is to be measured, measures it and prints the tables.
pub(crate) async fn bench(args: BenchArgs) -> Result<()> {
    let most = args.connections.iter().copied().max().unwrap_or_default();
    machine::allow_open_files(most.max(args.waiters) + 512)?;
    let pinned = args.server.is_none() && machine::keep_to(Core::Client);
    let lab = Lab::new(&args)?;
    let cores = if pinned {
        "one core a side"
    } else {
        "nothing pinned to a core"
    };
    let (begun, others) = (Instant::now(), machine::cpu_of_others());
    let mut lines = Vec::new();
    if OF_ROUNDS.iter().any(|&goal| args.wants(goal)) {
        lines.extend(of_rounds(&lab, &args, cores).await?);
    }
    // The others need servers of their own, with what is in them.
    if args.server.is_none() {
        lines.extend(by_themselves(&lab, &args).await?);
    }
    let storage = match (&args.server, lab.on_disk()) {
        (Some(url), _) => format!("the server at {url}"),
        (None, true) => "items on disk, synced before they are acknowledged".into(),
        (None, false) => "items in memory".into(),
    };
    report::say(&format!("\nGoals, {storage}, {cores}:\n"));
    let cells: Vec<_> = lines.iter().map(Line::cells).collect();
    report::say(&report::table(&goal::HEAD, &cells));
    let mut missed: Vec<Goal> = lines
        .iter()
        .filter(|line| line.reached == Some(false))
        .map(|line| line.goal)
        .collect();
    missed.dedup();
    for goal in missed {
        report::say(&format!("{goal:?} is bound by: {}.", bounds::of(goal)));
    }
    // By now all that we started has ended and is counted as ours.
    if let Some((after, before)) = machine::cpu_of_others().zip(others) {
        let cores = after.saturating_sub(before).as_secs_f64() / begun.elapsed().as_secs_f64();
        report::say(&format!(
            "Meanwhile other programs used {cores:.2} of this machine's cores."
        ));
    }
    Ok(())
}

async fn of_rounds(lab: &Lab, args: &BenchArgs, cores: &str) -> Result<Vec<Line>> {
    let sides = Sides::start(lab, args).await?;
    let mut rows = Vec::new();
    for &connections in &args.connections {
        let plan = Plan {
            connections,
            requests: args.requests,
            body_bytes: args.body_bytes,
        };
        rows.extend(rounds::rows(&sides, plan, args.rounds).await?);
    }
    let &BenchArgs {
        body_bytes,
        rounds,
        requests,
        ..
    } = args;
    report::say(&format!(
        "{body_bytes}-byte items, {cores}, median of {rounds} rounds of {requests} requests:\n"
    ));
    let cells: Vec<_> = rows.iter().map(Row::cells).collect();
    report::say(&report::table(&row::HEAD, &cells));
    let mut lines = rates::lines(&rows);
    lines.retain(|line| args.wants(line.goal));
    Ok(lines)
}

async fn by_themselves(lab: &Lab, args: &BenchArgs) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    if args.wants(Goal::P5) {
        lines.extend(latency::lines(lab, args).await?);
    }
    if args.wants(Goal::P6) {
        lines.extend(memory::lines(lab, args).await?);
    }
    if args.wants(Goal::P7) {
        lines.extend(recovery::lines(lab, args).await?);
    }
    if args.wants(Goal::P8) {
        lines.extend(depth::lines(lab, args).await?);
    }
    if args.wants(Goal::P9) {
        lines.extend(waiting::lines(lab, args).await?);
    }
    if args.wants(Goal::P10) {
        lines.extend(queues::lines(lab, args).await?);
    }
    Ok(lines)
}
