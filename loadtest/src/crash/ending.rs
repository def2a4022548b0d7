//! The end of a scenario: everything that is left is finished, and the outcomes are held against the
//! ledger.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use queue_api::Finish;
use queue_client::Client;

use super::load::{Field, Load, Phase, body_text};
use crate::ledger::Audit;
use crate::target::Target;

/// Longest that finishing what is left may take.
const DRAIN: Duration = Duration::from_secs(120);
/// Outcomes a page.
const PAGE: usize = 10_000;
const LOOK: Duration = Duration::from_millis(20);

/// Seals the queue, lets the workers finish what is left, and reads what became of every item.
pub(super) async fn audit(load: Load, target: &Target) -> Result<Audit> {
    let (client, field) = drain(load, target).await?;
    read(&client, &field).await
}

/// The same where the server keeps too few outcomes to read them: what it confirmed stands for them.
pub(super) async fn audit_by_answers(load: Load, target: &Target) -> Result<Audit> {
    let (_, field) = drain(load, target).await?;
    Ok(field.book.audit_by_answers())
}

async fn drain(mut load: Load, target: &Target) -> Result<(Client, Field)> {
    if load.field.phase() == Phase::Load {
        load.phase(Phase::Work);
    }
    let client = Client::builder(&target.url())
        .give_up_after(DRAIN)
        .build()
        .context("cannot set up a client")?;
    let queue = client.queue(load.field.queue.clone());
    queue.seal().await.context("cannot seal the queue")?;
    load.phase(Phase::Drain);
    let begun = Instant::now();
    loop {
        let now = queue.show().await.context("cannot look at the queue")?;
        if now.drained {
            break;
        }
        ensure!(
            begun.elapsed() < DRAIN,
            "{} items are not finished after {} s",
            now.unfinished,
            DRAIN.as_secs()
        );
        load.go_on(LOOK).await?;
    }
    let field = load.end().await?;
    Ok((client, field))
}

/// Reads all outcomes into the ledger; after a drain nothing else is left.
async fn read(client: &Client, field: &Field) -> Result<Audit> {
    let queue = client.queue(field.queue.clone());
    let mut after = 0;
    loop {
        let page = queue
            .outcomes(after, PAGE)
            .await
            .context("cannot read the outcomes")?;
        let Some(last) = page.last() else { break };
        after = last.outcome;
        let mut ledger = field.book.lock();
        for outcome in &page {
            let body = body_text(&outcome.body)?;
            match outcome.state {
                Finish::Done => ledger.found_done(body),
                Finish::Dead | Finish::Expired | Finish::Cancelled => ledger.found_left(body),
            }
        }
    }
    Ok(field.book.lock().audit())
}
