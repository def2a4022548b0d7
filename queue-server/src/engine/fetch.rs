//! Reading bytes that are on disk alone, off the threads that serve.

use std::sync::Arc;

use queue_log::Lsn;

use super::Shared;
use super::fault::Fault;
use super::grant::{Bytes, Granted};
use super::live::LiveQueue;
use super::store::{FetchError, Logged, Rest};
use telemetry::chain;

/// What became of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// All bytes are here.
    Done,
    /// Some were moved meanwhile, and must be looked up again.
    Moved(Lsn),
}

impl Shared {
    /// Waits until all of these bytes can be read: some may have been put into the log just now.
    pub(super) async fn written(&self, wanted: &[Logged]) -> Result<(), Fault> {
        let last = wanted.iter().map(|logged| logged.at.0).max().unwrap_or(0);
        let rest = Rest {
            written: Lsn(last + 1),
            ..Rest::default()
        };
        Ok(self.store().wait(rest).await?)
    }

    /// Reads what is not here yet.
    pub(super) async fn read(self: &Arc<Self>, bytes: Vec<&mut Bytes>) -> Result<Reading, Fault> {
        let missing = |bytes: &Bytes| match bytes {
            Bytes::Here(_) => None,
            Bytes::Logged(logged) => Some(*logged),
        };
        let wanted: Vec<Logged> = bytes.iter().filter_map(|bytes| missing(bytes)).collect();
        if wanted.is_empty() {
            return Ok(Reading::Done);
        }
        self.written(&wanted).await?;
        let shared = Arc::clone(self);
        let read = move || -> Result<Vec<Vec<u8>>, FetchError> {
            let store = shared.store();
            wanted
                .into_iter()
                .map(|logged| store.fetch(logged))
                .collect()
        };
        let read = match tokio::task::spawn_blocking(read).await {
            Ok(read) => read,
            Err(stopped) => return Err(Fault::Unreadable(stopped.to_string())),
        };
        match read {
            Ok(read) => {
                let missing = bytes.into_iter().filter(|bytes| missing(bytes).is_some());
                for (bytes, read) in missing.zip(read) {
                    *bytes = Bytes::Here(read);
                }
                Ok(Reading::Done)
            }
            Err(FetchError::Moved(at)) => Ok(Reading::Moved(at)),
            Err(error) => {
                tracing::error!(
                    error.message = %chain(&error),
                    "bytes cannot be read"
                );
                Err(Fault::Unreadable(error.to_string()))
            }
        }
    }
}

/// Where bytes were not found that were looked up.
#[derive(Debug, Default)]
pub(super) struct Sought(Option<Lsn>);

impl Sought {
    /// They are to be looked up again, unless they were said to be there before: then they are nowhere.
    pub(super) fn again(&mut self, at: Lsn) -> Result<(), Fault> {
        match self.0.replace(at) {
            Some(before) if before == at => {
                Err(Fault::Unreadable(format!("position {at} is gone")))
            }
            _ => Ok(()),
        }
    }
}

impl LiveQueue {
    /// Reads the bodies of what was lent. One whose lease is gone meanwhile is left out: it is not this
    /// caller's any more.
    pub(super) async fn read_bodies(&self, granted: &mut Granted) -> Result<(), Fault> {
        let mut sought = Sought::default();
        loop {
            let bodies = granted.items.iter_mut().map(|grant| &mut grant.body);
            match self.shared.read(bodies.collect()).await? {
                Reading::Done => return Ok(()),
                Reading::Moved(at) => sought.again(at)?,
            }
            self.turn(|turn| {
                let inner = &turn.inner;
                granted.items.retain_mut(|grant| {
                    let lease = inner.core.lease_of(grant.seq);
                    let item = lease
                        .filter(|lease| lease.fence == grant.fence)
                        .and_then(|_| inner.core.item(grant.seq));
                    if let (Some(item), Bytes::Logged(_)) = (item, &grant.body) {
                        grant.body = Bytes::of(inner.bodies.get(item.body()));
                    }
                    item.is_some()
                });
                if granted.items.is_empty() {
                    granted.state = turn.state();
                }
            })?;
        }
    }
}
