//! The queue as the wire shows it.

use queue_api::{
    Body, Counts, Finish, Handling, ItemId, Outcome, Queue, QueueName, Totals, Verdict,
};
use queue_core::{Attempt, Blob, How, State};

use super::clock::timestamp;
use super::grant::Bytes;
use super::live::Inner;
use super::seen::{RAN_OUT, text};
use super::turn::Turn;

pub(super) fn queue(name: &QueueName, turn: &mut Turn<'_>) -> Queue {
    let now = turn.now;
    let rate_per_s = turn.inner.rate.per_second(now);
    let Inner {
        core,
        settings,
        measured,
        ..
    } = &*turn.inner;
    let counts = core.counts();
    let totals = core.totals();
    let unfinished = counts.ready + counts.leased + counts.delayed;
    let finished = unfinished == 0 && totals.enqueued > 0;
    Queue {
        name: name.clone(),
        sealed: core.is_sealed(),
        paused: core.is_paused(),
        drained: core.is_drained(),
        empty: core.is_empty(now),
        outcome: finished.then_some(if counts.dead == 0 {
            Verdict::Clean
        } else {
            Verdict::Dead
        }),
        counts: Counts {
            ready: counts.ready,
            leased: counts.leased,
            delayed: counts.delayed,
            dead: counts.dead,
            done: counts.done,
        },
        // What is due fell due when this turn began: a delayed item is not due now.
        backlog: counts.ready + counts.leased,
        unfinished,
        rate_per_s,
        // While nothing is lent, what was worked off before says nothing of what is left.
        eta_ms: (unfinished > 0 && rate_per_s > 0.0 && !core.is_paused())
            .then(|| (unfinished as f64 / rate_per_s * 1_000.0) as u64),
        handling: Handling {
            running_mean_age_ms: core.mean_lease_age(now).map(|age| age.as_millis() as u64),
            ..measured.shown()
        },
        totals: Totals {
            enqueued: totals.enqueued,
            duplicates: totals.duplicates,
            leased: totals.leased,
            acked: totals.acked,
            nacked: totals.nacked,
            released: totals.released,
            lease_expired: totals.lease_expired,
            item_expired: totals.item_expired,
            cancelled: totals.cancelled,
            dead: totals.dead,
            redriven: totals.redriven,
            purged: totals.purged,
            taken: totals.taken,
        },
        oldest_ready_ms: core
            .oldest_ready()
            .map(|item| now.since(item.enqueued()).as_millis() as u64),
        settings: *settings,
    }
}

/// The attempt that an outcome tells of, if one is kept, and how many there had been by then. A dead item
/// may have been redriven: what became of it later is told by later outcomes.
fn ending(core: &queue_core::Queue, outcome: &queue_core::Outcome) -> (Option<Attempt>, u32) {
    let Some(item) = core.item(outcome.seq) else {
        return (None, 0);
    };
    let last = core.last_attempt(outcome.seq);
    let kills = |how: How| matches!(how, How::Nacked | How::Buried | How::Expired);
    let is_of_it = |attempt: &Attempt| attempt.ended == outcome.ended && kills(attempt.how);
    let is_over = item.state() == State::Dead && last.as_ref().is_some_and(is_of_it);
    if outcome.state != State::Dead || is_over {
        return (last, item.attempts());
    }
    let mut story = core.story(outcome.seq);
    let at = story.iter().rposition(is_of_it);
    let attempt = at.map(|at| story.swap_remove(at));
    let attempts = attempt.as_ref().map_or(0, |attempt| attempt.nth.into());
    (attempt, attempts)
}

/// One line of the joblog, whose bytes may still have to be read.
#[derive(Debug)]
pub(super) struct Line {
    outcome: Outcome,
    body: Option<Bytes>,
    /// What the last attempt left: its result if it was acknowledged, else its error.
    note: Option<Bytes>,
    is_result: bool,
    len: usize,
}

impl Line {
    pub(super) fn of(
        incarnation: u64,
        inner: &Inner,
        number: u64,
        outcome: &queue_core::Outcome,
    ) -> Self {
        // A dead item that was purged left its outcome and nothing else.
        let item = inner.core.item(outcome.seq);
        let (last, attempts) = ending(&inner.core, outcome);
        let last = last.as_ref();
        let body = item.map(queue_core::Item::body);
        let note = last.and_then(|attempt| attempt.note);
        let bytes = |blob: Blob| Bytes::of(inner.bodies.get(blob));
        let state = match outcome.state {
            State::Dead => Finish::Dead,
            State::Expired => Finish::Expired,
            State::Cancelled => Finish::Cancelled,
            _ => Finish::Done,
        };
        let ran_out = last.is_some_and(|attempt| attempt.how == How::Expired);
        let terms = inner.core.terms_of(outcome.seq).unwrap_or_default();
        Self {
            len: [body, note]
                .iter()
                .flatten()
                .map(|blob| blob.len as usize)
                .sum(),
            body: body.map(bytes),
            note: note.map(bytes),
            is_result: last.is_some_and(|attempt| attempt.how == How::Acked),
            outcome: Outcome {
                outcome: number,
                id: ItemId::derive(incarnation, outcome.seq.0),
                body: Body(Vec::new()),
                key: terms.key.map(str::to_owned),
                group: terms.group.map(|group| group.to_string()),
                state,
                attempts,
                worker: last.and_then(|attempt| attempt.worker.as_deref().map(str::to_owned)),
                enqueued: timestamp(item.map_or(outcome.ended, queue_core::Item::enqueued)),
                started: last.map(|attempt| timestamp(attempt.started)),
                ended: timestamp(outcome.ended),
                result: None,
                error: ran_out.then(|| RAN_OUT.to_owned()),
                exit_code: last.and_then(|attempt| attempt.exit_code),
            },
        }
    }

    /// How many bytes it brings.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// What may still have to be read.
    pub(super) fn bytes(&mut self) -> impl Iterator<Item = &mut Bytes> {
        [&mut self.body, &mut self.note].into_iter().flatten()
    }

    /// The line, once its bytes are read.
    pub(super) fn into_outcome(self) -> Outcome {
        let Self {
            mut outcome,
            body,
            note,
            is_result,
            ..
        } = self;
        outcome.body = Body(body.map(Bytes::into_vec).unwrap_or_default());
        let note = note.map(text);
        match is_result {
            true => outcome.result = note,
            false => outcome.error = note.or(outcome.error),
        }
        outcome
    }
}
