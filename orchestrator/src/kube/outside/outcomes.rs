//! Outcomes of a run's queues as they come, for the joblog and the tally.
//!
//! They are fetched as long as there is a way to the queue server, and again from where they broke off when there is one anew.
//! That a queue is not there yet, or not any more, is no error: the run says how far it is.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use queue_api::{Code, Outcome, QueueName};
use queue_client::{Client, Error};
use tokio::sync::mpsc;

/// How long a try goes on against a server that does not answer, before it is begun anew.
const PATIENCE: Duration = Duration::from_secs(10);
/// The wait before that.
const AGAIN: Duration = Duration::from_secs(1);
/// Outcomes told and not yet taken; past it the queue server waits.
const WAITING: usize = 1_024;

/// News of a queue.
#[derive(Debug)]
pub(crate) enum News {
    /// An item of this step is finished.
    Finished(Arc<str>, Box<Outcome>),
    /// This is why nothing comes now.
    Trouble(Error),
}

/// Where news comes in.
pub(crate) fn channel() -> (mpsc::Sender<News>, mpsc::Receiver<News>) {
    mpsc::channel(WAITING)
}

/// Tells every outcome of a queue once, in order, until it is drained and all are told.
pub(crate) async fn follow(
    server: Client,
    step: Arc<str>,
    queue: QueueName,
    tell: mpsc::Sender<News>,
) {
    let queue = server.queue(queue).with_give_up_after(PATIENCE);
    let mut after = 0;
    loop {
        let mut outcomes = std::pin::pin!(queue.follow(after));
        let trouble = loop {
            match outcomes.next().await {
                None => return,
                Some(Ok(outcome)) => {
                    after = outcome.outcome;
                    if tell
                        .send(News::Finished(Arc::clone(&step), Box::new(outcome)))
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
                Some(Err(error)) => break error,
            }
        };
        let is_there = trouble.code() != Some(Code::NoSuchQueue);
        if is_there && tell.send(News::Trouble(trouble)).await.is_err() {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}
