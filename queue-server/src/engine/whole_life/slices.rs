//! Slices of a snapshot: that they have the room they take is asserted where they are written.

use super::*;

/// As a worker whose name is as long as one may be.
async fn lease(world: &World, n: usize) -> Token {
    let lent = world.lease_as(&format!("{n:0>253}"), Duration::ZERO).await;
    lent.expect("no limit").remove(0).1
}

#[tokio::test]
async fn a_slice_has_room_for_whatever_its_items_bring() {
    for memory in [0, u64::MAX] {
        let mut world = World::with(memory, r#"{"max_attempts":30,"lease_ms":600000}"#).await;
        let options = |n: usize| Options {
            priority: i16::MIN,
            group: Some(format!("{n:g>255}").into()),
            key: Some(format!("{n:k>255}").into()),
            delay: Duration::ZERO,
            ttl: Some(1_000_000 * HOUR),
            trace: Some(format!("{n:t>600}").into()),
        };
        for n in 0..40 {
            world.put(&"b".repeat(n), options(n)).await;
        }
        // A slice of one item that is longer than slices are.
        world.put(&"b".repeat(1 << 20), options(40)).await;
        for attempt in 0..22 {
            for n in 0..41 {
                let token = lease(&world, attempt * 41 + n).await;
                world
                    .settle(token, SettleAs::Release, "given back", Some("it printed"))
                    .await;
            }
        }
        lease(&world, 7).await;
        let before = world.queue.item(world.id(40)).await.expect("it is there");
        world.go(Through::Snapshot).await;
        let after = world.queue.item(world.id(40)).await.expect("it is there");
        assert_eq!(after, before);
        assert_eq!(after.history.len(), 20);
    }
}

#[tokio::test]
async fn a_snapshot_takes_no_more_than_room_is_kept_for() {
    let world = World::with(u64::MAX, r#"{"max_attempts":30,"lease_ms":600000}"#).await;
    for _ in 0..100 {
        world.put("", Options::default()).await;
    }
    for n in 0..1_050 {
        let token = lease(&world, n).await;
        let as_ = [SettleAs::Release, SettleAs::Ack][usize::from(n > 990)];
        world.settle(token, as_, "", None).await;
    }
    lease(&world, 0).await;
    let usage = || world.engine.shared.store().usage().expect("a disk");
    let (told, from) = (world.queue.lock().live_bytes(), usage().end.0);
    world.queue.write_down().await.expect("a healthy disk");
    let took = usage().end.0 - from;
    // What is told, and the gap.
    assert!(took <= told + told / 4, "{took} bytes of {told}");
}
