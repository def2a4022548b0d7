//! A queue as the design tells it, kept in lists that only grow and searched from end to end.
//!
//! It shares no code with the core and knows no index, timer or slice. Where the queue draws chance (a
//! fence, a back-off), it is told what was drawn and judges whether it could have been.

mod enter;
mod lend;
mod settle;

use queue_core::{Counts, Fence, How, Purge, Seq, Settings, Settlement, Totals};

/// Where an item is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Place {
    Ready,
    Delayed {
        due: u64,
    },
    Leased {
        fence: Fence,
        started: u64,
        deadline: u64,
    },
    Dead,
    Over(End),
    Gone,
}

/// How an item ended that is kept for its outcome only.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum End {
    Done,
    Expired,
    Cancelled,
}

/// One attempt that ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Past {
    pub(crate) fence: Fence,
    /// Which of the attempts that counted when it began.
    pub(crate) nth: u32,
    pub(crate) started: u64,
    pub(crate) ended: u64,
    pub(crate) how: How,
    pub(crate) note: Option<u32>,
    pub(crate) log: Option<u32>,
    pub(crate) exit_code: Option<i32>,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) place: Place,
    pub(crate) came: u64,
    pub(crate) body: u32,
    pub(crate) attempts: u32,
    /// How often it was lent, ever.
    pub(crate) lent: u32,
    /// When it ended, if it has.
    pub(crate) ended: Option<u64>,
    pub(crate) past: Vec<Past>,
    pub(crate) priority: i16,
    pub(crate) group: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) expires: Option<u64>,
    pub(crate) trace: Option<String>,
    /// Until when it keeps its key from others though it ended.
    held_until: Option<u64>,
    releases: u32,
    /// The settle that would be answered as a repeat.
    repeatable: Option<(Fence, How)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ended {
    pub(crate) seq: usize,
    /// `None` if it is dead.
    pub(crate) end: Option<End>,
    pub(crate) at: u64,
}

pub(crate) struct Naive {
    pub(crate) settings: Settings,
    pub(crate) sealed: bool,
    pub(crate) paused: bool,
    /// Every item that ever came, by its place.
    pub(crate) items: Vec<Entry>,
    /// Every outcome there ever was; its number is its index and one.
    pub(crate) outcomes: Vec<Ended>,
    pub(crate) forgotten: usize,
    totals: Totals,
    /// The answers that enqueues with an idempotency key got, oldest use first.
    answers: Vec<enter::Given>,
    turns: lend::Turns,
}

/// An end of an attempt of which its worker says nothing.
fn silent(how: How) -> Settlement {
    Settlement {
        how,
        delay: None,
        note: None,
        log: None,
        exit_code: None,
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    duration.as_millis() as u64
}

impl Naive {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            sealed: false,
            paused: false,
            items: Vec::new(),
            outcomes: Vec::new(),
            forgotten: 0,
            totals: Totals::default(),
            answers: Vec::new(),
            turns: lend::Turns::default(),
        }
    }

    pub(crate) fn due(&mut self, now: u64) {
        let timer = |(seq, entry): (usize, &Entry)| match entry.place {
            Place::Delayed { due: at } | Place::Leased { deadline: at, .. } => Some((at, seq)),
            _ => None,
        };
        while let Some((at, seq)) = self.earliest(now, timer) {
            if let Place::Leased { .. } = self.items[seq].place {
                self.totals.lease_expired += 1;
                self.end_attempt(seq, at, silent(How::Expired));
                self.items[seq].repeatable = None;
                if self.items[seq].is_over(now) {
                    self.end(seq, Some(End::Expired), now);
                    continue;
                }
                if self.items[seq].attempts >= self.settings.max_attempts {
                    self.end(seq, None, at);
                    continue;
                }
            }
            self.items[seq].place = Place::Ready;
        }
        let expiry = |(seq, entry): (usize, &Entry)| match entry.place {
            Place::Ready | Place::Delayed { .. } => Some((entry.expires?, seq)),
            _ => None,
        };
        while let Some((_, seq)) = self.earliest(now, expiry) {
            self.items[seq].repeatable = None;
            self.end(seq, Some(End::Expired), now);
        }
        for entry in &mut self.items {
            entry.held_until.take_if(|until| *until <= now);
        }
        self.forget(now);
        self.regroup();
    }

    /// The first of what has its time by `now`.
    fn earliest(
        &self,
        now: u64,
        time: impl Fn((usize, &Entry)) -> Option<(u64, usize)>,
    ) -> Option<(u64, usize)> {
        let times = self.items.iter().enumerate().filter_map(time);
        times.filter(|(at, _)| *at <= now).min()
    }

    fn forget(&mut self, now: u64) {
        while let Some(oldest) = self.outcomes.get(self.forgotten).copied() {
            let too_many =
                (self.outcomes.len() - self.forgotten) as u64 > self.settings.done_retention_items;
            let too_big = self.over_bytes() > self.settings.done_retention_bytes;
            if !too_many && !too_big && oldest.at + millis(self.settings.done_retention) > now {
                break;
            }
            self.forgotten += 1;
            if oldest.end.is_some() {
                self.items[oldest.seq].place = Place::Gone;
            }
        }
    }

    fn over_bytes(&self) -> u64 {
        let over = |entry: &&Entry| matches!(entry.place, Place::Over(_));
        let over = self.items.iter().filter(over);
        over.map(Entry::bytes).sum()
    }

    /// An item ends, dead or otherwise. It keeps its key for the rest of the window, except that who
    /// cancels it wants it gone.
    fn end(&mut self, seq: usize, end: Option<End>, at: u64) {
        let window = millis(self.settings.key_window);
        let entry = &mut self.items[seq];
        entry.place = end.map_or(Place::Dead, Place::Over);
        entry.ended = Some(at);
        let until = entry.came + window;
        let keeps = entry.key.is_some() && until > at && end != Some(End::Cancelled);
        entry.held_until = keeps.then_some(until);
        match end {
            None => self.totals.dead += 1,
            Some(End::Done) => {}
            Some(End::Expired) => self.totals.item_expired += 1,
            Some(End::Cancelled) => self.totals.cancelled += 1,
        }
        self.outcomes.push(Ended { seq, end, at });
    }

    pub(crate) fn purge(&mut self, purge: Purge) {
        for (seq, entry) in self.items.iter_mut().enumerate() {
            let named = match entry.place {
                Place::Ready => purge.ready,
                Place::Delayed { .. } => purge.delayed,
                Place::Dead => purge.dead,
                _ => false,
            };
            if named && Seq(seq as u64) < purge.before {
                entry.place = Place::Gone;
                entry.held_until = None;
                self.totals.purged += 1;
            }
        }
        self.regroup();
    }

    /// Brings dead items back as if they were new, but for those whose key somebody else has.
    pub(crate) fn redrive(&mut self, now: u64, seqs: &[usize]) -> u64 {
        let mut redriven = Vec::new();
        for &seq in seqs {
            let Some(entry) = self.items.get(seq).filter(|it| it.place == Place::Dead) else {
                continue;
            };
            let owner = entry.key.as_deref().and_then(|key| self.owner(key));
            if owner.is_some_and(|owner| owner != seq) {
                continue;
            }
            let entry = &mut self.items[seq];
            entry.place = Place::Ready;
            entry.ended = None;
            entry.held_until = None;
            entry.repeatable = None;
            (entry.attempts, entry.releases) = (0, 0);
            redriven.push(seq);
        }
        // Those that nobody wants any more end at once.
        for &seq in &redriven {
            if self.items[seq].is_over(now) {
                self.end(seq, Some(End::Expired), now);
            }
        }
        let redriven = redriven.len() as u64;
        self.totals.redriven += redriven;
        redriven
    }

    /// What becomes of an item that somebody cancels: it is cancelled, now or before; or thrown away,
    /// being dead; or else `None`.
    pub(crate) fn cancel(&mut self, now: u64, seq: usize) -> Option<Place> {
        match self.items.get(seq).map_or(Place::Gone, |it| it.place) {
            Place::Ready | Place::Delayed { .. } => {
                self.items[seq].repeatable = None;
                self.end(seq, Some(End::Cancelled), now);
            }
            Place::Leased { .. } => {
                self.end_attempt(seq, now, silent(How::Revoked));
                self.items[seq].repeatable = None;
                self.end(seq, Some(End::Cancelled), now);
            }
            Place::Dead => {
                self.items[seq].place = Place::Gone;
                self.items[seq].held_until = None;
                self.totals.purged += 1;
            }
            Place::Over(End::Cancelled) => {}
            Place::Over(End::Done | End::Expired) | Place::Gone => return None,
        }
        self.regroup();
        Some(self.items[seq].place)
    }

    pub(crate) fn counts(&self) -> Counts {
        let count = |is: fn(&Place) -> bool| {
            self.items.iter().filter(|entry| is(&entry.place)).count() as u64
        };
        let done = |outcome: &&Ended| outcome.end == Some(End::Done);
        Counts {
            ready: count(|place| matches!(place, Place::Ready)),
            leased: count(|place| matches!(place, Place::Leased { .. })),
            delayed: count(|place| matches!(place, Place::Delayed { .. })),
            dead: count(|place| matches!(place, Place::Dead)),
            done: self.outcomes.iter().filter(done).count() as u64,
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    fn is_finished(&self) -> bool {
        self.items.iter().all(|entry| !entry.is_live())
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.sealed && self.is_finished()
    }

    pub(crate) fn quiet_at(&self) -> Option<u64> {
        let last = self.items.last()?;
        (!self.sealed && self.is_finished()).then(|| last.came + millis(self.settings.quiet))
    }

    pub(crate) fn next_deadline(&self, now: u64) -> Option<u64> {
        let timers = self.items.iter().flat_map(|entry| {
            let (timer, expiry) = match entry.place {
                Place::Ready => (None, entry.expires),
                Place::Delayed { due } => (Some(due), entry.expires),
                Place::Leased { deadline, .. } => (Some(deadline), None),
                _ => (None, None),
            };
            [timer, expiry, entry.held_until].into_iter().flatten()
        });
        let oldest = self.outcomes.get(self.forgotten);
        let retention = oldest.map(|oldest| oldest.at + millis(self.settings.done_retention));
        timers
            .chain(retention)
            .chain(self.quiet_at().filter(|at| *at > now))
            .min()
    }

    pub(crate) fn oldest_ready(&self) -> Option<&Entry> {
        self.items.iter().find(|entry| entry.place == Place::Ready)
    }
}

impl Entry {
    /// The attempts that are remembered: the last twenty, of which the oldest have lost what they left if it
    /// were more than a mebibyte in all.
    pub(crate) fn kept_past(&self) -> Vec<Past> {
        let mut kept = self.past[self.past.len().saturating_sub(20)..].to_vec();
        let mut oldest = 0;
        while kept.iter().map(Past::bytes).sum::<u64>() > 1 << 20 && oldest + 1 < kept.len() {
            (kept[oldest].note, kept[oldest].log) = (None, None);
            oldest += 1;
        }
        kept
    }

    /// Bytes of its body and its trace, and of what its attempts left.
    pub(crate) fn bytes(&self) -> u64 {
        let notes: u64 = self.kept_past().iter().map(Past::bytes).sum();
        let trace = self.trace.as_ref().map_or(0, |trace| trace.len() as u64);
        u64::from(self.body) + trace + notes
    }

    /// Whether nobody wants it any more.
    pub(crate) fn is_over(&self, now: u64) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }

    fn is_live(&self) -> bool {
        matches!(
            self.place,
            Place::Ready | Place::Delayed { .. } | Place::Leased { .. }
        )
    }
}

impl Past {
    fn bytes(&self) -> u64 {
        let told = [self.note, self.log].into_iter().flatten();
        told.map(u64::from).sum()
    }
}
