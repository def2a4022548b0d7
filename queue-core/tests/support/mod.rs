//! What every test of the core stands on: a shell that runs a queue the way a server does, time that
//! moves only when told, chance from a seed, and an account of all bytes handed in.
//!
//! It knows the order of a command (due, decide, evolve) and nothing of what a queue should decide.

#![allow(dead_code, reason = "each test binary uses its own part of it")]

mod blobs;
mod chance;
mod offer;
mod shadow;

use std::sync::Arc;
use std::time::Duration;

use queue_core::{
    Ask, Attempt, Cancelled, Enqueue, Entered, Entry, Event, Fence, How, Idempotent, LeaseLost,
    NotCancellable, Options, Purge, Queue, Refusal, Seq, Settings, Settled, Settlement, State,
    Time,
};

pub(crate) use blobs::Blobs;
pub(crate) use chance::Chance;
#[allow(unused_imports, reason = "each test binary uses its own part of it")]
pub(crate) use offer::{Answer, Offer};
use shadow::Shadow;

/// The lease that tests ask for unless they say otherwise.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// What a worker must show to settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) seq: Seq,
    pub(crate) fence: Fence,
}

/// A queue with a clock, a log and a store of bytes around it.
///
/// Each event goes to a twin as well, so that what a log replays can be compared at any time.
pub(crate) struct Shell {
    pub(crate) queue: Queue,
    pub(crate) now: Time,
    pub(crate) blobs: Blobs,
    first_settings: Settings,
    twin: Queue,
    shadow: Option<Shadow>,
    log: Vec<Event>,
    chance: Chance,
}

impl Shell {
    pub(crate) fn new(settings: Settings) -> Self {
        Self::seeded(settings, 7)
    }

    /// As [`Shell::new`], with fences and back-offs of its own.
    pub(crate) fn seeded(settings: Settings, seed: u64) -> Self {
        Self {
            queue: Queue::new(settings),
            now: Time(1_000_000),
            blobs: Blobs::default(),
            first_settings: settings,
            twin: Queue::new(settings),
            shadow: None,
            log: Vec::new(),
            chance: Chance::new(!seed),
        }
    }

    /// A queue whose failed items come back at once, three attempts each.
    pub(crate) fn with_three_attempts() -> Self {
        let mut settings = Settings {
            max_attempts: 3,
            ..Settings::default()
        };
        settings.backoff.min = Duration::ZERO;
        settings.backoff.max = Duration::ZERO;
        Self::new(settings)
    }

    /// Lets time go by; nobody calls the queue meanwhile.
    pub(crate) fn pass(&mut self, duration: Duration) {
        self.now = self.now + duration;
    }

    /// One command: what is due first, then a decision, then its events.
    pub(crate) fn act<T>(
        &mut self,
        decide: impl FnOnce(&Queue, Time, u64, &mut Vec<Event>) -> T,
    ) -> T {
        self.catch_up();
        let mut events = Vec::new();
        let answer = decide(&self.queue, self.now, self.chance.next(), &mut events);
        self.apply(&events);
        answer
    }

    /// Makes true what time alone has made true, however many slices it takes.
    pub(crate) fn catch_up(&mut self) {
        while self.due_once() > 0 {}
    }

    /// One slice of what time has made true; says how many events it took.
    pub(crate) fn due_once(&mut self) -> usize {
        let mut events = Vec::new();
        self.queue.due(self.now, &mut events);
        self.apply(&events);
        events.len()
    }

    fn apply(&mut self, events: &[Event]) {
        for event in events {
            self.blobs.hand_in(event);
            let (mut free, mut twin_free) = (Vec::new(), Vec::new());
            self.queue.evolve(event, &mut free);
            self.twin.evolve(event, &mut twin_free);
            assert_eq!(free, twin_free, "a replay frees the same bytes");
            if let Some(shadow) = &mut self.shadow {
                shadow.evolve(event);
            }
            self.blobs.free(&free, &self.queue);
            self.log.push(event.clone());
        }
    }

    /// Begins to write the queue down, anew if an earlier snapshot is unfinished.
    pub(crate) fn begin_snapshot(&mut self) {
        self.shadow = Some(Shadow::begin(&self.queue));
    }

    /// Writes down at most `max` parts of a snapshot that was begun. The queue put together from a
    /// finished one is the twin from then on. True if there is nothing to write any more.
    pub(crate) fn snapshot_slice(&mut self, max: usize) -> bool {
        let Some(mut shadow) = self.shadow.take() else {
            return true;
        };
        if shadow.slice(&self.queue, max) {
            self.twin = shadow.finish(&self.queue);
            return true;
        }
        self.shadow = Some(shadow);
        false
    }

    /// The cheap half of the comparison with the twin.
    pub(crate) fn compare_counts(&self) {
        assert_eq!(self.queue.counts(), self.twin.counts());
        assert_eq!(self.queue.totals(), self.twin.totals());
    }

    /// Recounts the queue, compares it with its twin and balances the bytes.
    pub(crate) fn compare_all(&self) {
        self.queue.check();
        assert!(
            self.queue == self.twin,
            "a replay ends elsewhere than the live queue"
        );
        self.blobs.balance(&self.queue);
    }

    /// Replays the whole log into a queue made new.
    pub(crate) fn folded(&self) -> Queue {
        let mut queue = Queue::new(self.first_settings);
        for event in &self.log {
            queue.evolve(event, &mut Vec::new());
        }
        queue
    }

    /// Enqueues items with bodies of these lengths, all or none.
    pub(crate) fn offer(&mut self, lengths: &[u32]) -> Result<Vec<Seq>, Refusal> {
        let plain = vec![None; lengths.len()];
        let entered = self.offer_with(lengths, &plain, None, None)?;
        Ok((entered.first.0..).map(Seq).take(lengths.len()).collect())
    }

    /// Enqueues items with bodies of these lengths and with these options.
    pub(crate) fn offer_with(
        &mut self,
        lengths: &[u32],
        options: &[Option<Options>],
        under: Option<Token>,
        idempotent: Option<(&str, u64)>,
    ) -> Result<Entered, Refusal> {
        let entries: Vec<_> = lengths
            .iter()
            .zip(options)
            .map(|(&len, options)| Entry {
                body: self.blobs.store(len),
                options: options.as_ref(),
            })
            .collect();
        let key = idempotent.map(|(key, digest)| (Arc::from(key), digest));
        let enqueue = Enqueue {
            entries: &entries,
            under: under.map(|token| (token.seq, token.fence)),
            idempotent: key
                .as_ref()
                .map(|&(ref key, digest)| Idempotent { key, digest }),
        };
        self.act(|queue, now, _, events| queue.enqueue(now, enqueue, events))
    }

    /// Enqueues an item of 10 bytes with these options.
    pub(crate) fn enqueue_with(&mut self, options: Options) -> Entered {
        self.offer_with(&[10], &[Some(options)], None, None)
            .expect("the queue takes items")
    }

    pub(crate) fn cancel(&mut self, seq: Seq) -> Result<Cancelled, NotCancellable> {
        self.act(|queue, now, _, events| queue.cancel(now, seq, events))
    }

    /// Makes dead items ready again; says how many.
    pub(crate) fn redrive(&mut self, seqs: &[Seq]) -> usize {
        self.act(|queue, now, _, events| {
            queue.redrive(now, seqs.iter().copied(), queue_core::SLICE, events)
        })
    }

    /// Enqueues that many items of 10 bytes.
    pub(crate) fn enqueue(&mut self, items: usize) -> Vec<Seq> {
        self.offer(&vec![10; items]).expect("the queue takes items")
    }

    pub(crate) fn lease_up_to(&mut self, max: usize, length: Duration, worker: &str) -> Vec<Token> {
        let worker: Arc<str> = worker.into();
        self.catch_up();
        let caught_up = self.log.len();
        self.act(|queue, now, entropy, events| {
            let ask = Ask {
                max,
                max_bytes: u64::MAX,
                length,
                worker: Some(&worker),
            };
            queue.lease(now, ask, entropy, events);
        });
        let token = |event: &Event| match *event {
            Event::Leased { seq, fence, .. } => Token { seq, fence },
            ref other => panic!("a lease made {other:?}"),
        };
        self.log[caught_up..].iter().map(token).collect()
    }

    /// Leases one item that must be there.
    pub(crate) fn lease(&mut self) -> Token {
        self.lease_up_to(1, LEASE, "ada")
            .pop()
            .expect("an item is ready")
    }

    pub(crate) fn settle(&mut self, token: Token, how: How) -> Result<Settled, LeaseLost> {
        self.settle_with(token, plain(how))
    }

    pub(crate) fn settle_with(
        &mut self,
        Token { seq, fence }: Token,
        settlement: Settlement,
    ) -> Result<Settled, LeaseLost> {
        self.act(|queue, now, entropy, events| {
            queue.settle(now, seq, fence, settlement, entropy, events)
        })
    }

    /// Settles a lease that must be live.
    pub(crate) fn settle_now(&mut self, token: Token, how: How) {
        assert_eq!(self.settle(token, how), Ok(Settled::Now));
    }

    pub(crate) fn extend(
        &mut self,
        Token { seq, fence }: Token,
        length: Duration,
    ) -> Result<Time, LeaseLost> {
        self.act(|queue, now, _, events| queue.extend(now, seq, fence, length, events))
    }

    pub(crate) fn take(&mut self) -> Option<Seq> {
        self.act(|queue, now, _, events| queue.take(now, events))
    }

    /// One slice of a purge; says how many items it threw away.
    pub(crate) fn purge(&mut self, purge: Purge) -> usize {
        let before = self.queue.totals().purged;
        self.act(|queue, _, _, events| queue.purge(purge, events));
        (self.queue.totals().purged - before) as usize
    }

    pub(crate) fn seal(&mut self) {
        self.act(|queue, _, _, events| queue.seal(events));
    }

    pub(crate) fn reopen(&mut self) {
        self.act(|queue, _, _, events| queue.reopen(events));
    }

    pub(crate) fn pause(&mut self) {
        self.act(|queue, _, _, events| queue.pause(events));
    }

    pub(crate) fn resume(&mut self) {
        self.act(|queue, _, _, events| queue.resume(events));
    }

    pub(crate) fn configure(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = *self.queue.settings();
        change(&mut settings);
        self.act(|queue, _, _, events| queue.configure(settings, events));
    }

    /// Where an item stands that the queue still knows.
    pub(crate) fn state(&self, seq: Seq) -> State {
        self.queue
            .item(seq)
            .expect("the queue knows the item")
            .state()
    }

    pub(crate) fn attempts(&self, seq: Seq) -> u32 {
        self.queue
            .item(seq)
            .expect("the queue knows the item")
            .attempts()
    }

    pub(crate) fn last_attempt(&self, seq: Seq) -> Attempt {
        self.queue.last_attempt(seq).expect("the item has a past")
    }
}

/// A test that ends well leaves a queue whose counts, log and bytes agree.
impl Drop for Shell {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.compare_all();
            assert!(
                self.folded() == self.queue,
                "the log folds to another queue"
            );
        }
    }
}

/// A settlement that says nothing but how.
pub(crate) fn plain(how: How) -> Settlement {
    Settlement {
        how,
        delay: None,
        note: None,
        exit_code: None,
        log: None,
    }
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
