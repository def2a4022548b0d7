//! Ctrl-C and its relatives: counted once for the whole run, told to every step that runs.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::event::{Event, Events};
use crate::plan::Signal;

/// The signals that have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Received {
    /// Which was first.
    pub(super) first: Option<Signal>,
    /// How many there were.
    pub(super) times: u32,
}

/// Listens from now on, as long as the set lives.
pub(super) fn listen() -> std::io::Result<(watch::Receiver<Received>, JoinSet<()>)> {
    let (sender, receiver) = watch::channel(Received::default());
    let mut listeners = JoinSet::new();
    for (kind, name) in [
        (SignalKind::interrupt(), Signal::Interrupt),
        (SignalKind::terminate(), Signal::Terminate),
        (SignalKind::hangup(), Signal::Hangup),
    ] {
        let (mut arrivals, sender) = (signal(kind)?, sender.clone());
        listeners.spawn(async move {
            while arrivals.recv().await.is_some() {
                sender.send_modify(|received| {
                    received.first.get_or_insert(name);
                    received.times += 1;
                });
            }
        });
    }
    Ok((receiver, listeners))
}

/// Hands signals on as events, those that have arrived before as well, as long as the set lives.
pub(super) fn hand_on(mut from: watch::Receiver<Received>, events: Events) -> JoinSet<()> {
    let mut listener = JoinSet::new();
    listener.spawn(async move {
        let mut told = 0;
        loop {
            let Received { first, times } = *from.borrow_and_update();
            if let Some(signal) = first {
                for _ in told..times {
                    events.tell(Event::Signal(signal)).await;
                }
                told = times;
            }
            if from.changed().await.is_err() {
                return;
            }
        }
    });
    listener
}
