//! A queue at work: commands as a server runs them, each with its look for what is due first.

#![allow(dead_code, reason = "each program uses its own part of it")]

use std::time::Duration;

use queue_core::{
    Ask, Blob, Enqueue, Entry, Event, Fence, How, LeaseLost, Purge, Queue, Refusal, Seq, Settings,
    Settlement, Time,
};

/// Most items a command brings.
pub(crate) const MOST: usize = 1_000;

pub(crate) const LEASE: Duration = Duration::from_secs(30);

pub(crate) const BODY: Blob = Blob { place: 1, len: 64 };

static PLAIN: [Entry<'static>; MOST] = [Entry {
    body: BODY,
    options: None,
}; MOST];

/// What a settle must show.
pub(crate) type Token = (Seq, Fence);

/// A queue with a clock that each command moves on, so that timers differ as they do in life.
pub(crate) struct Busy {
    pub(crate) queue: Queue,
    pub(crate) now: u64,
    events: Vec<Event>,
    free: Vec<Blob>,
}

impl Busy {
    pub(crate) fn new(done_retention_items: u64) -> Self {
        let settings = Settings {
            done_retention_items,
            ..Settings::default()
        };
        Self {
            queue: Queue::new(settings),
            now: 0,
            events: Vec::new(),
            free: Vec::new(),
        }
    }

    /// A queue of ready items, a multiple of [`MOST`], that keeps 10,000 done ones.
    pub(crate) fn filled(items: usize) -> Result<Self, Refusal> {
        let mut busy = Self::new(10_000);
        for _ in 0..items / MOST {
            busy.enqueue(MOST)?;
        }
        Ok(busy)
    }

    pub(crate) fn enqueue(&mut self, items: usize) -> Result<(), Refusal> {
        self.offer(&PLAIN[..items])
    }

    pub(crate) fn offer(&mut self, entries: &[Entry<'_>]) -> Result<(), Refusal> {
        let enqueue = Enqueue {
            entries,
            under: None,
            idempotent: None,
        };
        self.act(|queue, now, _, events| queue.enqueue(now, enqueue, events).map(|_| ()))
    }

    /// Leases items into `tokens`.
    pub(crate) fn lease(&mut self, items: usize, tokens: &mut Vec<Token>) {
        self.act(|queue, now, entropy, events| {
            let ask = Ask {
                max: items,
                max_bytes: u64::MAX,
                length: LEASE,
                worker: None,
            };
            queue.lease(now, ask, entropy, events);
            tokens.extend(events.iter().filter_map(|event| match event {
                Event::Leased { seq, fence, .. } => Some((*seq, *fence)),
                _ => None,
            }));
        });
    }

    pub(crate) fn settle(&mut self, (seq, fence): Token, how: How) -> Result<(), LeaseLost> {
        let settlement = Settlement {
            how,
            delay: None,
            note: None,
            exit_code: None,
            log: None,
        };
        self.act(|queue, now, entropy, events| {
            queue
                .settle(now, seq, fence, settlement, entropy, events)
                .map(|_| ())
        })
    }

    pub(crate) fn take(&mut self) -> Option<Seq> {
        self.act(|queue, now, _, events| queue.take(now, events))
    }

    /// Throws a slice of the ready items away.
    pub(crate) fn purge(&mut self) {
        let before = self.queue.next_seq();
        self.act(|queue, _, _, events| {
            let purge = Purge {
                ready: true,
                delayed: false,
                dead: false,
                before,
            };
            queue.purge(purge, events);
        });
    }

    /// A slice of what time has made due.
    pub(crate) fn due(&mut self) {
        self.queue.due(Time(self.now), &mut self.events);
        self.apply();
    }

    fn act<T>(&mut self, decide: impl FnOnce(&Queue, Time, u64, &mut Vec<Event>) -> T) -> T {
        self.now += 1;
        self.due();
        let answer = decide(&self.queue, Time(self.now), self.now, &mut self.events);
        self.apply();
        answer
    }

    fn apply(&mut self) {
        for event in self.events.drain(..) {
            self.queue.evolve(&event, &mut self.free);
        }
        self.free.clear();
    }
}
