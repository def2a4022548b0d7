//! Ending items that nobody holds a verdict on, and bringing back those that were given up: one by its id,
//! many by what they are.

use queue_api::{ItemId, Queue, Redrive};
use queue_core::{Attempt, How, Kind, NotCancellable, SLICE, Seq, State, Time};
use queue_log::Room;

use super::bodies::Stored;
use super::fault::Fault;
use super::fetch::{Reading, Sought};
use super::grant::Bytes;
use super::live::LiveQueue;
use super::look::is_of;
use super::seen::RAN_OUT;
use super::turn::Turn;

/// Bytes of errors that one turn searches, or has read from disk, at most; one error apart.
const SEARCHED_BYTES: u64 = 4 * 1024 * 1024;
/// Bytes that an item takes in a record when it is redriven, at most: it may expire at once, and let its
/// key go.
const REDRIVEN_BYTES: u64 = 48;

/// A dead item that may be meant.
struct Candidate {
    seq: Seq,
    /// The attempt it died of.
    last: Attempt,
    /// Its error, where that must be looked at first.
    error: Option<Bytes>,
}

/// What one turn of a redrive comes to.
#[derive(Default)]
struct Slice {
    affected: u64,
    /// All that may be meant, where nothing is redriven before errors are read: the oldest go first.
    unread: Vec<Candidate>,
    /// The last item that was gone over; none at the end.
    last: Option<Seq>,
}

impl LiveQueue {
    /// Ends an item that is ready, delayed or leased, whose lease is then lost; throws away one that is
    /// dead. Nothing happens to one that was cancelled before.
    pub(crate) async fn cancel(&self, id: ItemId) -> Result<(), Fault> {
        let seq = self.place(id).map_err(|_| Fault::NoSuchItem(id))?;
        self.shared.room_for(Room::Settle, 2, 0)?;
        self.commit(|turn| {
            let cancelled = turn.apply(|core, now, events| core.cancel(now, seq, events));
            match cancelled {
                Ok(_) => Ok(()),
                Err(NotCancellable::Unknown) => Err(Fault::NoSuchItem(id)),
                Err(NotCancellable::Finished) => Err(Fault::ItemFinished(id)),
            }
        })
        .await?
    }

    /// Makes dead items ready again for which all that is said holds, in slices; how many, and the queue
    /// afterwards. Those whose key is taken meanwhile stay dead.
    pub(crate) async fn redrive(&self, which: &Redrive) -> Result<(u64, Queue), Fault> {
        let mut left = which.limit.unwrap_or(u64::MAX);
        let ids = which.ids.as_deref();
        let ids = ids.map(|ids| ids.iter().filter_map(|id| self.place(*id).ok()).collect());
        let ids: Option<Vec<Seq>> = ids.map(|mut ids: Vec<Seq>| {
            ids.sort_unstable();
            ids.dedup();
            ids
        });
        let (mut after, mut affected) = (None, 0);
        let (begun, _) = self.turn(|turn| turn.now)?;
        while left > 0 {
            self.room_to_redrive()?;
            let redrive = |turn: &mut Turn<'_>| {
                let which = Which {
                    asked: which,
                    begun,
                };
                slice(turn, which, ids.as_deref(), after, left)
            };
            let (mut slice, _) = self.turn(redrive)?;
            left -= slice.affected;
            affected += slice.affected;
            if !slice.unread.is_empty() {
                let read = self.redrive_unread(which, &mut slice.unread, left).await?;
                left -= read;
                affected += read;
            }
            after = slice.last;
            if after.is_none() {
                break;
            }
            tokio::task::yield_now().await;
        }
        // Rests on all slices, the last of which was the last to be recorded.
        Ok((affected, self.view().await?))
    }

    fn room_to_redrive(&self) -> Result<(), Fault> {
        let bytes = SLICE as u64 * REDRIVEN_BYTES;
        self.shared.room_for(Room::Lend, 1, bytes)
    }

    /// Reads errors that are on disk alone, and redrives the items that are meant and have not moved on.
    async fn redrive_unread(
        &self,
        which: &Redrive,
        unread: &mut Vec<Candidate>,
        max: u64,
    ) -> Result<u64, Fault> {
        let mut sought = Sought::default();
        loop {
            let errors = unread.iter_mut().filter_map(|item| item.error.as_mut());
            match self.shared.read(errors.collect()).await? {
                Reading::Done => break,
                Reading::Moved(at) => sought.again(at)?,
            }
            self.turn(|turn| {
                let inner = &turn.inner;
                unread.retain_mut(|item| {
                    let is_dead = is_dead_of(turn, item.seq, &item.last);
                    if let (true, Some(error), Some(note)) =
                        (is_dead, &mut item.error, item.last.note)
                    {
                        *error = Bytes::of(inner.bodies.get(note));
                    }
                    is_dead
                });
            })?;
        }
        self.room_to_redrive()?;
        let (affected, _) = self.turn(|turn| {
            let meant = unread.drain(..).filter(|item| {
                let error = item.error.as_ref();
                is_dead_of(turn, item.seq, &item.last)
                    && error.is_none_or(|error| holds(which, error.here()))
            });
            let meant: Vec<Seq> = meant.map(|item| item.seq).collect();
            redriven(turn, &meant, max)
        })?;
        Ok(affected)
    }
}

/// Which items a call means.
#[derive(Clone, Copy)]
struct Which<'a> {
    asked: &'a Redrive,
    /// Those that die later are not.
    begun: Time,
}

/// Goes over the next dead items, and redrives those that are meant.
fn slice(
    turn: &mut Turn<'_>,
    which: Which<'_>,
    ids: Option<&[Seq]>,
    after: Option<Seq>,
    max: u64,
) -> Slice {
    let mut found = Slice::default();
    let Which { asked, begun } = which;
    let mut candidates = Vec::new();
    let inner = &*turn.inner;
    let (mut searched, mut sure) = (0, 0);
    let named = ids.map(|ids| {
        let from = after.map_or(0, |after| ids.partition_point(|seq| *seq <= after));
        ids[from..].iter().copied()
    });
    let all = ids
        .is_none()
        .then(|| inner.core.look(Some(Kind::Dead), after));
    let items = named
        .into_iter()
        .flatten()
        .chain(all.into_iter().flatten().map(|(seq, _)| seq));
    let mut more = false;
    for (over, seq) in items.enumerate() {
        if over == SLICE || searched >= SEARCHED_BYTES || sure >= max {
            more = true;
            break;
        }
        found.last = Some(seq);
        let is_dead = (inner.core.item(seq)).is_some_and(|item| item.state() == State::Dead);
        let last = inner.core.last_attempt(seq).filter(|_| is_dead);
        let Some(last) = last.filter(|last| last.ended <= begun && is_meant(asked, last)) else {
            continue;
        };
        if !is_of(inner, seq, asked.group.as_deref()) {
            continue;
        }
        let mut error = None;
        if asked.error_contains.is_some() {
            searched += last.note.map_or(0, |note| u64::from(note.len));
            match last.note.map(|note| inner.bodies.get(note)) {
                None if last.how == How::Expired && holds(asked, RAN_OUT.as_bytes()) => {}
                Some(Stored::Here(error)) if holds(asked, error) => {}
                None | Some(Stored::Here(_)) => continue,
                Some(Stored::Logged(logged)) => error = Some(Bytes::Logged(logged)),
            }
        }
        sure += u64::from(error.is_none());
        candidates.push(Candidate { seq, last, error });
    }
    if !more {
        found.last = None;
    }
    if candidates.iter().all(|item| item.error.is_none()) {
        let meant: Vec<Seq> = candidates.iter().map(|item| item.seq).collect();
        found.affected = redriven(turn, &meant, max);
    } else {
        found.unread = candidates;
    }
    found
}

fn redriven(turn: &mut Turn<'_>, meant: &[Seq], max: u64) -> u64 {
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    let meant = meant.iter().copied();
    turn.apply(|core, now, events| core.redrive(now, meant, max.min(SLICE), events)) as u64
}

/// Whether what costs nothing to know of a dead item is as it is asked for.
fn is_meant(which: &Redrive, last: &Attempt) -> bool {
    let ended = super::clock::timestamp(last.ended);
    which
        .exit_code
        .is_none_or(|code| last.exit_code == Some(code))
        && which.ended_after.is_none_or(|after| ended >= after)
        && which.ended_before.is_none_or(|before| ended < before)
}

/// Whether an error holds the text that is asked for.
fn holds(which: &Redrive, error: &[u8]) -> bool {
    let needle = which.error_contains.as_deref();
    needle.is_none_or(|needle| String::from_utf8_lossy(error).contains(needle))
}

/// Whether an item is dead, and of this attempt.
fn is_dead_of(turn: &Turn<'_>, seq: Seq, last: &Attempt) -> bool {
    let core = &turn.inner.core;
    let item = core.item(seq);
    item.is_some_and(|item| item.state() == State::Dead)
        && core
            .last_attempt(seq)
            .is_some_and(|now| now.fence == last.fence)
}
