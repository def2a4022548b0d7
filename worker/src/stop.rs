//! Being told to stop: by a signal, by a second one, by a parent that went away.

use std::io::Read;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How urgently the worker is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// Not at all.
    GoOn,
    /// Take no more items, finish those it has.
    Stop,
    /// At once.
    Now,
}

/// Watches for SIGTERM and SIGINT and, if asked to, for the end of standard input. The first one
/// asks to stop, a second signal to stop at once.
pub(crate) fn watch(stdin: bool) -> std::io::Result<watch::Receiver<Urgency>> {
    let (sender, receiver) = watch::channel(Urgency::GoOn);
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let on_signal = sender.clone();
    tokio::spawn(async move {
        loop {
            let name = tokio::select! {
                _ = term.recv() => "SIGTERM",
                _ = int.recv() => "SIGINT",
            };
            tracing::info!("{name}: stopping");
            on_signal.send_modify(|urgency| {
                *urgency = match *urgency {
                    Urgency::GoOn => Urgency::Stop,
                    Urgency::Stop | Urgency::Now => Urgency::Now,
                };
            });
        }
    });
    if stdin {
        // A thread of its own: a read of standard input can not be cancelled, and the runtime would
        // wait for it at the end.
        std::thread::Builder::new()
            .name("stdin".into())
            .spawn(move || {
                let mut buffer = [0; 512];
                let mut input = std::io::stdin().lock();
                while input.read(&mut buffer).is_ok_and(|read| read > 0) {}
                tracing::info!("end of standard input: stopping");
                sender.send_modify(|urgency| *urgency = (*urgency).max(Urgency::Stop));
            })?;
    }
    Ok(receiver)
}
