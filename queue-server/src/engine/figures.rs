//! What queues and the engine tell of themselves when somebody asks for figures: read where it is kept, under
//! a queue's lock for as long as a few loads take, and changed by nobody.

use std::time::Duration;

use queue_api::QueueName;
use queue_core::{Counts, Item, Kind, Queue, Totals};

use super::live::LiveQueue;
use super::{Engine, EngineLimits};
use crate::metrics::Meters;

/// One queue's figures.
#[derive(Debug, Clone)]
pub(crate) struct QueueFigures {
    pub(crate) name: QueueName,
    pub(crate) incarnation: u64,
    pub(crate) counts: Counts,
    pub(crate) totals: Totals,
    /// Ready and leased; a delayed item that is due becomes ready by itself.
    pub(crate) backlog: u64,
    /// Bytes of the bodies, errors and logs of what is ready, leased, delayed or dead.
    pub(crate) bytes: u64,
    pub(crate) sealed: bool,
    pub(crate) paused: bool,
    pub(crate) drained: bool,
    pub(crate) empty: bool,
    /// How long the oldest ready item has been in the queue.
    pub(crate) oldest_ready: Duration,
    /// How long the oldest item that is ready, leased or delayed has been in it.
    pub(crate) oldest_item: Duration,
    /// Lease calls that are parked on it.
    pub(crate) parked: usize,
    pub(crate) max_items: Option<u64>,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) max_leased: Option<u64>,
    pub(crate) rate_per_s: Option<f64>,
}

/// The engine's figures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineFigures {
    pub(crate) ready: bool,
    pub(crate) queues: usize,
    pub(crate) items: u64,
    pub(crate) bytes: u64,
    pub(crate) parked: usize,
    pub(crate) body_memory: u64,
    pub(crate) limits: EngineLimits,
}

/// The log's figures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogFigures {
    pub(crate) syncs: u64,
    pub(crate) frames: u64,
    /// Bytes that were ever written.
    pub(crate) written: u64,
    /// Bytes from the oldest record that is kept to the end.
    pub(crate) length: u64,
    /// Bytes that all queues would take if they were written down now, about.
    pub(crate) live: u64,
    /// Bytes of its files.
    pub(crate) on_disk: u64,
    /// Bytes that may be appended until only the reserve is left.
    pub(crate) left: u64,
    /// Bytes that the disk has free, and of all the disk; `None` where nobody knows.
    pub(crate) disk_free: Option<u64>,
    pub(crate) disk_size: Option<u64>,
}

impl Engine {
    /// What it counts as it goes.
    pub(crate) fn meters(&self) -> &Meters {
        &self.shared.meters
    }

    /// What it holds, and may hold.
    pub(crate) fn figures(&self) -> EngineFigures {
        let shared = &self.shared;
        EngineFigures {
            ready: self.check_ready().is_ok() && !shared.stop.is_cancelled(),
            queues: self.by_name.len(),
            items: shared.held.items(),
            bytes: shared.held.bytes(),
            parked: self.parked(),
            body_memory: self.body_memory(),
            limits: self.limits,
        }
    }

    /// What each queue holds, by name; none before they are recovered.
    pub(crate) fn queue_figures(&self) -> Vec<QueueFigures> {
        let queues = self.queues().unwrap_or_default();
        queues.iter().filter_map(|queue| queue.figures()).collect()
    }

    /// What the log takes; none in memory, and before it was read.
    pub(crate) fn log_figures(&self) -> Option<LogFigures> {
        let store = self.shared.store.get()?;
        let log = store.log()?;
        let usage = log.usage();
        let known = |bytes: std::io::Result<u64>| bytes.ok().filter(|bytes| *bytes < u64::MAX);
        Some(LogFigures {
            syncs: usage.syncs,
            frames: usage.frames,
            written: log.progress().written.0,
            length: usage.end.0 - usage.start.0,
            live: store.length().live(),
            on_disk: usage.bytes,
            left: log.left(),
            disk_free: known(log.disk().free()),
            disk_size: known(log.disk().size()),
        })
    }
}

impl LiveQueue {
    /// Its figures; none if it was deleted.
    fn figures(&self) -> Option<QueueFigures> {
        let inner = self.present().ok()?;
        let (core, settings) = (&inner.core, &inner.settings);
        let now = self.shared.clock.now();
        let counts = core.counts();
        let age =
            |item: Option<&Item>| item.map_or(Duration::ZERO, |item| now.since(item.enqueued()));
        Some(QueueFigures {
            name: self.name.clone(),
            incarnation: self.incarnation,
            totals: core.totals(),
            backlog: counts.ready + counts.leased,
            bytes: core.held().1,
            sealed: core.is_sealed(),
            paused: core.is_paused(),
            drained: core.is_drained(),
            empty: core.is_empty(now),
            oldest_ready: age(core.oldest_ready()),
            oldest_item: age(oldest(core)),
            parked: inner.waiters.len(),
            max_items: settings.max_items,
            max_bytes: settings.max_bytes,
            max_leased: settings.max_leased,
            rate_per_s: settings.rate_per_s,
            counts,
        })
    }
}

/// The item that came in first of those that are ready, leased or delayed.
fn oldest(core: &Queue) -> Option<&Item> {
    let kinds = [Kind::Ready, Kind::Leased, Kind::Delayed];
    let firsts = kinds
        .iter()
        .filter_map(|kind| core.look(Some(*kind), None).next());
    firsts.min_by_key(|(seq, _)| *seq).map(|(_, item)| item)
}
