//! Fills the queues of steps whose items lie on this machine, until each is full: what is in already is not put in again.

use std::time::Duration;

use queue_client::Client;
use tokio::sync::watch;

use super::order::Fill;
use crate::kube::load::{self, Load};
use crate::kube::plan::LoadSeen;

/// How long one request may go on against a server that does not answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// The wait before it is tried anew.
const AGAIN: Duration = Duration::from_secs(2);

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filling {
    /// So many items are in.
    In(u64),
    /// It does not go on now, and is tried again.
    Waits(String),
    /// All items are in, and the queue is sealed.
    Full,
    /// It cannot be done.
    Hopeless(String),
}

impl Filling {
    /// Whether it is still under way.
    pub(crate) fn goes_on(&self) -> bool {
        matches!(self, Self::In(_) | Self::Waits(_))
    }
}

/// Fills a queue, and tells how far it is until it is full or cannot be.
pub(crate) async fn fill(server: Client, fill: Fill, tell: watch::Sender<Filling>) {
    let queue = server.queue(fill.queue).with_give_up_after(PATIENCE);
    // Once for all tries: standard input comes but once, and a file is not to become another.
    let source = match load::open(&fill.pool).await {
        Ok(source) => source,
        Err(error) => {
            tell.send_replace(Filling::Hopeless(format!("{error:#}")));
            return;
        }
    };
    let mut load = Load::of(fill.pool, source);
    loop {
        let (told, mut seen) = watch::channel(LoadSeen::Loading(0));
        let loading = async {
            // It is dropped when it has been told all, so that the one who passes it on ends, too.
            let told = told;
            load.bring(&queue, &told).await;
        };
        let telling = async {
            while seen.changed().await.is_ok() {
                if let LoadSeen::Loading(items) = &*seen.borrow_and_update() {
                    tell.send_replace(Filling::In(*items));
                }
            }
            seen
        };
        let ((), seen) = tokio::join!(loading, telling);
        let end = match &*seen.borrow() {
            LoadSeen::Failed {
                message,
                hopeless: false,
            } => Filling::Waits(message.clone()),
            LoadSeen::Failed { message, .. } => Filling::Hopeless(message.clone()),
            LoadSeen::Loaded | LoadSeen::Loading(_) => Filling::Full,
        };
        let over = !end.goes_on();
        tell.send_replace(end);
        if over {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}
