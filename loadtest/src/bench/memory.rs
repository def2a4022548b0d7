//! P6: what an item takes of the server's memory beside its body.

use anyhow::{Context as _, Result};

use super::goal::Line;
use super::sides::Lab;
use crate::args::{BenchArgs, Goal};
use crate::machine;
use crate::setup::{load, make_queue, new_book};
use crate::talk::{Api, Op, Work};

/// Items that go in before it is measured, so that what every server has once is not counted.
const BEFORE: u64 = 10_000;
/// What an item may take, in bytes.
const ALLOWED: f64 = 64.0;

pub(super) async fn lines(lab: &Lab, args: &BenchArgs) -> Result<Vec<Line>> {
    let server = lab.plan("memory", 64)?.start().await?;
    let work = Work {
        api: Api::V1,
        op: Op::Put,
        queue: "memory".parse()?,
        book: new_book(args.body_bytes)?,
        batch: 1,
    };
    make_queue(&server.target, &work).await?;
    load(&server.target, &work, BEFORE).await?;
    let resident = || machine::resident(server.pid()).context("cannot tell the server's memory");
    let before = resident()?;
    load(&server.target, &work, args.memory_items).await?;
    let with = resident()?;
    let (items, body) = (args.memory_items, args.body_bytes);
    let each = with.saturating_sub(before) as f64 / items as f64;
    // Bodies that lie in the log only leave less than their own size behind.
    let beside = each - body as f64;
    let what = format!("memory of each of {items} items beside its body");
    let measured = format!("{beside:.0} bytes ({each:.0} with a body of {body})");
    let line = Line::figure(Goal::P6, what, measured, "≤ 64 bytes", beside <= ALLOWED);
    let mib = |bytes: u64| bytes >> 20;
    let resident = format!("{} MiB resident, {} before", mib(with), mib(before));
    drop(server);
    lab.scratch.clear("memory");
    Ok(vec![line.beside(resident)])
}
