//! What an item was given and what became of it, through a kill and through a snapshot, whether memory has
//! room for its bytes or not.

mod ends;
mod keys;
mod look;
mod slices;
mod turns;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use queue_api::{AttemptEnd, ItemId, ItemState, Outcome, Redrive, SettingsPatch, SettleAs};
use queue_core::{Options, SLICE};
use queue_log::faulty::FaultyDisk;

use super::tests::engine_in;
use super::{
    Ask, Engine, Entered, Entry, Fault, Idempotent, Incoming, LiveQueue, MassPurge, Storage, Token,
    Verdict, Wanted,
};

/// What a story goes through between what is done and what is looked at.
#[derive(Debug, Clone, Copy)]
enum Through {
    Kill,
    Snapshot,
}

const ALL: [(Through, u64); 4] = [
    (Through::Kill, 0),
    (Through::Kill, u64::MAX),
    (Through::Snapshot, 0),
    (Through::Snapshot, u64::MAX),
];

/// A queue on a disk.
struct World {
    disk: FaultyDisk,
    memory: u64,
    max_bytes: Option<u64>,
    engine: Arc<Engine>,
    queue: Arc<LiveQueue>,
}

impl World {
    async fn with(memory: u64, settings: &str) -> Self {
        Self::on(memory, None, settings).await
    }

    /// On a disk that has room for so many bytes.
    async fn within(max_bytes: Option<u64>) -> Self {
        Self::on(u64::MAX, max_bytes, "{}").await
    }

    async fn on(memory: u64, max_bytes: Option<u64>, settings: &str) -> Self {
        let disk = FaultyDisk::new();
        let engine = open(&disk, memory, max_bytes);
        let patch: SettingsPatch = serde_json::from_str(settings).expect("settings");
        let name = "q".parse().expect("a name");
        engine.put(&name, &patch).await.expect("room for a queue");
        let queue = engine.queue(&name).expect("a queue");
        Self {
            disk,
            memory,
            max_bytes,
            engine,
            queue,
        }
    }

    async fn go(&mut self, through: Through) {
        if let Through::Snapshot = through {
            self.queue.write_down().await.expect("a healthy disk");
        }
        self.disk = self.disk.kill();
        self.engine = open(&self.disk, self.memory, self.max_bytes);
        let name = "q".parse().expect("a name");
        self.queue = self.engine.queue(&name).expect("a queue");
    }

    async fn put(&self, body: &str, options: Options) -> Entered {
        let entries = [Entry {
            body: body.as_bytes(),
            options: Some(&options),
        }];
        let entered = self.queue.enqueue(Incoming::of(&entries)).await;
        entered.expect("an open queue")
    }

    async fn lease(&self) -> Result<Vec<(ItemId, Token)>, Fault> {
        self.lease_within(Duration::ZERO).await
    }

    async fn lease_within(&self, wait: Duration) -> Result<Vec<(ItemId, Token)>, Fault> {
        self.lease_as("ada", wait).await
    }

    async fn lease_as(&self, worker: &str, wait: Duration) -> Result<Vec<(ItemId, Token)>, Fault> {
        let ask = Ask {
            max: 1,
            length: None,
            worker: Some(worker.into()),
            until: None,
        };
        let reply = self.queue.lease(ask, wait, pending().boxed(), &[]).await?;
        let incarnation = self.queue.incarnation();
        let lent = reply.granted.items.into_iter().map(|grant| {
            let token = Token {
                incarnation,
                seq: grant.seq,
                fence: grant.fence,
            };
            (ItemId::derive(incarnation, grant.seq.0), token)
        });
        Ok(lent.collect())
    }

    async fn settle(&self, token: Token, as_: SettleAs, note: &str, log: Option<&str>) {
        let verdict = Verdict {
            verdict: as_,
            note: Some(note.into()),
            exit_code: Some(3),
            log: log.map(Into::into),
            delay: None,
        };
        let settled = self.queue.settle_one(token, &verdict).await;
        assert!(!settled.expect("a live lease"), "it is settled now");
    }

    /// Leases what is there and says that it can never work.
    async fn bury(&self, error: &str) -> ItemId {
        let (id, token) = self.lease().await.expect("no limit").remove(0);
        self.settle(token, SettleAs::Dead, error, None).await;
        id
    }

    async fn outcomes(&self) -> Vec<Outcome> {
        let page = self.queue.outcomes(0, 100).await;
        page.expect("none is forgotten").outcomes
    }

    fn id(&self, place: u64) -> ItemId {
        ItemId::derive(self.queue.incarnation(), place)
    }
}

fn open(disk: &FaultyDisk, body_memory: u64, max_bytes: Option<u64>) -> Arc<Engine> {
    let engine = engine_in(Storage::Log {
        disk: Arc::new(disk.clone()),
        options: queue_log::Options {
            segment_bytes: 64 * 1024,
            max_bytes,
            accept_loss: false,
        },
        body_memory,
    });
    tokio::spawn(Arc::clone(&engine).run_store());
    tokio::spawn(Arc::clone(&engine).run_timer());
    engine
}

fn keyed(key: &str) -> Options {
    Options {
        key: Some(key.into()),
        ..Options::default()
    }
}

fn grouped(group: &str) -> Options {
    Options {
        group: Some(group.into()),
        ..Options::default()
    }
}

const HOUR: Duration = Duration::from_secs(3_600);
