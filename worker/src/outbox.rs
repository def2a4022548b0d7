//! What is to be settled: verdicts from the moment a handler gives them until the server has them.
//!
//! Each entry keeps its lease alive. It knows what the server may say to a settlement and what is to
//! be done about it, but not when calls are made.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use queue_api::{Code, SettleAs, Settled, Settlement, Trace, limits};
use queue_client::{CARRY_BYTES, Lease, carry_bytes};

use crate::slots::CallId;
use crate::summary::Summary;
use crate::verdict::{Failure, Verdict};

/// Verdicts on their way.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<Entry>,
    sent: HashMap<CallId, Vec<Entry>>,
}

/// What became of the settlements of a call.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Answered {
    /// How many are still to be made.
    pub(crate) again: usize,
    /// Whether there was a failure among them: the item may be dead.
    pub(crate) failures: bool,
}

#[derive(Debug)]
struct Entry {
    lease: Arc<Lease>,
    settlement: Settlement,
}

impl Outbox {
    /// How many verdicts the server has not taken yet.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.sent.values().map(Vec::len).sum::<usize>()
    }

    /// Takes a verdict in; false if there is nothing to settle about it.
    pub(crate) fn put(&mut self, lease: Arc<Lease>, verdict: Verdict) -> bool {
        let Some(settlement) = settlement(&lease, verdict) else {
            return false;
        };
        self.waiting.push_back(Entry { lease, settlement });
        true
    }

    /// The settlements that go with this call: as many as fit into one.
    pub(crate) fn send(&mut self, call: CallId) -> Vec<Settlement> {
        let mut bytes = 0;
        let mut batch = Vec::new();
        while let Some(entry) = self.waiting.front() {
            bytes += carry_bytes(&entry.settlement);
            let full = bytes > CARRY_BYTES || batch.len() == limits::MAX_SETTLEMENTS;
            if full && !batch.is_empty() {
                break;
            }
            batch.extend(self.waiting.pop_front());
        }
        let settlements = batch.iter().map(|entry| entry.settlement.clone()).collect();
        self.sent.insert(call, batch);
        settlements
    }

    /// The trace that this call belongs to: that of the one item whose settlement it carries. A call for items
    /// of several traces is part of none.
    pub(crate) fn trace(&self, call: CallId) -> Option<Trace> {
        match self.sent.get(&call)?.as_slice() {
            [entry] => entry.lease.trace(),
            _ => None,
        }
    }

    /// The call was cut off or failed: its settlements go out again. How many there are.
    pub(crate) fn unsent(&mut self, call: CallId) -> usize {
        let entries = self.sent.remove(&call).unwrap_or_default();
        let count = entries.len();
        for entry in entries.into_iter().rev() {
            self.waiting.push_front(entry);
        }
        count
    }

    /// What the server said to the settlements of this call.
    pub(crate) fn answered(
        &mut self,
        call: CallId,
        answers: &[Settled],
        summary: &mut Summary,
    ) -> Answered {
        let mut answered = Answered::default();
        let entries = self.sent.remove(&call).unwrap_or_default();
        for (place, entry) in entries.into_iter().enumerate() {
            let token = &entry.settlement.lease;
            let answer = answers.get(place).filter(|answer| answer.lease == *token);
            let retry = match answer {
                Some(answer) if answer.ok => {
                    let verdict = entry.settlement.verdict;
                    answered.failures |= matches!(verdict, SettleAs::Nack | SettleAs::Dead);
                    summary.settled(verdict);
                    None
                }
                Some(answer) => refused(entry, answer.code, summary),
                // An answer that leaves it out leaves it open.
                None => Some(entry),
            };
            answered.again += usize::from(retry.is_some());
            self.waiting.extend(retry);
        }
        answered
    }

    /// Gives up on everything that waits. How many there were.
    pub(crate) fn abandon(&mut self) -> usize {
        let count = self.waiting.len();
        for entry in self.waiting.drain(..) {
            let Entry { lease, settlement } = entry;
            let verdict = settlement.verdict.as_str();
            tracing::warn!(item.id = %lease.id, trace.id = lease.trace_id(), item.verdict = verdict, "the verdict never reached the server");
        }
        count
    }
}

/// What to do about a settlement that the server does not take.
fn refused(entry: Entry, code: Option<Code>, summary: &mut Summary) -> Option<Entry> {
    let Entry { lease, settlement } = entry;
    let (item, trace) = (lease.id, lease.trace_id());
    let verdict = settlement.verdict.as_str();
    let code_text = code.map_or("no code", Code::as_str);
    match (code, settlement.verdict) {
        (Some(Code::LeaseLost), _) => {
            tracing::warn!(item.id = %item, trace.id = trace, item.verdict = verdict, "the lease was lost: the item is no longer ours to settle");
        }
        (_, SettleAs::Ack) => {
            // The queue takes smaller results than this one. Said once, as the item's failure.
            let length = settlement.result.as_ref().map_or(0, |result| match result {
                serde_json::Value::String(text) => text.len(),
                other => other.to_string().len(),
            });
            let error = format!("the server refused the result of {length} bytes: {code_text}");
            tracing::warn!(item.id = %item, trace.id = trace, error.message = error, "the result is refused; the attempt failed");
            let printed = settlement.log.unwrap_or_default();
            let failure = Failure::new(error).with_output(&printed);
            let settlement = settlement_of(&lease, SettleAs::Nack, failure);
            return Some(Entry { lease, settlement });
        }
        _ => {
            tracing::error!(item.id = %item, trace.id = trace, item.verdict = verdict, error.message = code_text, "the server refused to settle the item");
        }
    }
    summary.lost();
    None
}

fn settlement(lease: &Lease, verdict: Verdict) -> Option<Settlement> {
    match verdict {
        Verdict::Lost => None,
        Verdict::Ack { result, log } => Some(Settlement {
            result: result.map(serde_json::Value::String),
            log: Some(cut(log, limits::MAX_LOG_BYTES)).filter(|log| !log.is_empty()),
            ..Settlement::new(lease.lease.clone(), SettleAs::Ack)
        }),
        Verdict::Nack(failure, delay) => Some(Settlement {
            delay_ms: delay.map(millis),
            ..settlement_of(lease, SettleAs::Nack, failure)
        }),
        Verdict::Dead(failure) => Some(settlement_of(lease, SettleAs::Dead, failure)),
        Verdict::Broken(failure) => Some(settlement_of(lease, SettleAs::Release, failure)),
        Verdict::Release(failure, delay) => Some(Settlement {
            delay_ms: delay.map(millis),
            ..settlement_of(lease, SettleAs::Release, failure)
        }),
    }
}

fn settlement_of(lease: &Lease, verdict: SettleAs, failure: Failure) -> Settlement {
    let Failure { error, exit_code } = failure;
    let error = cut(error, limits::MAX_ERROR_BYTES);
    Settlement {
        error: Some(error).filter(|error| !error.is_empty()),
        exit_code,
        ..Settlement::new(lease.lease.clone(), verdict)
    }
}

fn cut(mut text: String, most: usize) -> String {
    text.truncate(text.floor_char_boundary(most));
    text
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
