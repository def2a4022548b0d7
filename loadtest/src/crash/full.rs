//! A full disk: enqueues are refused, settling goes on, and the room comes back.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use queue_api::SettingsPatch;

use super::ending;
use super::load::{Crew, Load, Phase};
use super::scenario::{Report, Setting};
use crate::ledger::Book;
use crate::process::Process;
use crate::setup::client;
use crate::target::Target;
use crate::wire::{Connection, request};

/// Most bytes on disk.
const DATA: u64 = 64 * 1024 * 1024;
/// Lines of a request that fills the disk, and requests by which it must be full.
const LINES: usize = 1_000;
const MOST_REQUESTS: u64 = 10_000;
const CREW: Crew = Crew {
    putters: 0,
    workers: 8,
    lease: Duration::from_secs(5),
    body: 1_024,
};
/// How soon there must be room again once items are done.
const ROOM: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

pub(super) async fn run(setting: &Setting) -> Result<Report> {
    let mut plan = setting.plan("full")?;
    plan.extra
        .extend(["--max-data-bytes".into(), DATA.to_string()]);
    let mut server = plan.start().await?;
    // Outcomes are live data too: kept, they would keep the disk full.
    let settings = SettingsPatch {
        done_retention_items: Some(Some(0)),
        ..SettingsPatch::default()
    };
    let mut load = Load::start_with(&server.target, setting.seed, CREW, settings).await?;
    load.phase(Phase::Work);
    let mut recoveries = Vec::new();
    let times = if setting.short { 1 } else { 5 };
    for _ in 0..times {
        fill(&load, &server).await?;
        // Nobody holds anything by now: without outcomes a verdict that got lost would look like a
        // lost item.
        rest(&mut load, &server).await?;
        // Full, and killed: what is full must start again.
        server.kill()?;
        let begun = Instant::now();
        server = plan.start().await?;
        recoveries.push(begun.elapsed());
        load.field.server_is_at(&server.target);
        let control = client(&server.target)?.queue(load.field.queue.clone());
        control
            .resume()
            .await
            .context("cannot resume the queue, full as it is")?;
        let begun = Instant::now();
        loop {
            load.go_on(LOOK).await?;
            if put(
                &load.field.book,
                &server.target,
                load.field.queue.as_str(),
                1,
            )
            .await?
                == 201
            {
                break;
            }
            ensure!(
                begun.elapsed() < ROOM,
                "no room again {} s after workers went on to finish items",
                ROOM.as_secs()
            );
        }
    }
    let audit = ending::audit_by_answers(load, &server.target).await?;
    Ok(Report {
        audit,
        blows: times,
        recoveries,
    })
}

/// Enqueues until that is refused for want of room, while nobody takes anything out.
async fn fill(load: &Load, server: &Process) -> Result<()> {
    let (book, queue) = (&load.field.book, load.field.queue.clone());
    let control = client(&server.target)?.queue(queue.clone());
    control.pause().await.context("cannot pause the queue")?;
    for _ in 0..MOST_REQUESTS {
        match put(book, &server.target, queue.as_str(), LINES).await? {
            201 => {}
            507 => return Ok(()),
            status => anyhow::bail!("an enqueue into a full disk was answered {status}"),
        }
    }
    anyhow::bail!("{DATA} bytes were never full")
}

/// Waits until no item is leased; the queue is paused.
async fn rest(load: &mut Load, server: &Process) -> Result<()> {
    let control = client(&server.target)?.queue(load.field.queue.clone());
    let begun = Instant::now();
    loop {
        let queue = control.show().await.context("cannot look at the queue")?;
        if queue.counts.leased == 0 {
            return Ok(());
        }
        ensure!(
            begun.elapsed() < ROOM,
            "{} items of a paused queue are leased for ever",
            queue.counts.leased
        );
        load.go_on(LOOK).await?;
    }
}

/// Enqueues some items in one request; answers its status.
async fn put(book: &Book, target: &Target, queue: &str, lines: usize) -> Result<u16> {
    let (first, body) = {
        let mut ledger = book.lock();
        let (first, mut body) = (ledger.sent(), String::new());
        for _ in 0..lines {
            let number = ledger.send();
            body += &ledger.bodies().body(number);
            body.push('\n');
        }
        (first, body)
    };
    let mut connection = Connection::open(target).await?;
    let mut bytes = Vec::new();
    let path = format!("/v1/queues/{queue}/items?lines=true&ids=false");
    request(&mut bytes, "POST", target, &path, body.as_bytes());
    let status = connection.exchange(&bytes).await?.status;
    let mut ledger = book.lock();
    for number in first..first + lines as u64 {
        match status {
            201 => ledger.accepted(number),
            507 | 429 => ledger.refused(number),
            _ => {}
        }
    }
    Ok(status)
}
