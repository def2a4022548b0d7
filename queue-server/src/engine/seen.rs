//! One item as it is shown to whoever looks at it, whose bytes may still have to be read.

use queue_api::limits::{MAX_HISTORY, MAX_HISTORY_BYTES};
use queue_api::{AttemptEnd, Body, Item, ItemId, ItemLease, ItemState, Trace};
use queue_core::{Attempt, How, STORY_ATTEMPTS, STORY_BYTES, Seq, State, Time};

use super::clock::timestamp;
use super::grant::Bytes;
use super::live::Inner;
use super::turn::Turn;

// What is said of a history is what the core keeps of it.
const _: () = assert!(STORY_ATTEMPTS == MAX_HISTORY && STORY_BYTES == MAX_HISTORY_BYTES);

/// The error of an attempt whose lease ran out: nobody was there to say one.
pub(super) const RAN_OUT: &str = "the lease ran out: its worker died, stalled, or did not renew it";

/// An item, without what must be read.
#[derive(Debug)]
pub(super) struct Seen {
    item: Item,
    body: Bytes,
    /// What the last attempt left.
    note: Option<Bytes>,
    /// That is its result, and not its error.
    is_result: bool,
    /// What each attempt of the history left.
    notes: Vec<Option<Bytes>>,
    len: usize,
}

impl Seen {
    /// An item that is in the queue, without its history.
    pub(super) fn of(incarnation: u64, inner: &Inner, now: Time, seq: Seq) -> Option<Self> {
        let item = inner.core.item(seq)?;
        let last = inner.core.last_attempt(seq);
        let last = last.as_ref();
        let terms = inner.core.terms_of(seq).unwrap_or_default();
        let ran_out = last.is_some_and(|attempt| attempt.how == How::Expired);
        let (state, due) = state(item.state());
        let note = last.and_then(|attempt| attempt.note);
        let blobs = [Some(item.body()), note];
        let trace = terms.trace.and_then(|text| Trace::from_text(text));
        let shown = Item {
            id: ItemId::derive(incarnation, seq.0),
            state,
            body: Body(Vec::new()),
            attempts: item.attempts(),
            key: terms.key.map(str::to_owned),
            group: terms.group.map(|group| group.to_string()),
            priority: terms.priority,
            traceparent: trace.as_ref().map(|trace| trace.traceparent().to_owned()),
            tracestate: (trace.as_ref()).and_then(|trace| trace.tracestate().map(str::to_owned)),
            enqueued: timestamp(item.enqueued()),
            due: due.map(timestamp),
            expires: terms.expires.map(timestamp),
            lease: inner.core.lease_of(seq).map(|lease| ItemLease {
                worker: lease.worker.as_deref().map(str::to_owned),
                started: timestamp(lease.started),
                lease_ms: lease.deadline.since(now).as_millis() as u64,
                lease_expires: timestamp(lease.deadline),
            }),
            ended: item.ended().map(timestamp),
            result: None,
            error: ran_out.then(|| RAN_OUT.to_owned()),
            exit_code: last.and_then(|attempt| attempt.exit_code),
            history: Vec::new(),
        };
        Some(Self {
            item: shown,
            body: Bytes::of(inner.bodies.get(item.body())),
            note: note.map(|note| Bytes::of(inner.bodies.get(note))),
            is_result: last.is_some_and(|attempt| attempt.how == How::Acked),
            notes: Vec::new(),
            len: blobs.iter().flatten().map(|blob| blob.len as usize).sum(),
        })
    }

    /// An item with its history.
    pub(super) fn with_history(incarnation: u64, turn: &Turn<'_>, seq: Seq) -> Option<Self> {
        let inner = &*turn.inner;
        let mut seen = Self::of(incarnation, inner, turn.now, seq)?;
        let story = inner.core.story(seq);
        let first = first_kept(inner.core.item(seq)?, &story);
        let bytes = |attempt: &Attempt| attempt.note.map(|note| Bytes::of(inner.bodies.get(note)));
        seen.notes = story.iter().map(bytes).collect();
        seen.item.history = story.iter().zip(first..).map(past).collect();
        Some(seen)
    }

    /// How many bytes it brings.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// What may still have to be read.
    pub(super) fn bytes(&mut self) -> impl Iterator<Item = &mut Bytes> {
        let notes = self.notes.iter_mut().flatten();
        [&mut self.body]
            .into_iter()
            .chain(&mut self.note)
            .chain(notes)
    }

    /// The item, once its bytes are read.
    pub(super) fn into_item(self) -> Item {
        let Self {
            mut item,
            body,
            note,
            is_result,
            notes,
            ..
        } = self;
        item.body = Body(body.into_vec());
        let note = note.map(text);
        match is_result {
            true => item.result = note,
            false => item.error = note.or(item.error),
        }
        for (attempt, note) in item.history.iter_mut().zip(notes) {
            let note = note.map(text);
            match attempt.verdict {
                AttemptEnd::Ack => attempt.result = note,
                _ => attempt.error = note.or(attempt.error.take()),
            }
        }
        item
    }
}

/// The number of the first attempt of a story, counted from 1 through all that the item ever had. Those behind
/// it have the next numbers.
pub(super) fn first_kept(item: &queue_core::Item, story: &[Attempt]) -> u32 {
    let running = u32::from(item.state() == State::Leased);
    item.leases() - running - story.len() as u32 + 1
}

/// Bytes that workers give are text, or are shown as well as can be.
pub(super) fn text(bytes: Bytes) -> String {
    String::from_utf8(bytes.into_vec())
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn state(state: State) -> (ItemState, Option<Time>) {
    match state {
        State::Ready => (ItemState::Ready, None),
        State::Delayed(due) => (ItemState::Delayed, Some(due)),
        State::Leased => (ItemState::Leased, None),
        State::Done => (ItemState::Done, None),
        State::Dead => (ItemState::Dead, None),
        State::Expired => (ItemState::Expired, None),
        State::Cancelled => (ItemState::Cancelled, None),
    }
}

fn past((attempt, number): (&Attempt, u32)) -> queue_api::Attempt {
    queue_api::Attempt {
        attempt: number,
        verdict: match attempt.how {
            How::Acked => AttemptEnd::Ack,
            How::Nacked => AttemptEnd::Nack,
            How::Released => AttemptEnd::Release,
            How::Buried => AttemptEnd::Dead,
            How::Expired => AttemptEnd::Expired,
            How::Revoked => AttemptEnd::Revoked,
        },
        worker: attempt.worker.as_deref().map(str::to_owned),
        started: timestamp(attempt.started),
        ended: timestamp(attempt.ended),
        result: None,
        error: (attempt.how == How::Expired).then(|| RAN_OUT.to_owned()),
        exit_code: attempt.exit_code,
        log_bytes: attempt.log.map(|log| log.len.into()),
    }
}
