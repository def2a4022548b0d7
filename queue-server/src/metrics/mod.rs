//! The server's metrics: each module declares the families of one component and knows how they are read.
//!
//! What the queues and the log know anyway is read off them when Prometheus asks: nothing is counted twice,
//! and the series of a deleted queue go with it. Only what is over by then (how long an item took, how a
//! request was answered) is counted as it happens.

mod busiest;
mod http;
mod items;
mod limits;
mod log;
mod queues;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use metrics::{Catalog, Group, PROCESS, Process};

use self::busiest::Busiest;
pub(crate) use self::http::{Connections, Requests, Route};
pub(crate) use self::items::Items;
use self::limits::Elsewhere;
pub(crate) use self::limits::{Limit, Limits};
pub(crate) use self::log::{LogMeter, Recovery};
use crate::engine::Engine;
use crate::http::guard::Refusals;

/// The program that answers, if it is asked what it is.
const PROGRAM: Process = Process {
    program: "memq-server",
    version: env!("CARGO_PKG_VERSION"),
};

/// Everything that `GET /metrics` of a server shows.
pub const CATALOG: Catalog = Catalog {
    program: "memq-server",
    place: "`GET /metrics` on the server's address. With tokens it takes a token of the role `read`.",
    groups: &[
        Group {
            title: "each queue",
            about: "Read off the queues at each scrape; the series of a deleted queue are gone with it. On a \
                    server with more than 1,000 queues the 1,000 busiest have series of their own, and \
                    `queue=\"_other\"` is the sum of all the rest (of the ages the largest).",
            families: queues::FAMILIES,
        },
        Group {
            title: "items",
            about: "Of all queues together, since the server started.",
            families: items::FAMILIES,
        },
        Group {
            title: "server and limits",
            about: "Whether it may serve, what it holds, the most that it may hold, and how often that refused a call.",
            families: limits::FAMILIES,
        },
        Group {
            title: "HTTP",
            about: "",
            families: http::FAMILIES,
        },
        Group {
            title: "log and disk",
            about: "A server in memory has none of these.",
            families: log::FAMILIES,
        },
        Group {
            title: "process",
            about: "",
            families: PROCESS,
        },
    ],
};

/// What an engine counts as it goes.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    pub(crate) items: Items,
    pub(crate) limits: Limits,
    pub(crate) log: LogMeter,
}

/// What a scrape needs beside the engine.
#[derive(Debug)]
pub(crate) struct Scraper {
    pub(crate) requests: Requests,
    pub(crate) connections: Arc<Connections>,
    busiest: Mutex<Busiest>,
}

impl Scraper {
    /// Of a server whose requests and connections are counted there.
    pub(crate) fn new(requests: Requests, connections: Arc<Connections>) -> Self {
        Self {
            requests,
            connections,
            busiest: Mutex::default(),
        }
    }

    /// Everything as it is now, as Prometheus reads it. With thousands of queues it takes milliseconds, during
    /// which the thread that asks does nothing else.
    ///
    /// # Errors
    ///
    /// A bug: series that are not of their family.
    pub(crate) fn text(&self, engine: &Engine, refused: Refusals) -> prometheus::Result<String> {
        let queues = engine.queue_figures();
        let mut families = {
            let mut busiest = self.busiest.lock().unwrap_or_else(PoisonError::into_inner);
            Vec::from(queues::collect(&queues, &mut busiest, Instant::now()))
        };
        let meters = engine.meters();
        let Refusals {
            unauthenticated,
            forbidden,
            foreign,
            host,
        } = refused;
        families.push(meters.limits.collect(&Elsewhere {
            connections: self.connections.turned_away(),
            unauthenticated,
            forbidden,
            foreign_site: foreign,
            unknown_host: host,
        }));
        families.extend(limits::collect(&engine.figures()));
        families.extend(meters.items.collect());
        families.push(self.requests.collect());
        families.extend(self.connections.collect());
        if let Some(figures) = engine.log_figures() {
            families.extend(meters.log.collect(&figures));
        }
        families.extend(PROGRAM.collect());
        metrics::text(families)
    }
}
