//! Looking at items without taking them: a page of a queue, one with its history, what an attempt printed.

use queue_api::limits::MAX_PAGE_BYTES;
use queue_api::{Item, ItemId, ItemPage, ItemState};
use queue_core::{How, Kind, SLICE, Seq, State};

use super::fault::Fault;
use super::fetch::{Reading, Sought};
use super::grant::Bytes;
use super::live::{Inner, LiveQueue};
use super::seen::{self, Seen};
use super::turn::Turn;

/// Items that one turn goes over at most, whether they are asked for or not.
const GONE_OVER: usize = 10 * SLICE;
/// Bytes of an item on a page beside its body, its key, and what it left.
const AROUND_ITEM: usize = 256;

/// Which items a page shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// In this state, or in any.
    pub(crate) state: Option<ItemState>,
    /// Of this group, or of any and none.
    pub(crate) group: Option<&'a str>,
    /// That came in after this one, which may be gone.
    pub(crate) after: Option<ItemId>,
    /// Most items.
    pub(crate) limit: usize,
}

/// What one turn found.
#[derive(Debug, Default)]
struct Found {
    items: Vec<Seen>,
    bytes: usize,
    /// The last item that was gone over, if there may be more behind it.
    last: Option<Seq>,
}

impl LiveQueue {
    /// Items in the order in which they came in, at most about a mebibyte of them.
    pub(crate) async fn items(&self, wanted: Wanted<'_>) -> Result<ItemPage, Fault> {
        let mut after = wanted.after.map(|id| self.place(id)).transpose()?;
        let mut page = ItemPage::default();
        let mut bytes = 0;
        while page.items.len() < wanted.limit && bytes < MAX_PAGE_BYTES {
            let left = wanted.limit - page.items.len();
            let from = after;
            let look = |turn: &mut Turn<'_>| self.go_over(turn, wanted, from, left, bytes);
            let (items, found) = self.looked(look).await?;
            page.items.extend(items);
            bytes += found.bytes;
            after = found.last;
            if after.is_none() {
                return Ok(page);
            }
            tokio::task::yield_now().await;
        }
        page.next = after.map(|seq| ItemId::derive(self.incarnation, seq.0));
        Ok(page)
    }

    /// One item with its history.
    pub(crate) async fn item(&self, id: ItemId) -> Result<Item, Fault> {
        let seq = self.place(id).map_err(|_| Fault::NoSuchItem(id))?;
        let look = |turn: &mut Turn<'_>| Found {
            items: Seen::with_history(self.incarnation, turn, seq)
                .into_iter()
                .collect(),
            ..Found::default()
        };
        let (items, _) = self.looked(look).await?;
        items.into_iter().next().ok_or(Fault::NoSuchItem(id))
    }

    /// What an attempt printed, the last one if none is named: the log that is kept with it, else its
    /// error. Nothing if there is neither.
    pub(crate) async fn item_log(&self, id: ItemId, number: Option<u32>) -> Result<Vec<u8>, Fault> {
        let seq = self.place(id).map_err(|_| Fault::NoSuchItem(id))?;
        let look = |turn: &mut Turn<'_>| {
            let inner = &turn.inner;
            let item = inner.core.item(seq).ok_or(Fault::NoSuchItem(id))?;
            let story = inner.core.story(seq);
            let first = seen::first_kept(item, &story);
            let attempt = match number {
                None => story.last(),
                Some(number) => number
                    .checked_sub(first)
                    .and_then(|at| story.get(at as usize)),
            };
            let is_running = item.state() == State::Leased && number == Some(item.leases());
            let attempt = match (attempt, number) {
                (Some(attempt), _) => attempt,
                (None, Some(number)) if !is_running => {
                    return Err(Fault::NoSuchAttempt { id, number });
                }
                (None, _) => return Ok(None),
            };
            let error = attempt.note.filter(|_| attempt.how != How::Acked);
            let printed = attempt.log.or(error);
            Ok(printed.map(|blob| Bytes::of(inner.bodies.get(blob))))
        };
        let mut sought = Sought::default();
        loop {
            let Some(mut bytes) = self.commit(look).await?? else {
                return Ok(Vec::new());
            };
            match self.shared.read(vec![&mut bytes]).await? {
                Reading::Moved(at) => sought.again(at)?,
                Reading::Done => return Ok(bytes.into_vec()),
            }
        }
    }

    /// The place of an item of this queue. One of another, or of an earlier one of its name, has none.
    pub(super) fn place(&self, id: ItemId) -> Result<Seq, Fault> {
        match id.parts() {
            (incarnation, sequence) if incarnation == self.incarnation => Ok(Seq(sequence)),
            _ => Err(Fault::ForeignItem {
                name: self.name.clone(),
                id,
            }),
        }
    }

    fn go_over(
        &self,
        turn: &mut Turn<'_>,
        wanted: Wanted<'_>,
        after: Option<Seq>,
        limit: usize,
        before: usize,
    ) -> Found {
        let now = turn.now;
        let inner = &*turn.inner;
        let mut found = Found::default();
        let state = wanted.state.map(kind);
        let mut look = inner.core.look(state, after).within(GONE_OVER);
        loop {
            let reached = look.reached();
            let Some((seq, _)) = look.next() else {
                break;
            };
            if found.items.len() == limit || before + found.bytes >= MAX_PAGE_BYTES {
                // Known only now that there is more.
                found.last = reached;
                return found;
            }
            if !is_of(inner, seq, wanted.group) {
                continue;
            }
            found
                .items
                .extend(Seen::of(self.incarnation, inner, now, seq));
            let bytes = found.items.last().map_or(0, Seen::len);
            found.bytes += bytes + AROUND_ITEM;
        }
        found.last = look.reached();
        found
    }

    /// What a look comes to, with the bytes that have to be read from disk. Rests on all that it tells.
    async fn looked(
        &self,
        mut look: impl FnMut(&mut Turn<'_>) -> Found,
    ) -> Result<(Vec<Item>, Found), Fault> {
        let mut sought = Sought::default();
        loop {
            let mut found = self.commit(&mut look).await?;
            let bytes = found.items.iter_mut().flat_map(Seen::bytes).collect();
            match self.shared.read(bytes).await? {
                Reading::Moved(at) => sought.again(at)?,
                Reading::Done => {
                    let items = std::mem::take(&mut found.items);
                    return Ok((items.into_iter().map(Seen::into_item).collect(), found));
                }
            }
        }
    }
}

/// Whether an item is of this group, if one is asked for.
pub(super) fn is_of(inner: &Inner, seq: Seq, group: Option<&str>) -> bool {
    group.is_none_or(|group| {
        let terms = inner.core.terms_of(seq);
        let of = terms.and_then(|terms| terms.group);
        of.is_some_and(|of| **of == *group)
    })
}

fn kind(state: ItemState) -> Kind {
    match state {
        ItemState::Ready => Kind::Ready,
        ItemState::Leased => Kind::Leased,
        ItemState::Delayed => Kind::Delayed,
        ItemState::Dead => Kind::Dead,
        ItemState::Done => Kind::Done,
        ItemState::Expired => Kind::Expired,
        ItemState::Cancelled => Kind::Cancelled,
    }
}
