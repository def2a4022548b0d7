//! Sides made of talks: one that puts as much as it takes, and one that goes round many queues.

use anyhow::Result;

use crate::side::{Heard, Side, Turned};
use crate::talk::Talk;
use crate::wire::Connection;

/// Puts and takes in turns, so that the queue stays as deep as it was. A turn is one of each.
pub(super) struct Mixed {
    pub(super) put: Talk,
    pub(super) take: Talk,
}

impl Side for Mixed {
    async fn turn(&mut self, connection: &mut Connection) -> Result<Turned> {
        let put = self.put.turn(connection).await?;
        let take = self.take.turn(connection).await?;
        let (Heard::Items(items) | Heard::Dry(items)) = put.heard;
        Ok(Turned {
            // What was put counts; as much comes out. A queue that others have just emptied is no end.
            heard: Heard::Items(items),
            sent: put.sent + take.sent,
            got: put.got + take.got,
        })
    }

    async fn finish(&mut self, connection: &mut Connection) -> Result<u64> {
        self.take.finish(connection).await?;
        Ok(0)
    }
}

/// Talks about many queues, one after the other.
pub(super) struct Tour {
    talks: Vec<Talk>,
    next: usize,
}

impl Tour {
    /// Of at least one talk.
    pub(super) fn new(talks: Vec<Talk>) -> Self {
        Self { talks, next: 0 }
    }
}

impl Side for Tour {
    async fn turn(&mut self, connection: &mut Connection) -> Result<Turned> {
        let at = self.next % self.talks.len();
        self.next += 1;
        self.talks[at].turn(connection).await
    }

    async fn finish(&mut self, connection: &mut Connection) -> Result<u64> {
        let mut items = 0;
        for talk in &mut self.talks {
            items += talk.finish(connection).await?;
        }
        Ok(items)
    }
}
