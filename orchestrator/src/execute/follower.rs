//! Follows the outcomes of a step's queue, and fetches the last ones when the step was stopped.

use std::time::Duration;

use futures_util::StreamExt as _;
use queue_api::{Outcome, limits::MAX_OUTCOMES};
use queue_client::QueueClient;

use super::event::{Event, Events};

/// How long the last outcomes may take to fetch: the run is over and somebody waits.
const LAST_CALLS: Duration = Duration::from_secs(3);

/// Tells each outcome past this one as it comes, and at last that the queue is drained.
pub(super) async fn follow(queue: QueueClient, after: u64, events: Events) {
    let mut outcomes = std::pin::pin!(queue.follow(after));
    while let Some(outcome) = outcomes.next().await {
        match outcome {
            Ok(outcome) => events.tell(Event::Finished(Box::new(outcome))).await,
            Err(error) => {
                let trouble = trouble(&queue, error);
                return events.tell(Event::Trouble(trouble)).await;
            }
        }
    }
    events.tell(Event::Drained).await;
}

/// Why there are no more outcomes to follow. A server that is gone is said with the last cause only:
/// what lies between names calls that nobody asked for.
fn trouble(queue: &QueueClient, error: queue_client::Error) -> String {
    let gone = matches!(error, queue_client::Error::Unreachable { .. });
    let error = anyhow::Error::new(error);
    if gone {
        format!(
            "the server cannot be reached any more ({})",
            error.root_cause()
        )
    } else {
        format!(
            "cannot follow the outcomes of queue {}: {error:#}",
            queue.name()
        )
    }
}

/// The outcomes after this one, as far as the server still tells them.
pub(super) async fn rest(queue: &QueueClient, mut after: u64) -> Vec<Outcome> {
    let queue = queue.with_give_up_after(LAST_CALLS);
    let mut rest = Vec::new();
    let fetch = async {
        while let Ok(page) = queue.outcomes(after, MAX_OUTCOMES).await {
            let Some(last) = page.last() else { break };
            after = last.outcome;
            rest.extend(page);
        }
    };
    // What is not told in time is done again by the next run: at least once, never lost.
    let _late = tokio::time::timeout(LAST_CALLS * 2, fetch).await;
    rest
}
