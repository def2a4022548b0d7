//! What must be true of the items that went out: that they might, and that no other had to go before.

use std::time::Duration;

use queue_core::{Item, Queue, Seq, State, Time};

use super::{End, Fate, Oracle, Status};
use crate::support::Token;

impl Oracle {
    /// Items were lent to somebody who asked for at most `max`.
    pub(crate) fn lent(
        &mut self,
        now: Time,
        length: Duration,
        max: usize,
        tokens: &[Token],
        queue: &Queue,
    ) {
        let longest = self.settings.max_lease;
        let deadline = now + longest.map_or(length, |longest| longest.min(length));
        assert!(tokens.len() <= max && (!self.paused || tokens.is_empty()));
        for &Token { seq, fence } in tokens {
            assert!(self.fences.insert(fence), "a fence was given twice");
            self.fate(seq).lend(now, fence, deadline);
            self.went_out(now);
            let attempts = self.fate(seq).attempts;
            assert_eq!(
                queue.item(seq).map(Item::attempts),
                Some(attempts),
                "{seq:?}"
            );
            assert!(self.has_room(seq), "{seq:?} is one too many");
        }
        let limited = self.settings.rate_per_s.is_some() || self.is_full() || self.paused;
        for (stayed, fate) in self.ready(queue) {
            for token in tokens {
                self.judge_order(token.seq, stayed, fate);
            }
            let wanted_more = tokens.len() < max;
            assert!(limited || !wanted_more, "{stayed:?} was held back");
        }
    }

    /// The items that could have gone out, as far as their groups go.
    fn ready<'a>(&'a self, queue: &Queue) -> Vec<(Seq, &'a Fate)> {
        let is_ready = |seq: &Seq| queue.item(*seq).map(Item::state) == Some(State::Ready);
        let ready = self.fates.iter().filter(|(seq, _)| is_ready(seq));
        let ready = ready.filter(|(_, fate)| self.has_room_for_another(fate));
        ready.map(|(seq, fate)| (*seq, fate)).collect()
    }

    /// One item went out and another one stayed.
    fn judge_order(&self, out: Seq, stayed: Seq, fate: &Fate) {
        let gone = &self.fates[&out];
        assert!(
            fate.priority <= gone.priority,
            "{stayed:?} is more urgent than {out:?}"
        );
        let same = (&fate.group, fate.priority) == (&gone.group, gone.priority);
        assert!(!same || out < stayed, "{stayed:?} is older than {out:?}");
    }

    fn has_room(&self, seq: Seq) -> bool {
        let in_all = self.settings.max_leased;
        let of_group =
            (self.settings.max_leased_per_group).filter(|_| self.fates[&seq].group.is_some());
        let group = self.held(|fate| fate.group == self.fates[&seq].group);
        in_all.is_none_or(|most| self.held(|_| true) <= most)
            && of_group.is_none_or(|most| group <= most)
    }

    fn has_room_for_another(&self, fate: &Fate) -> bool {
        let held = self.held(|other| other.group == fate.group);
        let most = self.settings.max_leased_per_group;
        fate.group.is_none() || most.is_none_or(|most| held < most)
    }

    fn is_full(&self) -> bool {
        let most = self.settings.max_leased;
        most.is_some_and(|most| self.held(|_| true) >= most)
    }

    fn held(&self, is_one: impl Fn(&Fate) -> bool) -> u64 {
        let held = |fate: &&Fate| matches!(fate.status, Status::Held { .. }) && is_one(fate);
        self.fates.values().filter(held).count() as u64
    }

    pub(crate) fn taken(&mut self, now: Time, seq: Seq) {
        assert!(!self.paused && !self.is_full(), "{seq:?} was taken");
        let window = self.settings.key_window;
        let fate = self.fate(seq);
        assert!(!fate.is_over(now), "{seq:?} had expired");
        fate.last = None;
        fate.end(End::Taken, now, window);
        self.went_out(now);
    }

    /// In no span of time go out more items than the rate and a burst allow, and one for the rounding
    /// of clocks.
    fn went_out(&mut self, now: Time) {
        let Some(rate) = self.settings.rate_per_s else {
            return;
        };
        self.given.push(now);
        let burst = self.settings.burst.unwrap_or((rate / 10.0) as u64).max(1) as f64;
        for (at, since) in self.given.iter().enumerate() {
            let count = (self.given.len() - at) as f64;
            let span = now.since(*since).as_secs_f64();
            assert!(
                count <= span * rate + burst + 1.0,
                "{count} items went out in {span} s"
            );
        }
        self.seen.paced += 1;
    }
}
