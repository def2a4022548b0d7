//! Looking at items in the order in which they came in, some at a time.

use crate::Seq;
use crate::item::{Item, Kind};
use crate::queue::Queue;

/// Items of a queue; made by [`Queue::look`].
///
/// Those that are ready, delayed, leased or dead are found at once. To find those that are over it
/// *goes over* all others: whoever must not stop a deep queue for long looks [within](Look::within) a
/// bound, and goes on later after what was [reached](Look::reached).
#[derive(Debug, Clone)]
pub struct Look<'a> {
    queue: &'a Queue,
    kind: Option<Kind>,
    next: Option<Seq>,
    /// The last item that it went over; before the first one, where it began.
    reached: Option<Seq>,
    left: usize,
}

impl Queue {
    /// Items after a place, in the order in which they came; those of one kind, if one is asked for.
    #[must_use]
    pub fn look(&self, kind: Option<Kind>, after: Option<Seq>) -> Look<'_> {
        Look {
            queue: self,
            kind,
            next: match after {
                Some(after) => after.0.checked_add(1).map(Seq),
                None => Some(Seq(0)),
            },
            reached: after,
            left: usize::MAX,
        }
    }
}

impl Look<'_> {
    /// Goes over at most that many more items, at least 1, whether they are asked for or not.
    #[must_use]
    pub fn within(mut self, items: usize) -> Self {
        self.left = items;
        self
    }

    /// The last item it went over, asked for or not, which may be the last one there is; `None` once it
    /// has found nothing behind it.
    #[must_use]
    pub fn reached(&self) -> Option<Seq> {
        self.reached
    }
}

impl<'a> Iterator for Look<'a> {
    type Item = (Seq, &'a Item);

    fn next(&mut self) -> Option<Self::Item> {
        let queue = self.queue;
        while self.left > 0 {
            let found = self.next.and_then(|from| match self.kind {
                Some(Kind::Ready) => queue.ready.at_or_after(from),
                Some(Kind::Delayed) => queue.delayed.at_or_after(from),
                Some(Kind::Dead) => queue.dead.at_or_after(from),
                Some(Kind::Leased) => first(queue.leases.range(from.0)),
                Some(Kind::Done | Kind::Expired | Kind::Cancelled) | None => {
                    first(queue.items.range(from.0))
                }
            });
            let found = found.and_then(|seq| Some((seq, queue.item(seq)?)));
            let Some((seq, item)) = found else {
                (self.next, self.reached) = (None, None);
                return None;
            };
            self.next = seq.0.checked_add(1).map(Seq);
            self.reached = Some(seq);
            self.left -= 1;
            if self.kind.is_none_or(|kind| item.kind() == kind) {
                return Some((seq, item));
            }
        }
        None
    }
}

fn first<T>(mut from: impl Iterator<Item = (u64, T)>) -> Option<Seq> {
    from.next().map(|(seq, _)| Seq(seq))
}
