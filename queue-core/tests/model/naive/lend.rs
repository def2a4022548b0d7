//! Which items go out, in which order, and how many of them.

use queue_core::{Fence, Lendable, Settings, Time};

use super::{End, Entry, Naive, Place, millis};

const NANOS_A_MILLI: u64 = 1_000_000;

/// Whose turn it is, and how fast leases may be given.
#[derive(Default)]
pub(super) struct Turns {
    /// Each group that has an item here, and its number: the place of the first of them, and one.
    groups: Vec<(String, usize)>,
    /// The number of the group that was served last; items without group have 0.
    last: usize,
    /// When the next lease would be given if they came evenly, in nanoseconds.
    next: u64,
}

impl Naive {
    /// Notes which groups there are, after items came and went.
    pub(super) fn regroup(&mut self) {
        let here = |entry: &&Entry| entry.place != Place::Gone;
        let items = || self.items.iter().filter(here);
        let is_of = |name: &str| items().any(|entry| entry.group.as_deref() == Some(name));
        let groups = &mut self.turns.groups;
        groups.retain(|(name, _)| is_of(name));
        for (seq, entry) in self.items.iter().enumerate() {
            let Some(name) = entry.group.as_ref().filter(|_| here(&entry)) else {
                continue;
            };
            if groups.iter().all(|(known, _)| known != name) {
                groups.push((name.clone(), seq + 1));
            }
        }
        // Where all items are alike there are no turns to remember.
        if items().all(|entry| entry.group.is_none() && entry.priority == 0) {
            self.turns.last = 0;
        }
    }

    /// Decides by other settings from here on. What went out at another pace does not count.
    pub(crate) fn configure(&mut self, settings: Settings) {
        let pace = |settings: &Settings| (settings.rate_per_s, settings.burst);
        if pace(&settings) != pace(&self.settings) {
            self.turns.next = 0;
        }
        self.settings = settings;
    }

    fn number(&self, seq: usize) -> usize {
        let name = self.items[seq].group.as_ref();
        let group = self.turns.groups.iter().find(|it| Some(&it.0) == name);
        group.map_or(0, |(_, number)| *number)
    }

    /// The places of the items that a lease gives, of at most so many bytes but for the first.
    pub(crate) fn would_lend(&mut self, now: u64, max: usize, max_bytes: u64) -> Vec<usize> {
        let mut given = Vec::new();
        let (before, next, last) = (self.items.clone(), self.turns.next, self.turns.last);
        let mut bytes = 0;
        while given.len() < max
            && let Some(seq) = self.next(now)
        {
            bytes += u64::from(self.items[seq].body);
            if !given.is_empty() && bytes > max_bytes {
                break;
            }
            given.push(seq);
            self.serve(now, seq);
            self.items[seq].place = Place::Leased {
                fence: Fence(0),
                started: now,
                deadline: u64::MAX,
            };
        }
        (self.items, self.turns.next, self.turns.last) = (before, next, last);
        given
    }

    /// Whether anything could go out, and what it waits for if not.
    pub(crate) fn lendable(&self, now: u64) -> Lendable {
        let waits_too_long = |entry: &Entry| {
            let waits = matches!(entry.place, Place::Ready | Place::Delayed { .. });
            waits && entry.is_over(now)
        };
        let settings = &self.settings;
        let ready = self.items.iter().any(|entry| entry.place == Place::Ready);
        if self.paused || !ready || self.items.iter().any(waits_too_long) {
            return Lendable::Nothing;
        }
        let all = self.leased(|_| true);
        if self.first().is_none() || settings.max_leased.is_some_and(|most| all >= most) {
            return Lendable::Limited;
        }
        match self.next_token(now) {
            Some(at) if at > now => Lendable::Until(Time(at)),
            _ => Lendable::Some,
        }
    }

    /// The item that would go out next, if any may.
    pub(crate) fn next(&self, now: u64) -> Option<usize> {
        self.first()
            .filter(|_| self.lendable(now) == Lendable::Some)
    }

    fn first(&self) -> Option<usize> {
        let is_free = |entry: &Entry| {
            let cap = self.settings.max_leased_per_group;
            let leased = self.leased(|other| other.group == entry.group);
            entry.group.is_none() || cap.is_none_or(|cap| leased < cap)
        };
        let ready = self.items.iter().enumerate();
        ready
            .filter(|(_, entry)| entry.place == Place::Ready && is_free(entry))
            .map(|(seq, _)| seq)
            .min_by_key(|&seq| {
                let number = self.number(seq);
                // Behind the group served last first, then from the lowest on.
                let turn = (number <= self.turns.last, number);
                (-i32::from(self.items[seq].priority), turn, seq)
            })
    }

    fn leased(&self, is_one: impl Fn(&Entry) -> bool) -> u64 {
        let leased = |entry: &&Entry| matches!(entry.place, Place::Leased { .. });
        let leased = self.items.iter().filter(leased);
        leased.filter(|entry| is_one(entry)).count() as u64
    }

    /// An item goes out.
    fn serve(&mut self, now: u64, seq: usize) {
        self.turns.last = self.number(seq);
        self.regroup();
        if let Some(rate) = self.settings.rate_per_s {
            let distance = (1e9 / rate) as u64;
            self.turns.next = self.turns.next.max(now * NANOS_A_MILLI) + distance;
        }
    }

    /// The instant from which a lease may be given, as far as the pace goes.
    fn next_token(&self, now: u64) -> Option<u64> {
        let rate = self.settings.rate_per_s?;
        let distance = (1e9 / rate) as u64;
        let burst = self.settings.burst.unwrap_or((rate / 10.0) as u64).max(1);
        let ahead = (burst - 1) * distance + slack(distance);
        let at = self
            .turns
            .next
            .max(now * NANOS_A_MILLI)
            .saturating_sub(ahead);
        Some(at.div_ceil(NANOS_A_MILLI))
    }

    pub(crate) fn lend(&mut self, now: u64, seq: usize, fence: Fence, length: u64) {
        let longest = self.settings.max_lease.map_or(length, millis);
        self.totals.leased += 1;
        self.serve(now, seq);
        let entry = &mut self.items[seq];
        entry.attempts += 1;
        entry.lent += 1;
        entry.repeatable = None;
        entry.place = Place::Leased {
            fence,
            started: now,
            deadline: now + length.min(longest),
        };
    }

    pub(crate) fn take(&mut self, now: u64) -> Option<usize> {
        let seq = self.next(now)?;
        self.totals.taken += 1;
        self.serve(now, seq);
        self.items[seq].repeatable = None;
        self.end(seq, Some(End::Done), now);
        Some(seq)
    }
}

/// How much earlier than due a lease is given, so that a clock of whole milliseconds does not make all
/// late.
fn slack(distance: u64) -> u64 {
    if distance > NANOS_A_MILLI {
        NANOS_A_MILLI
    } else {
        (distance - 1).max(NANOS_A_MILLI - distance)
    }
}
