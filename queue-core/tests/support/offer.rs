//! Items that come with more than a body, and the answers to those who offer them.

use std::sync::Arc;
use std::time::Duration;

use queue_core::{Ask, Entered, Event, Options, Refusal, Seq};

use super::{Shell, Token, ms};

/// An item as somebody offers it: times in milliseconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Offer {
    pub(crate) body: u32,
    pub(crate) priority: i16,
    pub(crate) group: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) delay: u64,
    pub(crate) ttl: Option<u64>,
}

/// What somebody who offers items is told: the first place, how many came in, and which of them did
/// not, with the items that have their keys.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) first: usize,
    pub(crate) count: usize,
    pub(crate) duplicates: Vec<(usize, usize)>,
}

impl Shell {
    /// Offers items as a server does: an answer that was given to the same request before is found
    /// first. `under` is the lease of their maker, `idempotent` a key and what the request comes to.
    pub(crate) fn offer_all(
        &mut self,
        offers: &[Offer],
        under: Option<Token>,
        idempotent: Option<(&str, u64)>,
    ) -> Result<Answer, Refusal> {
        self.catch_up();
        if let Some(answer) = self.answered_before(idempotent) {
            return Ok(answer);
        }
        let bodies: Vec<_> = offers.iter().map(|offer| offer.body).collect();
        let options: Vec<_> = offers.iter().map(Offer::options).collect();
        let entered = self.offer_with(&bodies, &options, under, idempotent)?;
        Ok(entered.into())
    }

    fn answered_before(&mut self, idempotent: Option<(&str, u64)>) -> Option<Answer> {
        let (key, digest) = idempotent?;
        let recalled = self.queue.recalled(self.now, key)?.clone();
        if recalled.digest != digest {
            return None;
        }
        let key = key.into();
        self.act(|queue, now, _, events| queue.recall(now, &key, events));
        let duplicates = recalled.duplicates.iter();
        Some(Answer {
            first: recalled.first.0 as usize,
            count: recalled.count as usize,
            duplicates: duplicates
                .map(|(at, seq)| (*at as usize, place(*seq)))
                .collect(),
        })
    }

    /// Leases what there is, up to so many items and bytes of bodies.
    pub(crate) fn ask(&mut self, max: usize, max_bytes: u64, length: Duration) -> Vec<Token> {
        let ask = Ask {
            max,
            max_bytes,
            length,
            worker: Some(&"ada".into()),
        };
        self.act(|queue, now, entropy, events| {
            queue.lease(now, ask, entropy, events);
            let token = |event: &Event| match *event {
                Event::Leased { seq, fence, .. } => Token { seq, fence },
                ref other => panic!("a lease made {other:?}"),
            };
            events.iter().map(token).collect()
        })
    }
}

impl Offer {
    /// The trace it comes with, if it does: of those that say more than a body, about every other.
    pub(crate) fn trace(&self) -> Option<String> {
        let traced = self.delay % 2 == 1 || self.priority % 2 != 0;
        traced.then(|| format!("a trace of {}", self.body % 3))
    }

    /// What it says besides its body, if anything.
    fn options(&self) -> Option<Options> {
        let options = Options {
            priority: self.priority,
            group: self.group.as_deref().map(Arc::from),
            key: self.key.as_deref().map(Arc::from),
            delay: ms(self.delay),
            ttl: self.ttl.map(ms),
            trace: self.trace().map(Arc::from),
        };
        (options != Options::default()).then_some(options)
    }
}

impl From<Entered> for Answer {
    fn from(entered: Entered) -> Self {
        let duplicates = entered.duplicates.into_iter();
        Self {
            first: place(entered.first),
            count: entered.count as usize,
            duplicates: duplicates.map(|(at, seq)| (at, place(seq))).collect(),
        }
    }
}

fn place(seq: Seq) -> usize {
    seq.0 as usize
}
