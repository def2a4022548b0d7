//! A queue as the design tells it, kept in two lists that only grow and searched from end to end.
//!
//! It shares no code with the core and knows no index, timer or slice. Where the queue draws chance (a
//! fence, a back-off), it is told what was drawn and judges whether it could have been.

use std::ops::RangeInclusive;

use queue_core::{
    Counts, Fence, How, LeaseLost, Purge, Refusal, Seq, Settings, Settled, Settlement, Totals,
};

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
    Done,
    Dead,
    Gone,
}

/// One attempt that ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Past {
    pub(crate) fence: Fence,
    pub(crate) started: u64,
    pub(crate) ended: u64,
    pub(crate) how: How,
    pub(crate) note: Option<u32>,
    pub(crate) exit_code: Option<i32>,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) place: Place,
    pub(crate) came: u64,
    pub(crate) body: u32,
    pub(crate) attempts: u32,
    pub(crate) past: Vec<Past>,
    releases: u32,
    /// The settle that would be answered as a repeat.
    repeatable: Option<(Fence, How)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ended {
    pub(crate) seq: usize,
    pub(crate) dead: bool,
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
        }
    }

    pub(crate) fn due(&mut self, now: u64) {
        let due = |(seq, entry): (usize, &Entry)| match entry.place {
            Place::Delayed { due: at } | Place::Leased { deadline: at, .. } => Some((at, seq)),
            _ => None,
        };
        while let Some((at, seq)) = self
            .items
            .iter()
            .enumerate()
            .filter_map(due)
            .filter(|(at, _)| *at <= now)
            .min()
        {
            if let Place::Leased { .. } = self.items[seq].place {
                self.totals.lease_expired += 1;
                self.end_attempt(seq, at, How::Expired, None, None);
                self.items[seq].repeatable = None;
                if self.items[seq].attempts >= self.settings.max_attempts {
                    self.end(seq, true, at);
                    continue;
                }
            }
            self.items[seq].place = Place::Ready;
        }
        while let Some(oldest) = self.outcomes.get(self.forgotten).copied() {
            let too_many =
                (self.outcomes.len() - self.forgotten) as u64 > self.settings.done_retention_items;
            let too_big = self.done_bytes() > self.settings.done_retention_bytes;
            if !too_many && !too_big && oldest.at + millis(self.settings.done_retention) > now {
                break;
            }
            self.forgotten += 1;
            if !oldest.dead {
                self.items[oldest.seq].place = Place::Gone;
            }
        }
    }

    fn done_bytes(&self) -> u64 {
        let done = self.items.iter().filter(|entry| entry.place == Place::Done);
        done.map(|entry| {
            let notes = entry.kept_past().iter().filter_map(|past| past.note);
            u64::from(entry.body) + notes.map(u64::from).sum::<u64>()
        })
        .sum()
    }

    fn end_attempt(
        &mut self,
        seq: usize,
        ended: u64,
        how: How,
        note: Option<u32>,
        exit_code: Option<i32>,
    ) {
        let Place::Leased { fence, started, .. } = self.items[seq].place else {
            panic!("item {seq} has no attempt to end")
        };
        self.items[seq].past.push(Past {
            fence,
            started,
            ended,
            how,
            note,
            exit_code,
        });
    }

    fn end(&mut self, seq: usize, dead: bool, at: u64) {
        self.items[seq].place = if dead { Place::Dead } else { Place::Done };
        self.totals.dead += u64::from(dead);
        self.outcomes.push(Ended { seq, dead, at });
    }

    pub(crate) fn enqueue(&mut self, now: u64, bodies: &[u32]) -> Result<(), Refusal> {
        if self.sealed {
            return Err(Refusal::Sealed);
        }
        let held = |entry: &&Entry| !matches!(entry.place, Place::Done | Place::Gone);
        let items = self.items.iter().filter(held).count() + bodies.len();
        if let Some(limit) = self
            .settings
            .max_items
            .filter(|limit| items as u64 > *limit)
        {
            return Err(Refusal::TooManyItems(limit));
        }
        let kept = self
            .items
            .iter()
            .filter(held)
            .map(|entry| u64::from(entry.body))
            .sum::<u64>();
        let bytes = kept + bodies.iter().map(|&len| u64::from(len)).sum::<u64>();
        if let Some(limit) = self.settings.max_bytes.filter(|limit| bytes > *limit) {
            return Err(Refusal::TooManyBytes(limit));
        }
        for &body in bodies {
            self.totals.enqueued += 1;
            self.items.push(Entry {
                place: Place::Ready,
                came: now,
                body,
                attempts: 0,
                past: Vec::new(),
                releases: 0,
                repeatable: None,
            });
        }
        Ok(())
    }

    fn ready(&self) -> impl Iterator<Item = usize> {
        let ready = |seq: &usize| self.items[*seq].place == Place::Ready;
        (0..self.items.len()).filter(ready)
    }

    /// The places of the items that a lease gives.
    pub(crate) fn lendable(&self, max: usize) -> Vec<usize> {
        self.ready()
            .take(if self.paused { 0 } else { max })
            .collect()
    }

    pub(crate) fn lend(&mut self, now: u64, seq: usize, fence: Fence, length: u64) {
        let longest = self.settings.max_lease.map_or(length, millis);
        let deadline = now + length.min(longest);
        self.totals.leased += 1;
        let entry = &mut self.items[seq];
        entry.attempts += 1;
        entry.repeatable = None;
        entry.place = Place::Leased {
            fence,
            started: now,
            deadline,
        };
    }

    pub(crate) fn extend(
        &mut self,
        now: u64,
        seq: usize,
        fence: Fence,
        length: u64,
    ) -> Result<u64, LeaseLost> {
        let longest = self.settings.max_lease.map(millis);
        match self.items.get_mut(seq).map(|entry| &mut entry.place) {
            Some(Place::Leased {
                fence: held,
                started,
                deadline,
            }) if *held == fence => {
                let hard_end =
                    longest.map_or(u64::MAX, |longest| (*started + longest).max(*deadline));
                *deadline = hard_end.min(now + length);
                Ok(*deadline)
            }
            _ => Err(LeaseLost),
        }
    }

    /// `drawn` is when the queue made the item due, if it made it wait.
    pub(crate) fn settle(
        &mut self,
        now: u64,
        (seq, fence): (usize, Fence),
        Settlement {
            how,
            delay,
            note,
            exit_code,
        }: Settlement,
        drawn: Option<u64>,
    ) -> Result<Settled, LeaseLost> {
        let entry = self.items.get_mut(seq).ok_or(LeaseLost)?;
        if !matches!(entry.place, Place::Leased { fence: held, .. } if held == fence) {
            let repeat = entry.repeatable == Some((fence, how)) && entry.place != Place::Gone;
            return if repeat {
                Ok(Settled::Before)
            } else {
                Err(LeaseLost)
            };
        }
        self.end_attempt(seq, now, how, note.map(|note| note.len), exit_code);
        let entry = &mut self.items[seq];
        entry.repeatable = Some((fence, how));
        match how {
            How::Acked => {
                self.totals.acked += 1;
                self.end(seq, false, now);
            }
            How::Buried => self.end(seq, true, now),
            How::Nacked => {
                self.totals.nacked += 1;
                let factor = self.settings.backoff.factor as u64;
                let grown = millis(self.settings.backoff.min) * factor.pow(entry.attempts - 1);
                let longest = grown.min(millis(self.settings.backoff.max));
                let wait = match delay {
                    Some(delay) => millis(delay)..=millis(delay),
                    None => longest.div_ceil(2)..=longest,
                };
                self.retry(seq, now, wait, drawn);
            }
            How::Released => {
                self.totals.released += 1;
                entry.releases += 1;
                let wait = delay.map_or(0, millis);
                if entry.releases <= 10 {
                    entry.attempts -= 1;
                    entry.place = waiting(now, wait..=wait, drawn);
                } else {
                    self.retry(seq, now, wait..=wait, drawn);
                }
            }
            How::Expired => panic!("no worker says this"),
        }
        Ok(Settled::Now)
    }

    fn retry(&mut self, seq: usize, now: u64, wait: RangeInclusive<u64>, drawn: Option<u64>) {
        if self.items[seq].attempts >= self.settings.max_attempts {
            self.end(seq, true, now);
        } else {
            self.items[seq].place = waiting(now, wait, drawn);
        }
    }

    pub(crate) fn take(&mut self, now: u64) -> Option<usize> {
        let seq = *self.lendable(1).first()?;
        self.totals.taken += 1;
        self.end(seq, false, now);
        Some(seq)
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
                self.totals.purged += 1;
            }
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let count = |is: fn(&Place) -> bool| {
            self.items.iter().filter(|entry| is(&entry.place)).count() as u64
        };
        Counts {
            ready: count(|place| matches!(place, Place::Ready)),
            leased: count(|place| matches!(place, Place::Leased { .. })),
            delayed: count(|place| matches!(place, Place::Delayed { .. })),
            dead: count(|place| matches!(place, Place::Dead)),
            done: self.outcomes.iter().filter(|outcome| !outcome.dead).count() as u64,
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    fn is_finished(&self) -> bool {
        let ended = |entry: &Entry| matches!(entry.place, Place::Done | Place::Dead | Place::Gone);
        self.items.iter().all(ended)
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.sealed && self.is_finished()
    }

    pub(crate) fn quiet_at(&self) -> Option<u64> {
        let last = self.items.last()?;
        (!self.sealed && self.is_finished()).then(|| last.came + millis(self.settings.quiet))
    }

    pub(crate) fn next_deadline(&self, now: u64) -> Option<u64> {
        let timers = self.items.iter().filter_map(|entry| match entry.place {
            Place::Delayed { due: at } | Place::Leased { deadline: at, .. } => Some(at),
            _ => None,
        });
        let oldest = self.outcomes.get(self.forgotten);
        let retention = oldest.map(|oldest| oldest.at + millis(self.settings.done_retention));
        timers
            .chain(retention)
            .chain(self.quiet_at().filter(|at| *at > now))
            .min()
    }

    pub(crate) fn oldest_ready(&self) -> Option<&Entry> {
        self.ready().next().map(|seq| &self.items[seq])
    }
}

impl Entry {
    /// The attempts that are remembered: the last twenty.
    pub(crate) fn kept_past(&self) -> &[Past] {
        &self.past[self.past.len().saturating_sub(20)..]
    }
}

/// Where an item goes that must wait so long, and was found by the queue to be due then.
fn waiting(now: u64, wait: RangeInclusive<u64>, drawn: Option<u64>) -> Place {
    match drawn {
        Some(due) => {
            assert!(
                due > now && wait.contains(&(due - now)),
                "{due} is not {wait:?} after {now}"
            );
            Place::Delayed { due }
        }
        None => {
            assert_eq!(wait, 0..=0, "the queue did not let the item wait");
            Place::Ready
        }
    }
}
