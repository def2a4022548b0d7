//! The worker's metrics: its slots, its items and its calls.
//!
//! No label names a worker, an item or a queue: Prometheus knows the pod, and a queue's name may be made up
//! for one run.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use metrics::{Catalog, Family, Group, Label, PROCESS, Process, Rows, Timing};
use prometheus::proto::MetricFamily;
use queue_api::SettleAs;
use queue_client::QueueClient;

use crate::verdict::Verdict;

/// The program that answers, if it is asked what it is.
const PROGRAM: Process = Process {
    program: "memq-worker",
    version: env!("CARGO_PKG_VERSION"),
};

/// From a millisecond to half a day.
const DURATIONS: &[f64] = &[
    0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0,
    14400.0, 43200.0,
];

/// What becomes of items, in the order of [`Ended`].
const VERDICTS: [&str; 5] = ["ack", "nack", "dead", "release", "lost"];
const VERDICT: Label = Label::of("verdict", &VERDICTS);
/// The calls that are counted, in the order of [`Call`].
const CALLS_KNOWN: [&str; 2] = ["lease", "settle"];
/// How they end, in the order of [`CallEnd`].
const CALL_ENDS: [&str; 3] = ["answered", "refused", "unreachable"];

const SLOTS: Family = Family::gauge(
    "memq_worker_slots",
    "slots",
    "Slots of the worker by what they do: busy with an item, or idle.",
)
.by(&[Label::of("state", &["busy", "idle"])]);
const BUSY: Family = Family::counter(
    "memq_worker_busy_seconds_total",
    "seconds",
    "Time that slots were busy with items, added up over all slots; items that are being handled count up to now.",
);
const AHEAD: Family = Family::gauge(
    "memq_worker_items_ahead",
    "items",
    "Items that are leased and wait for a slot: --prefetch.",
);
const UNSETTLED: Family = Family::gauge(
    "memq_worker_unsettled_items",
    "items",
    "Items that are handled and whose settlement the server has not taken yet.",
);
const ITEMS: Family = Family::counter(
    "memq_worker_items_total",
    "items",
    "Items that the worker has finished with, by what the server took as their verdict; lost are those whose lease ended first.",
)
.by(&[VERDICT]);
const DURATION: Family = Family::seconds(
    "memq_worker_handler_duration_seconds",
    DURATIONS,
    "How long the handler took for an item, by what it said of it.",
)
.by(&[VERDICT]);
const CALLS: Family = Family::counter(
    "memq_worker_calls_total",
    "calls",
    "Calls to the server by how they ended: answered, refused for good, or given up because the server could not be \
     reached. A call that is repeated until it is answered counts once.",
)
.by(&[
    Label::of("call", &CALLS_KNOWN),
    Label::of("result", &CALL_ENDS),
]);
const RETRIES: Family = Family::counter(
    "memq_worker_call_retries_total",
    "tries",
    "Tries of calls that failed and were made again, those that extend leases and look at the queue included.",
);

/// Everything that `GET /metrics` of a worker shows.
pub const CATALOG: Catalog = Catalog {
    program: "memq-worker",
    place: "`GET /metrics` on the address of `--health-listen`, beside its probes. A worker without that flag has none.",
    groups: &[
        Group {
            title: "slots, items and calls",
            about: "Since the worker started. It has no series of items while it does the workload of kuard.",
            families: &[
                &SLOTS, &BUSY, &AHEAD, &UNSETTLED, &ITEMS, &DURATION, &CALLS, &RETRIES,
            ],
        },
        Group {
            title: "process",
            about: "",
            families: PROCESS,
        },
    ],
};

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Ack,
    Nack,
    Dead,
    Release,
    Lost,
}

/// A call that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Lease,
    Settle,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallEnd {
    Answered,
    Refused,
    Unreachable,
}

/// What a worker counts as it goes.
#[derive(Debug)]
pub(crate) struct Meters {
    slots: usize,
    busy: Mutex<Busy>,
    ahead: AtomicU64,
    unsettled: AtomicU64,
    items: [AtomicU64; VERDICTS.len()],
    durations: [Timing; VERDICTS.len()],
    calls: [[AtomicU64; CALL_ENDS.len()]; CALLS_KNOWN.len()],
    queue: QueueClient,
}

/// Slots that are busy, and the time that slots have been.
#[derive(Debug)]
struct Busy {
    now: usize,
    since: Instant,
    time: Duration,
}

impl Busy {
    fn time(&self) -> Duration {
        let now = u32::try_from(self.now).unwrap_or(u32::MAX);
        self.time + self.since.elapsed().saturating_mul(now)
    }
}

impl Meters {
    /// Of a worker with so many slots whose calls go through this client.
    pub(crate) fn new(slots: usize, queue: QueueClient) -> Self {
        Self {
            slots,
            busy: Mutex::new(Busy {
                now: 0,
                since: Instant::now(),
                time: Duration::ZERO,
            }),
            ahead: AtomicU64::new(0),
            unsettled: AtomicU64::new(0),
            items: Default::default(),
            durations: VERDICTS.map(|_| Timing::new(&DURATION)),
            calls: Default::default(),
            queue,
        }
    }

    /// So many slots are busy now, so many items wait for one, so many for the server to hear of them.
    pub(crate) fn are(&self, busy: usize, ahead: usize, unsettled: usize) {
        self.ahead.store(ahead as u64, Relaxed);
        self.unsettled.store(unsettled as u64, Relaxed);
        let mut was = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if was.now != busy {
            *was = Busy {
                now: busy,
                since: Instant::now(),
                time: was.time(),
            };
        }
    }

    /// A handler has ended.
    pub(crate) fn handled(&self, verdict: &Verdict, took: Duration) {
        self.durations[Ended::of(verdict) as usize].add(took);
    }

    /// The server took this of an item, or its lease was lost.
    pub(crate) fn ended(&self, how: Ended) {
        self.items[how as usize].fetch_add(1, Relaxed);
    }

    /// A call is over.
    pub(crate) fn called(&self, call: Call, end: CallEnd) {
        self.calls[call as usize][end as usize].fetch_add(1, Relaxed);
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let (busy, busy_time) = {
            let busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
            (busy.now, busy.time())
        };
        let mut slots = Rows::new(&SLOTS);
        slots.add(&["busy"], busy as f64);
        slots.add(&["idle"], self.slots.saturating_sub(busy) as f64);
        let (mut items, mut durations) = (Rows::new(&ITEMS), Rows::new(&DURATION));
        for (index, verdict) in VERDICTS.iter().enumerate() {
            items.add(&[verdict], self.items[index].load(Relaxed) as f64);
            self.durations[index].put(&[verdict], &mut durations);
        }
        let mut calls = Rows::new(&CALLS);
        for (call, ends) in CALLS_KNOWN.iter().zip(&self.calls) {
            for (end, count) in CALL_ENDS.iter().zip(ends) {
                calls.add(&[call, end], count.load(Relaxed) as f64);
            }
        }
        vec![
            slots.into_family(),
            items.into_family(),
            durations.into_family(),
            calls.into_family(),
            Rows::one(&BUSY, busy_time.as_secs_f64()),
            Rows::one(&AHEAD, self.ahead.load(Relaxed) as f64),
            Rows::one(&UNSETTLED, self.unsettled.load(Relaxed) as f64),
            Rows::one(&RETRIES, self.queue.retries() as f64),
        ]
    }
}

impl Ended {
    fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Ack { .. } => Self::Ack,
            Verdict::Nack(..) => Self::Nack,
            Verdict::Dead(_) => Self::Dead,
            // An item that could not be handled at all is given back.
            Verdict::Release(..) | Verdict::Broken(_) => Self::Release,
            Verdict::Lost => Self::Lost,
        }
    }
}

impl From<SettleAs> for Ended {
    fn from(verdict: SettleAs) -> Self {
        match verdict {
            SettleAs::Ack => Self::Ack,
            SettleAs::Nack => Self::Nack,
            SettleAs::Dead => Self::Dead,
            SettleAs::Release => Self::Release,
        }
    }
}

/// Everything as it is now, as Prometheus reads it; of the process alone where no queue is drained.
///
/// # Errors
///
/// A bug: series that are not of their family.
pub(crate) fn text(meters: Option<&Meters>) -> prometheus::Result<String> {
    let mut families = PROGRAM.collect();
    families.extend(meters.into_iter().flat_map(Meters::collect));
    metrics::text(families)
}

#[cfg(test)]
mod tests {
    use metrics::check::Scrape;
    use queue_client::Client;

    use super::*;
    use crate::verdict::Failure;

    /// Of three slots, and what it tells.
    fn meters() -> Meters {
        let client = Client::new("http://127.0.0.1:1").expect("an address");
        Meters::new(3, client.queue("q".parse().expect("a name")))
    }

    fn told(meters: &Meters) -> Scrape {
        let text = text(Some(meters)).expect("series of their families");
        Scrape::read(&text).expect("what Prometheus reads")
    }

    #[test]
    fn each_verdict_counts_under_its_own_name() {
        let meters = meters();
        let failure = Failure::default;
        let verdicts = [
            ("ack", Verdict::done(), Ended::from(SettleAs::Ack)),
            ("nack", Verdict::nack(failure()), SettleAs::Nack.into()),
            ("dead", Verdict::Dead(failure()), SettleAs::Dead.into()),
            (
                "release",
                Verdict::Release(failure(), None),
                SettleAs::Release.into(),
            ),
            ("lost", Verdict::Lost, Ended::Lost),
        ];
        for (times, (_, verdict, end)) in (1..).zip(&verdicts) {
            for _ in 0..times {
                meters.handled(verdict, Duration::from_millis(1500));
                meters.ended(*end);
                meters.ended(*end);
            }
        }
        meters.handled(&Verdict::Broken(failure()), Duration::from_millis(1500));
        let scrape = told(&meters);
        for (times, (name, ..)) in (1..).zip(&verdicts) {
            let value = |family| scrape.value(family, &[("verdict", name)]);
            let times = f64::from(times);
            // What could not be handled at all is given back.
            let handled = times + f64::from(*name == "release");
            let duration = "memq_worker_handler_duration_seconds";
            assert_eq!(
                (
                    value("memq_worker_items_total"),
                    value(&format!("{duration}_count")),
                    value(&format!("{duration}_sum")),
                ),
                (Some(2.0 * times), Some(handled), Some(1.5 * handled)),
                "{name}"
            );
        }
    }

    #[test]
    fn each_slot_adds_the_seconds_that_it_is_busy() {
        let meters = meters();
        let ago = Instant::now() - Duration::from_secs(10);
        *meters.busy.lock().expect("nobody panicked") = Busy {
            now: 2,
            since: ago,
            time: Duration::from_secs(5),
        };
        // The test itself takes far less than it tells apart.
        let busy = |slots: f64| {
            let scrape = told(&meters);
            let state = |state| scrape.value("memq_worker_slots", &[("state", state)]);
            assert_eq!(
                (state("busy"), state("idle")),
                (Some(slots), Some(3.0 - slots))
            );
            let seconds = scrape.value("memq_worker_busy_seconds_total", &[]);
            seconds.expect("it is told")
        };
        let told = [2, 3, 0].map(|now| {
            meters.are(now, 0, 0);
            busy(now as f64)
        });
        assert!(
            told.iter().all(|told| (25.0..100.0).contains(told)),
            "{told:?}"
        );
        assert!(told.is_sorted(), "it is a counter: {told:?}");
    }

    #[test]
    fn what_waits_and_how_calls_ended_is_told_apart() {
        let meters = meters();
        meters.are(1, 2, 3);
        let ends = [
            ("answered", CallEnd::Answered),
            ("refused", CallEnd::Refused),
            ("unreachable", CallEnd::Unreachable),
        ];
        let kinds = [("lease", Call::Lease), ("settle", Call::Settle)];
        let called = || {
            kinds
                .iter()
                .flat_map(|kind| ends.iter().map(move |end| (kind, end)))
        };
        for (times, ((_, call), (_, end))) in (1..).zip(called()) {
            for _ in 0..times {
                meters.called(*call, *end);
            }
        }
        let scrape = told(&meters);
        let alone = |name| scrape.value(name, &[]);
        assert_eq!(
            (
                alone("memq_worker_items_ahead"),
                alone("memq_worker_unsettled_items")
            ),
            (Some(2.0), Some(3.0))
        );
        for (times, ((call, _), (end, _))) in (1..).zip(called()) {
            let labels = [("call", *call), ("result", *end)];
            let told = scrape.value("memq_worker_calls_total", &labels);
            assert_eq!(told, Some(f64::from(times)), "{labels:?}");
        }
    }
}
