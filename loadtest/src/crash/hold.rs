//! A client that can be stopped: a process of its own that leases one item, holds it for half its
//! lease and settles it.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use queue_api::{LeaseRequest, QueueName, SettleAs, Settlement};

use super::load::body_text;
use crate::report;
use crate::setup::client;
use crate::target::Target;

/// Leases one item, prints its body, holds it, settles it, and prints `ok` or the code that refused
/// it.
pub(crate) async fn hold(server: &str, queue: QueueName, lease: Duration) -> Result<()> {
    let target = Target::resolve(server, false).await?;
    let queue = client(&target)?.queue(queue);
    let ask = LeaseRequest {
        wait_ms: Some(5_000),
        lease_ms: Some(u64::try_from(lease.as_millis())?),
        ..LeaseRequest::default()
    };
    let answer = queue.lease(&ask).await.context("cannot lease")?;
    let [item] = &answer.items[..] else {
        anyhow::bail!("there was no item to hold");
    };
    report::say(body_text(&item.body)?);
    tokio::time::sleep(lease / 2).await;
    let settlement = Settlement::new(item.lease.clone(), SettleAs::Ack);
    let settled = queue
        .settle(vec![settlement])
        .await
        .context("cannot settle")?;
    ensure!(
        settled.len() == 1,
        "one settlement got {} answers",
        settled.len()
    );
    let code = settled[0].code.map(|code| code.to_string());
    report::say(code.as_deref().unwrap_or("ok"));
    Ok(())
}
