//! Watches that go on for ever, and say when what they told may be old.
//!
//! After any error all is listed again: a watch that was taken up anew is silent while nothing changes, so
//! that nobody could tell it from one that hangs. What the objects mean is not known here.

use std::fmt::Debug;
use std::time::Duration;

use futures_util::StreamExt as _;
use kube::runtime::watcher::{self, DefaultBackoff, Event, watcher as watch};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How long the server lets a watch go on before it is asked anew: shorter than anything is concluded
/// from pods that stay away, so that a connection that died without a word is found out before.
const WATCH_S: u32 = 45;
/// How long the next page of a list may take.
const PAGE: Duration = Duration::from_secs(60);
/// Longest wait after an error; the wait before it doubles.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What a watch tells.
pub(super) enum Heard<K> {
    /// Something of it.
    Event(Event<K>),
    /// From now on what was told may be old, until a list is done.
    Lost,
}

/// Watches objects of a kind until told to stop.
pub(super) async fn follow<K>(
    api: Api<K>,
    labels: Option<&str>,
    what: &'static str,
    stop: &CancellationToken,
    mut hear: impl FnMut(Heard<K>),
) where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut config = watcher::Config::default().timeout(WATCH_S);
    if let Some(labels) = labels {
        config = config.labels(labels);
    }
    let mut waits = DefaultBackoff::default();
    loop {
        let told = tell(&api, &config, &mut hear);
        let Some(error) = stop.run_until_cancelled(told).await else {
            return;
        };
        hear(Heard::Lost);
        warn!(
            kube.kind = what,
            error.message = error,
            "cannot watch; listing all again"
        );
        let wait = waits.next().unwrap_or(LONGEST_WAIT);
        let waited = stop.run_until_cancelled(tokio::time::sleep(wait)).await;
        if waited.is_none() {
            return;
        }
    }
}

/// Lists and watches until something goes wrong, and says what.
async fn tell<K>(api: &Api<K>, config: &watcher::Config, hear: &mut impl FnMut(Heard<K>)) -> String
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut events = std::pin::pin!(watch(api.clone(), config.clone()));
    let mut listing = true;
    loop {
        let event = if listing {
            match timeout(PAGE, events.next()).await {
                Ok(event) => event,
                Err(_elapsed) => return format!("no list within {} s", PAGE.as_secs()),
            }
        } else {
            events.next().await
        };
        match event {
            Some(Ok(event)) => {
                listing = !matches!(event, Event::InitDone | Event::Apply(_) | Event::Delete(_));
                hear(Heard::Event(event));
            }
            Some(Err(error)) => return super::say(&error),
            None => return "the watch ended".into(),
        }
    }
}
