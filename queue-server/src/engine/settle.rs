//! Settling and extending leases.

use std::time::Duration;

use queue_api::limits::{MAX_ERROR_BYTES, MAX_LOG_BYTES};
use queue_api::{Code, LeaseToken, SettleAs, Settled};
use queue_core::{How, LeaseLost, Settlement, Time};
use queue_log::Room;

use super::Shared;
use super::fault::Fault;
use super::live::LiveQueue;
use super::room::A_NOTE;
use super::store::Rest;
use super::token::Token;
use super::turn::Turn;

/// What a worker says of one lease.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    /// How the attempt ended.
    pub(crate) verdict: SettleAs,
    /// The result of an ack; the error of anything else.
    pub(crate) note: Option<Vec<u8>>,
    /// The exit code of the command that handled the item.
    pub(crate) exit_code: Option<i32>,
    /// What the attempt printed.
    pub(crate) log: Option<Vec<u8>>,
    /// Retry after this instead of the back-off.
    pub(crate) delay: Option<Duration>,
}

/// A verdict and the lease it is about.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// The lease.
    pub(crate) lease: LeaseToken,
    /// What is said of it.
    pub(crate) verdict: Verdict,
}

/// What an attempt leaves behind.
struct Left<'v> {
    note: Option<&'v [u8]>,
    log: Option<&'v [u8]>,
}

impl LiveQueue {
    /// Applies settlements in their order; each is applied or refused for itself.
    pub(crate) async fn settle(&self, reports: &[Report]) -> Result<Vec<Settled>, Fault> {
        self.commit(|turn| self.settle_in(turn, reports)).await
    }

    /// Applies one settlement, or says why not; true if it had been applied before.
    pub(crate) async fn settle_one(&self, token: Token, verdict: &Verdict) -> Result<bool, Fault> {
        self.commit(|turn| self.decide_one(turn, token, verdict))
            .await?
    }

    /// Extends leases: what remains of each from now on.
    pub(crate) async fn extend(
        &self,
        leases: &[LeaseToken],
        length: Option<Duration>,
    ) -> Result<Vec<Settled>, Fault> {
        self.prolong(|turn| {
            let extend = |lease: &LeaseToken| {
                let token = self.token(lease).ok_or(LeaseLost);
                let until = token.and_then(|token| extend_in(turn, token, length));
                match until {
                    Ok(deadline) => Settled {
                        lease_ms: Some(millis(deadline, turn.now)),
                        ..applied(lease.clone(), false)
                    },
                    Err(LeaseLost) => refused(lease.clone(), Code::LeaseLost),
                }
            };
            leases.iter().map(extend).collect()
        })
        .await
    }

    /// Extends one lease: when it ends, and how many milliseconds remain of it.
    pub(crate) async fn extend_one(
        &self,
        token: Token,
        length: Option<Duration>,
    ) -> Result<u64, Fault> {
        self.prolong(|turn| {
            extend_in(turn, token, length)
                .map(|deadline| millis(deadline, turn.now))
                .map_err(|LeaseLost| Fault::LeaseLost)
        })
        .await?
    }

    /// Runs a command that does no more than extend leases: what it changed survives the process, and
    /// may trail on disk.
    async fn prolong<R>(&self, command: impl FnOnce(&mut Turn<'_>) -> R) -> Result<R, Fault> {
        let (extended, Rest { written, .. }) = self.turn(command)?;
        let rest = Rest {
            written,
            ..Rest::default()
        };
        self.shared.store().wait(rest).await?;
        Ok(extended)
    }

    pub(super) fn settle_in(&self, turn: &mut Turn<'_>, reports: &[Report]) -> Vec<Settled> {
        let settle = |report: &Report| {
            let lease = report.lease.clone();
            let Some(token) = self.token(&lease) else {
                return refused(lease, Code::LeaseLost);
            };
            match self.decide_one(turn, token, &report.verdict) {
                Ok(repeated) => applied(lease, repeated),
                Err(fault) => refused(lease, fault.code()),
            }
        };
        reports.iter().map(settle).collect()
    }

    fn decide_one(
        &self,
        turn: &mut Turn<'_>,
        token: Token,
        verdict: &Verdict,
    ) -> Result<bool, Fault> {
        let note = self.checked_note(turn, verdict)?;
        let Left { note, log } = self.with_room(verdict, note, checked_log(verdict))?;
        let entropy = turn.draw();
        let mut put = |bytes: &[u8]| turn.inner.bodies.put(bytes);
        let (note, log) = (note.map(&mut put), log.map(&mut put));
        let settlement = Settlement {
            how: match verdict.verdict {
                SettleAs::Ack => How::Acked,
                SettleAs::Nack => How::Nacked,
                SettleAs::Release => How::Released,
                SettleAs::Dead => How::Buried,
            },
            delay: verdict.delay,
            note,
            exit_code: verdict.exit_code,
            log,
        };
        let mut started = None;
        let settled = turn.apply(|core, now, events| {
            started = core.lease_of(token.seq).map(|lease| lease.started);
            core.settle(now, token.seq, token.fence, settlement, entropy, events)
        });
        if let Err(_) | Ok(queue_core::Settled::Before) = &settled {
            // The last first: so memory is given back as it was taken.
            for blob in [log, note].into_iter().flatten() {
                turn.inner.bodies.free(blob);
            }
        }
        match settled {
            Ok(queue_core::Settled::Now) => {
                if let Some(started) = started.filter(|_| verdict.verdict != SettleAs::Release) {
                    turn.inner.measured.add(turn.now, turn.now.since(started));
                }
                Ok(false)
            }
            Ok(queue_core::Settled::Before) => Ok(true),
            Err(LeaseLost) => Err(Fault::LeaseLost),
        }
    }

    /// What of a note and a log there is room for. Room is kept for what ends items, and not for all they
    /// leave: on a full disk, and where all queues hold as many bytes as they may, a log is dropped and a
    /// long error is cut. A long result must wait for the disk, or no room would come back; it is kept with
    /// what is done, which has a bound of its own.
    fn with_room<'v>(
        &self,
        verdict: &Verdict,
        note: Option<&'v [u8]>,
        log: Option<&'v [u8]>,
    ) -> Result<Left<'v>, Fault> {
        let is_done = verdict.verdict == SettleAs::Ack;
        let short = note.map(|note| &note[..note.len().min(A_NOTE)]);
        let bytes = |bytes: Option<&[u8]>| bytes.map_or(0, |bytes| bytes.len() as u64);
        let room = |bytes: u64| {
            let Shared { held, limits, .. } = &*self.shared;
            self.shared.room_to_keep(bytes)?;
            match is_done {
                true => Ok(()),
                false => held.has_room_for(limits, 0, bytes),
            }
        };
        let log = log.filter(|log| room(bytes(note) + log.len() as u64).is_ok());
        let note = match room(bytes(note)) {
            Err(_) if !is_done => short,
            Err(full) if short != note => return Err(full),
            Ok(()) | Err(_) => note,
        };
        let brought = bytes(note) + bytes(log);
        self.shared.room_for(Room::Settle, 1, brought)?;
        Ok(Left { note, log })
    }

    /// A result over the limit is refused, so that its worker can say something shorter; an error is
    /// cut, because a failure must not fail for being long.
    fn checked_note<'v>(
        &self,
        turn: &Turn<'_>,
        verdict: &'v Verdict,
    ) -> Result<Option<&'v [u8]>, Fault> {
        let Some(note) = verdict.note.as_deref().filter(|note| !note.is_empty()) else {
            return Ok(None);
        };
        if verdict.verdict != SettleAs::Ack {
            return Ok(Some(&note[..note.len().min(MAX_ERROR_BYTES)]));
        }
        let limit = turn.inner.settings.max_result_bytes;
        if note.len() as u64 > limit {
            return Err(Fault::ResultTooLarge {
                name: self.name.clone(),
                bytes: note.len(),
                limit,
            });
        }
        Ok(Some(note))
    }

    /// What a token names in this queue.
    pub(super) fn token(&self, lease: &LeaseToken) -> Option<Token> {
        Token::decode(lease).filter(|token| token.incarnation == self.incarnation)
    }
}

/// A log is cut, as an error is.
fn checked_log(verdict: &Verdict) -> Option<&[u8]> {
    let log = verdict.log.as_deref().filter(|log| !log.is_empty());
    log.map(|log| &log[..log.len().min(MAX_LOG_BYTES)])
}

fn extend_in(
    turn: &mut Turn<'_>,
    token: Token,
    length: Option<Duration>,
) -> Result<Time, LeaseLost> {
    let length = length.unwrap_or(Duration::from_millis(turn.inner.settings.lease_ms));
    turn.prolong(|core, now, events| core.extend(now, token.seq, token.fence, length, events))
}

fn millis(deadline: Time, now: Time) -> u64 {
    deadline.since(now).as_millis() as u64
}

fn applied(lease: LeaseToken, repeated: bool) -> Settled {
    Settled {
        lease,
        ok: true,
        repeated,
        code: None,
        lease_ms: None,
    }
}

fn refused(lease: LeaseToken, code: Code) -> Settled {
    Settled {
        lease,
        ok: false,
        repeated: false,
        code: Some(code),
        lease_ms: None,
    }
}
