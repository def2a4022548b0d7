//! What became of one item.

use std::time::Duration;

use queue_core::{Fence, How, Settings, State, Time};

use crate::support::Offer;

/// How an item ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Taken,
    Dead,
    Expired,
    Cancelled,
    Purged,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Ready or delayed.
    Waits,
    Held {
        fence: Fence,
        started: Time,
        deadline: Time,
    },
    Ended(End),
}

#[derive(Debug)]
pub(super) struct Fate {
    pub(super) status: Status,
    pub(super) attempts: u32,
    /// How often it was lent, ever.
    pub(super) lent: u32,
    /// When it ended.
    pub(super) ended: Option<Time>,
    pub(super) priority: i16,
    pub(super) group: Option<String>,
    pub(super) key: Option<String>,
    /// The settle that was the last step of this item, if one was.
    pub(super) last: Option<(Fence, How)>,
    /// The outcomes that must have been told of it.
    pub(super) told: Vec<State>,
    releases: u32,
    came: Time,
    due: Time,
    expires: Option<Time>,
    /// Until when its key is taken although it ended.
    held_until: Option<Time>,
}

impl Fate {
    pub(super) fn new(now: Time, offer: &Offer) -> Self {
        let after = |millis| now + Duration::from_millis(millis);
        Self {
            status: Status::Waits,
            attempts: 0,
            lent: 0,
            ended: None,
            priority: offer.priority,
            group: offer.group.clone(),
            key: offer.key.clone(),
            last: None,
            told: Vec::new(),
            releases: 0,
            came: now,
            due: after(offer.delay),
            expires: offer.ttl.map(after),
            held_until: None,
        }
    }

    /// Whether nobody wants the item any more.
    pub(super) fn is_over(&self, now: Time) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }

    pub(super) fn has_key(&self, now: Time) -> bool {
        match self.status {
            Status::Waits | Status::Held { .. } => true,
            Status::Ended(_) => self.held_until.is_some_and(|until| until > now),
        }
    }

    pub(super) fn lend(&mut self, now: Time, fence: Fence, deadline: Time) {
        assert_eq!(self.status, Status::Waits, "{self:?} cannot be lent");
        assert!(self.due <= now && !self.is_over(now), "{self:?} at {now:?}");
        self.attempts += 1;
        self.lent += 1;
        self.last = None;
        self.status = Status::Held {
            fence,
            started: now,
            deadline,
        };
    }

    /// An item ends once, unless it is dead and somebody brings it back.
    pub(super) fn end(&mut self, end: End, at: Time, key_window: Duration) {
        assert!(
            !matches!(self.status, Status::Ended(_)),
            "{self:?} ends again: {end:?}"
        );
        self.status = Status::Ended(end);
        self.ended = Some(at);
        self.held_until = Some(self.came + key_window).filter(|until| *until > at);
        self.told.extend(match end {
            End::Done | End::Taken => Some(State::Done),
            End::Dead => Some(State::Dead),
            End::Expired => Some(State::Expired),
            End::Cancelled => Some(State::Cancelled),
            End::Purged => None,
        });
    }

    /// It is gone, whether it waited or was dead.
    pub(super) fn throw_away(&mut self) {
        self.status = Status::Ended(End::Purged);
        self.held_until = None;
    }

    /// A dead item begins anew; any other one stays as it is.
    pub(super) fn redrive(&mut self) -> bool {
        let dead = self.status == Status::Ended(End::Dead);
        if dead {
            self.status = Status::Waits;
            self.ended = None;
            self.held_until = None;
            self.last = None;
            (self.attempts, self.releases) = (0, 0);
        }
        dead
    }

    pub(super) fn step(&mut self, now: Time, fence: Fence, how: How, settings: &Settings) {
        self.last = Some((fence, how));
        let exhausted = self.attempts >= settings.max_attempts;
        let window = settings.key_window;
        let free = how == How::Released && self.releases < 10;
        if free {
            self.releases += 1;
            self.attempts -= 1;
        }
        match how {
            How::Acked => self.end(End::Done, now, window),
            How::Buried => self.end(End::Dead, now, window),
            How::Nacked | How::Released if self.is_over(now) => {
                self.end(End::Expired, now, window);
            }
            How::Nacked | How::Released if exhausted && !free => self.end(End::Dead, now, window),
            How::Nacked | How::Released => self.status = Status::Waits,
            How::Expired | How::Revoked => panic!("no worker says this"),
        }
    }
}
