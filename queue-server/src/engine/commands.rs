//! What can be asked of a queue besides leasing and settling.

use std::sync::Arc;
use std::time::Duration;

use queue_api::{Outcome, Queue, SettingsPatch, Until};
use queue_core::{Event, Purge, SLICE, Seq, Time};
use queue_log::Room;

use super::ParkingPlace;
use super::fault::Fault;
use super::fetch::{Reading, Sought};
use super::grant::Bytes;
use super::live::LiveQueue;
use super::settings::for_core;
use super::turn::Turn;
use super::view;

/// Bytes of outcomes that one page may hold: more would keep the queue's lock too long.
const PAGE_BYTES: usize = 1024 * 1024;
/// Bytes that a purged item takes in a record, at most.
const PURGED_BYTES: u64 = 8;

/// Outcomes after a cursor.
#[derive(Debug)]
pub(crate) struct Page {
    /// In order; empty where there is none yet.
    pub(crate) outcomes: Vec<Outcome>,
    /// No further outcome will come by itself.
    pub(crate) drained: bool,
}

/// An item delivered through the MemQ API.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Its place.
    pub(crate) seq: Seq,
    /// When it came in.
    pub(crate) enqueued: Time,
    /// Its bytes.
    pub(crate) body: Vec<u8>,
}

/// What a purge throws away.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MassPurge {
    /// Ready items.
    pub(crate) ready: bool,
    /// Delayed items.
    pub(crate) delayed: bool,
    /// Dead items.
    pub(crate) dead: bool,
}

impl LiveQueue {
    /// Delivers the item whose turn it is and is done with it; `None` if there is none, or if a limit
    /// of the queue forbids it now. `Err` of the inner result says that the queue is paused.
    pub(crate) async fn take(&self) -> Result<Result<Option<Taken>, Paused>, Fault> {
        self.shared.room_for(Room::Settle, 1, 0)?;
        let taken = self.commit(|turn| {
            if turn.inner.core.is_paused() {
                return Err(Paused);
            }
            // Copied before it is taken: retention may let the bytes of a done item go at once.
            let Some(item) = turn.inner.core.next_ready(turn.now) else {
                turn.count_limit();
                return Ok(None);
            };
            let (enqueued, body) = (
                item.enqueued(),
                Bytes::of(turn.inner.bodies.get(item.body())),
            );
            let seq = turn.apply(queue_core::Queue::take);
            Ok(seq.map(|seq| (seq, enqueued, body)))
        });
        Ok(match taken.await? {
            Err(paused) => Err(paused),
            Ok(None) => Ok(None),
            Ok(Some((seq, enqueued, mut body))) => {
                let mut sought = Sought::default();
                while let Reading::Moved(at) = self.shared.read(vec![&mut body]).await? {
                    sought.again(at)?;
                    // Written down somewhere else meanwhile, unless retention has let a done item go
                    // already: so quickly, only a disk that hangs can make it.
                    let look = |turn: &mut Turn<'_>| {
                        let item = turn.inner.core.item(seq)?;
                        Some(Bytes::of(turn.inner.bodies.get(item.body())))
                    };
                    let (moved, _) = self.turn(look)?;
                    let gone = || Fault::Unreadable(format!("position {at} is gone"));
                    body = moved.ok_or_else(gone)?;
                }
                let body = body.into_vec();
                Ok(Some(Taken {
                    seq,
                    enqueued,
                    body,
                }))
            }
        })
    }

    /// Changes settings, and shows the queue with them.
    pub(crate) async fn configure(&self, patch: &SettingsPatch) -> Result<Queue, Fault> {
        self.shared.room_for(Room::Settle, 1, 0)?;
        self.commit(|turn| {
            let settings = patch.apply(&turn.inner.settings)?;
            // Not by the core's own decision: it does not see a change of the other half.
            if std::mem::replace(&mut turn.inner.settings, settings) != settings {
                let configured = Event::Configured(Box::new(for_core(&settings)));
                turn.apply(|_, _, events| events.push(configured));
            }
            Ok(view::queue(&self.name, turn))
        })
        .await?
    }

    /// Takes no new items.
    pub(crate) async fn seal(&self) -> Result<Queue, Fault> {
        self.admin(queue_core::Queue::seal).await
    }

    /// Takes new items again.
    pub(crate) async fn reopen(&self) -> Result<Queue, Fault> {
        self.admin(queue_core::Queue::reopen).await
    }

    /// Gives no new leases.
    pub(crate) async fn pause(&self) -> Result<Queue, Fault> {
        self.admin(queue_core::Queue::pause).await
    }

    /// Gives new leases again.
    pub(crate) async fn resume(&self) -> Result<Queue, Fault> {
        self.admin(queue_core::Queue::resume).await
    }

    async fn admin(
        &self,
        decide: impl FnOnce(&queue_core::Queue, &mut Vec<Event>),
    ) -> Result<Queue, Fault> {
        self.shared.room_for(Room::Settle, 1, 0)?;
        self.commit(|turn| {
            turn.apply(|core, _, events| decide(core, events));
            view::queue(&self.name, turn)
        })
        .await
    }

    /// Throws away items that are in the queue now, in slices; how many, and the queue afterwards.
    pub(crate) async fn purge(&self, which: MassPurge) -> Result<(u64, Queue), Fault> {
        self.shared.room_for(Room::Settle, 1, 0)?;
        let (before, _) = self.turn(|turn| turn.inner.core.next_seq())?;
        let purge = Purge {
            ready: which.ready,
            delayed: which.delayed,
            dead: which.dead,
            before,
        };
        let mut affected = 0;
        loop {
            let (held, _) = self.turn(|turn| turn.inner.core.held().0)?;
            let bytes = held.min(SLICE as u64) * PURGED_BYTES;
            self.shared.room_for(Room::Settle, 1, bytes)?;
            let (slice, _) = self.turn(|turn| {
                turn.apply(|core, _, events| {
                    let due = events.len();
                    core.purge(purge, events);
                    (events.len() - due) as u64
                })
            })?;
            affected += slice;
            if slice == 0 {
                // Rests on all slices, the last of which was the last to be recorded.
                return Ok((affected, self.view().await?));
            }
            tokio::task::yield_now().await;
        }
    }

    /// The queue as the wire shows it.
    pub(crate) async fn view(&self) -> Result<Queue, Fault> {
        self.commit(|turn| view::queue(&self.name, turn)).await
    }

    /// The queue as it is in memory, whether it is on disk or not yet: for whoever watches and decides
    /// nothing by it.
    pub(crate) fn glance(&self) -> Result<Queue, Fault> {
        self.turn(|turn| view::queue(&self.name, turn))
            .map(|(queue, _)| queue)
    }

    /// Waits until the queue is drained, or empty; `None` if it is not by then.
    pub(crate) async fn wait(
        self: &Arc<Self>,
        until: Until,
        wait: Duration,
    ) -> Result<Option<Queue>, Fault> {
        let place = ParkingPlace::take(&self.shared, wait)?;
        let end = tokio::time::Instant::now() + wait;
        loop {
            // Registered before looking, so that nothing falls in between.
            let mut progress = std::pin::pin!(self.progress());
            progress.as_mut().enable();
            let look = |turn: &mut Turn<'_>| {
                let reached = turn.has_reached(Some(until));
                reached.then(|| view::queue(&self.name, turn))
            };
            // It was there when the call came.
            let reached = self.commit(look).await.map_err(|fault| match fault {
                Fault::NoSuchQueue(name) => Fault::Deleted(name),
                other => other,
            })?;
            if reached.is_some() || place.is_none() {
                return Ok(reached);
            }
            tokio::select! {
                () = progress => {}
                () = tokio::time::sleep_until(end) => return Ok(None),
                () = self.shared.stop.cancelled() => return Ok(None),
            }
        }
    }

    /// Outcomes after a cursor, at most `limit` and about a mebibyte.
    pub(crate) async fn outcomes(&self, after: u64, limit: usize) -> Result<Page, Fault> {
        let look = |turn: &mut Turn<'_>| {
            let inner = &turn.inner;
            let oldest = inner.core.outcomes_from();
            if after < oldest {
                return Err(Fault::OutcomesGone { after, oldest });
            }
            let mut bytes = 0;
            let mut outcomes = Vec::new();
            for (number, outcome) in inner.core.outcomes(after).take(limit) {
                let line = view::Line::of(self.incarnation, inner, number, outcome);
                bytes += line.len();
                outcomes.push(line);
                if bytes > PAGE_BYTES {
                    break;
                }
            }
            let drained = outcomes.is_empty() && inner.core.is_drained();
            Ok((outcomes, drained))
        };
        let mut sought = Sought::default();
        loop {
            let (mut lines, drained) = self.commit(look).await??;
            let bytes = lines.iter_mut().flat_map(view::Line::bytes).collect();
            match self.shared.read(bytes).await? {
                Reading::Moved(at) => sought.again(at)?,
                Reading::Done => {
                    let outcomes = lines.into_iter().map(view::Line::into_outcome).collect();
                    return Ok(Page { outcomes, drained });
                }
            }
        }
    }
}

/// The queue gives nothing out now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paused;
