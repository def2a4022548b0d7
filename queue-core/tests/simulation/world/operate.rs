//! The operator, who has the power to spoil it all.

use queue_core::{Kind, Purge, Seq, Settings};

use super::{Errand, World};
use crate::support::ms;

impl World {
    pub(super) fn operate(&mut self, times: u64) {
        match self.chance.below(12) {
            0 => self.purge(),
            1..4 => self.configure(),
            4..7 => self.cancel(),
            7..9 => self.redrive(),
            _ => {
                self.shell.pause();
                self.oracle.paused = true;
                let at = self.chance.below(3 * self.lease.as_millis() as u64);
                self.after(at, Errand::Resume);
            }
        }
        if times > 0 {
            self.soon(Errand::Operate(times - 1));
        }
    }

    pub(super) fn resume(&mut self) {
        self.shell.resume();
        self.oracle.paused = false;
    }

    fn purge(&mut self) {
        let before = self.shell.queue.next_seq();
        let purge = Purge {
            ready: true,
            delayed: true,
            dead: false,
            before,
        };
        let items = self.shell.purge(purge);
        self.oracle.purged(items, &self.shell.queue);
    }

    /// Changes one of the settings under the feet of all.
    fn configure(&mut self) {
        let chance = &mut self.chance;
        let mut settings = *self.shell.queue.settings();
        match chance.below(5) {
            0 => settings.max_attempts = 1 + chance.below(5) as u32,
            1 => settings.max_leased = chance.percent(50).then(|| 1 + chance.below(6)),
            2 => settings.max_leased_per_group = chance.percent(60).then(|| 1 + chance.below(3)),
            3 => settings.key_window = ms(chance.one_of(&[0, 50, 3_000])),
            _ => {
                let rate = chance.one_of(&[20.0, 100.0, 500.0]);
                settings.rate_per_s = chance.percent(50).then_some(rate);
                settings.burst = None;
            }
        }
        self.shell.configure(|old: &mut Settings| *old = settings);
        self.oracle.configured(settings);
    }

    /// Cancels some item that ever came in, whatever became of it.
    fn cancel(&mut self) {
        let came = self.shell.queue.next_seq().0;
        if came == 0 {
            return;
        }
        let seq = Seq(self.chance.below(came));
        let answer = self.shell.cancel(seq);
        self.oracle
            .cancelled(self.shell.now, seq, answer, &self.shell.queue);
    }

    /// Brings back some of the dead items, and asks the same for one that may not be dead.
    fn redrive(&mut self) {
        let dead = self.shell.queue.look(Some(Kind::Dead), None);
        let dead: Vec<_> = dead.map(|(seq, _)| seq).collect();
        let mut seqs: Vec<_> = dead
            .into_iter()
            .filter(|_| self.chance.percent(70))
            .collect();
        let came = self.shell.queue.next_seq().0;
        if came > 0 {
            seqs.push(Seq(self.chance.below(came)));
        }
        let count = self.shell.redrive(&seqs);
        self.oracle.redriven(self.shell.now, &seqs, count);
        // The workers may have gone home by now.
        if count > 0 {
            self.soon(Errand::Ask);
        }
    }

    pub(super) fn seal(&mut self) {
        // Some who load a queue seal it too early and open it once more.
        if !self.oracle.sealed && self.chance.percent(20) {
            self.shell.seal();
            self.shell.reopen();
            return self.soon(Errand::Seal);
        }
        self.shell.seal();
        self.oracle.sealed = true;
    }
}
