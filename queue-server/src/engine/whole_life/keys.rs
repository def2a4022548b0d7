//! Keys of items, and of requests that are repeated.

use super::*;

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
async fn a_request_that_is_repeated_on_a_full_disk_is_answered_and_takes_no_room() {
    let world = World::within(Some(1 << 20)).await;
    let entries = [Entry::plain(b"an item")];
    let request = Incoming {
        idempotent: Some(Idempotent {
            key: "request",
            digest: 5,
        }),
        ..Incoming::of(&entries)
    };
    let first = world.queue.enqueue(request).await.expect("room");
    for length in [10_000, 0] {
        let body = vec![b'x'; length];
        let filling = [Entry::plain(&body)];
        while world.queue.enqueue(Incoming::of(&filling)).await.is_ok() {}
    }
    let end = |world: &World| world.engine.shared.store().usage().expect("a log").end;
    let before = end(&world);
    for _ in 0..100 {
        let again = world.queue.enqueue(request).await.expect("an answer");
        assert!(again.replayed && again.first == first.first);
    }
    assert_eq!(
        end(&world),
        before,
        "what is kept back is for what ends items"
    );
}
