//! Sides made of talks: one that puts as much as it takes, and one that does so in many queues.

use anyhow::Result;

use crate::side::{Heard, Side, Turned};
use crate::talk::{Op, Talk, Work};
use crate::target::Target;
use crate::wire::Connection;

/// Puts and takes in turns, so that the queue stays as deep as it was. A turn is one of each.
pub(super) struct Mixed {
    put: Talk,
    take: Talk,
}

impl Mixed {
    /// About the work's queue.
    pub(super) fn new(target: &Target, work: &Work, batch: usize) -> Result<Self> {
        let talk = |op| {
            let work = Work {
                op,
                batch,
                ..work.clone()
            };
            work.talk(target)
        };
        let (put, take) = (talk(Op::Put)?, talk(Op::Take)?);
        Ok(Self { put, take })
    }
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

/// Goes round many queues, and puts and takes in each.
pub(super) struct Tour {
    queues: Vec<Mixed>,
    next: usize,
}

impl Tour {
    /// Of at least one queue.
    pub(super) fn new(queues: Vec<Mixed>) -> Self {
        Self { queues, next: 0 }
    }
}

impl Side for Tour {
    async fn turn(&mut self, connection: &mut Connection) -> Result<Turned> {
        let at = self.next % self.queues.len();
        self.next += 1;
        self.queues[at].turn(connection).await
    }

    async fn finish(&mut self, connection: &mut Connection) -> Result<u64> {
        for queue in &mut self.queues {
            queue.finish(connection).await?;
        }
        Ok(0)
    }
}
