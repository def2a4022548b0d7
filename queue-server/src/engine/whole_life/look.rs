//! Items as they are looked at.

use super::*;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

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
            trace: Some(format!("{PARENT} a=1").into()),
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
        assert_eq!(before.traceparent.as_deref(), Some(PARENT));
        assert_eq!(before.tracestate.as_deref(), Some("a=1"));

        world.go(through).await;
        let after = world.queue.item(world.id(0)).await.expect("it is there");
        assert_eq!(after, before, "{through:?} {memory}");
    }
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
