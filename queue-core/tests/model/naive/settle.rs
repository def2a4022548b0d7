//! How attempts end, and where their items go.

use std::ops::RangeInclusive;

use queue_core::{Fence, How, LeaseLost, Settled, Settlement};

use super::{End, Naive, Past, Place, millis};

impl Naive {
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
        settlement: Settlement,
        drawn: Option<u64>,
    ) -> Result<Settled, LeaseLost> {
        let how = settlement.how;
        let entry = self.items.get_mut(seq).ok_or(LeaseLost)?;
        if !matches!(entry.place, Place::Leased { fence: held, .. } if held == fence) {
            let repeat = entry.repeatable == Some((fence, how)) && entry.place != Place::Gone;
            return if repeat {
                Ok(Settled::Before)
            } else {
                Err(LeaseLost)
            };
        }
        self.end_attempt(seq, now, settlement);
        self.items[seq].repeatable = Some((fence, how));
        match how {
            How::Acked => {
                self.totals.acked += 1;
                self.end(seq, Some(End::Done), now);
            }
            How::Buried => self.end(seq, None, now),
            How::Nacked | How::Released => self.try_again(seq, now, settlement, drawn),
            How::Expired | How::Revoked => panic!("no worker says this"),
        }
        Ok(Settled::Now)
    }

    /// The attempt of a leased item becomes a past one.
    pub(super) fn end_attempt(&mut self, seq: usize, ended: u64, settlement: Settlement) {
        let Place::Leased { fence, started, .. } = self.items[seq].place else {
            panic!("item {seq} has no attempt to end")
        };
        let nth = self.items[seq].attempts;
        self.items[seq].past.push(Past {
            fence,
            nth,
            started,
            ended,
            how: settlement.how,
            note: settlement.note.map(|note| note.len),
            log: settlement.log.map(|log| log.len),
            exit_code: settlement.exit_code,
        });
    }

    fn try_again(&mut self, seq: usize, now: u64, settlement: Settlement, drawn: Option<u64>) {
        let entry = &mut self.items[seq];
        let delay = settlement.delay.map(millis);
        let mut spent = true;
        let wait = if settlement.how == How::Nacked {
            self.totals.nacked += 1;
            let factor = self.settings.backoff.factor as u64;
            let grown = millis(self.settings.backoff.min) * factor.pow(entry.attempts - 1);
            let longest = grown.min(millis(self.settings.backoff.max));
            delay.map_or(longest.div_ceil(2)..=longest, |delay| delay..=delay)
        } else {
            self.totals.released += 1;
            entry.releases += 1;
            spent = entry.releases > 10;
            let delay = delay.unwrap_or(0);
            delay..=delay
        };
        let exhausted = spent && entry.attempts >= self.settings.max_attempts;
        entry.attempts -= u32::from(!spent);
        if self.items[seq].is_over(now) {
            self.end(seq, Some(End::Expired), now);
        } else if exhausted {
            self.end(seq, None, now);
        } else {
            self.items[seq].place = waiting(now, wait, drawn);
        }
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
