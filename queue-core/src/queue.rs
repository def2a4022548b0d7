//! What a queue holds, and what can be asked of it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::attempt::{Attempt, Lease};
use crate::expiries::Expiries;
use crate::idempotency::Idempotency;
use crate::item::{Item, State, flag};
use crate::keys::Keys;
use crate::lanes::Lanes;
use crate::pace::Pace;
use crate::paged::{Paged, Vacant};
use crate::seqset::SeqSet;
use crate::settings::Settings;
use crate::snapshot::Cursor;
use crate::stories::Stories;
use crate::terms::TermsOf;
use crate::time::Time;
use crate::timers::Timers;
use crate::traces::Traces;
use crate::{MAX_KEY_HOLDS, SLICE, Seq};

/// A queue: items, leases, outcomes. Changed by [`Queue::evolve`] only.
///
/// Invariants, kept by `evolve` and recounted by [`Queue::check`]:
/// 1. An item is in exactly the index of its state: `ready`, `delayed`, `leases` or `dead`.
/// 2. `timers` holds the deadline of each lease and the due time of each delayed item, no more.
/// 3. Items that came in = ready + leased + delayed + dead + done + purged + expired + cancelled.
/// 4. `held_bytes`, `retained_bytes`, `lease_starts` and `lease_names` are the sums of what they count.
/// 5. Each item that is done, expired or cancelled has one such outcome that is not forgotten.
/// 6. `stories` counts the attempts it holds, and has the logs that they say they have.
/// 7. `lanes`, `keys`, `expiries` and `traces` know the items whose flags say so, and there is each only while
///    it knows any: a queue without such items pays nothing for them.
///
/// They do not hold while the queue is put together from a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    pub(crate) settings: Settings,
    pub(crate) sealed: bool,
    pub(crate) paused: bool,
    pub(crate) next_seq: Seq,
    pub(crate) last_enqueued: Time,
    pub(crate) items: Paged<Item>,
    pub(crate) ready: SeqSet,
    pub(crate) delayed: SeqSet,
    pub(crate) dead: SeqSet,
    /// In which order ready items go, where that is not the order in which they came.
    pub(crate) lanes: Option<Box<Lanes>>,
    pub(crate) keys: Option<Box<Keys>>,
    pub(crate) expiries: Option<Box<Expiries>>,
    pub(crate) traces: Option<Box<Traces>>,
    /// There from the first enqueue on that is to be remembered.
    pub(crate) idempotency: Option<Box<Idempotency>>,
    pub(crate) pace: Pace,
    pub(crate) leases: Paged<Lease, 16>,
    /// The instants at which the attempts that run now began, added up. Twenty million of them do not
    /// fit into 64 bits.
    pub(crate) lease_starts: u128,
    /// Bytes of the names of those who hold leases, each time they are told.
    pub(crate) lease_names: u64,
    pub(crate) stories: Stories,
    pub(crate) timers: Timers,
    pub(crate) outcomes: Paged<Outcome>,
    /// Lowest outcome number that is kept.
    pub(crate) first_outcome: u64,
    pub(crate) next_outcome: u64,
    /// Bytes of the bodies, notes and logs of ready, delayed, leased and dead items.
    pub(crate) held_bytes: u64,
    /// Bytes of the bodies, notes and logs of done, expired and cancelled items.
    pub(crate) retained_bytes: u64,
    pub(crate) totals: Totals,
    /// What is still to come of the snapshot that it is put together from.
    pub(crate) restoring: Option<Cursor>,
}

/// That an item ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The item.
    pub seq: Seq,
    /// Done, dead, expired or cancelled.
    pub state: State,
    /// When.
    pub ended: Time,
}

impl Vacant for Outcome {
    fn vacant() -> Self {
        Self {
            seq: Seq(0),
            state: State::Done,
            ended: Time(0),
        }
    }
}

/// Items by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Can be leased.
    pub ready: u64,
    /// In workers' hands.
    pub leased: u64,
    /// Wait for their time.
    pub delayed: u64,
    /// Given up on and not purged.
    pub dead: u64,
    /// Finished well, ever.
    pub done: u64,
}

/// Everything that ever happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Items that came in.
    pub enqueued: u64,
    /// Leases given.
    pub leased: u64,
    /// Leases settled as done.
    pub acked: u64,
    /// Leases settled as failed.
    pub nacked: u64,
    /// Leases given back.
    pub released: u64,
    /// Leases that ran out.
    pub lease_expired: u64,
    /// Items that died.
    pub dead: u64,
    /// Items thrown away.
    pub purged: u64,
    /// Items delivered and done in one.
    pub taken: u64,
    /// Items that did not come in, because others have their keys.
    pub duplicates: u64,
    /// Items that expired.
    pub item_expired: u64,
    /// Items cancelled before they were dead or done.
    pub cancelled: u64,
    /// Times that a dead item was tried again.
    pub redriven: u64,
}

impl Default for Queue {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Queue {
    /// A queue without items.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            sealed: false,
            paused: false,
            next_seq: Seq(0),
            last_enqueued: Time(0),
            items: Paged::default(),
            ready: SeqSet::default(),
            delayed: SeqSet::default(),
            dead: SeqSet::default(),
            lanes: None,
            keys: None,
            expiries: None,
            traces: None,
            idempotency: None,
            pace: Pace::default(),
            leases: Paged::default(),
            lease_starts: 0,
            lease_names: 0,
            stories: Stories::default(),
            timers: Timers::default(),
            outcomes: Paged::default(),
            first_outcome: 1,
            next_outcome: 1,
            held_bytes: 0,
            retained_bytes: 0,
            totals: Totals::default(),
            restoring: None,
        }
    }

    /// The settings it decides by.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether it takes no new items.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.sealed
    }

    /// Whether it gives no new leases.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Sealed, and nothing ready, leased or delayed: no item will come by itself.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.sealed && self.is_finished()
    }

    /// Not sealed, nothing ready, leased or delayed, something ever enqueued, and nothing for the
    /// quiet time.
    #[must_use]
    pub fn is_empty(&self, now: Time) -> bool {
        self.quiet_at().is_some_and(|quiet| quiet <= now)
    }

    /// When the queue becomes empty if nothing happens until then.
    #[must_use]
    pub fn quiet_at(&self) -> Option<Time> {
        (!self.sealed && self.is_finished() && self.totals.enqueued > 0)
            .then(|| self.last_enqueued + self.settings.quiet)
    }

    /// Nothing ready, leased or delayed.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.ready.len() == 0 && self.leases.len() == 0 && self.delayed.len() == 0
    }

    /// Items by state.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            ready: self.ready.len(),
            leased: self.leases.len(),
            delayed: self.delayed.len(),
            dead: self.dead.len(),
            done: self.totals.acked + self.totals.taken,
        }
    }

    /// Items that are ready, leased, delayed or dead, and the bytes of their bodies and of what their
    /// attempts left.
    #[must_use]
    pub fn held(&self) -> (u64, u64) {
        let Counts {
            ready,
            leased,
            delayed,
            dead,
            ..
        } = self.counts();
        (ready + leased + delayed + dead, self.held_bytes)
    }

    /// Everything that ever happened.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The item at a place, unless it was purged or forgotten.
    #[must_use]
    pub fn item(&self, seq: Seq) -> Option<&Item> {
        self.items.get(seq.0)
    }

    /// What an item was given besides its body; `None` if nothing, or if there is no such item.
    #[must_use]
    pub fn terms_of(&self, seq: Seq) -> Option<TermsOf<'_>> {
        let item = self.item(seq).filter(|item| item.has_terms())?;
        let mut terms = TermsOf::default();
        if let Some(lanes) = self.lanes.as_ref().filter(|_| item.has(flag::LANE)) {
            let lane = lanes.lane(seq);
            terms.priority = lane.priority;
            terms.group = lanes.group_name(lane.group);
        }
        if item.has(flag::KEY) {
            terms.key = self.keys.as_ref().and_then(|keys| keys.text(seq));
        }
        if item.has(flag::EXPIRES) {
            terms.expires = self.expires(seq);
        }
        if item.has(flag::TRACE) {
            terms.trace = self.traces.as_ref().and_then(|traces| traces.of(seq));
        }
        Some(terms)
    }

    /// When an item expires, if it does.
    pub(crate) fn expires(&self, seq: Seq) -> Option<Time> {
        self.expiries.as_ref().and_then(|expiries| expiries.of(seq))
    }

    /// The lease of an item that is in a worker's hands.
    #[must_use]
    pub fn lease_of(&self, seq: Seq) -> Option<&Lease> {
        self.leases.get(seq.0)
    }

    /// How long ago the attempts that run now began, on average, however often their leases were
    /// extended; `None` while nothing is leased. Costs the same for any number of them.
    #[must_use]
    pub fn mean_lease_age(&self, now: Time) -> Option<Duration> {
        let leased = u128::from(self.leases.len());
        let ages = (u128::from(now.0) * leased).saturating_sub(self.lease_starts);
        let mean = ages.checked_div(leased)?;
        Some(Duration::from_millis(
            u64::try_from(mean).unwrap_or(u64::MAX),
        ))
    }

    /// The past attempts of an item that are kept, oldest first, at most
    /// [`STORY_ATTEMPTS`](crate::STORY_ATTEMPTS).
    #[must_use]
    pub fn story(&self, seq: Seq) -> Vec<Attempt> {
        self.stories.all(seq)
    }

    /// The last of the past attempts of an item.
    #[must_use]
    pub fn last_attempt(&self, seq: Seq) -> Option<Attempt> {
        self.stories.last(seq)
    }

    /// The ready item that came in first, which is not always the one that is lent next.
    #[must_use]
    pub fn oldest_ready(&self) -> Option<&Item> {
        self.item(self.ready.first()?)
    }

    /// Outcomes after a cursor, oldest first, with their numbers.
    pub fn outcomes(&self, after: u64) -> impl Iterator<Item = (u64, &Outcome)> {
        self.outcomes.range(after.saturating_add(1))
    }

    /// The cursor before the oldest outcome that is kept: an older one cannot be followed.
    #[must_use]
    pub fn outcomes_from(&self) -> u64 {
        self.first_outcome - 1
    }

    /// The number of the latest outcome, 0 if there is none.
    #[must_use]
    pub fn last_outcome(&self) -> u64 {
        self.next_outcome - 1
    }

    /// The place the next item will get.
    #[must_use]
    pub fn next_seq(&self) -> Seq {
        self.next_seq
    }

    /// When time alone will next change something: a lease ends, an item falls due or expires, a key
    /// comes free, an outcome passes retention, or the queue becomes empty after `now`. May lie in the
    /// past: call [`Queue::due`](crate::decide). When the rate allows a lease again is for whoever waits
    /// for one to ask: see [`Queue::lendable`].
    ///
    /// Outcomes beyond their number are left to the next command, which has one slice to forget them
    /// in; only more than that is worth a wake-up.
    #[must_use]
    pub fn next_deadline(&self, now: Time) -> Option<Time> {
        let timer = self.timers.first();
        let kept = self.next_outcome - self.first_outcome;
        let behind = kept.saturating_sub(self.settings.done_retention_items) > SLICE as u64;
        let oldest = self.outcomes.get(self.first_outcome);
        let retention = oldest.map(|oldest| match behind {
            true => oldest.ended,
            false => oldest.ended + self.settings.done_retention,
        });
        let quiet = self.quiet_at().filter(|at| *at > now);
        let expiry = self.expiries.as_ref().and_then(|it| it.first());
        let key = self
            .keys
            .as_ref()
            .and_then(|keys| keys.next_due(MAX_KEY_HOLDS));
        let all = [timer, retention, quiet, expiry, key];
        all.into_iter().flatten().min()
    }
}
