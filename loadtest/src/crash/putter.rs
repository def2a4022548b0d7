//! A client that enqueues, one item or a few at a time.

use anyhow::{Result, bail};
use tokio::time::timeout;

use super::chance::Chance;
use super::load::{AWAY, Field, PATIENCE, Phase};
use crate::wire::request;

/// Most items of a request.
const MOST: u64 = 5;

/// Enqueues until told otherwise. Nothing is sent twice: an enqueue without an answer stays so.
pub(super) async fn put(field: Field, mut chance: Chance) -> Result<()> {
    let path = format!("/v1/queues/{}/items?lines=true&ids=false", field.queue);
    let mut bytes = Vec::new();
    while let Some((target, mut connection)) = field.connect().await {
        loop {
            if field.phase() != Phase::Load {
                return Ok(());
            }
            let (first, end, body) = next(&field, 1 + chance.below(MOST));
            request(&mut bytes, "POST", &target, &path, body.as_bytes());
            let answer = timeout(PATIENCE, connection.exchange(&bytes)).await;
            let Ok(Ok(answer)) = answer else {
                // Broken: perhaps it arrived, perhaps not.
                break;
            };
            let mut ledger = field.book.lock();
            match answer.status {
                201 => (first..end).for_each(|number| ledger.accepted(number)),
                429 | 507 => (first..end).for_each(|number| ledger.refused(number)),
                // Not able to, just now: it says nothing of what it had begun.
                500 | 503 => break,
                status => {
                    let words = String::from_utf8_lossy(answer.body);
                    bail!("an enqueue was answered {status}: {}", words.trim());
                }
            }
        }
        // What refuses for now is not asked again at once.
        tokio::time::sleep(AWAY).await;
    }
    Ok(())
}

/// The next items: their numbers, and a line for each.
fn next(field: &Field, items: u64) -> (u64, u64, String) {
    let mut ledger = field.book.lock();
    let (first, mut body) = (ledger.sent(), String::new());
    for _ in 0..items {
        let number = ledger.send();
        body += &ledger.bodies().body(number);
        body.push('\n');
    }
    (first, first + items, body)
}
