//! Producers, and what they offer.

use queue_core::Refusal;

use super::{Errand, World};
use crate::support::{Offer, Token};

/// What a producer sends, word for word again if it has to.
#[derive(Debug)]
pub(super) struct Request {
    offers: Vec<Offer>,
    /// By what the queue knows it again.
    name: Option<String>,
    /// How often its answer gets lost.
    lost: u64,
}

impl World {
    pub(super) fn request(&mut self, number: u64) -> Request {
        let items = 1 + self.chance.below(6);
        let named = self.chance.percent(30);
        Request {
            offers: (0..items).map(|_| self.offer()).collect(),
            name: named.then(|| format!("request {number}")),
            lost: if named { self.chance.below(3) } else { 0 },
        }
    }

    fn offer(&mut self) -> Offer {
        let lease = self.lease.as_millis() as u64;
        let plain = Offer {
            body: self.chance.below(40) as u32,
            ..Offer::default()
        };
        if !self.chance.percent(self.rich) {
            return plain;
        }
        let mut name = |kind: &str, share, count| {
            let named = self.chance.percent(share);
            named.then(|| format!("{kind} {}", self.chance.below(count)))
        };
        let (group, key) = (name("group", 60, 5), name("key", 30, 12));
        let some = |chance: &mut crate::support::Chance, longest| {
            let wanted = chance.percent(15);
            wanted.then(|| 1 + chance.below(longest))
        };
        Offer {
            priority: self.chance.one_of(&[0, 0, 0, -5, 3, 100]),
            group,
            key,
            delay: some(&mut self.chance, 2 * lease).unwrap_or(0),
            ttl: some(&mut self.chance, 10 * lease),
            ..plain
        }
    }

    pub(super) fn produce(&mut self, mut request: Request) {
        let name = request.name.clone();
        match self.send(&request.offers, None, name.as_deref(), 0) {
            Ok(()) if request.lost > 0 => {
                request.lost -= 1;
                self.soon(Errand::Produce(request));
            }
            // Whoever finds the name taken by another request has no second one.
            Ok(()) | Err(Refusal::Sealed | Refusal::IdempotencyMismatch) => {}
            Err(_) => self.soon(Errand::Produce(request)),
        }
        // Now and then someone else picks the same name.
        if let Some(name) = name
            && self.chance.percent(5)
        {
            let other = [self.offer()];
            let _ = self.send(&other, None, Some(&name), 1);
        }
    }

    pub(super) fn make(&mut self, token: Token) {
        let offers = [self.offer()];
        // Whether it worked is for the oracle to judge: its maker cannot do anything about it.
        let _ = self.send(&offers, Some(token), None, 0);
    }

    fn send(
        &mut self,
        offers: &[Offer],
        under: Option<Token>,
        name: Option<&str>,
        digest: u64,
    ) -> Result<(), Refusal> {
        let idempotent = name.map(|name| (name, digest));
        let answer = self.shell.offer_all(offers, under, idempotent);
        let now = self.shell.now;
        self.oracle.offered(now, offers, under, idempotent, &answer);
        answer.map(|_| ())
    }
}
