//! Metrics, read off the queues when they are asked for: nothing is counted twice, and the series of
//! a deleted queue go with it.

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{
    GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Result, TextEncoder,
};
use queue_api::Queue;

use crate::engine::Engine;

/// The metrics as Prometheus reads them.
pub(super) fn text(engine: &Engine) -> Result<String> {
    let queues: Vec<Queue> = engine
        .queues()
        .unwrap_or_default()
        .iter()
        .filter_map(|queue| queue.glance().ok())
        .collect();
    let families = [
        items(&queues)?.collect(),
        totals(&queues)?.collect(),
        flags(&queues)?.collect(),
        oldest(&queues)?.collect(),
        one("memq_queues", "Queues on this server.", queues.len())?.collect(),
        one(
            "memq_parked_calls",
            "Calls that are parked on a queue.",
            engine.parked(),
        )?
        .collect(),
        one(
            "memq_body_memory_bytes",
            "Bytes of bodies, results and errors that are in memory.",
            usize::try_from(engine.body_memory()).unwrap_or(usize::MAX),
        )?
        .collect(),
        build()?.collect(),
        log(engine)?,
    ];
    // The encoder refuses a family without a series, and a server without queues has some.
    let mut families = families.concat();
    families.retain(|family| !family.get_metric().is_empty());
    TextEncoder::new().encode_to_string(&families)
}

fn items(queues: &[Queue]) -> Result<IntGaugeVec> {
    let help = "Items in a queue by state. Done items count for ever, also past retention.";
    let items = IntGaugeVec::new(Opts::new("memq_queue_items", help), &["queue", "state"])?;
    for Queue { name, counts, .. } in queues {
        for (state, count) in [
            ("ready", counts.ready),
            ("leased", counts.leased),
            ("delayed", counts.delayed),
            ("dead", counts.dead),
            ("done", counts.done),
        ] {
            items
                .with_label_values(&[name.as_str(), state])
                .set(signed(count));
        }
    }
    Ok(items)
}

fn totals(queues: &[Queue]) -> Result<IntCounterVec> {
    let help = "What ever happened to the items of a queue. Enqueued is ready + leased + delayed + \
                dead + done + purged + item_expired + cancelled, a redriven item counted once.";
    let opts = Opts::new("memq_queue_events_total", help);
    let events = IntCounterVec::new(opts, &["queue", "event"])?;
    for Queue { name, totals, .. } in queues {
        for (event, count) in [
            ("enqueued", totals.enqueued),
            ("duplicates", totals.duplicates),
            ("leased", totals.leased),
            ("acked", totals.acked),
            ("nacked", totals.nacked),
            ("released", totals.released),
            ("lease_expired", totals.lease_expired),
            ("item_expired", totals.item_expired),
            ("cancelled", totals.cancelled),
            ("dead", totals.dead),
            ("redriven", totals.redriven),
            ("purged", totals.purged),
            ("taken", totals.taken),
        ] {
            events
                .with_label_values(&[name.as_str(), event])
                .inc_by(count);
        }
    }
    Ok(events)
}

fn flags(queues: &[Queue]) -> Result<IntGaugeVec> {
    let help = "Whether a queue is sealed, paused, drained or empty: 1 if so.";
    let flags = IntGaugeVec::new(Opts::new("memq_queue_is", help), &["queue", "flag"])?;
    for queue in queues {
        for (flag, set) in [
            ("sealed", queue.sealed),
            ("paused", queue.paused),
            ("drained", queue.drained),
            ("empty", queue.empty),
        ] {
            flags
                .with_label_values(&[queue.name.as_str(), flag])
                .set(set.into());
        }
    }
    Ok(flags)
}

fn oldest(queues: &[Queue]) -> Result<GaugeVec> {
    let help = "How long the oldest ready item has been in the queue; 0 if none is ready.";
    let oldest = GaugeVec::new(
        Opts::new("memq_queue_oldest_ready_seconds", help),
        &["queue"],
    )?;
    for queue in queues {
        let seconds = queue.oldest_ready_ms.unwrap_or(0) as f64 / 1_000.0;
        oldest
            .with_label_values(&[queue.name.as_str()])
            .set(seconds);
    }
    Ok(oldest)
}

fn log(engine: &Engine) -> Result<Vec<MetricFamily>> {
    let Some(usage) = engine.log_usage() else {
        return Ok(Vec::new());
    };
    let gauge = |name, help, value: u64| {
        one(name, help, usize::try_from(value).unwrap_or(usize::MAX)).map(|gauge| gauge.collect())
    };
    let syncs = IntCounter::new("memq_log_syncs_total", "Syncs of the log since the start.")?;
    syncs.inc_by(usage.syncs);
    Ok([
        gauge(
            "memq_log_disk_bytes",
            "Bytes of the log's files on disk.",
            usage.bytes,
        )?,
        gauge(
            "memq_log_length_bytes",
            "Bytes of the log from its oldest record that is kept to its end.",
            usage.end.0 - usage.start.0,
        )?,
        syncs.collect(),
    ]
    .concat())
}

fn build() -> Result<IntGaugeVec> {
    let help = "The version of this server; always 1.";
    let info = IntGaugeVec::new(Opts::new("memq_build_info", help), &["version"])?;
    info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    Ok(info)
}

fn one(name: &str, help: &str, value: usize) -> Result<IntGauge> {
    let gauge = IntGauge::new(name, help)?;
    gauge.set(signed(value as u64));
    Ok(gauge)
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
