//! What comes in, what is a duplicate, and what was answered before.

use queue_core::{Fence, Refusal};

use super::{Entry, Naive, Place};
use crate::support::{Answer, Offer};

/// Answers are remembered so long after their last use.
const DAY: u64 = 24 * 60 * 60 * 1_000;

pub(super) struct Given {
    key: String,
    digest: u64,
    at: u64,
    answer: Answer,
}

impl Naive {
    /// The item that has a key.
    pub(super) fn owner(&self, key: &str) -> Option<usize> {
        let has = |entry: &Entry| {
            entry.key.as_deref() == Some(key) && (entry.is_live() || entry.held_until.is_some())
        };
        self.items.iter().position(has)
    }

    /// `under` is the lease of an item of this queue that makes these.
    pub(crate) fn enqueue(
        &mut self,
        now: u64,
        offers: &[Offer],
        under: Option<(usize, Fence)>,
        idempotent: Option<(&str, u64)>,
    ) -> Result<Answer, Refusal> {
        self.answers.retain(|given| given.at + DAY > now);
        if let Some((key, digest)) = idempotent
            && let Some(at) = self.answers.iter().position(|it| it.key == key)
        {
            if self.answers[at].digest != digest {
                return Err(Refusal::IdempotencyMismatch);
            }
            let given = self.answers.remove(at);
            let answer = given.answer.clone();
            self.answers.push(Given { at: now, ..given });
            return Ok(answer);
        }
        match under {
            Some((seq, fence)) => {
                let place = self.items.get(seq).map(|entry| entry.place);
                let holds =
                    matches!(place, Some(Place::Leased { fence: held, .. }) if held == fence);
                if !holds {
                    return Err(Refusal::LeaseLost);
                }
            }
            None if self.sealed => return Err(Refusal::Sealed),
            None => {}
        }
        let before = (self.items.len(), self.totals);
        let answer = self.enter(now, offers);
        if let Some(refusal) = self.too_much(answer.count) {
            self.items.truncate(before.0);
            self.totals = before.1;
            return Err(refusal);
        }
        self.regroup();
        if let Some((key, digest)) = idempotent {
            self.answers.push(Given {
                key: key.to_owned(),
                digest,
                at: now,
                answer: answer.clone(),
            });
        }
        Ok(answer)
    }

    fn enter(&mut self, now: u64, offers: &[Offer]) -> Answer {
        let first = self.items.len();
        let mut duplicates = Vec::new();
        for (position, offer) in offers.iter().enumerate() {
            if let Some(owner) = offer.key.as_deref().and_then(|key| self.owner(key)) {
                duplicates.push((position, owner));
                self.totals.duplicates += 1;
                continue;
            }
            self.totals.enqueued += 1;
            let place = match offer.delay {
                0 => Place::Ready,
                delay => Place::Delayed { due: now + delay },
            };
            self.items.push(Entry {
                place,
                came: now,
                body: offer.body,
                attempts: 0,
                lent: 0,
                ended: None,
                past: Vec::new(),
                priority: offer.priority,
                group: offer.group.clone(),
                key: offer.key.clone(),
                expires: offer.ttl.map(|ttl| now + ttl),
                trace: offer.trace(),
                held_until: None,
                releases: 0,
                repeatable: None,
            });
        }
        Answer {
            first,
            count: self.items.len() - first,
            duplicates,
        }
    }

    /// Why these new items are too much, if they are. No new ones never are.
    fn too_much(&self, new: usize) -> Option<Refusal> {
        let held = |entry: &&Entry| entry.is_live() || entry.place == Place::Dead;
        let held = || self.items.iter().filter(held);
        let (items, bytes) = (held().count() as u64, held().map(Entry::bytes).sum::<u64>());
        let limits = &self.settings;
        let items = limits.max_items.filter(|limit| items > *limit);
        let bytes = limits.max_bytes.filter(|limit| bytes > *limit);
        let refusal = items.map(Refusal::TooManyItems);
        refusal
            .or(bytes.map(Refusal::TooManyBytes))
            .filter(|_| new > 0)
    }
}
