//! What must be true of a queue, known from outside it: who holds what until when, who has which key,
//! and how each item ended. It hears the answers that callers hear and looks at a clock.
//!
//! It does not know when a retry falls due or which group has its turn: other tests judge that.

mod fate;
mod order;
mod seen;

use std::collections::{BTreeMap, HashMap, HashSet};

use queue_core::{
    Cancelled, Fence, LeaseLost, NotCancellable, Queue, Refusal, Seq, Settings, Settled,
    Settlement, State, Time,
};

use crate::support::{Answer, Offer, Token};

pub(crate) use fate::End;
use fate::{Fate, Status};
pub(crate) use seen::Seen;

pub(crate) struct Oracle {
    pub(crate) settings: Settings,
    pub(crate) sealed: bool,
    pub(crate) paused: bool,
    fates: BTreeMap<Seq, Fate>,
    fences: HashSet<Fence>,
    /// When items went out since the pace was last changed.
    given: Vec<Time>,
    /// The answers to requests with an idempotency key.
    answers: HashMap<String, (u64, Answer)>,
    last_enqueued: Time,
    /// The latest outcome its joblog has.
    followed: u64,
    joblog: BTreeMap<Seq, Vec<State>>,
    pub(crate) seen: Seen,
}

impl Oracle {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            sealed: false,
            paused: false,
            fates: BTreeMap::new(),
            fences: HashSet::new(),
            given: Vec::new(),
            answers: HashMap::new(),
            last_enqueued: Time(0),
            followed: 0,
            joblog: BTreeMap::new(),
            seen: Seen::default(),
        }
    }

    /// The operator made the queue decide by other settings.
    pub(crate) fn configured(&mut self, settings: Settings) {
        let pace = |settings: &Settings| (settings.rate_per_s, settings.burst);
        if pace(&settings) != pace(&self.settings) {
            self.given.clear();
        }
        self.settings = settings;
    }

    /// Takes the leases that have run out from their holders, and ends what expired. To be called before
    /// each command.
    pub(crate) fn tick(&mut self, now: Time) {
        let settings = self.settings;
        for fate in self.fates.values_mut() {
            if let Status::Held { deadline, .. } = fate.status
                && deadline <= now
            {
                self.seen.expired += 1;
                fate.last = None;
                fate.status = Status::Waits;
                if fate.attempts >= settings.max_attempts && !fate.is_over(now) {
                    fate.end(End::Dead, deadline, settings.key_window);
                }
            }
            if fate.status == Status::Waits && fate.is_over(now) {
                fate.last = None;
                fate.end(End::Expired, now, settings.key_window);
            }
        }
    }

    /// Items were offered, under the lease of their maker or with an idempotency key.
    pub(crate) fn offered(
        &mut self,
        now: Time,
        offers: &[Offer],
        under: Option<Token>,
        idempotent: Option<(&str, u64)>,
        answer: &Result<Answer, Refusal>,
    ) {
        if let Some((key, digest)) = idempotent
            && let Some((known, before)) = self.answers.get(key)
        {
            let expected = match *known == digest {
                true => Ok(before),
                false => Err(Refusal::IdempotencyMismatch),
            };
            assert_eq!(answer.as_ref().map_err(|refusal| *refusal), expected);
            self.seen.recalled += u64::from(answer.is_ok());
            return;
        }
        let held = under.map(|token| self.holds(token));
        match answer {
            Err(Refusal::LeaseLost) => assert_eq!(held, Some(false), "{under:?} is held"),
            Err(Refusal::Sealed) => assert!(self.sealed && held.is_none(), "nothing is sealed"),
            Err(Refusal::TooManyItems(_) | Refusal::TooManyBytes(_)) => {}
            Err(Refusal::IdempotencyMismatch) => panic!("the key was never used"),
            Ok(answer) => {
                assert!(held.unwrap_or(!self.sealed), "nobody may offer this");
                self.came(now, offers, answer);
                self.seen.made += u64::from(held.is_some());
                if let Some((key, digest)) = idempotent {
                    self.answers
                        .insert(key.to_owned(), (digest, answer.clone()));
                }
            }
        }
    }

    fn holds(&mut self, Token { seq, fence }: Token) -> bool {
        let status = self.fate(seq).status;
        matches!(status, Status::Held { fence: held, .. } if held == fence)
    }

    fn came(&mut self, now: Time, offers: &[Offer], answer: &Answer) {
        let mut duplicates = answer.duplicates.iter();
        let mut next = answer.first;
        for (at, offer) in offers.iter().enumerate() {
            let owner = offer.key.as_deref().and_then(|key| self.owner(now, key));
            if let Some(owner) = owner {
                let expected = (at, owner.0 as usize);
                assert_eq!(
                    duplicates.next(),
                    Some(&expected),
                    "{offer:?} is a duplicate"
                );
                self.seen.duplicates += 1;
                continue;
            }
            let seq = Seq(next as u64);
            next += 1;
            self.last_enqueued = now;
            let twice = self.fates.insert(seq, Fate::new(now, offer));
            assert!(twice.is_none(), "{seq:?} came in twice");
        }
        assert_eq!(next - answer.first, answer.count, "items that came in");
        assert_eq!(duplicates.next(), None, "a key that nobody has");
    }

    /// Who has a key: of all items at most one.
    fn owner(&self, now: Time, key: &str) -> Option<Seq> {
        let owns = |fate: &Fate| fate.key.as_deref() == Some(key) && fate.has_key(now);
        let mut owners = self.fates.iter().filter(|(_, fate)| owns(fate));
        let owner = owners.next().map(|(seq, _)| *seq);
        assert!(owners.next().is_none(), "two items have the key {key}");
        owner
    }

    pub(crate) fn extended(
        &mut self,
        now: Time,
        Token { seq, fence }: Token,
        length: std::time::Duration,
        answer: Result<Time, LeaseLost>,
    ) {
        let longest = self.settings.max_lease;
        let expected = match &mut self.fate(seq).status {
            Status::Held {
                fence: held,
                started,
                deadline,
            } if *held == fence => {
                let end = now + length;
                *deadline = longest.map_or(end, |longest| end.min(*started + longest));
                Ok(*deadline)
            }
            _ => Err(LeaseLost),
        };
        assert_eq!(answer, expected, "an extension of {seq:?} at {now:?}");
        self.seen.extended += u64::from(answer.is_ok());
    }

    pub(crate) fn settled(
        &mut self,
        now: Time,
        Token { seq, fence }: Token,
        settlement: Settlement,
        answer: Result<Settled, LeaseLost>,
        queue: &Queue,
    ) {
        let (how, settings) = (settlement.how, self.settings);
        let fate = self.fate(seq);
        let expected = match fate.status {
            Status::Held { fence: held, .. } if held == fence => Ok(Settled::Now),
            Status::Held { .. } => Err(LeaseLost),
            // What was thrown away or forgotten cannot be recognised.
            _ if fate.last == Some((fence, how)) && queue.item(seq).is_some() => {
                Ok(Settled::Before)
            }
            _ => Err(LeaseLost),
        };
        assert_eq!(
            answer, expected,
            "{how:?} of {seq:?} at {now:?}, which is {fate:?}"
        );
        let held = matches!(fate.status, Status::Held { .. });
        if answer == Ok(Settled::Now) {
            fate.step(now, fence, how, &settings);
        }
        match answer {
            Ok(Settled::Now) => self.seen.settled += 1,
            Ok(Settled::Before) => self.seen.repeated += 1,
            Err(LeaseLost) if held => self.seen.stale_while_held += 1,
            Err(LeaseLost) => self.seen.stale += 1,
        }
    }

    pub(crate) fn cancelled(
        &mut self,
        now: Time,
        seq: Seq,
        answer: Result<Cancelled, NotCancellable>,
        queue: &Queue,
    ) {
        let known = queue.item(seq).is_some();
        let fate = self.fate(seq);
        let expected = match fate.status {
            Status::Waits | Status::Held { .. } => Ok(Cancelled::Now),
            Status::Ended(End::Dead) => Ok(Cancelled::ThrownAway),
            _ if !known => Err(NotCancellable::Unknown),
            Status::Ended(End::Cancelled) => Ok(Cancelled::Before),
            Status::Ended(_) => Err(NotCancellable::Finished),
        };
        assert_eq!(answer, expected, "{seq:?}, which is {fate:?}");
        let revoked = matches!(fate.status, Status::Held { .. });
        match answer {
            Ok(Cancelled::Now) => {
                fate.last = None;
                fate.end(End::Cancelled, now, std::time::Duration::ZERO);
            }
            Ok(Cancelled::ThrownAway) => fate.throw_away(),
            Ok(Cancelled::Before) | Err(_) => {}
        }
        self.seen.revoked += u64::from(revoked);
    }

    /// Dead items were brought back: those of these whose key nobody else has.
    pub(crate) fn redriven(&mut self, now: Time, seqs: &[Seq], count: usize) {
        let mut expected = 0;
        for seq in seqs {
            let key = self.fate(*seq).key.clone();
            let owner = key.and_then(|key| self.owner(now, &key));
            let free = owner.is_none_or(|owner| owner == *seq);
            if free && self.fate(*seq).redrive() {
                expected += 1;
            }
        }
        assert_eq!(count, expected, "items redriven of {seqs:?}");
        self.seen.redriven += count as u64;
        for seq in seqs {
            let window = self.settings.key_window;
            let fate = self.fate(*seq);
            if fate.status == Status::Waits && fate.is_over(now) {
                fate.end(End::Expired, now, window);
            }
        }
    }

    /// Finds out which items a purge took. None of them may be in a worker's hands.
    pub(crate) fn purged(&mut self, items: usize, queue: &Queue) {
        let mut gone = 0;
        for (seq, fate) in &mut self.fates {
            if matches!(fate.status, Status::Waits) && queue.item(*seq).is_none() {
                fate.throw_away();
                gone += 1;
            }
        }
        assert_eq!(gone, items);
    }

    /// Compares everything it knows with what the queue says of itself.
    pub(crate) fn judge(&mut self, now: Time, queue: &Queue) {
        let count = |is: &dyn Fn(Status) -> bool| {
            self.fates.values().filter(|fate| is(fate.status)).count() as u64
        };
        let ended = |ends: &'static [End]| {
            count(&move |it| matches!(it, Status::Ended(end) if ends.contains(&end)))
        };
        let (counts, totals) = (queue.counts(), queue.totals());
        let waits = count(&|it| it == Status::Waits);
        assert_eq!(counts.ready + counts.delayed, waits);
        let held = count(&|it| matches!(it, Status::Held { .. }));
        assert_eq!(counts.leased, held);
        assert_eq!(counts.dead, ended(&[End::Dead]));
        assert_eq!(counts.done, ended(&[End::Done, End::Taken]));
        assert_eq!(totals.item_expired, ended(&[End::Expired]));
        assert_eq!(totals.cancelled, ended(&[End::Cancelled]));
        assert_eq!(totals.purged, ended(&[End::Purged]));
        let finished = self.is_finished();
        assert_eq!(
            queue.is_drained(),
            self.sealed && finished,
            "drained, at {now:?}"
        );
        let quiet = now >= self.last_enqueued + queue.settings().quiet;
        let empty = !self.sealed && finished && quiet && !self.fates.is_empty();
        assert_eq!(queue.is_empty(now), empty, "empty, at {now:?}");
        for (seq, fate) in &self.fates {
            if let Some(item) = queue.item(*seq) {
                let told = (item.attempts(), item.leases(), item.ended());
                let known = (fate.attempts, fate.lent, fate.ended);
                assert_eq!(
                    told, known,
                    "attempts and end of {seq:?}, which is {fate:?}"
                );
            }
        }
        self.follow(queue);
    }

    /// Keeps a joblog, as a client that follows the outcomes does.
    fn follow(&mut self, queue: &Queue) {
        assert!(
            queue.outcomes_from() <= self.followed,
            "an outcome was gone before it was read"
        );
        for (number, outcome) in queue.outcomes(self.followed) {
            assert_eq!(number, self.followed + 1, "an outcome is missing");
            self.followed = number;
            let told = self.joblog.entry(outcome.seq).or_default();
            told.push(outcome.state);
        }
        assert_eq!(self.followed, queue.last_outcome());
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.fates
            .values()
            .all(|fate| matches!(fate.status, Status::Ended(_)))
    }

    /// The end of all: each item ended, once for each time that it began, as the joblog says.
    pub(crate) fn conclude(&mut self) {
        for (seq, fate) in &self.fates {
            let Status::Ended(end) = fate.status else {
                panic!("{seq:?} never ended: {fate:?}")
            };
            let told = self.joblog.get(seq).map_or(&[][..], Vec::as_slice);
            assert_eq!(told, fate.told, "{seq:?} in the joblog");
            self.seen.ended(end);
        }
    }

    fn fate(&mut self, seq: Seq) -> &mut Fate {
        self.fates
            .get_mut(&seq)
            .unwrap_or_else(|| panic!("{seq:?} never came in"))
    }
}
