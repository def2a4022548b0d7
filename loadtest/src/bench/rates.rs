//! P1 to P4: rates beside the floor, beside the same server in memory, and beside the peers.

use super::goal::Line;
use super::row::Row;
use super::sides::Who;
use crate::args::Goal;
use crate::peers::Kind;
use crate::report::thousands;
use crate::talk::{Api, Op};

const SERVER: Who = Who::Server(Api::V1);

/// The lines that the rows give.
pub(super) fn lines(rows: &[Row]) -> Vec<Line> {
    let mut connections: Vec<u64> = rows.iter().map(|row| row.connections).collect();
    connections.dedup();
    let mut lines = Vec::new();
    for connections in connections {
        let block = Block { rows, connections };
        lines.extend(block.singles(Goal::P1, Op::Put, 0.9));
        lines.extend(block.singles(Goal::P2, Op::Take, 0.8));
        lines.extend(block.batched_put());
        lines.extend(block.batched_take());
    }
    lines.sort_by_key(|line| line.goal);
    lines
}

/// The rows at one number of connections.
struct Block<'a> {
    rows: &'a [Row],
    connections: u64,
}

impl Block<'_> {
    fn row(&self, who: Who, op: Op, batched: bool) -> Option<&Row> {
        self.rows.iter().find(|row| {
            let same = row.who == who && row.op == op && row.connections == self.connections;
            same && (row.batch > 1) == batched
        })
    }

    fn named(&self, what: &str) -> String {
        format!("{what}, {} connections", self.connections)
    }

    fn singles(&self, goal: Goal, op: Op, least: f64) -> Vec<Line> {
        let mut lines = Vec::new();
        for (api, what) in [(Api::V1, "v1"), (Api::Memq, "MemQ API")] {
            let row = self.row(Who::Server(api), op, false);
            let Some((row, (floor, ratio))) = row.and_then(|row| Some((row, row.floor()?))) else {
                continue;
            };
            let what = match (api, op) {
                (_, Op::Put) => format!("{what} put"),
                (Api::V1, Op::Take) => format!("{what} take and settle"),
                (_, Op::Take) => format!("{what} take"),
            };
            let beside = format!("floor {}", per_second(floor));
            let measured = per_second(row.rate());
            lines.push(Line::ratio(
                goal,
                self.named(&what),
                measured,
                beside,
                ratio,
                least,
            ));
        }
        let (what, figure): (_, fn(&Row) -> f64) = match op {
            Op::Put => ("put beside a durable peer", Row::rate),
            Op::Take => ("put, take and ack beside a durable peer", Row::both),
        };
        for kind in Kind::ALL {
            let ours = self.row(SERVER, op, false);
            let Some((ours, theirs)) = ours.zip(self.row(Who::Peer(kind), op, false)) else {
                continue;
            };
            let (ours, theirs) = (figure(ours), figure(theirs));
            let beside = format!("{} {}", kind.name(), per_second(theirs));
            let ratio = ours / theirs;
            let mut line =
                Line::ratio(goal, self.named(what), per_second(ours), beside, ratio, 1.0);
            line.asked = "> 1".into();
            line.reached = Some(ratio > 1.0);
            if op == Op::Put && kind == Kind::Redis {
                // A push without a taker's safety is no peer of an enqueue.
                line.asked = "no goal".into();
                line.reached = None;
            }
            lines.push(line);
        }
        lines
    }

    fn batched_put(&self) -> Vec<Line> {
        let Some(row) = self.row(SERVER, Op::Put, true) else {
            return Vec::new();
        };
        let what = self.named("put, 1000 lines a request");
        let measured = per_second(row.rate());
        let reached = row.rate() >= 1e6;
        let asked = "≥ 1000 k/s";
        let mut lines = vec![Line::figure(
            Goal::P3,
            what,
            measured.clone(),
            asked,
            reached,
        )];
        if let Some(memory) = self.row(Who::InMemory, Op::Put, true) {
            let what = self.named("the same beside memory");
            let beside = format!("in memory {}", per_second(memory.rate()));
            let ratio = row.rate() / memory.rate();
            lines.push(Line::ratio(Goal::P3, what, measured, beside, ratio, 0.6));
        }
        lines
    }

    fn batched_take(&self) -> Option<Line> {
        let row = self.row(SERVER, Op::Take, true)?;
        let what = self.named("take and settle, 100 a request");
        let (measured, reached) = (per_second(row.rate()), row.rate() >= 300e3);
        Some(Line::figure(Goal::P4, what, measured, "≥ 300 k/s", reached))
    }
}

pub(super) fn per_second(rate: f64) -> String {
    format!("{} k/s", thousands(rate))
}
