//! What items come to, and coming back from it.

use super::*;

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
async fn the_rate_is_of_items_that_work_ended() {
    let world = World::with(0, "{}").await;
    for _ in 0..10 {
        world.put("an item", Options::default()).await;
    }
    let shown = async || world.queue.view().await.expect("a queue");

    // Cancelled while it is worked on, and before; expired; thrown away.
    let (leased, _) = world.lease().await.expect("no limit").remove(0);
    for id in [leased, world.id(1), world.id(2)] {
        world.queue.cancel(id).await.expect("it is not done");
    }
    let brief = Options {
        ttl: Some(Duration::from_millis(1)),
        ..Options::default()
    };
    world.put("brief", brief).await;
    while shown().await.totals.item_expired == 0 {
        tokio::task::yield_now().await;
    }
    let ready = MassPurge {
        ready: true,
        ..MassPurge::default()
    };
    assert_eq!(world.queue.purge(ready).await.expect("room").0, 7);
    let queue = shown().await;
    assert_eq!((queue.rate_per_s, queue.eta_ms), (0.0, None));

    // Done, taken, dead, and once more after a redrive.
    for _ in 0..4 {
        world.put("an item", Options::default()).await;
    }
    let (_, token) = world.lease().await.expect("no limit").remove(0);
    world.settle(token, SettleAs::Ack, "its result", None).await;
    let taken = world.queue.take().await.expect("a queue");
    taken.expect("an item");
    for _ in 0..2 {
        world.bury("hopeless").await;
        let all = Redrive::default();
        assert_eq!(world.queue.redrive(&all).await.expect("room").0, 1);
    }
    let queue = shown().await;
    let worked_off = queue.totals.acked + queue.totals.taken + queue.totals.dead;
    assert_eq!(worked_off, 4);
    let rate = queue.rate_per_s;
    assert!(rate > 0.0 && rate <= 4.0, "{rate}");
    assert!(queue.eta_ms >= Some(500), "{:?}", queue.eta_ms);
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
async fn an_outcome_tells_what_it_told_whatever_came_later() {
    for (through, memory) in ALL {
        let mut world = World::with(memory, "{}").await;
        world.put("an item", Options::default()).await;
        world.bury("boom").await;
        let before = world.outcomes().await;
        assert_eq!(before[0].error.as_deref(), Some("boom"));
        let all = Redrive::default();
        assert_eq!(world.queue.redrive(&all).await.expect("room").0, 1);
        let (_, token) = world.lease().await.expect("no limit").remove(0);
        world.settle(token, SettleAs::Ack, "fine", None).await;

        world.go(through).await;
        let after = world.outcomes().await;
        assert_eq!(after[0], before[0], "{through:?} {memory}");
        assert_eq!(after[1].result.as_deref(), Some("fine"));
        assert_eq!(after.len(), 2);
    }
}

#[tokio::test]
async fn the_oldest_are_redriven_first_wherever_their_errors_lie() {
    for (through, memory) in ALL {
        let mut world = World::with(memory, r#"{"max_attempts":1,"lease_ms":100}"#).await;
        for _ in 0..2 {
            world.put("an item", Options::default()).await;
        }
        let first = world.bury("the lease ran out of luck").await;
        let (second, _) = world.lease().await.expect("no limit").remove(0);
        while world.queue.view().await.expect("a queue").counts.dead < 2 {
            tokio::task::yield_now().await;
        }

        world.go(through).await;
        let which = Redrive {
            error_contains: Some("the lease ran out".into()),
            limit: Some(1),
            ..Redrive::default()
        };
        assert_eq!(world.queue.redrive(&which).await.expect("room").0, 1);
        let state = async |id| world.queue.item(id).await.expect("it is kept").state;
        assert_eq!(
            (state(first).await, state(second).await),
            (ItemState::Ready, ItemState::Dead),
            "{through:?} {memory}"
        );
    }
}

#[tokio::test]
async fn what_dies_while_a_call_redrives_is_not_meant_by_it() {
    let world = World::with(u64::MAX, "{}").await;
    for _ in 0..SLICE + 2 {
        world.put("an item", Options::default()).await;
    }
    for _ in 0..=SLICE {
        world.bury("an error").await;
    }
    let (last, token) = world.lease().await.expect("no limit").remove(0);
    // More dead items than one turn goes over, and one that a worker has: it dies between two turns.
    let all = Redrive::default();
    let redriving = world.queue.redrive(&all);
    let dying = async {
        let begun = world.engine.shared.clock.now();
        while world.engine.shared.clock.now() <= begun {
            std::hint::spin_loop();
        }
        world.settle(token, SettleAs::Dead, "later", None).await;
    };
    let (redriven, ()) = tokio::join!(redriving, dying);
    assert_eq!(redriven.expect("room").0, SLICE as u64 + 1);
    let last = world.queue.item(last).await.expect("it is kept");
    assert_eq!(last.state, ItemState::Dead);
}
