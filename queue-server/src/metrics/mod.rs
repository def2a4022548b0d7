//! The server's metrics: each module declares the families of one component and knows how they are read.
//!
//! What the queues and the log know anyway is read off them when Prometheus asks: nothing is counted twice,
//! and the series of a deleted queue go with it. Only what is over by then (how long an item took, how a
//! request was answered) is counted as it happens.

mod http;
mod items;
mod limits;
mod log;
mod queues;

use metrics::{Catalog, Group, PROCESS};

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
