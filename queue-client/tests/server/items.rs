//! Items with options, looked at, cancelled and redriven, against a real server.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use queue_api::{AttemptEnd, Code, ItemState, NewItem, Options, Redrive, SettleAs, Settlement};
use queue_client::{EnqueueOptions, Look, QueueClient};

use crate::{ids, items, with_queue};

fn new(body: &str, options: Options) -> NewItem {
    NewItem {
        options,
        ..NewItem::from(body)
    }
}

async fn bodies(queue: &QueueClient, look: Look) -> Vec<String> {
    let found: Vec<_> = queue.items(look).try_collect().await.unwrap();
    let text = |item: queue_api::Item| item.body.as_text().unwrap().to_owned();
    found.into_iter().map(text).collect()
}

#[tokio::test]
async fn items_go_in_with_options_and_come_out_in_their_order() {
    let (_server, queue) = with_queue("{}").await;
    let keyed = |key: &str| Options {
        key: Some(key.into()),
        ..Options::default()
    };
    let urgent = Options {
        priority: Some(5),
        group: Some("g".into()),
        ..Options::default()
    };
    let lines = [new("a", keyed("k")), new("b", urgent), new("c", keyed("k"))];
    let enqueued = queue.enqueue_items(lines, ids()).await.unwrap();
    let duplicates: Vec<_> = enqueued.items.iter().map(|item| item.duplicate).collect();
    assert_eq!(duplicates, [false, false, true]);
    assert_eq!(enqueued.items[0].id, enqueued.items[2].id);

    let late = EnqueueOptions {
        item: Options {
            delay_ms: Some(600_000),
            ttl_ms: Some(3_600_000),
            ..Options::default()
        },
        ..ids()
    };
    queue.enqueue("d", late).await.unwrap();
    assert_eq!(bodies(&queue, Look::default()).await, ["a", "b", "d"]);
    let by_ones = Look {
        limit: Some(1),
        ..Look::default()
    };
    assert_eq!(bodies(&queue, by_ones).await, ["a", "b", "d"]);
    let delayed = Look {
        state: Some(ItemState::Delayed),
        ..Look::default()
    };
    assert_eq!(bodies(&queue, delayed).await, ["d"]);
    let of_group = Look {
        group: Some("g".into()),
        ..Look::default()
    };
    assert_eq!(bodies(&queue, of_group).await, ["b"]);

    let leased = queue.lease(&items(9)).await.unwrap().items;
    let order: Vec<_> = leased.iter().map(|item| item.body.as_text()).collect();
    assert_eq!(order, [Some("b"), Some("a")]);
    assert_eq!(
        (leased[0].priority, leased[1].key.as_deref()),
        (5, Some("k"))
    );
}

#[tokio::test]
async fn an_enqueue_under_its_key_is_done_once_and_under_its_lease_while_that_lives() {
    let (_server, queue) = with_queue("{}").await;
    let keyed = EnqueueOptions {
        idempotency_key: Some("once".into()),
        seal: true,
        ..ids()
    };
    let first = queue.enqueue("a", keyed.clone()).await.unwrap();
    assert_eq!(queue.enqueue("a", keyed.clone()).await.unwrap(), first);
    let other = queue.enqueue("b", keyed).await.unwrap_err();
    assert_eq!(other.code(), Some(Code::IdempotencyMismatch));

    let item = queue.lease(&items(1)).await.unwrap().items.remove(0);
    let under = EnqueueOptions {
        lease: Some(item.lease.clone()),
        ..ids()
    };
    queue.enqueue("child", under.clone()).await.unwrap();
    let ack = Settlement::new(item.lease, SettleAs::Ack);
    queue.settle(vec![ack]).await.unwrap();
    let late = queue.enqueue("orphan", under).await.unwrap_err();
    assert_eq!(late.code(), Some(Code::LeaseLost));
    assert_eq!(queue.show().await.unwrap().totals.enqueued, 2);
}

#[tokio::test]
async fn a_dead_item_shows_its_attempts_and_its_log_and_is_redriven() {
    let (_server, queue) =
        with_queue(r#"{"max_attempts":2,"backoff":{"min_ms":1,"max_ms":1,"factor":1}}"#).await;
    let id = queue.enqueue("a", ids()).await.unwrap().items.remove(0).id;
    for attempt in 1..=2 {
        let mut ask = items(1);
        ask.wait_ms = Some(10_000);
        let item = queue.lease(&ask).await.unwrap().items.remove(0);
        let nack = Settlement {
            error: Some(format!("no {attempt}")),
            exit_code: Some(3),
            log: (attempt == 1).then(|| "it printed".into()),
            ..Settlement::new(item.lease, SettleAs::Nack)
        };
        queue.settle(vec![nack]).await.unwrap();
    }
    let item = queue.item(&id).await.unwrap();
    assert_eq!((item.state, item.attempts), (ItemState::Dead, 2));
    let ends: Vec<_> = item
        .history
        .iter()
        .map(|past| (past.verdict, past.error.as_deref()))
        .collect();
    assert_eq!(
        ends,
        [
            (AttemptEnd::Nack, Some("no 1")),
            (AttemptEnd::Nack, Some("no 2"))
        ]
    );
    assert_eq!(queue.item_log(&id, Some(1)).await.unwrap(), "it printed");
    assert_eq!(queue.item_log(&id, None).await.unwrap(), "no 2");

    let other = Redrive {
        error_contains: Some("no 1".into()),
        ..Redrive::default()
    };
    assert_eq!(queue.redrive(&other).await.unwrap().affected, 0);
    let by_code = Redrive {
        exit_code: Some(3),
        ..Redrive::default()
    };
    assert_eq!(queue.redrive(&by_code).await.unwrap().affected, 1);
    let item = queue.item(&id).await.unwrap();
    assert_eq!((item.state, item.history.len()), (ItemState::Ready, 2));
}

#[tokio::test]
async fn a_cancelled_item_is_taken_from_its_worker() {
    let (_server, queue) = with_queue(r#"{"lease_ms":1000}"#).await;
    let id = queue.enqueue("a", ids()).await.unwrap().items.remove(0).id;
    let renewer = queue.renewer(None);
    let item = queue.lease(&items(1)).await.unwrap().items.remove(0);
    let lease = renewer.hold(item);
    queue.cancel(&id).await.unwrap();
    queue.cancel(&id).await.unwrap();
    tokio::time::timeout(Duration::from_secs(30), lease.lost())
        .await
        .unwrap();
    assert_eq!(queue.item(&id).await.unwrap().state, ItemState::Cancelled);

    let id = queue.enqueue("b", ids()).await.unwrap().items.remove(0).id;
    let item = queue.lease(&items(1)).await.unwrap().items.remove(0);
    let ack = Settlement::new(item.lease, SettleAs::Ack);
    queue.settle(vec![ack]).await.unwrap();
    let finished = queue.cancel(&id).await.unwrap_err();
    assert_eq!(finished.code(), Some(Code::ItemFinished));
}
