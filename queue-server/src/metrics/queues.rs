//! What each queue holds and what passed through it.

use std::time::{Duration, Instant};

use metrics::{Family, Label, Rows};
use prometheus::proto::MetricFamily;
use queue_api::QueueName;
use queue_core::{Counts, Totals};

use super::busiest::{Busiest, Chosen};
use crate::engine::QueueFigures;

/// The name under which the rest is told.
const OTHER: &str = QueueName::REST;

const QUEUE: Label = Label::any("queue", "its name, or `_other`");

const STATES: [&str; 5] = ["ready", "leased", "delayed", "dead", "done"];
const FLAGS: [&str; 4] = ["sealed", "paused", "drained", "empty"];
/// What can happen to items, in the order of [`totals`].
const EVENT_WORDS: [&str; EVENTS_KNOWN] = [
    "enqueued",
    "duplicates",
    "leased",
    "acked",
    "nacked",
    "released",
    "lease_expired",
    "item_expired",
    "cancelled",
    "dead",
    "redriven",
    "purged",
    "taken",
];
/// How many things can happen to items.
pub(super) const EVENTS_KNOWN: usize = 13;

const ITEMS: Family = Family::gauge(
    "memq_queue_items",
    "items",
    "Items in a queue by state. Done items count for ever, also past retention.",
)
.by(&[QUEUE, Label::of("state", &STATES)]);

const BACKLOG: Family = Family::gauge(
    "memq_queue_backlog_items",
    "items",
    "Items that could be worked on now: ready, leased, and delayed ones that are due.",
)
.by(&[QUEUE]);

const BYTES: Family = Family::gauge(
    "memq_queue_bytes",
    "bytes",
    "Bytes of the bodies, errors and logs of the ready, leased, delayed and dead items of a queue.",
)
.by(&[QUEUE]);

const EVENTS: Family = Family::counter(
    "memq_queue_events_total",
    "items",
    "What ever happened to the items of a queue, also before a restart. Enqueued is ready + leased + delayed + \
     dead + done + purged + item_expired + cancelled, a redriven item counted once.",
)
.by(&[
    QUEUE,
    Label::of("event", &EVENT_WORDS),
]);

const IS: Family = Family::gauge(
    "memq_queue_is",
    "1 or 0; of `_other` the number of queues",
    "Whether a queue is sealed, paused, drained or empty: 1 if so.",
)
.by(&[QUEUE, Label::of("flag", &FLAGS)]);

const OLDEST_READY: Family = Family::gauge(
    "memq_queue_oldest_ready_seconds",
    "seconds",
    "How long the oldest ready item has been in the queue, delays and earlier attempts included; 0 if none is ready.",
)
.by(&[QUEUE]);

const OLDEST_ITEM: Family = Family::gauge(
    "memq_queue_oldest_item_seconds",
    "seconds",
    "How long the oldest item that is ready, leased or delayed has been in the queue; 0 if there is none.",
)
.by(&[QUEUE]);

const PARKED: Family = Family::gauge(
    "memq_queue_parked_calls",
    "calls",
    "Lease calls that are parked on a queue until it has an item for them.",
)
.by(&[QUEUE]);

const MAX_ITEMS: Family = Family::gauge(
    "memq_queue_max_items",
    "items",
    "The most items that a queue takes: its setting max_items.",
)
.by(&[QUEUE])
.when("of a queue with that setting, and not of `_other`");

const MAX_BYTES: Family = Family::gauge(
    "memq_queue_max_bytes",
    "bytes",
    "The most bytes of bodies, errors and logs that a queue takes: its setting max_bytes.",
)
.by(&[QUEUE])
.when("of a queue with that setting, and not of `_other`");

const MAX_LEASED: Family = Family::gauge(
    "memq_queue_max_leased",
    "items",
    "The most items of a queue that are leased at a time: its setting max_leased.",
)
.by(&[QUEUE])
.when("of a queue with that setting, and not of `_other`");

const MAX_RATE: Family = Family::gauge(
    "memq_queue_max_leases_per_second",
    "items a second",
    "The most leases a second that a queue gives: its setting rate_per_s.",
)
.by(&[QUEUE])
.when("of a queue with that setting, and not of `_other`");

/// Every family of this module.
pub(super) const FAMILIES: &[&Family] = &[
    &ITEMS,
    &BACKLOG,
    &BYTES,
    &EVENTS,
    &IS,
    &OLDEST_READY,
    &OLDEST_ITEM,
    &PARKED,
    &MAX_ITEMS,
    &MAX_BYTES,
    &MAX_LEASED,
    &MAX_RATE,
];

/// What is told of one queue, or of several together.
#[derive(Debug, Default, Clone, Copy)]
struct Told {
    states: [u64; STATES.len()],
    backlog: u64,
    bytes: u64,
    events: [u64; EVENTS_KNOWN],
    flags: [u64; FLAGS.len()],
    oldest_ready: Duration,
    oldest_item: Duration,
    parked: u64,
}

impl Told {
    fn of(queue: &QueueFigures) -> Self {
        let Counts {
            ready,
            leased,
            delayed,
            dead,
            done,
        } = queue.counts;
        let flags = [queue.sealed, queue.paused, queue.drained, queue.empty];
        Self {
            states: [ready, leased, delayed, dead, done],
            backlog: queue.backlog,
            bytes: queue.bytes,
            events: totals(&queue.totals),
            flags: flags.map(u64::from),
            oldest_ready: queue.oldest_ready,
            oldest_item: queue.oldest_item,
            parked: queue.parked as u64,
        }
    }

    /// Adds what is told of another queue; of the ages the larger one stays.
    fn and(mut self, other: Self) -> Self {
        let Self {
            states,
            backlog,
            bytes,
            events,
            flags,
            oldest_ready,
            oldest_item,
            parked,
        } = other;
        let add = |sums: &mut [u64], more: &[u64]| {
            sums.iter_mut()
                .zip(more)
                .for_each(|(sum, more)| *sum += more);
        };
        add(&mut self.states, &states);
        add(&mut self.events, &events);
        add(&mut self.flags, &flags);
        self.backlog += backlog;
        self.bytes += bytes;
        self.parked += parked;
        self.oldest_ready = self.oldest_ready.max(oldest_ready);
        self.oldest_item = self.oldest_item.max(oldest_item);
        self
    }
}

/// The families of this module on their way into a scrape.
struct Families {
    items: Rows,
    backlog: Rows,
    bytes: Rows,
    events: Rows,
    is: Rows,
    oldest_ready: Rows,
    oldest_item: Rows,
    parked: Rows,
    max_items: Rows,
    max_bytes: Rows,
    max_leased: Rows,
    max_rate: Rows,
}

impl Families {
    fn new() -> Self {
        Self {
            items: Rows::new(&ITEMS),
            backlog: Rows::new(&BACKLOG),
            bytes: Rows::new(&BYTES),
            events: Rows::new(&EVENTS),
            is: Rows::new(&IS),
            oldest_ready: Rows::new(&OLDEST_READY),
            oldest_item: Rows::new(&OLDEST_ITEM),
            parked: Rows::new(&PARKED),
            max_items: Rows::new(&MAX_ITEMS),
            max_bytes: Rows::new(&MAX_BYTES),
            max_leased: Rows::new(&MAX_LEASED),
            max_rate: Rows::new(&MAX_RATE),
        }
    }

    fn tell(&mut self, name: &str, told: &Told) {
        let each = |rows: &mut Rows, words: &[&str], values: &[u64]| {
            for (word, value) in words.iter().zip(values) {
                rows.add(&[name, word], *value as f64);
            }
        };
        each(&mut self.items, &STATES, &told.states);
        each(&mut self.events, &EVENT_WORDS, &told.events);
        each(&mut self.is, &FLAGS, &told.flags);
        self.backlog.add(&[name], told.backlog as f64);
        self.bytes.add(&[name], told.bytes as f64);
        self.parked.add(&[name], told.parked as f64);
        self.oldest_ready
            .add(&[name], told.oldest_ready.as_secs_f64());
        self.oldest_item
            .add(&[name], told.oldest_item.as_secs_f64());
    }

    fn tell_settings(&mut self, queue: &QueueFigures) {
        let name = queue.name.as_str();
        let settings = [
            (&mut self.max_items, queue.max_items.map(|most| most as f64)),
            (&mut self.max_bytes, queue.max_bytes.map(|most| most as f64)),
            (
                &mut self.max_leased,
                queue.max_leased.map(|most| most as f64),
            ),
            (&mut self.max_rate, queue.rate_per_s),
        ];
        for (rows, value) in settings {
            if let Some(value) = value {
                rows.add(&[name], value);
            }
        }
    }

    fn done(self) -> [MetricFamily; FAMILIES.len()] {
        let Self {
            items,
            backlog,
            bytes,
            events,
            is,
            oldest_ready,
            oldest_item,
            parked,
            max_items,
            max_bytes,
            max_leased,
            max_rate,
        } = self;
        [
            items,
            backlog,
            bytes,
            events,
            is,
            oldest_ready,
            oldest_item,
            parked,
            max_items,
            max_bytes,
            max_leased,
            max_rate,
        ]
        .map(Rows::into_family)
    }
}

/// The families of these queues, which come by name.
pub(super) fn collect(
    queues: &[QueueFigures],
    busiest: &mut Busiest,
    now: Instant,
) -> [MetricFamily; FAMILIES.len()] {
    let Chosen { told, rest } = busiest.choose(queues, now);
    let mut families = Families::new();
    let mut other = rest.map(|(rest, events)| {
        let sum = rest
            .into_iter()
            .map(Told::of)
            .fold(Told::default(), Told::and);
        Told { events, ..sum }
    });
    for queue in told {
        let told = Told::of(queue);
        // An old queue may be called that, and a series must not come twice.
        match &mut other {
            Some(other) if queue.name.as_str() == OTHER => *other = other.and(told),
            _ => families.tell(queue.name.as_str(), &told),
        }
        families.tell_settings(queue);
    }
    if let Some(other) = other {
        families.tell(OTHER, &other);
    }
    families.done()
}

/// Everything that ever happened, in the order of [`EVENT_WORDS`].
pub(super) fn totals(totals: &Totals) -> [u64; EVENTS_KNOWN] {
    let Totals {
        enqueued,
        duplicates,
        leased,
        acked,
        nacked,
        released,
        lease_expired,
        item_expired,
        cancelled,
        dead,
        redriven,
        purged,
        taken,
    } = *totals;
    [
        enqueued,
        duplicates,
        leased,
        acked,
        nacked,
        released,
        lease_expired,
        item_expired,
        cancelled,
        dead,
        redriven,
        purged,
        taken,
    ]
}

#[cfg(test)]
mod tests {
    use super::super::busiest::tests::queue;
    use super::*;

    #[test]
    fn an_old_queue_with_the_name_of_the_rest_is_told_with_it() {
        let queues = [
            queue(OTHER, 1, 90, 50),
            queue("a", 2, 80, 40),
            queue("b", 3, 7, 1),
        ];
        let mut busiest = Busiest::of(2);
        let families = collect(&queues, &mut busiest, Instant::now());
        let text = metrics::text(families.into()).expect("legal families");
        let backlog = |name| format!("memq_queue_backlog_items{{queue=\"{name}\"}}");
        assert!(text.contains(&format!("{} 51", backlog(OTHER))), "{text}");
        assert!(text.contains(&format!("{} 40", backlog("a"))), "{text}");
        assert_eq!(text.matches(&backlog(OTHER)).count(), 1);
        assert!(!text.contains(&backlog("b")), "{text}");
    }

    #[test]
    fn numbers_of_the_rest_are_added_up_and_of_ages_the_largest_is_told() {
        let aged = |name, incarnation, age| QueueFigures {
            oldest_ready: Duration::from_secs(age),
            oldest_item: Duration::from_secs(age + 1),
            parked: 2,
            ..queue(name, incarnation, 9, 3)
        };
        let queues = [
            queue("a", 1, 90, 50),
            aged("b", 2, 30),
            aged("c", 3, 70),
            aged("d", 4, 50),
        ];
        let mut busiest = Busiest::of(1);
        let families = collect(&queues, &mut busiest, Instant::now());
        let text = metrics::text(families.into()).expect("legal families");
        for (family, value) in [
            ("memq_queue_backlog_items", 9),
            ("memq_queue_parked_calls", 6),
            ("memq_queue_oldest_ready_seconds", 70),
            ("memq_queue_oldest_item_seconds", 71),
        ] {
            let line = format!("{family}{{queue=\"{OTHER}\"}} {value}\n");
            assert!(text.contains(&line), "{line}{text}");
        }
    }
}
