//! What an item was given and what became of it, through a kill and through a snapshot, whether memory has
//! room for its bytes or not.

use std::sync::Arc;
use std::time::Duration;

use queue_api::{AttemptEnd, ItemId, ItemState, Redrive, SettingsPatch, SettleAs};
use queue_core::Options;
use queue_log::faulty::FaultyDisk;

use super::tests::engine_in;
use super::{
    Ask, Engine, Entered, Entry, Fault, Idempotent, Incoming, LiveQueue, Storage, Token, Verdict,
    Wanted,
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
    engine: Arc<Engine>,
    queue: Arc<LiveQueue>,
}

impl World {
    async fn with(memory: u64, settings: &str) -> Self {
        let disk = FaultyDisk::new();
        let engine = open(&disk, memory);
        let patch: SettingsPatch = serde_json::from_str(settings).expect("settings");
        let name = "q".parse().expect("a name");
        engine.put(&name, &patch).await.expect("room for a queue");
        let queue = engine.queue(&name).expect("a queue");
        Self {
            disk,
            memory,
            engine,
            queue,
        }
    }

    async fn go(&mut self, through: Through) {
        if let Through::Snapshot = through {
            self.queue.write_down().await.expect("a healthy disk");
        }
        self.disk = self.disk.kill();
        self.engine = open(&self.disk, self.memory);
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
        let ask = Ask {
            max: 1,
            length: None,
            worker: Some("ada".into()),
            until: None,
        };
        let reply = self.queue.lease(ask, wait, &[]).await?;
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

    fn id(&self, place: u64) -> ItemId {
        ItemId::derive(self.queue.incarnation(), place)
    }
}

fn open(disk: &FaultyDisk, body_memory: u64) -> Arc<Engine> {
    let engine = engine_in(Storage::Log {
        disk: Arc::new(disk.clone()),
        options: queue_log::Options {
            segment_bytes: 64 * 1024,
            max_bytes: None,
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

#[tokio::test]
async fn an_item_keeps_all_it_was_given() {
    for (through, memory) in ALL {
        let mut world = World::with(memory, "{}").await;
        let options = Options {
            priority: -7,
            group: Some("a group".into()),
            key: Some("a key".into()),
            delay: HOUR,
            ttl: Some(2 * HOUR),
        };
        world.put("its body", options).await;
        let before = world.queue.item(world.id(0)).await.expect("it is there");
        assert_eq!(before.state, ItemState::Delayed);
        assert_eq!(
            (before.priority, before.key.as_deref()),
            (-7, Some("a key"))
        );
        assert_eq!(before.group.as_deref(), Some("a group"));
        assert!(before.due.is_some() && before.expires > before.due);

        world.go(through).await;
        let after = world.queue.item(world.id(0)).await.expect("it is there");
        assert_eq!(after, before, "{through:?} {memory}");
    }
}

#[tokio::test]
async fn a_key_stays_taken_while_its_window_lasts() {
    for (through, memory) in ALL {
        let mut world = World::with(
            memory,
            r#"{"key_window_ms":3600000,"done_retention_items":0}"#,
        )
        .await;
        world.put("live", keyed("live")).await;
        world
            .put(
                "done",
                Options {
                    priority: 1,
                    ..keyed("done")
                },
            )
            .await;
        let (id, token) = world.lease().await.expect("no limit").remove(0);
        assert_eq!(id, world.id(1));
        world.settle(token, SettleAs::Ack, "", None).await;
        world.put("cancelled", keyed("cancelled")).await;
        world.queue.cancel(world.id(2)).await.expect("it is ready");

        world.go(through).await;
        let of = async |key: &str| world.put("another", keyed(key)).await.duplicates;
        assert_eq!(of("live").await, [(0, queue_core::Seq(0))]);
        assert_eq!(
            of("done").await,
            [(0, queue_core::Seq(1))],
            "{through:?}: held, and its item gone"
        );
        assert_eq!(of("cancelled").await, [], "freed at once");
        let totals = world.queue.view().await.expect("a queue").totals;
        assert_eq!(
            (totals.enqueued, totals.duplicates, totals.cancelled),
            (4, 2, 1)
        );
    }
}

#[tokio::test]
async fn a_request_that_is_repeated_is_answered_the_same() {
    for (through, memory) in ALL {
        let mut world = World::with(memory, "{}").await;
        world.put("first", keyed("k")).await;
        let duplicate = keyed("k");
        let entries = [
            Entry::plain(b"new"),
            Entry {
                body: b"old",
                options: Some(&duplicate),
            },
            Entry::plain(b"newer"),
        ];
        let request = |digest| Incoming {
            seal: true,
            idempotent: Some(Idempotent {
                key: "request 1",
                digest,
            }),
            ..Incoming::of(&entries)
        };
        let first = world
            .queue
            .enqueue(request(5))
            .await
            .expect("an open queue");
        let places: Vec<_> = first.places().map(|(seq, old)| (seq.0, old)).collect();
        assert_eq!(places, [(1, false), (0, true), (2, false)]);

        world.go(through).await;
        let again = world
            .queue
            .enqueue(request(5))
            .await
            .expect("sealed, and answered all the same");
        assert!(again.replayed && !first.replayed);
        assert!(again.places().eq(first.places()), "{again:?}");
        let other = world.queue.enqueue(request(6)).await;
        assert!(
            matches!(other, Err(Fault::IdempotencyMismatch(_))),
            "{other:?}"
        );
        assert_eq!(
            world.queue.view().await.expect("a queue").totals.enqueued,
            3
        );
    }
}

#[tokio::test]
async fn what_became_of_an_item_stays_so() {
    for (through, memory) in ALL {
        let mut world = World::with(memory, "{}").await;
        for _ in 0..5 {
            world.put("an item", Options::default()).await;
        }
        let (done, token) = world.lease().await.expect("no limit").remove(0);
        world
            .settle(token, SettleAs::Ack, "its result", Some("what it printed"))
            .await;
        let (revoked, token) = world.lease().await.expect("no limit").remove(0);
        world.queue.cancel(revoked).await.expect("it is leased");
        let late = Verdict {
            verdict: SettleAs::Ack,
            note: None,
            exit_code: None,
            log: None,
            delay: None,
        };
        let late = world.queue.settle_one(token, &late).await;
        assert!(matches!(late, Err(Fault::LeaseLost)), "{late:?}");
        let redriven = world.bury("hopeless").await;
        let dead = world.bury("for good").await;
        let which = Redrive {
            ids: Some(vec![redriven, done, redriven]),
            ..Redrive::default()
        };
        assert_eq!(world.queue.redrive(&which).await.expect("room").0, 1);
        world.queue.cancel(world.id(4)).await.expect("it is ready");
        let brief = Options {
            ttl: Some(Duration::from_millis(1)),
            ..Options::default()
        };
        world.put("brief", brief).await;
        while world
            .queue
            .view()
            .await
            .expect("a queue")
            .totals
            .item_expired
            == 0
        {
            tokio::task::yield_now().await;
        }

        world.go(through).await;
        let item = async |id| world.queue.item(id).await.expect("it is kept");
        let it = item(done).await;
        assert_eq!(
            (it.state, it.result.as_deref()),
            (ItemState::Done, Some("its result"))
        );
        assert_eq!(it.history[0].log_bytes, Some(15));
        assert_eq!(
            world.queue.item_log(done, None).await.expect("a log"),
            b"what it printed"
        );
        let it = item(revoked).await;
        assert_eq!(
            (it.state, it.history[0].verdict),
            (ItemState::Cancelled, AttemptEnd::Revoked)
        );
        let it = item(redriven).await;
        assert_eq!(
            (it.state, it.attempts, it.history.len()),
            (ItemState::Ready, 0, 1)
        );
        assert_eq!(
            world
                .queue
                .item_log(redriven, Some(1))
                .await
                .expect("an error"),
            b"hopeless"
        );
        assert_eq!(item(dead).await.state, ItemState::Dead);
        assert_eq!(item(world.id(4)).await.state, ItemState::Cancelled);
        assert_eq!(item(world.id(5)).await.state, ItemState::Expired);
        let finished = world.queue.cancel(done).await;
        assert!(
            matches!(finished, Err(Fault::ItemFinished(_))),
            "{finished:?}"
        );
        world.queue.cancel(revoked).await.expect("cancelled before");
        let totals = world.queue.view().await.expect("a queue").totals;
        assert_eq!(
            (totals.cancelled, totals.redriven, totals.item_expired),
            (2, 1, 1)
        );
    }
}

#[tokio::test]
async fn dead_items_are_found_by_what_their_errors_say() {
    for (through, memory) in ALL {
        let mut world = World::with(memory, "{}").await;
        for n in 0..30 {
            let group = ["odd", "even"][usize::from(n % 2 == 0)];
            world.put("an item", grouped(group)).await;
        }
        for n in 0..30 {
            let error = format!("{} disk {}", "x".repeat(5_000), ["full", "slow"][n % 2]);
            world.bury(&error).await;
        }

        world.go(through).await;
        let which = Redrive {
            error_contains: Some("disk full".into()),
            limit: Some(7),
            ..Redrive::default()
        };
        assert_eq!(
            world.queue.redrive(&which).await.expect("room").0,
            7,
            "{through:?} {memory}"
        );
        let which = Redrive {
            limit: None,
            ..which
        };
        assert_eq!(world.queue.redrive(&which).await.expect("room").0, 8);
        let which = Redrive {
            exit_code: Some(4),
            ..Redrive::default()
        };
        assert_eq!(world.queue.redrive(&which).await.expect("room").0, 0);
        let which = Redrive {
            group: Some("none".into()),
            ..Redrive::default()
        };
        assert_eq!(world.queue.redrive(&which).await.expect("room").0, 0);
        assert_eq!(
            world
                .queue
                .redrive(&Redrive::default())
                .await
                .expect("room")
                .0,
            15
        );
    }
}

#[tokio::test]
async fn groups_go_on_taking_turns_where_they_were() {
    for (through, memory) in ALL {
        let mut world = World::with(memory, "{}").await;
        for group in ["greedy", "greedy", "greedy", "modest"] {
            world.put(group, grouped(group)).await;
        }
        let lent = async |world: &World| world.lease().await.expect("no limit").remove(0).0;
        assert_eq!(lent(&world).await, world.id(0));
        world.go(through).await;
        assert_eq!(
            lent(&world).await,
            world.id(3),
            "{through:?}: the other one's turn"
        );
        assert_eq!(lent(&world).await, world.id(1));
    }
}

#[tokio::test]
async fn a_rate_does_not_burst_after_a_restart() {
    for (through, memory) in ALL {
        let mut world = World::with(memory, r#"{"rate_per_s":0.001,"burst":2}"#).await;
        for _ in 0..4 {
            world.put("an item", Options::default()).await;
        }
        for _ in 0..2 {
            assert_eq!(world.lease().await.expect("a token").len(), 1);
        }
        world.go(through).await;
        let limited = world.lease().await;
        let Err(Fault::RateLimited { after, .. }) = limited else {
            panic!("{limited:?}");
        };
        assert!(
            after > Duration::from_secs(900) && after <= Duration::from_secs(1_000),
            "{after:?}"
        );
    }
}

#[tokio::test]
async fn a_call_that_waits_is_given_the_next_token_and_the_next_place() {
    let world = World::with(0, r#"{"rate_per_s":50,"burst":1,"max_leased":2}"#).await;
    for _ in 0..3 {
        world.put("an item", Options::default()).await;
    }
    let (_, first) = world.lease().await.expect("a token").remove(0);
    let waited = world.lease_within(HOUR).await.expect("it waits");
    assert_eq!(waited.len(), 1, "for the token");
    let waiting = world.lease_within(HOUR);
    let ending = async {
        while world.engine.parked() == 0 {
            tokio::task::yield_now().await;
        }
        world.settle(first, SettleAs::Ack, "", None).await;
    };
    let (waited, ()) = tokio::join!(waiting, ending);
    assert_eq!(waited.expect("it waits").len(), 1, "for a lease to end");
}

#[tokio::test]
async fn a_queue_is_looked_at_page_by_page() {
    for (through, memory) in ALL {
        let mut world = World::with(memory, "{}").await;
        for n in 0..25 {
            let group = ["a", "b"][n % 2];
            world.put(&format!("item {n}"), grouped(group)).await;
        }
        world.go(through).await;
        let mut after = None;
        let mut seen = Vec::new();
        loop {
            let wanted = Wanted {
                state: Some(ItemState::Ready),
                group: Some("b"),
                after,
                limit: 5,
            };
            let page = world.queue.items(wanted).await.expect("a page");
            assert!(page.items.len() <= 5);
            seen.extend(
                page.items
                    .into_iter()
                    .map(|item| String::from_utf8(item.body.0).expect("text")),
            );
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let expected: Vec<_> = (0..25)
            .filter(|n| n % 2 == 1)
            .map(|n| format!("item {n}"))
            .collect();
        assert_eq!(seen, expected);
    }
}
