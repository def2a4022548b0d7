//! Ctrl-C and its relatives, as events.

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use super::event::{Event, Events};
use crate::plan::Signal;

/// Listens from now on, as long as the set lives.
pub(super) fn listen(events: &Events) -> std::io::Result<JoinSet<()>> {
    let mut listeners = JoinSet::new();
    for (kind, name) in [
        (SignalKind::interrupt(), Signal::Interrupt),
        (SignalKind::terminate(), Signal::Terminate),
        (SignalKind::hangup(), Signal::Hangup),
    ] {
        let (mut arrivals, events) = (signal(kind)?, events.clone());
        listeners.spawn(async move {
            while arrivals.recv().await.is_some() {
                events.tell(Event::Signal(name)).await;
            }
        });
    }
    Ok(listeners)
}
