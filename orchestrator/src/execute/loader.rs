//! Puts the items of a run into its queue.

use std::ops::ControlFlow;
use std::sync::Arc;

use queue_api::Code;
use queue_client::QueueClient;

use super::event::{Event, Events};
use crate::feed::{Choice, LOAD_OF_RUN, Pour, PourError, Source};

/// Loads what the choice leaves of the source; tells how far it is, and in the end how it went.
/// `within` is where our own server keeps the queue.
pub(super) async fn load(
    source: Source,
    choice: Arc<Choice>,
    queue: QueueClient,
    within: Option<String>,
    events: Events,
) {
    let pour = Pour {
        source: Arc::new(source),
        choice: Some(choice),
        id: LOAD_OF_RUN.to_owned(),
        create: false,
    };
    let poured = pour.into(&queue, |poured| {
        events.mention(Event::Loading(poured.items));
        ControlFlow::Continue(())
    });
    let news = match poured.await {
        Ok(_) => Event::Loaded,
        Err(error) => {
            let full = matches!(&error, PourError::Send { source, .. } if source.code() == Some(Code::StorageFull));
            let mut trouble = format!("{:#}", anyhow::Error::new(error));
            if let Some(within) = within.filter(|_| full) {
                trouble.push_str(&format!("; the queue lies {within}"));
            }
            Event::Trouble(trouble)
        }
    };
    events.tell(news).await;
}
