//! Workers, and what befalls them.

use queue_core::{How, Settlement};

use super::{Errand, World};
use crate::support::{Token, ms, plain};

impl World {
    pub(super) fn ask(&mut self) {
        if self.shell.queue.is_drained() {
            return;
        }
        let max = 1 + self.chance.below(3) as usize;
        let tokens = self.shell.ask(max, u64::MAX, self.lease);
        self.oracle
            .lent(self.shell.now, self.lease, max, &tokens, &self.shell.queue);
        // A crash, or an answer that never arrived: nobody knows of these leases any more.
        let crashed = self.chance.percent(self.trouble / 4);
        if !crashed {
            tokens.into_iter().for_each(|token| self.work_on(token));
        }
        self.soon(Errand::Ask);
    }

    fn work_on(&mut self, token: Token) {
        let lease = self.lease.as_millis() as u64;
        let settlement = self.settlement();
        if self.chance.percent(10) {
            let at = self.chance.below(lease + lease / 4);
            self.after(at, Errand::Make(token));
        }
        let again = if self.chance.percent(self.trouble / 2) {
            1 + self.chance.below(3)
        } else {
            0
        };
        let settle = Errand::Settle {
            token,
            settlement,
            again,
        };
        if !self.chance.percent(self.trouble) {
            let at = self.chance.below(lease);
            return self.after(at, settle);
        }
        match self.chance.below(4) {
            0 => self.after(lease, settle),
            1 => {
                let late = lease + self.chance.below(2 * lease);
                self.after(late, settle);
            }
            2 => {
                let early = 1 + self.chance.below(2);
                self.after(lease - early, settle);
            }
            _ => {
                let times = 1 + self.chance.below(6);
                self.after(
                    lease / 2,
                    Errand::Extend {
                        token,
                        times,
                        settlement,
                    },
                );
            }
        }
    }

    fn settlement(&mut self) -> Settlement {
        let how = match self.chance.below(100) {
            0..60 => How::Acked,
            60..80 => How::Nacked,
            80..97 => How::Released,
            _ => How::Buried,
        };
        let delay = self.chance.percent(20).then(|| ms(self.chance.below(50)));
        let exit_code = self.chance.percent(30).then_some(1);
        Settlement {
            delay,
            exit_code,
            ..plain(how)
        }
    }

    pub(super) fn settle(&mut self, token: Token, settlement: Settlement, again: u64) {
        // Each try brings its own copies of the note and the log, as a request does.
        let mut text = || {
            let len = self.chance.below(30) as u32;
            self.chance.percent(50).then(|| self.shell.blobs.store(len))
        };
        let (note, log) = (text(), text());
        let answer = self.shell.settle_with(
            token,
            Settlement {
                note,
                log,
                ..settlement
            },
        );
        self.oracle
            .settled(self.shell.now, token, settlement, answer, &self.shell.queue);
        if again > 0 {
            let mut settlement = settlement;
            // Now and then someone else says something else with the same token.
            if self.chance.percent(15) {
                settlement = self.settlement();
            }
            let at = self.chance.below(2 * self.lease.as_millis() as u64);
            self.after(
                at,
                Errand::Settle {
                    token,
                    settlement,
                    again: again - 1,
                },
            );
        }
    }

    pub(super) fn extend(&mut self, token: Token, times: u64, settlement: Settlement) {
        let answer = self.shell.extend(token, self.lease);
        self.oracle
            .extended(self.shell.now, token, self.lease, answer);
        let at = self.chance.below(self.lease.as_millis() as u64 + 2);
        let next = match times {
            0 | 1 => Errand::Settle {
                token,
                settlement,
                again: 0,
            },
            _ => Errand::Extend {
                token,
                times: times - 1,
                settlement,
            },
        };
        self.after(at, next);
    }

    pub(super) fn take(&mut self) {
        if let Some(seq) = self.shell.take() {
            self.oracle.taken(self.shell.now, seq);
        }
        if !self.shell.queue.is_drained() {
            self.after(self.lease.as_millis() as u64, Errand::Take);
        }
    }
}
