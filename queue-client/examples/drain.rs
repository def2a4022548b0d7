//! A worker: each item of a queue in upper case, until the queue is drained.

use std::error::Error;
use std::time::Duration;

use queue_api::{LeaseRequest, QueueState, SettleAs, Settlement};
use queue_client::{Client, DEFAULT_URL};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::var("MEMQ_SERVER").unwrap_or(DEFAULT_URL.into());
    let name = std::env::args().nth(1).ok_or("give the name of a queue")?;
    // A server that is away for up to five minutes goes unnoticed.
    let patience = Duration::from_secs(300);
    let client = Client::builder(&url).give_up_after(patience).build()?;
    let queue = client.queue(name.parse()?);
    let renewer = queue.renewer(None);
    let mut settle = Vec::new();
    let mut held = Vec::new();
    loop {
        // What was done goes along with the call for more: one round trip an item.
        let request = LeaseRequest {
            wait_ms: Some(30_000),
            settle: std::mem::take(&mut settle),
            ..LeaseRequest::default()
        };
        let answer = queue.lease(&request).await?;
        // Only now are the earlier leases let go of; one that was refused (`ok` is false) was lost.
        held.clear();
        for item in answer.items {
            let lease = renewer.hold(item);
            let text = String::from_utf8_lossy(&lease.body.0).to_uppercase();
            settle.push(Settlement {
                result: Some(text.into()),
                ..Settlement::new(lease.lease.clone(), SettleAs::Ack)
            });
            held.push(lease);
        }
        if answer.state == QueueState::Drained {
            return Ok(());
        }
    }
}
