//! Whose turn it is, and how many at once.

use super::*;

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
async fn names_of_groups_are_not_kept_among_those_of_workers() {
    for (through, memory) in ALL {
        let mut world = World::with(memory, "{}").await;
        for n in 0..10 {
            world.put("an item", grouped(&format!("group {n}"))).await;
        }
        world.go(through).await;
        assert_eq!(world.queue.lock().workers.len(), 0, "{through:?}");
    }
}
